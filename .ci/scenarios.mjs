// Every scenario of the testnet, one after the other, with a verdict each: too long for the suite, for who wants to know.
// Arguments: names (all, if none is given), --profile local|lan|wan, --times N. Exit 1 when one failed.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const program = fileURLToPath(new URL('../dist/bin/p2pd.js', import.meta.url))
const { values, positionals } = parseArgs({
  options: { profile: { type: 'string', default: 'local' }, times: { type: 'string', default: '1' } },
  allowPositionals: true,
})
const rounds = Number(values.times)
if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= 1000)) {
  console.error('--times must be a whole number from 1 to 1000')
  process.exit(2)
}

let child
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    child?.kill(signal)
    process.exitCode = 130
  })
}

/** What it wrote, each as lines of JSON. */
async function p2pd(...args) {
  // Detached: the Ctrl-C of a terminal comes to it once, from here.
  child = spawn(process.execPath, [program, 'testnet', '--json', ...args], { detached: true })
  const written = [child.stdout, child.stderr].map(async (stream) => {
    const text = (await stream.setEncoding('utf8').toArray()).join('')
    return text.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []))
  })
  const [code] = await once(child, 'close')
  const [output, complaints] = await Promise.all(written)
  return { code, output, error: complaints.at(-1)?.error }
}

const widths = [8, 22, 7, 10, 6, 15, 15, 15]
const print = (...cells) =>
  console.log(
    cells
      .map((cell, i) => String(cell).padEnd(widths[i] ?? 0))
      .join(' ')
      .trimEnd(),
  )
const times = (found) => (found ? `${Math.round(found.medianMs)}/${Math.round(found.worstMs)}` : '-')

const known = (await p2pd('--scenario', 'list')).output[0].scenarios.map(({ name }) => name)
const names = positionals.length > 0 ? positionals : known
const counts = { pass: 0, fail: 0, 'not run': 0 }
print('', 'scenario', 'took', 'violations', 'false', 'deaths ms', 'stalls ms', 'heals ms')
print('', '', '', '', '', 'median/worst', 'median/worst', 'median/worst')
for (let round = 0; round < rounds; round++) {
  for (const name of names) {
    if (process.exitCode === 130) break
    const { output, error } = await p2pd('--scenario', name, '--profile', values.profile)
    const verdict = output.find((line) => 'verdict' in line)
    if (verdict === undefined) {
      if (process.exitCode === 130) break
      counts[error?.code === 'ERR_TESTNET_NETWORK' ? 'not run' : 'fail']++
      print(
        error?.code === 'ERR_TESTNET_NETWORK' ? 'not run' : 'FAIL',
        name,
        `${error?.code}: ${error?.message}`,
      )
      continue
    }
    counts[verdict.verdict]++
    const { tookMs, violations, figures, times: noticed, failure, folder, load } = verdict
    print(
      verdict.verdict === 'pass' ? 'pass' : 'FAIL',
      ...[name, `${(tookMs / 1000).toFixed(1)} s`, violations.length, figures.falseSuspicions],
      ...[noticed.killed, noticed.stalled, noticed.healed].map(times),
    )
    for (const { property, at, message } of violations.slice(0, 5)) {
      console.log(`         ${property} at ${Math.round(at)} ms: ${message}`)
    }
    if (failure !== null) {
      const step = failure.step === null ? '' : `${failure.step}: `
      console.log(`         ${failure.code}: ${step}${failure.message}`)
    }
    const busy = load.before > load.cores ? `, on ${load.cores} cores with load ${load.before}` : ''
    if (folder !== null) console.log(`         kept in ${folder}${busy}`)
  }
}
console.log(`${counts.pass} passed, ${counts.fail} failed, ${counts['not run']} not run`)
process.exitCode ||= counts.fail === 0 ? 0 : 1
