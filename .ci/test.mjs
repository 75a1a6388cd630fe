// The suite, on two cores: what is only computed beside what waits for processes and sockets. Arguments go to mocha.
// The simulations come second wherever both want the processor, so that no timing of the others depends on them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setPriority } from 'node:os'

const mocha = 'node_modules/mocha/bin/mocha.js'
const simulations = 'dist/test/testnet/sim/**/*.spec.js'
const args = process.argv.slice(2)

function start(more, stdout) {
  return spawn(process.execPath, [mocha, ...args, ...more], { stdio: ['ignore', stdout, 'inherit'] })
}

const rest = start(['--ignore', simulations], 'inherit')
const computed = start(
  ['--no-config', '--timeout', '30000', '--forbid-only', '--forbid-pending', simulations],
  'pipe',
)
setPriority(computed.pid, 10)
const told = []
computed.stdout.on('data', (chunk) => told.push(chunk))
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    for (const child of [rest, computed]) child.kill(signal)
  })
}
const codes = await Promise.all([rest, computed].map(async (child) => (await once(child, 'close'))[0] ?? 1))
process.stdout.write(Buffer.concat(told))
process.exitCode = Math.max(...codes)
