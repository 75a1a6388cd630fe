/**
 * `npm run sim -- --protocol P --seeds N [--from S] [--mutant M] [--story] [--json]`
 * `npm run sim -- --protocol membership --members N --minutes M [--churn %] [--loss %]`
 *
 * Runs a protocol's cores through seeded stories of faults on virtual time.
 */
import { parseArgs } from 'node:util'
import { P2pdError } from '../lib/wire/errors.ts'
import { membershipMutants } from '../test/mutants/membership.ts'
import { multicastMutants } from '../test/mutants/multicast.ts'
import { mutexMutants } from '../test/mutants/mutex.ts'
import {
  type CrowdOptions,
  type CrowdRun,
  crowdDefaults,
  crowdProfiles,
  runCrowd,
} from '../testnet/sim/membership/crowd.ts'
import { runMembership } from '../testnet/sim/membership/run.ts'
import { type MulticastRun, runMulticast } from '../testnet/sim/multicast/run.ts'
import { runMutex } from '../testnet/sim/mutex/run.ts'

const usage = `Examples:
  npm run sim -- --protocol membership --seeds 200
  npm run sim -- --protocol membership --from 17 --seeds 1 --story   one seed, told in words
  npm run sim -- --protocol multicast --seeds 500 --mutant no-dependency-check
  npm run sim -- --protocol mutex --seeds 500 --mutant naive-token
  npm run sim -- --protocol membership --members 1000 --minutes 10   a crowd, and what it costs
  npm run sim -- --protocol membership --members 10000 --split       some die, some are cut off and come back

Options:
  --protocol P   what to simulate: membership, multicast, mutex
  --seeds N      how many seeds (default 100)
  --from S       the first seed (default 1)
  --mutant M     replace a rule by a mistake and expect it to be caught; 'list' names them
  --story        tell what happens (stderr)
  --json         failing seeds as JSON too, a line each

Of crowds (membership only; one seed unless told otherwise):
  --members N    so many, who know each other from the beginning
  --minutes M    virtual minutes of churn (default 10)
  --churn C      percent of them that go or come a minute (default 1)
  --loss L       percent of transmissions lost (default 5)
  --profile P    local, lan, wan (default lan)
  --split        no churn: 1 % are killed, then 0.5 % are cut off for a minute
`

const longestMessage = 600

interface Mutant {
  readonly name: string
  readonly mistake: string
}

interface Outcome {
  readonly options: { readonly peers: number; readonly profile?: string }
  readonly violations: MulticastRun['violations']
  readonly traceHash: string
}

type Log = (atMs: number, line: string) => void

/** One protocol's simulator. */
interface Simulation {
  readonly protocol: string
  readonly mutants: readonly Mutant[]
  run(seed: number, mutant: string | undefined, log: Log | undefined): Outcome
}

const simulations: readonly Simulation[] = [
  simulation('membership', membershipMutants, runMembership),
  simulation('multicast', multicastMutants, runMulticast),
  simulation('mutex', mutexMutants, runMutex),
]

function simulation<M extends Mutant>(
  protocol: string,
  mutants: readonly M[],
  run: (seed: number, init: { mutant: M | undefined; log: Log | undefined }) => Outcome,
): Simulation {
  return {
    protocol,
    mutants,
    run: (seed, name, log) => run(seed, { mutant: mutants.find((mutant) => mutant.name === name), log }),
  }
}

interface Arguments {
  /** Of a crowd in place of seeds of small stories. */
  readonly crowd: CrowdOptions | undefined
  readonly simulation: Simulation
  readonly seeds: number
  readonly from: number
  readonly mutant: string | undefined
  readonly story: boolean
  readonly json: boolean
}

