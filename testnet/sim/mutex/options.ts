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
  /** Mean time for which a lock is held, ms; some are held much longer. */
  readonly holdMs: number
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
}

/** Everything about a run, drawn from its seed. */
export function drawOptions(seed: number, random: Random): MutexSimOptions {
  const draw = random.stream('options')
  const founding = drawFounding(draw)
  const peers = founding === 'bare' ? draw.pick([1, 2, 3, 3, 4, 5, 5, 6]) : draw.whole(2, 4)
  const driftBound = draw.pick([0.1, 0.1, 0.05, 0.01])
  const wild = draw.chance(0.08)
  const config = drawConfig(draw, driftBound)
  return {
    seed,
    peers,
    mostPeers: draw.pick([3, 5, 7]),
    founding,
    config,
    network: drawNetwork(draw),
    disk: draw.chance(0.2) ? { writeMinMs: 5, writeMaxMs: 40 } : { writeMinMs: 0.1, writeMaxMs: 3 },
    drift: wild ? 0.4 : draw.pick([0, driftBound, driftBound]),
    wild,
    roster: {
      lookMs: draw.pick([60, 150]),
      suspectMs: draw.pick([300, 600]),
      deadMs: draw.pick([900, 1800]),
    },
    workload: drawWorkload(draw),
    faults: drawFaults(draw),
    faultEveryMs: draw.pick([250, 500, 1000]),
    formationMs: draw.pick([0, 100, 800]),
    faultyMs: draw.pick([4000, 7000, 10_000]),
    livenessMs: 20_000,
  }
}

function drawFounding(draw: Random): Founding {
  const kind = draw.next()
  return kind < 0.7 ? 'bare' : kind < 0.85 ? 'expect' : 'two-founders'
}

/** A tenth of real times: many leases, changes and replacements in a few seconds. */
function drawConfig(draw: Random, driftBound: number): MutexConfig {
  const leaseMs = draw.pick([500, 600, 900])
  return {
    ...mutexDefaults,
    leaseMs,
    maxLeaseMs: leaseMs * draw.pick([1, 1.5, 2]),
    driftBound,
    maxVoters: draw.pick([1, 3, 3, 5, 5, 7]),
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
    askMembersMs: 400,
    counterBlock: draw.pick([2, 4, 20, 200]),
  }
}

function drawNetwork(draw: Random): NetworkOptions {
  const datagrams = draw.chance(0.3)
  const near = draw.chance(0.6)
  return {
    transport: datagrams ? 'datagram' : 'stream',
    latencyMinMs: near ? 0.1 : 5,
    latencyMaxMs: near ? 1 : 20,
    jitterMs: draw.pick([0.1, 2, 5]),
    loss: draw.chance(0.5) ? 0 : draw.between(0, datagrams ? 0.1 : 0.03),
    duplication: draw.pick([0, 0.05]),
    reordering: draw.pick([0, 0.05]),
    corruption: 0,
  }
}

function drawWorkload(draw: Random): LockWorkload {
  return {
    locks: draw.pick([1, 1, 2, 3]),
    contenders: draw.pick([1, 1, 2, 3]),
    thinkMs: draw.pick([20, 100, 300]),
    holdMs: draw.pick([2, 20, 100]),
    cancel: draw.pick([0, 0.1, 0.3]),
    limit: draw.pick([0, 0.2]),
    tryOnly: draw.pick([0, 0.1]),
    diesHolding: draw.pick([0, 0, 0.01]),
    silent: draw.pick([0, 0.3]),
  }
}

function drawFaults(draw: Random): Readonly<Record<LockFault, number>> {
  const chosen = { ...weights }
  for (const fault of Object.keys(chosen) as LockFault[]) if (draw.chance(0.35)) chosen[fault] = 0
  chosen['kill-voter'] ||= 1
  chosen.restart ||= 4
  return chosen
}
