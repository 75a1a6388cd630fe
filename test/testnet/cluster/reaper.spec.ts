import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Reaper } from '../../../testnet/cluster/reaper.ts'
import { eventually } from '../../support/eventually.ts'

const parentProgram = fileURLToPath(new URL('./reaper-parent.js', import.meta.url))

/** Runs, and is not merely waiting to be collected by a parent that does not. */
function runs(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z'
  } catch {
    return true
  }
}

describe('the reaper', () => {
  it('kills what is watched when its parent is killed with SIGKILL, and nothing else', async () => {
    const parent = spawn(process.execPath, [parentProgram], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string]
    const { watched, forgotten } = JSON.parse(line) as { watched: number; forgotten: number }
    try {
      assert.ok(runs(watched))
      parent.kill('SIGKILL')
      await eventually('the watched process is gone', () => !runs(watched))
      assert.ok(runs(forgotten))
    } finally {
      process.kill(forgotten, 'SIGKILL')
    }
  })

  it('kills what is still watched when it is closed', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
    assert.ok(child.pid !== undefined)
    const exited = once(child, 'exit')
    const reaper = Reaper.start()
    reaper.watch(child.pid)
    await reaper.close()
    assert.deepEqual(await exited, [null, 'SIGKILL'])
    await reaper.close()
  })
})
