/**
 * Multicast beside js gossipsub with signed messages: two and five processes
 * each, both driven and judged by one code (`rivals/chat.mjs`), in turns within
 * one run. Ours is the library with its state on the disk, as a daemon is.
 */
import { type ControlBytes, controlBytes } from '../testnet/sim/multicast/control-bytes.ts'
import { Crew, type Outcome, type Program } from './crew.ts'
import { type Bench, type BenchTools, median, type Question } from './harness.ts'
import { cpuSeconds } from './proc.ts'

const rival = 'gossipsub StrictSign'
const systems = ['ours', 'raw'] as const satisfies readonly Program[]
const sizes = [2, 5] as const

const rounds = 3
/** Until compiled code runs; thrown away. */
const warmUp = { talkMs: 1000, floodMs: 2000 }
const talkMs = 3000
const floodMs = 1500
const messagesPerSecond = 100
/**
 * Publishes that a member of ours has under way; it waits for the disk in groups.
 * The rival waits for nothing, so each member lets the loop turn after so many;
 * with 1, 16 and 64 it was neither quicker nor slower, and lost nothing.
 */
const pace = { ours: { window: 256 }, raw: { window: 1, turnEvery: 4 } } as const

const loss = 0.05
const lossMs = 5000
const joiningMs = 5000

/** Of the design, at 100 messages a second and links of 20 to 40 ms; a fifth more or less is the same. */
const simulated = [
  { peers: 10, seconds: 20, mean: 2.4, p99: 6 },
  { peers: 100, seconds: 10, mean: 3.5, p99: 8 },
  { peers: 1000, seconds: 10, mean: 4, p99: 8 },
] as const
const tolerance = 1.2
const mostRestBytes = 260

export const multicast: Bench = {
  name: 'multicast',
  async run(tools) {
    const order: Record<Program, number[]> = { ours: [], raw: [] }
    for (const size of sizes) {
      await quiet(size, tools, order)
      await lossy(size, tools, order)
      await joining(size, tools, order)
    }
    tools.report({
      question: 'deliveries before what happened before them, over all runs above',
      unit: 'messages',
      samples: order.ours,
      limit: 0,
      judge: 'worst',
      rival,
      rivalSamples: [order.raw.reduce((sum, count) => sum + count, 0)],
    })
    control(tools)
  },
}

type Samples = Record<Program, number[]>

const none = (): Samples => ({ ours: [], raw: [] })

function ask({ report }: BenchTools, samples: Samples, question: Omit<Question, 'samples'>): void {
  report({ ...question, samples: samples.ours, rival, rivalSamples: samples.raw })
}

/** Nothing is lost: how quick, and how much. */
async function quiet(size: number, tools: BenchTools, order: Samples): Promise<void> {
  const { signal, progress } = tools
  const crews = new Map<Program, Crew>()
  const p50 = none()
  const p99 = none()
  const throughput = none()
  const cpu = none()
  let phase = 0
  const each = async (use: (crew: Crew, system: Program, phase: number) => Promise<void>): Promise<void> => {
    phase += 1
    for (const [system, crew] of crews) await use(crew, system, phase)
  }
  try {
    for (const system of systems) {
      progress(`${size} processes, ${system}`)
      const crew = await Crew.open(system, size, { signal })
      crews.set(system, crew)
      await crew.meet()
    }
    await each(async (crew, system, phase) => {
      await crew.flood({ phase, ms: warmUp.floodMs, ...pace[system] })
    })
    await each(async (crew, _, phase) => {
      await crew.talk({ phase, rate: messagesPerSecond, ms: warmUp.talkMs })
    })
    progress(`${size} processes, ${messagesPerSecond} messages a second`)
    for (let round = 0; round < rounds; round++) {
      await each(async (crew, system, phase) => {
        const outcome = await crew.talk({ phase, rate: messagesPerSecond, ms: talkMs })
        const latencies = latenciesOf(outcome)
        p50[system].push(quantile(latencies, 0.5))
        p99[system].push(quantile(latencies, 0.99))
        order[system].push(inversionsOf(outcome))
      })
    }
    progress(`${size} processes, as fast as they can`)
    for (let round = 0; round < rounds; round++) {
      await each(async (crew, system, phase) => {
        const before = cpuMs(crew)
        const outcome = await crew.flood({ phase, ms: floodMs, ...pace[system] })
        const everywhere = everywhereOf(outcome)
        throughput[system].push((everywhere / durationOf(outcome)) * 1000)
        cpu[system].push((cpuMs(crew) - before) / everywhere)
        order[system].push(inversionsOf(outcome))
      })
    }
  } finally {
    for (const crew of crews.values()) await crew.close()
  }
  const latency = `${size} processes, ${messagesPerSecond} messages/s, publish to delivery`
  ask(tools, p50, { question: `${latency}, p50`, unit: 'ms', timesRival: 1.2 })
  ask(tools, p99, { question: `${latency}, p99`, unit: 'ms' })
  ask(tools, throughput, {
    question: `${size} processes, all publish, delivered everywhere`,
    unit: 'messages/s',
    timesRival: 1,
    more: true,
  })
  ask(tools, cpu, {
    question: `${size} processes, all publish, processor time a message, all members together`,
    unit: 'ms',
  })
}

