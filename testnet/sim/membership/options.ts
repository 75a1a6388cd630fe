import { type MembershipConfig, type Profile, profiles } from '../../../lib/protocols/membership/config.ts'
import type { DiskOptions } from '../disk.ts'
import type { NetworkOptions } from '../network.ts'
import type { Random } from '../random.ts'

/**
 * How a lying member lies; its core is otherwise honest, so that it stays a
 * member. `sly` refuses only whom others suspect already, and is so never alone
 * when it is refuted. `vouches` says of whomever it is asked about that it has answered.
 */
export type Lie =
  | 'suspects'
  | 'refuses'
  | 'sly'
  | 'forges'
  | 'replays'
  | 'floods'
  | 'inflates'
  | 'dismisses'
  | 'vouches'

/** What is done to the cluster. */
export type Fault =
  | 'kill'
  | 'power-cut'
  | 'stop'
  | 'leave'
  | 'restart'
  | 'restore-backup'
  | 'wipe'
  | 'clone'
  | 'pause'
  | 'suspend'
  | 'kill-stopped'
  | 'stall'
  | 'partition'
  | 'one-way-cut'
  | 'isolate'
  | 'flip-flop'
  | 'reset-connections'
  | 'set-wall-clock'
  | 'readdress'
  | 'join-again'
  | 'retag'
  | 'dismiss'

export interface MembershipSimOptions {
  readonly seed: number
  readonly peers: number
  readonly profile: Profile
  readonly config: MembershipConfig
  readonly network: NetworkOptions
  readonly disk: DiskOptions
  readonly driftPpm: number
  /** Wall clocks are wrong by up to this, either way, ms. */
  readonly wallErrorMs: number
  /** The members start within this time, ms. */
  readonly formationMs: number
  /** Every member is told every address, or only the first one's. */
  readonly everybodyIsSeed: boolean
  readonly lies: readonly Lie[]
  /** All members bear one name, which is nobody's business but people's. */
  readonly oneName: boolean
  /** Weight of each fault; 0 leaves it out. */
  readonly faults: Readonly<Record<Fault, number>>
  /** Mean pause between two faults, ms. */
  readonly faultEveryMs: number
  readonly safetyMs: number
  readonly livenessMs: number
  /** Of so many packets of a member one goes through the codec; 1 but in crowds. */
  readonly codecEvery: number
}

const weights: Readonly<Record<Fault, number>> = {
  kill: 4,
  'power-cut': 2,
  stop: 2,
  leave: 1,
  restart: 6,
  'restore-backup': 1,
  wipe: 1,
  clone: 1,
  pause: 2,
  suspend: 1,
  'kill-stopped': 1,
  stall: 6,
  partition: 2,
  'one-way-cut': 2,
  isolate: 1,
  'flip-flop': 1,
  'reset-connections': 2,
  'set-wall-clock': 2,
  readdress: 1,
  'join-again': 1,
  retag: 1,
  dismiss: 2,
}

/** What may leave fewer than four members in somebody's view. */
const splitting: readonly Fault[] = [
  'partition',
  'isolate',
  'one-way-cut',
  'flip-flop',
  'pause',
  'suspend',
  'kill-stopped',
]

/** Everything about a run, drawn from its seed. */
export function drawOptions(seed: number, random: Random): MembershipSimOptions {
  const draw = random.stream('options')
  const peers = drawPeers(draw)
  const profile: Profile = draw.chance(0.5) ? 'local' : 'lan'
  const lies = peers < 7 || peers > 16 || draw.chance(0.5) ? [] : drawLies(draw)
  return {
    seed,
    peers,
    profile,
    config: { ...profiles[profile], ...drawMemory(draw, lies) },
    network: drawNetwork(draw, profile),
    disk: draw.chance(0.2) ? { writeMinMs: 5, writeMaxMs: 150 } : { writeMinMs: 0.1, writeMaxMs: 5 },
    driftPpm: draw.chance(0.3) ? 200 : 20,
    wallErrorMs: draw.chance(0.3) ? 3_600_000 : 100,
    formationMs: draw.pick([0, 500, 3000]),
    everybodyIsSeed: draw.chance(0.3),
    lies,
    oneName: draw.chance(0.1),
    faults: drawFaults(draw, lies),
    faultEveryMs: draw.pick([1500, 4000, 8000]),
    safetyMs: peers > 16 ? 15_000 : draw.chance(0.1) ? 90_000 : 35_000,
    livenessMs: 60_000,
    codecEvery: 1,
  }
}

/** Some forget who is gone within the story. */
function drawMemory(draw: Random, lies: readonly Lie[]): Partial<MembershipConfig> {
  if (draw.chance(0.6)) return {}
  return {
    goneMs: draw.pick([4000, 15_000]),
    // Nobody stands still or is cut off for longer; a liar may say what it once heard at any time.
    tombstoneMs: draw.chance(0.5) && lies.length === 0 ? 60_000 : 7 * 24 * 3_600_000,
    maxGone: draw.pick([1, 1024]),
  }
}

function drawPeers(draw: Random): number {
  const kind = draw.next()
  if (kind < 0.1) return draw.whole(2, 3)
  if (kind < 0.86) return draw.whole(4, 9)
  if (kind < 0.99) return draw.whole(10, 16)
  return draw.whole(17, 64)
}

function drawNetwork(draw: Random, profile: Profile): NetworkOptions {
  const datagrams = draw.chance(0.2)
  const fast = profile === 'local'
  return {
    transport: datagrams ? 'datagram' : 'stream',
    latencyMinMs: fast ? 0.03 : 0.1,
    latencyMaxMs: fast ? 0.3 : draw.pick([0.5, 2, 10]),
    jitterMs: draw.pick([0.02, 0.2, 2]),
    loss: draw.chance(0.5) ? 0 : draw.between(0, datagrams ? 0.03 : 0.1),
    duplication: 0.02,
    reordering: 0.02,
    corruption: draw.chance(0.5) ? 0 : 0.002,
  }
}

function drawLies(draw: Random): readonly Lie[] {
  const lies: readonly Lie[] = [
    'suspects',
    'refuses',
    'sly',
    'forges',
    'replays',
    'floods',
    'inflates',
    'dismisses',
    'vouches',
  ]
  if (draw.chance(0.15)) return ['refuses', 'refuses']
  // These two need a moment of weakness to do harm, so they get more chances.
  if (draw.chance(0.45)) return [draw.pick(['sly', 'forges'])]
  return [draw.pick(lies)]
}

/**
 * With a liar everybody must see four members or more (below, one may evict, as
 * documented), so nothing may split the cluster. Two refusing liars may evict
 * whoever's bytes do not flow: then nobody's connections are reset and nobody
 * stalls.
 */
function drawFaults(draw: Random, lies: readonly Lie[]): Readonly<Record<Fault, number>> {
  const chosen = { ...weights }
  for (const fault of Object.keys(chosen) as Fault[]) if (draw.chance(0.3)) chosen[fault] = 0
  chosen.kill ||= 1
  chosen.stall ||= 1
  if (lies.length > 0) for (const fault of splitting) chosen[fault] = 0
  if (lies.length > 1) chosen['reset-connections'] = chosen.stall = 0
  return chosen
}
