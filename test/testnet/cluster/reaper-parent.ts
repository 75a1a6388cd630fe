/** Run by the test of the reaper: starts two processes under one, says who they are, and never ends by itself. */
import { spawn } from 'node:child_process'
import { Reaper } from '../../../testnet/cluster/reaper.ts'

const reaper = Reaper.start()
const pids = [1, 2].map(() => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
    detached: true,
    stdio: 'ignore',
  })
  if (child.pid === undefined) throw new Error('a child could not be started')
  return child.pid
})
const [watched = 0, forgotten = 0] = pids
reaper.watch(watched)
reaper.watch(forgotten)
reaper.forget(forgotten)
process.stdout.write(`${JSON.stringify({ watched, forgotten })}\n`)
setInterval(() => {}, 1000)
