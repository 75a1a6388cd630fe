/** `npm run soak -- NAME [--minutes M]`: does anything grow? Exit 1 when it does, 2 on a wrong argument. */
import { parseArgs } from 'node:util'
import { judge, type Soak, slopeTable } from './slopes.ts'
import { churn } from './soak-churn.ts'
import { membership } from './soak-membership.ts'

const soaks: readonly Soak[] = [membership, churn]

const { values, positionals } = parseArgs({
  options: { minutes: { type: 'string' } },
  allowPositionals: true,
})
const [name = 'membership', ...more] = positionals
const soak = soaks.find((candidate) => candidate.name === name)
const minutes = Number(values.minutes ?? soak?.minutes)
if (soak === undefined || more.length > 0) {
  console.error(`usage: npm run soak -- ${soaks.map((known) => known.name).join('|')} [--minutes M]`)
  process.exit(2)
}
if (!(minutes >= 1 && minutes <= 7 * 24 * 60)) {
  console.error('--minutes must be from 1 to 10080')
  process.exit(2)
}

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => interrupted.abort(new Error('interrupted')))
}

const series = await soak.run({
  durationMs: minutes * 60_000,
  progress: (text) => console.error(`${soak.name}: ${text}`),
  signal: interrupted.signal,
})
const verdicts = judge(series)
console.log(slopeTable(verdicts))
const growing = verdicts.filter(({ grows }) => grows)
console.log(
  growing.length === 0
    ? `${soak.name}: nothing grows`
    : `${soak.name}: grows: ${growing.map(({ source, quantity }) => `${quantity} of ${source}`).join(', ')}`,
)
process.exitCode = growing.length === 0 ? 0 : 1
