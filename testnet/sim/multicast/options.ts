import { type MulticastConfig, multicastDefaults } from '../../../lib/protocols/multicast/config.ts'
import type { DiskOptions } from '../disk.ts'
import type { NetworkOptions } from '../network.ts'
import type { Random } from '../random.ts'

/**
 * How a lying member lies; its core is otherwise honest, and serves what it has.
 * It signs what it makes up with its own key: a forger only damages what others sign.
 */
export type GroupLie =
  | 'equivocates'
  | 'breaks-chains'
  | 'wrong-lamport'
  | 'spams-dependencies'
  | 'floods-ahead'
  | 'forges'
  | 'replays'

/** What is done to the members. */
export type GroupFault =
  | 'kill'
  | 'power-cut'
  | 'restart'
  | 'restore-backup'
  | 'wipe'
  | 'lose-tail'
  | 'leave-group'
  | 'join-group'
  | 'newcomer'
  | 'partition'
  | 'one-way-cut'
  | 'isolate'
  | 'reset-connections'
  | 'flap'
  | 'set-wall-clock'
  | 'replay'
  | 'pause'
  | 'deny'

export interface MembershipByFiat {
  /** A change is known to another member after this, ms. */
  readonly newsMinMs: number
  readonly newsMaxMs: number
  /** A death, and a peer that cannot be reached, after this, ms. */
  readonly detectionMinMs: number
  readonly detectionMaxMs: number
  /** From a start until membership is settled, ms. */
  readonly settlingMaxMs: number
  readonly heartbeatMs: number
  readonly heartbeatLoss: number
}

export interface GossipOptions {
  /** Of one hop, ms. */
  readonly delayMinMs: number
  readonly delayMaxMs: number
  /** Chances that a hop is lost, comes twice, or takes a detour. */
  readonly loss: number
  readonly duplication: number
  readonly reordering: number
  /** To how many a publisher sends, and to how many each who accepts forwards. */
  readonly mesh: number
  readonly forwards: number
  /** How long a message id is remembered, ms. */
  readonly seenMs: number
  /** A subscription is visible to another peer after up to this, ms. */
  readonly noticeMs: number
  /** What a message id covers. `header` is a mistake: a damaged copy then hides the true one. */
  readonly messageId: 'data' | 'header'
}

export interface Workload {
  /** Mean pause between two publications of a peer, ms. */
  readonly everyMs: number
  readonly burst: number
  /** Chance that a delivery is answered, by each who delivers it. */
  readonly reply: number
  /** Chance that a peer only listens. */
  readonly silent: number
  readonly bytes: 'tiny' | 'small' | 'mixed' | 'huge'
  /** Of the whole run. */
  readonly most: number
}

export interface MulticastSimOptions {
  readonly seed: number
  readonly peers: number
  /** Each peer is in some of them, and in the first one mostly. */
  readonly groups: readonly string[]
  readonly config: MulticastConfig
  readonly network: NetworkOptions
  readonly gossip: GossipOptions
  readonly membership: MembershipByFiat
  readonly disk: DiskOptions
  readonly driftPpm: number
  /** Wall clocks are wrong by up to this, either way, ms. */
  readonly wallErrorMs: number
  /** The members start within this time, ms. */
  readonly formationMs: number
  readonly workload: Workload
  /** Of the last peers. */
  readonly lies: readonly GroupLie[]
  /** Weight of each fault; 0 leaves it out. */
  readonly faults: Readonly<Record<GroupFault, number>>
  /** Mean pause between two faults, ms. */
  readonly faultEveryMs: number
  readonly faultyMs: number
  /** How long the members may take to agree afterwards, ms. */
  readonly quietMs: number
}

const weights: Readonly<Record<GroupFault, number>> = {
  kill: 4,
  'power-cut': 1,
  restart: 6,
  'restore-backup': 1,
  wipe: 1,
  'lose-tail': 2,
  'leave-group': 2,
  'join-group': 2,
  newcomer: 2,
  partition: 2,
  'one-way-cut': 2,
  isolate: 2,
  'reset-connections': 2,
  flap: 2,
  'set-wall-clock': 1,
  replay: 3,
  pause: 1,
  deny: 1,
}