function main(args: string[]): number {
  if (args.includes('--help')) {
    process.stdout.write(usage)
    return 0
  }
  try {
    const read = readArguments(args)
    return read.crowd === undefined ? run(read) : runCrowds(read, read.crowd)
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

function run({ simulation, seeds, from, mutant, story, json }: Arguments): number {
  const { protocol } = simulation
  let violations = 0
  let killedBySeed: number | null = null
  for (let seed = from; seed < from + seeds && killedBySeed === null; seed++) {
    const outcome = simulation.run(seed, mutant, story ? tell : undefined)
    if (outcome.violations.length === 0) continue
    violations += outcome.violations.length
    if (mutant !== undefined) killedBySeed = seed
    report(protocol, seed, outcome, mutant, json)
  }
  const summary = { protocol, seeds, violations, mutant: mutant ?? null, killedBySeed }
  process.stdout.write(`${JSON.stringify(summary)}\n`)
  if (mutant !== undefined) return killedBySeed === null ? 1 : 0
  return violations === 0 ? 0 : 1
}

function runCrowds({ seeds, from, mutant, story, json }: Arguments, options: CrowdOptions): number {
  let violations = 0
  for (let seed = from; seed < from + seeds; seed++) {
    const startedAt = performance.now()
    const before = process.cpuUsage()
    const crowd = runCrowd(
      { ...options, seed },
      { mutant: membershipMutants.find(({ name }) => name === mutant), log: story ? tell : undefined },
    )
    const { user, system } = process.cpuUsage(before)
    const seconds = Math.round((performance.now() - startedAt) / 100) / 10
    const processorSeconds = Math.round((user + system) / 1e5) / 10
    violations += crowd.violations.length
    const text = json
      ? JSON.stringify({ seed, seconds, processorSeconds, ...crowd })
      : describeCrowd(seed, `${seconds} s (${processorSeconds} s of processor)`, crowd)
    process.stdout.write(`${text}\n`)
  }
  if (mutant !== undefined) return violations === 0 ? 1 : 0
  return violations === 0 ? 0 : 1
}

function describeCrowd(seed: number, took: string, crowd: CrowdRun): string {
  const { options, figures, violations, steps, traceHash } = crowd
  const lines = violations.map(
    ({ property, at, message }) => `  ${Math.round(at)} ms  ${property}: ${message.slice(0, longestMessage)}`,
  )
  const found = (what: string, ending: string, silent: boolean) => {
    const ends = figures.detections.filter((one) => one.ending === ending && one.silent === silent)
    const worst = ends.flatMap(({ lastMs }) => lastMs ?? []).sort((a, b) => a - b)
    const median = worst[worst.length >> 1]
    if (median === undefined) return `${what}: none`
    return `${what}: ${worst.length}, all know after ${Math.round(median)} ms (worst ${Math.round(worst.at(-1) ?? 0)})`
  }
  const idle =
    `${figures.idlePackets.toFixed(1)} packets, ${Math.round(figures.idleBytes)} bytes, ` +
    `${Math.round(figures.idleFramedBytes)} framed, ${Math.round(figures.idleWireBytes)} with headers`
  return [
    `seed ${seed}: ${options.members} members (${options.profile}), ${violations.length} violations, ` +
      `${took}, ${steps} steps, trace ${traceHash}`,
    ...lines,
    `  idle, a member and second: ${idle}`,
    options.split
      ? `  one view without the killed after ${figures.lossAgreedMs ?? '?'} ms, after the heal ${figures.healAgreedMs ?? '?'} ms`
      : `  ${[found('killed', 'killed', false), found('silent', 'killed', true), found('left', 'left', false)].join('; ')}`,
    `  one view ${figures.agreedAfterMs ?? '?'} ms after all was over; ${figures.falseSuspicions} false suspicions`,
  ].join('\n')
}

function report(
  protocol: string,
  seed: number,
  outcome: Outcome,
  mutant: string | undefined,
  json: boolean,
): void {
  const replay = `npm run sim -- --protocol ${protocol} --from ${seed} --seeds 1${mutant === undefined ? '' : ` --mutant ${mutant}`}`
  const { violations, traceHash, options } = outcome
  const { peers, profile } = options
  if (json) {
    process.stdout.write(`${JSON.stringify({ seed, peers, profile, traceHash, replay, violations })}\n`)
    return
  }
  const lines = violations.map(
    ({ property, at, message }) => `  ${Math.round(at)} ms  ${property}: ${message.slice(0, longestMessage)}`,
  )
  const kind = [`${peers} peers`, ...(profile === undefined ? [] : [profile]), `trace ${traceHash}`].join(
    ', ',
  )
  const head = `seed ${seed} (${kind}): ${violations.length} violations`
  process.stdout.write(`${head}\n${lines.join('\n')}\n  replay: ${replay}\n`)
}

function tell(atMs: number, line: string): void {
  process.stderr.write(`${atMs.toFixed(1).padStart(10)}  ${line}\n`)
}

function readArguments(args: string[]): Arguments {
  const { values } = parse(args)
  const simulation = simulations.find(({ protocol }) => protocol === values.protocol)
  if (simulation === undefined) {
    throw new P2pdError('ERR_USAGE', `--protocol is ${values.protocol ?? 'missing'}`, {
      hint: `protocols: ${simulations.map(({ protocol }) => protocol).join(', ')}`,
    })
  }
  const crowd = readCrowd(values, simulation.protocol)
  return {
    simulation,
    crowd,
    mutant: mutantNamed(values.mutant, simulation.mutants),
    seeds: count('--seeds', values.seeds ?? (crowd === undefined ? '100' : '1'), 1),
    from: count('--from', values.from ?? '1', 0),
    story: values.story ?? false,
    json: values.json ?? false,
  }
}

type Values = ReturnType<typeof parse>['values']

function readCrowd(values: Values, protocol: string): CrowdOptions | undefined {
  const { members, minutes, churn, loss, profile, split } = values
  if (members === undefined) {
    const alone = ['minutes', 'churn', 'loss', 'profile', 'split'].find((flag) => Object.hasOwn(values, flag))
    if (alone === undefined) return undefined
    throw new P2pdError('ERR_USAGE', `--${alone} is of a crowd`, { hint: 'add --members N' })
  }
  if (protocol !== 'membership') {
    throw new P2pdError('ERR_USAGE', `there are no crowds of ${protocol}`, { hint: '--protocol membership' })
  }
  if (profile !== undefined && !crowdProfiles.includes(profile)) {
    const hint = `profiles: ${crowdProfiles.join(', ')}`
    throw new P2pdError('ERR_USAGE', `no profile is called ${profile}`, { hint })
  }
  const { minutes: usualMinutes, churn: usualChurn, loss: usualLoss } = crowdDefaults
  return {
    ...crowdDefaults,
    members: count('--members', members, 2),
    minutes: count('--minutes', minutes ?? `${usualMinutes}`, 1),
    churn: count('--churn', churn ?? `${100 * usualChurn}`, 0) / 100,
    loss: count('--loss', loss ?? `${100 * usualLoss}`, 0) / 100,
    profile: (profile ?? crowdDefaults.profile) as CrowdOptions['profile'],
    split: split ?? false,
  }
}

function mutantNamed(name: string | undefined, mutants: readonly Mutant[]): string | undefined {
  if (name === undefined || mutants.some((mutant) => mutant.name === name)) return name
  const known = mutants.map((mutant) => `  ${mutant.name.padEnd(28)}${mutant.mistake}`).join('\n')
  const message = name === 'list' ? 'no mutant chosen' : `no mutant is called ${name}`
  throw new P2pdError('ERR_USAGE', message, { hint: `mutants:\n${known}` })
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
        members: { type: 'string' },
        minutes: { type: 'string' },
        churn: { type: 'string' },
        loss: { type: 'string' },
        profile: { type: 'string' },
        split: { type: 'boolean' },
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
