/**
 * `npm run sim -- --protocol P --seeds N [--from S] [--mutant M] [--story] [--json]`
 *
 * Runs a protocol's cores through seeded stories of faults on virtual time.
 */
import { parseArgs } from 'node:util'
import { P2pdError } from '../lib/wire/errors.ts'
import { membershipMutants } from '../test/mutants/membership.ts'
import type { MembershipMutant } from '../testnet/sim/membership/cluster.ts'
import { type MembershipRun, runMembership } from '../testnet/sim/membership/run.ts'

const usage = `Examples:
  npm run sim -- --protocol membership --seeds 200
  npm run sim -- --protocol membership --from 17 --seeds 1 --story   one seed, told in words
  npm run sim -- --protocol membership --seeds 200 --mutant no-refutation

Options:
  --protocol P   what to simulate: membership
  --seeds N      how many seeds (default 100)
  --from S       the first seed (default 1)
  --mutant M     replace a rule by a mistake and expect it to be caught; 'list' names them
  --story        tell what happens (stderr)
  --json         failing seeds as JSON too, a line each
`

const longestMessage = 600

interface Arguments {
  readonly seeds: number
  readonly from: number
  readonly mutant: MembershipMutant | undefined
  readonly story: boolean
  readonly json: boolean
}

function main(args: string[]): number {
  if (args.includes('--help')) {
    process.stdout.write(usage)
    return 0
  }
  try {
    return run(readArguments(args))
  } catch (error) {
    if (!(error instanceof P2pdError)) throw error
    const { code, message, hint } = error
    const text = args.includes('--json')
      ? JSON.stringify({ error: { code, message, hint } })
      : `${code}: ${message}${hint === undefined ? '' : `\n${hint}`}`
    process.stderr.write(`${text}\n`)
    return 2
  }
}

function run({ seeds, from, mutant, story, json }: Arguments): number {
  let violations = 0
  let killedBySeed: number | null = null
  for (let seed = from; seed < from + seeds && killedBySeed === null; seed++) {
    const outcome = runMembership(seed, { mutant, log: story ? tell : undefined })
    if (outcome.violations.length === 0) continue
    violations += outcome.violations.length
    if (mutant !== undefined) killedBySeed = seed
    report(seed, outcome, mutant, json)
  }
  const summary = { protocol: 'membership', seeds, violations, mutant: mutant?.name ?? null, killedBySeed }
  process.stdout.write(`${JSON.stringify(summary)}\n`)
  if (mutant !== undefined) return killedBySeed === null ? 1 : 0
  return violations === 0 ? 0 : 1
}

function report(
  seed: number,
  outcome: MembershipRun,
  mutant: MembershipMutant | undefined,
  json: boolean,
): void {
  const replay = `npm run sim -- --protocol membership --from ${seed} --seeds 1${mutant === undefined ? '' : ` --mutant ${mutant.name}`}`
  const { violations, traceHash, options } = outcome
  const { peers, profile } = options
  if (json) {
    process.stdout.write(`${JSON.stringify({ seed, peers, profile, traceHash, replay, violations })}\n`)
    return
  }
  const lines = violations.map(
    ({ property, at, message }) => `  ${Math.round(at)} ms  ${property}: ${message.slice(0, longestMessage)}`,
  )
  const head = `seed ${seed} (${peers} peers, ${profile}, trace ${traceHash}): ${violations.length} violations`
  process.stdout.write(`${head}\n${lines.join('\n')}\n  replay: ${replay}\n`)
}

function tell(atMs: number, line: string): void {
  process.stderr.write(`${atMs.toFixed(1).padStart(10)}  ${line}\n`)
}

function readArguments(args: string[]): Arguments {
  const { values } = parse(args)
  const known = membershipMutants.map((mutant) => `  ${mutant.name.padEnd(28)}${mutant.mistake}`).join('\n')
  if (values.protocol !== 'membership') {
    throw new P2pdError('ERR_USAGE', `--protocol is ${values.protocol ?? 'missing'}`, {
      hint: 'protocols: membership',
    })
  }
  const mutant = membershipMutants.find(({ name }) => name === values.mutant)
  if (values.mutant !== undefined && mutant === undefined) {
    const message = values.mutant === 'list' ? 'no mutant chosen' : `no mutant is called ${values.mutant}`
    throw new P2pdError('ERR_USAGE', message, { hint: `mutants:\n${known}` })
  }
  return {
    seeds: count('--seeds', values.seeds ?? '100', 1),
    from: count('--from', values.from ?? '1', 0),
    mutant,
    story: values.story ?? false,
    json: values.json ?? false,
  }
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        protocol: { type: 'string' },
        seeds: { type: 'string' },
        from: { type: 'string' },
        mutant: { type: 'string' },
        story: { type: 'boolean' },
        json: { type: 'boolean' },
      },
    })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new P2pdError('ERR_USAGE', message, { hint: 'npm run sim -- --help' })
  }
}

function count(flag: string, text: string, least: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= least && Number.isSafeInteger(value)) return value
  throw new P2pdError('ERR_USAGE', `${flag} ${text} is no whole number from ${least} on`)
}

process.exitCode = main(process.argv.slice(2))
