import { type MutexConfig, mutexDefaults } from '../../../plugins/mutex/core/config.ts'
import type { DiskOptions } from '../disk.ts'
import type { NetworkOptions } from '../network.ts'
import type { Random } from '../random.ts'

/** What is done to the peers. */
export type LockFault =
  | 'kill'
  | 'kill-holder'
  | 'kill-voter'
  | 'power-cut'
  | 'stop'
  | 'restart'
  | 'restart-at-once'
  | 'wipe'
  | 'roll-back'
  | 'partition'
  | 'one-way-cut'
  | 'isolate'
  | 'reset-connections'
  | 'pause'
  | 'suspend'
  | 'slew'
  | 'slander'
  | 'newcomer'
  | 'leave'
  | 'add-voter'
  | 'remove-voter'
  | 'rival-wishes'

/**
 * What a run is mostly about: everything a little; one voter whose memory is all
 * there is; voters that change while locks are held; a crowd before one lock on a
 * bad network.
 */
export type Plot = 'mixed' | 'sole' | 'moving' | 'crowd'

/** On saying this a peer may meet with misfortune. */
export type Cue = 'promise' | 'accepted' | 'report' | 'installed' | 'grant' | 'confirmed' | 'inquire'

/** Misfortune that strikes at the worst moment: when something has just been said. */
export interface Ambush {
  readonly cue: Cue
  /** Chance that who said it crashes, and returns at once. */
  readonly crash: number
  /** Chance that whom it was said to is cut off when it has heard it. */
  readonly isolate: number
  /** Chance that their connection breaks before it is heard. */
  readonly reset: number
}

/** Misfortunes that come together. */
export type Scheme = 'split-votes' | 'rival-proposals' | 'herd' | 'amnesia' | 'restored-copy'

/** How the peers come by an electorate. */
export type Founding = 'bare' | 'expect' | 'two-founders'

export interface RosterOptions {
  /** Between two looks of a peer at another, ms. */
  readonly lookMs: number
  /** A peer that cannot be reached is suspect, then dead, ms. */
  readonly suspectMs: number
  readonly deadMs: number
}

export interface LockWorkload {
  readonly locks: number
  /** Apps that ask, a peer; each has one request at a time. */
  readonly contenders: number
  /** Mean pause between two requests of one, ms. */
  readonly thinkMs: number
  /** Mean time for which a lock is held, ms. */
  readonly holdMs: number
  /** Chance that a lock is held for some leases. */
  readonly longHold: number
  /** Nobody asks before, ms. */
  readonly fromMs: number
  /** Chances that a request is given up while it waits, has a limit to its wait, has none to its patience at all. */
  readonly cancel: number
  readonly limit: number
  readonly tryOnly: number
  /** Chance that the peer dies as soon as it holds. */
  readonly diesHolding: number
  /** Chance that a peer only votes. */
  readonly silent: number
}

export interface MutexSimOptions {
  readonly seed: number
  readonly plot: Plot
  /** At first. */
  readonly peers: number
  readonly mostPeers: number
  readonly founding: Founding
  readonly config: MutexConfig
  readonly network: NetworkOptions
  readonly disk: DiskOptions
  /** Clocks run wrong by up to this share. */
  readonly drift: number
  /** Beyond what leases promise to survive. */
  readonly wild: boolean
  readonly roster: RosterOptions
  readonly workload: LockWorkload
  readonly faults: Readonly<Record<LockFault, number>>
  readonly ambushes: readonly Ambush[]
  /** Chance that a scheme begins instead of a fault, and which. */
  readonly scheming: number
  readonly schemes: Readonly<Record<Scheme, number>>
  /** Mean pause between two faults, ms. */
  readonly faultEveryMs: number
  readonly formationMs: number
  readonly faultyMs: number
  /** How long whoever waits may take to enter afterwards, ms. */
  readonly livenessMs: number
}

const weights: Readonly<Record<LockFault, number>> = {
  kill: 3,
  'kill-holder': 3,
  'kill-voter': 4,
  'power-cut': 1,
  stop: 4,
  restart: 10,
  'restart-at-once': 3,
  wipe: 1,
  'roll-back': 2,
  partition: 3,
  'one-way-cut': 3,
  isolate: 2,
  'reset-connections': 4,
  pause: 4,
  suspend: 2,
  slew: 2,
  slander: 2,
  newcomer: 2,
  leave: 2,
  'add-voter': 2,
  'remove-voter': 2,
  'rival-wishes': 1,
}