/** Everything about a run, drawn from its seed. */
export function drawOptions(seed: number, random: Random): MulticastSimOptions {
  const draw = random.stream('options')
  const peers = drawPeers(draw)
  const crowd = peers > 12
  const config = drawConfig(draw, crowd)
  const lies = peers < 4 || crowd || draw.chance(0.6) ? [] : drawLies(draw, peers)
  return {
    seed,
    peers,
    groups: crowd || draw.chance(0.7) ? ['talk'] : ['talk', 'side', 'third'].slice(0, draw.whole(2, 3)),
    config,
    network: drawNetwork(draw),
    gossip: drawGossip(draw, crowd),
    membership: drawMembership(draw),
    disk: draw.chance(0.2) ? { writeMinMs: 5, writeMaxMs: 100 } : { writeMinMs: 0.1, writeMaxMs: 3 },
    driftPpm: draw.chance(0.3) ? 200 : 20,
    wallErrorMs: draw.chance(0.3) ? 3_600_000 : 100,
    formationMs: draw.pick([0, 200, 1500]),
    workload: drawWorkload(draw, peers),
    lies,
    faults: drawFaults(draw),
    faultEveryMs: draw.pick([400, 1000, 2500]),
    faultyMs: crowd ? 5000 : draw.pick([6000, 10_000, 14_000]),
    quietMs: 8 * config.antiEntropyMaxMs + 20_000,
  }
}

function drawPeers(draw: Random): number {
  const kind = draw.next()
  if (kind < 0.78) return draw.whole(3, 7)
  if (kind < 0.985) return draw.whole(8, 12)
  return draw.whole(32, 64)
}

/** Mostly brisk, so that a run has many rounds; in some the log is so short that late ones are told so. */
function drawConfig(draw: Random, crowd: boolean): MulticastConfig {
  const brisk = draw.chance(0.8) && !crowd
  const short = draw.chance(0.25)
  return {
    ...multicastDefaults,
    ...(brisk
      ? { antiEntropyMinMs: 1000, antiEntropyMaxMs: 2000, pullTimeoutMs: 500, pullBackoffMaxMs: 3000 }
      : {}),
    ...(short
      ? {
          retentionMs: draw.pick([500, 2000, 5000]),
          retentionBytes: draw.pick([4000, 20_000, 1_000_000]),
          pinMs: 10_000,
        }
      : {}),
    // A held payload gives up within the run in some, but not before repair does.
    holdBackMs: draw.chance(0.2) ? 12_000 : multicastDefaults.holdBackMs,
    truncateAfterMs: 4000,
  }
}

function drawNetwork(draw: Random): NetworkOptions {
  const near = draw.chance(0.5)
  return {
    transport: 'stream',
    latencyMinMs: near ? 0.1 : 10,
    latencyMaxMs: near ? 1 : 30,
    jitterMs: draw.pick([0.1, 2]),
    loss: draw.chance(0.5) ? 0 : draw.between(0, 0.05),
    duplication: 0,
    reordering: 0,
    corruption: 0,
  }
}

function drawGossip(draw: Random, crowd: boolean): GossipOptions {
  const near = draw.chance(0.4)
  return {
    delayMinMs: near ? 0.2 : 20,
    delayMaxMs: near ? 3 : 40,
    loss: draw.chance(0.3) ? 0 : draw.between(0, 0.2),
    duplication: draw.pick([0, 0.05, 0.3]),
    reordering: draw.pick([0, 0.1]),
    mesh: 8,
    forwards: crowd ? 4 : draw.pick([0, 0, 1, 3]),
    seenMs: draw.pick([2000, 10_000, 120_000]),
    noticeMs: draw.pick([20, 200, 1500]),
    messageId: 'data',
  }
}

function drawMembership(draw: Random): MembershipByFiat {
  return {
    newsMinMs: 5,
    newsMaxMs: draw.pick([50, 300, 1500]),
    detectionMinMs: 800,
    detectionMaxMs: draw.pick([1500, 4000]),
    settlingMaxMs: draw.pick([100, 600]),
    heartbeatMs: draw.pick([300, 1000]),
    heartbeatLoss: draw.pick([0, 0.05, 0.2]),
  }
}

function drawWorkload(draw: Random, peers: number): Workload {
  return {
    everyMs: (peers > 12 ? 6000 : 700) * draw.pick([0.5, 1, 3]),
    burst: draw.pick([1, 1, 3, 8]),
    reply: draw.pick([0, 0.5, 1]) / peers,
    silent: draw.pick([0, 0.3]),
    bytes: peers <= 7 && draw.chance(0.02) ? 'huge' : draw.pick(['tiny', 'small', 'small', 'mixed']),
    most: peers > 12 ? 40 : peers > 7 ? 90 : 140,
  }
}

function drawLies(draw: Random, peers: number): readonly GroupLie[] {
  const lies: readonly GroupLie[] = [
    'equivocates',
    'equivocates',
    'breaks-chains',
    'wrong-lamport',
    'spams-dependencies',
    'forges',
    'replays',
  ]
  if (peers <= 5 && draw.chance(0.05)) return ['floods-ahead']
  const count = peers >= 6 && draw.chance(0.3) ? 2 : 1
  return Array.from({ length: count }, () => draw.pick(lies))
}

function drawFaults(draw: Random): Readonly<Record<GroupFault, number>> {
  const chosen = { ...weights }
  for (const fault of Object.keys(chosen) as GroupFault[]) if (draw.chance(0.35)) chosen[fault] = 0
  chosen.replay ||= 1
  return chosen
}
