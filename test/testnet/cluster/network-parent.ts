/** Run by the test of the network: makes one, runs a process in it, says so, and never ends by itself. */
import { spawn } from 'node:child_process'
import { runId } from '../../../testnet/cluster/namespace-names.ts'
import { Network } from '../../../testnet/cluster/network.ts'
import { Reaper } from '../../../testnet/cluster/reaper.ts'

// Without a reaper it is as if that were killed as well.
const reaper = process.argv[2] === 'reaped' ? Reaper.start() : { watch: () => {}, forget: () => {} }
const network = await Network.create(['n1', 'n2'], reaper)
const [program = '', ...args] = network.enter('n1')
const child = spawn(program, [...args, process.execPath, '-e', 'setInterval(() => {}, 1000)'], {
  detached: true,
  stdio: 'ignore',
})
process.stdout.write(`${JSON.stringify({ run: runId(), pid: child.pid })}\n`)
setInterval(() => {}, 1000)