const none = Object.fromEntries(Object.keys(weights).map((fault) => [fault, 0])) as Record<LockFault, number>
const schemes: Readonly<Record<Plot, Readonly<Record<Scheme, number>>>> = {
  mixed: { 'split-votes': 1, 'rival-proposals': 1, herd: 1, amnesia: 1, 'restored-copy': 1 },
  sole: { 'split-votes': 0, 'rival-proposals': 0, herd: 0, amnesia: 2, 'restored-copy': 1 },
  moving: { 'split-votes': 3, 'rival-proposals': 3, herd: 0, amnesia: 1, 'restored-copy': 0 },
  crowd: { 'split-votes': 0, 'rival-proposals': 0, herd: 1, amnesia: 0, 'restored-copy': 0 },
}
const plots: Readonly<Record<Plot, number>> = { mixed: 4, sole: 2, moving: 4, crowd: 2 }

/** Everything about a run, drawn from its seed. */
export function drawOptions(seed: number, random: Random): MutexSimOptions {
  const draw = random.stream('options')
  const plot = draw.weighted(plots)
  const founding = plot === 'mixed' ? drawFounding(draw) : 'bare'
  const driftBound = draw.pick([0.1, 0.1, 0.05, 0.01])
  const wild = draw.chance(0.08)
  return {
    seed,
    plot,
    peers: drawPeers(draw, plot, founding),
    mostPeers: draw.pick([3, 5, 7]),
    founding,
    config: drawConfig(draw, driftBound, plot),
    network: drawNetwork(draw, plot),
    disk: draw.chance(0.2) ? { writeMinMs: 5, writeMaxMs: 40 } : { writeMinMs: 0.1, writeMaxMs: 3 },
    drift: wild ? 0.4 : draw.pick([0, driftBound, driftBound]),
    wild,
    roster: {
      lookMs: draw.pick([60, 150]),
      suspectMs: draw.pick([300, 600]),
      deadMs: draw.pick([900, 1800]),
    },
    workload: drawWorkload(draw, plot, founding),
    faults: drawFaults(draw, plot),
    ambushes: drawAmbushes(draw, plot),
    scheming: { mixed: 0.1, sole: 0.3, moving: 0.4, crowd: 0.7 }[plot],
    schemes: schemes[plot],
    // A crowd is left alone long enough to see whether it gets anywhere.
    faultEveryMs: plot === 'crowd' ? 2500 : draw.pick([250, 500, 1000]),
    formationMs: draw.pick([0, 100, 800]),
    faultyMs: plot === 'crowd' ? 10_000 : draw.pick([4000, 7000, 10_000]),
    livenessMs: 20_000,
  }
}

function drawFounding(draw: Random): Founding {
  const kind = draw.next()
  return kind < 0.6 ? 'bare' : kind < 0.75 ? 'expect' : 'two-founders'
}

function drawPeers(draw: Random, plot: Plot, founding: Founding): number {
  if (plot === 'sole') return draw.whole(2, 3)
  if (plot === 'moving') return draw.whole(3, 6)
  if (plot === 'crowd') return draw.whole(5, 6)
  return founding === 'bare' ? draw.pick([1, 2, 3, 3, 4, 5, 5, 6]) : draw.whole(2, 4)
}

/** A tenth of real times: many leases, changes and replacements in a few seconds. */
function drawConfig(draw: Random, driftBound: number, plot: Plot): MutexConfig {
  const leaseMs = plot === 'crowd' ? 500 : draw.pick([500, 600, 900])
  return {
    ...mutexDefaults,
    leaseMs,
    maxLeaseMs: leaseMs * (plot === 'crowd' ? 1 : draw.pick([1, 1.5, 2])),
    driftBound,
    maxVoters: drawMaxVoters(draw, plot),
    marginMs: 30,
    pingMs: 60,
    silenceMs: 300,
    readyForMs: draw.pick([100, 400]),
    readyWithinMs: 150,
    replaceAfterMs: draw.pick([600, 2000, 5000]),
    retiredMs: 3000,
    retiredMaxMs: 20_000,
    leaveMs: 600,
    headMs: 300,
    // Long enough for everybody who runs to be connected again.
    askMembersMs: 1500,
    counterBlock: draw.pick([2, 4, 20, 200]),
  }
}

