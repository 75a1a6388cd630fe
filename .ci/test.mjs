// The suite, on two cores: what waits for processes, beside what waits for sockets within one, beside what is
// only computed. That comes last wherever they want the processor, so that no timing of the others depends on it.
// Arguments go to mocha.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setPriority } from 'node:os'

const mocha = 'node_modules/mocha/bin/mocha.js'
const computed = [
  'testnet/sim',
  'testnet/checkers',
  'lib/protocols',
  'plugins/mutex/core',
  'plugins/mutex/checker',
].map(specsIn)
const inOneProcess = ['lib', 'plugins'].map(specsIn)
const args = process.argv.slice(2)

function specsIn(folder) {
  return `dist/test/${folder}/**/*.spec.js`
}

/** Everything in `folders`, or whatever is left when there are none. */
function start(folders, others, stdout) {
  const ignored = others.flatMap((specs) => ['--ignore', specs])
  const given = folders.length === 0 ? [] : ['--config', '.ci/mocha.json', ...folders]
  return spawn(process.execPath, [mocha, ...args, ...ignored, ...given], {
    stdio: ['ignore', stdout, 'inherit'],
  })
}

const children = [
  start([], [...computed, ...inOneProcess], 'inherit'),
  start(inOneProcess, computed, 'pipe'),
  start(computed, [], 'pipe'),
]
setPriority(children[2].pid, 10)
const told = children.map(({ stdout }) => {
  const chunks = []
  stdout?.on('data', (chunk) => chunks.push(chunk))
  return chunks
})
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    for (const child of children) child.kill(signal)
  })
}
const codes = await Promise.all(children.map(async (child) => (await once(child, 'close'))[0] ?? 1))
for (const chunks of told) process.stdout.write(Buffer.concat(chunks))
process.exitCode = Math.max(...codes)
