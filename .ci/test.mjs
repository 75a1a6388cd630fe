// The suite, on two cores: what is only computed beside what waits for processes and sockets. Arguments go to mocha.
// That comes second wherever both want the processor, so that no timing of the others depends on it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setPriority } from 'node:os'

const mocha = 'node_modules/mocha/bin/mocha.js'
const pure = [
  'testnet/sim',
  'testnet/checkers',
  'lib/protocols',
  'plugins/mutex/core',
  'plugins/mutex/checker',
].map((folder) => `dist/test/${folder}/**/*.spec.js`)
const args = process.argv.slice(2)

function start(more, stdout) {
  return spawn(process.execPath, [mocha, ...args, ...more], { stdio: ['ignore', stdout, 'inherit'] })
}

const rest = start(
  pure.flatMap((specs) => ['--ignore', specs]),
  'inherit',
)
const computed = start(
  ['--no-config', '--timeout', '30000', '--forbid-only', '--forbid-pending', ...pure],
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