function drawMaxVoters(draw: Random, plot: Plot): number {
  if (plot === 'sole') return 1
  if (plot === 'crowd') return 3
  return plot === 'moving' ? draw.pick([3, 5]) : draw.pick([1, 3, 3, 5, 5, 7])
}

function drawNetwork(draw: Random, plot: Plot): NetworkOptions {
  const datagrams = draw.chance(plot === 'crowd' ? 0.7 : 0.3)
  const near = draw.chance(plot === 'mixed' || plot === 'sole' ? 0.6 : 0.3)
  return {
    transport: datagrams ? 'datagram' : 'stream',
    latencyMinMs: near ? 0.1 : 5,
    latencyMaxMs: near ? 1 : 20,
    jitterMs: draw.pick([0.1, 2, 5]),
    loss: draw.chance(plot === 'crowd' ? 0.2 : 0.5) ? 0 : draw.between(0, datagrams ? 0.1 : 0.03),
    duplication: draw.pick([0, 0.05]),
    reordering: draw.pick([0, 0.05]),
    corruption: 0,
  }
}

function drawWorkload(draw: Random, plot: Plot, founding: Founding): LockWorkload {
  const crowd = plot === 'crowd'
  return {
    locks: crowd ? 1 : draw.pick([1, 1, 2, 3]),
    contenders: crowd ? draw.whole(1, 2) : draw.pick([1, 1, 2, 3]),
    thinkMs: crowd ? draw.pick([20, 300]) : draw.pick([20, 100, 300]),
    holdMs: crowd ? 2 : draw.pick([2, 20, 100]),
    longHold: plot === 'moving' || plot === 'sole' ? draw.pick([0.1, 0.5]) : crowd ? 0 : 0.05,
    // Electorates that have not granted yet may still meet.
    fromMs: founding === 'two-founders' ? draw.pick([0, 2000, 20_000]) : 0,
    cancel: crowd ? 0 : draw.pick([0, 0.1, 0.3]),
    limit: crowd ? 0 : draw.pick([0, 0.2]),
    tryOnly: draw.pick([0, 0.1]),
    diesHolding: draw.pick([0, 0, 0.01]),
    silent: draw.pick([0, 0.3]),
  }
}

function drawFaults(draw: Random, plot: Plot): Readonly<Record<LockFault, number>> {
  const chosen = { ...weights }
  for (const fault of Object.keys(chosen) as LockFault[]) if (draw.chance(0.35)) chosen[fault] = 0
  chosen['kill-voter'] ||= 1
  chosen.restart ||= 4
  if (plot === 'sole') return { ...chosen, stop: 10, 'restart-at-once': 10, restart: 20 }
  if (plot === 'crowd') return { ...none, restart: 3, pause: 1, 'reset-connections': 6 }
  if (plot === 'moving') {
    return { ...chosen, newcomer: 6, leave: 4, 'add-voter': 6, 'remove-voter': 6, 'rival-wishes': 6, stop: 6 }
  }
  return chosen
}

function drawAmbushes(draw: Random, plot: Plot): readonly Ambush[] {
  const cues: readonly Cue[] = ['promise', 'accepted', 'report', 'installed', 'grant', 'confirmed']
  const lost: Ambush = { cue: 'inquire', crash: 0, isolate: 0, reset: plot === 'crowd' ? 0.5 : 0.1 }
  if (!draw.chance(plot === 'moving' ? 0.7 : 0.3)) return [lost]
  const chosen = draw.shuffled(cues).slice(0, draw.whole(1, 2))
  const drawn = chosen.map((cue) => {
    const often = cue === 'grant' || cue === 'confirmed' ? 0.03 : 0.5
    return {
      cue,
      crash: draw.pick([0, often, often]),
      isolate: draw.pick([0, often]),
      reset: draw.pick([0, often]),
    }
  })
  return [lost, ...drawn]
}