/** One in twenty of what gossipsub hands to a stream goes nowhere, and of our own frames as well. */
async function lossy(size: number, tools: BenchTools, order: Samples): Promise<void> {
  const delivered = none()
  const repairMs: number[] = []
  for (const system of systems) {
    tools.progress(`${size} processes, ${system}, ${loss * 100} % loss`)
    const crew = await Crew.open(system, size, { loss, signal: tools.signal })
    try {
      await crew.meet()
      const outcome = await crew.talk({ phase: 1, rate: messagesPerSecond, ms: lossMs })
      delivered[system].push(deliveredPercent(outcome))
      order[system].push(inversionsOf(outcome))
      if (system === 'ours') repairMs.push(...repairsOf(outcome))
    } finally {
      await crew.close()
    }
  }
  ask(tools, delivered, {
    question: `${size} processes, ${loss * 100} % of the sends to a peer lost: delivered`,
    unit: '%',
    limit: 100,
    judge: 'worst',
    more: true,
  })
  // With more than two, another member passes it on before repair is needed.
  if (size > 2 || repairMs.length === 0) return
  tools.report({
    question: 'a lost message until it is delivered (worst: the slowest)',
    unit: 'ms',
    samples: repairMs,
  })
}

/** Each talks from the moment it is open; what counts is what was said after the receiver was. */
async function joining(size: number, tools: BenchTools, order: Samples): Promise<void> {
  const delivered = none()
  for (const system of systems) {
    tools.progress(`${size} processes, ${system}, talking while they join`)
    const talk = { phase: 1, rate: messagesPerSecond / size, ms: joiningMs }
    const crew = await Crew.open(system, size, { talk, signal: tools.signal })
    try {
      const outcome = await crew.said(talk.phase)
      delivered[system].push(deliveredPercent(outcome))
      order[system].push(inversionsOf(outcome))
    } finally {
      await crew.close()
    }
  }
  ask(tools, delivered, {
    question: `${size} processes talk while they join: delivered of what was said after the receiver was ready`,
    unit: '%',
    limit: 100,
    judge: 'worst',
    more: true,
  })
}

function control({ report, progress }: BenchTools): void {
  progress('control bytes, simulated')
  const rest: number[] = []
  for (const { peers, seconds, mean, p99 } of simulated) {
    const figures: ControlBytes = controlBytes(peers, seconds, 1)
    rest.push(figures.restMost)
    const question = `${peers} simulated peers, dependencies a message`
    const unit = 'dependencies'
    report({
      question: `${question}, mean`,
      unit,
      samples: [figures.dependenciesMean],
      limit: mean * tolerance,
    })
    report({ question: `${question}, p99`, unit, samples: [figures.dependenciesP99], limit: p99 })
  }
  report({
    question: 'header and signature without dependencies (24 bytes each)',
    unit: 'bytes',
    samples: rest,
    limit: mostRestBytes,
    judge: 'worst',
  })
}

function latenciesOf({ reports }: Outcome): readonly number[] {
  return reports.flatMap(({ arrivals = [] }) => arrivals.map(([, , ms]) => ms))
}

function inversionsOf({ reports }: Outcome): number {
  return reports.reduce((sum, { inversions }) => sum + inversions, 0)
}

/** Messages that every other member was delivered. */
function everywhereOf({ sent, reports }: Outcome): number {
  const everywhere = sent.map((_, sender) => {
    const others = reports.filter((__, receiver) => receiver !== sender)
    return Math.min(...others.map(({ received }) => received[sender] ?? 0))
  })
  return everywhere.reduce((sum, count) => sum + count, 0)
}

/** ms from the first publish until the last delivery anywhere. */
function durationOf({ from, reports }: Outcome): number {
  return Math.max(...reports.map(({ lastAt }) => lastAt)) - from
}

function cpuMs({ pids }: Crew): number {
  return pids.reduce((sum, pid) => sum + cpuSeconds(pid) * 1000, 0)
}

/** Of what was published after the receiver was open. */
function deliveredPercent({ reports }: Outcome): number {
  let due = 0
  let delivered = 0
  for (const [receiver, { openedAt, arrivals = [] }] of reports.entries()) {
    const isDue = (sender: number, seq: number): boolean =>
      (reports[sender]?.published?.[seq - 1] ?? 0) > openedAt
    for (const [sender, { published = [] }] of reports.entries()) {
      if (sender !== receiver) due += published.filter((at) => at > openedAt).length
    }
    delivered += arrivals.filter(([sender, seq]) => isDue(sender, seq)).length
  }
  return (delivered / due) * 100
}

/** From publish to delivery, of each message that was lost on its way. */
function repairsOf({ reports }: Outcome): readonly number[] {
  return reports.flatMap(({ arrivals = [] }) =>
    arrivals.flatMap(([sender, seq, ms]) => (reports[sender]?.lost.includes(seq) ? [ms] : [])),
  )
}

function quantile(samples: readonly number[], share: number): number {
  if (share === 0.5) return median(samples)
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
