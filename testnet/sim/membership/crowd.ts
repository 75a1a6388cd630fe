/**
 * A crowd: hundreds or thousands of members for minutes, with loss and churn.
 *
 * What the small stories do is done there; here is shown that it scales, and what
 * it costs. To be done within a minute, most packets pass by reference: every
 * n-th goes through the codec, is decoded from its bytes and counted. What that
 * cannot show is a member that changes what it was handed, and a mistake in the
 * bytes that only a rare packet has; the small stories encode all.
 */
import type { PeerId } from '../../../lib/protocols/core.ts'
import { type Profile, profiles } from '../../../lib/protocols/membership/config.ts'
import type { Detection } from '../../checkers/completeness.ts'
import type { MembershipBounds, Violation } from '../../checkers/history.ts'
import { checkMembership } from '../../checkers/membership.ts'
import type { NetworkOptions } from '../network.ts'
import { Random } from '../random.ts'
import { World } from '../world.ts'
import { Cluster, type MembershipMutant } from './cluster.ts'
import { type MemberHost, takesPart } from './member-host.ts'
import { drawOptions } from './options.ts'

export interface CrowdOptions {
  readonly seed: number
  readonly members: number
  readonly minutes: number
  readonly profile: Profile
  /** Members that are killed, leave, start again or join, a minute, as a share of all. */
  readonly churn: number
  /** Chance that one transmission is lost. */
  readonly loss: number
  /** Every so many packets of a member one goes through the codec. */
  readonly codecEvery: number
  /** No churn: some are killed at once, others are cut off for a minute. */
  readonly split: boolean
}

export const crowdProfiles = Object.keys(profiles)

export const crowdDefaults = {
  seed: 1,
  members: 1000,
  minutes: 10,
  profile: 'lan',
  churn: 0.01,
  loss: 0.05,
  codecEvery: 128,
  split: false,
} as const satisfies CrowdOptions

export interface CrowdFigures {
  /** What each end of a process took until the first and the last of those who run knew, ms. */
  readonly detections: readonly (Detection & { readonly silent: boolean })[]
  /** Of a split: until all views were one without those who were killed, and again after the heal, ms. */
  readonly lossAgreedMs: number | undefined
  readonly healAgreedMs: number | undefined
  /** Packets that a member sends while nothing happens, a second, and their bytes. */
  readonly idlePackets: number
  readonly idleBytes: number
  /** The same with what carries them: length, multiplexing, encryption; and with the headers of TCP and IP. */
  readonly idleFramedBytes: number
  readonly idleWireBytes: number
  /** From the last disturbance on, until all who run had one view, ms; undefined when that never was. */
  readonly agreedAfterMs: number | undefined
  readonly falseSuspicions: number
}

export interface CrowdRun {
  readonly options: CrowdOptions
  readonly violations: readonly Violation[]
  readonly figures: CrowdFigures
  readonly traceHash: string
  readonly steps: number
}

const churnKinds = { kill: 2, 'power-cut': 1, leave: 1, restart: 2, join: 2 } as const
/** Connections are made by then, and nobody has anything new to say, ms. */
const settlingMs = 20_000
const idleMs = 20_000
const lookEveryMs = 250
const killedShare = 0.01
const cutShare = 0.005
const cutMs = 60_000
/** Whose tables are compared row by row with what is so; of the others only the digest is. */
const tablesRead = 4
/** Of a frame: its length, a yamux header, Noise's length and tag. Of a segment: TCP with time stamps, and IPv4. */
const framingBytes = 2 + 12 + 18
const headerBytes = 32 + 20

export function runCrowd(
  options: CrowdOptions,
  init: {
    readonly mutant?: MembershipMutant | undefined
    readonly log?: ((atMs: number, line: string) => void) | undefined
  } = {},
): CrowdRun {
  const random = new Random(options.seed, 'crowd')
  const world = new World(random, init.log)
  const { members: peers, profile, loss, codecEvery } = options
  const config = profiles[profile]
  const network: NetworkOptions = { ...steady, loss }
  const base = { ...drawOptions(options.seed, random), wallErrorMs: 0, lies: [], oneName: false }
  const plan = {
    ...base,
    peers,
    profile,
    config,
    network,
    codecEvery,
    disk: { writeMinMs: 0.1, writeMaxMs: 5 },
  }
  const cluster = new Cluster(world, plan, init.mutant)
  const crowd = new Crowd(cluster, options)
  crowd.tell()
  const verdict = checkMembership(cluster.history, boundsOf(options))
  return {
    options,
    violations: [...verdict.violations, ...cluster.violations],
    figures: {
      ...crowd.figures(),
      detections: verdict.figures.detections.map((one) => ({
        ...one,
        silent: crowd.silent.has(`${one.at} ${one.peer}`),
      })),
      falseSuspicions: verdict.figures.falseSuspicions,
    },
    traceHash: world.trace.digest,
    steps: world.trace.steps,
  }
}

const steady: NetworkOptions = {
  transport: 'stream',
  latencyMinMs: 0.1,
  latencyMaxMs: 0.5,
  jitterMs: 0.2,
  loss: 0,
  duplication: 0,
  reordering: 0,
  corruption: 0,
}

interface Traffic {
  packets: number
  encoded: number
  bytes: number
}

class Crowd {
  readonly #cluster: Cluster
  readonly #world: World
  readonly #options: CrowdOptions
  readonly #random: Random
  #idle: Traffic = { packets: 0, encoded: 0, bytes: 0 }
  #agreedAfterMs: number | undefined
  #lossAgreedMs: number | undefined
  #healAgreedMs: number | undefined
  /** Who lost its power when, and closed no connection. */
  readonly silent = new Set<string>()

  constructor(cluster: Cluster, options: CrowdOptions) {
    this.#cluster = cluster
    this.#world = cluster.world
    this.#options = options
    this.#random = cluster.world.random.stream('story')
  }

  tell(): void {
    const { members, minutes, churn } = this.#options
    this.#cluster.found(members)
    this.#run(settlingMs)
    const before = this.#traffic()
    this.#run(idleMs)
    const after = this.#traffic()
    const encoded = after.encoded - before.encoded
    this.#idle = { packets: after.packets - before.packets, encoded, bytes: after.bytes - before.bytes }
    if (this.#options.split) return this.#split()
    const until = minutes * 60_000
    const everyMs = 60_000 / (members * churn)
    while (this.#world.now < until) {
      this.#run(Math.min(until - this.#world.now, this.#random.exponential(everyMs)))
      if (this.#world.now < until) this.#befall(this.#random.weighted(churnKinds))
    }
    this.#agree()
    this.#cluster.record({ at: this.#world.now, type: 'end' })
  }

  /** So many rows change that nobody could keep the history; what must not be is looked for as it happens. */
  #split(): void {
    const cluster = this.#cluster
    const there = new Set(cluster.hosts.map((host) => host.peer))
    cluster.toldOf = ({ observer, subject, status }) => {
      if (status !== 'dead' || !there.has(subject as PeerId) || !there.has(observer as PeerId)) return
      cluster.breach('accuracy', `${observer} shows ${subject} dead, but it runs and can be reached`)
    }
    const chosen = this.#random.shuffled(cluster.hosts)
    const killed = chosen.splice(0, Math.ceil(cluster.hosts.length * killedShare))
    for (const [index, host] of killed.entries()) {
      there.delete(host.peer)
      cluster.end(host, index % 2 === 0 ? 'kill' : 'power-cut')
    }
    this.#lossAgreedMs = this.#runUntilOne()
    const cut = chosen.splice(0, Math.ceil(cluster.hosts.length * cutShare))
    for (const host of cut) there.delete(host.peer)
    this.#world.note(`cut off ${cut.length}`)
    const { links } = cluster.network
    across(cut, chosen, (from, to) => links.cut(from, to))
    this.#run(cutMs)
    across(cut, chosen, (from, to) => links.mend(from, to))
    this.#world.note('mend the cut')
    this.#healAgreedMs = this.#runUntilOne()
    this.#agree()
  }

  #runUntilOne(): number | undefined {
    const from = this.#world.now
    const until = from + boundsOf(this.#options).convergenceMs
    do this.#run(lookEveryMs)
    while (this.#world.now < until && !this.#isOneView())
    return this.#isOneView() ? this.#world.now - from : undefined
  }

  figures(): Omit<CrowdFigures, 'detections' | 'falseSuspicions'> {
    const { packets, encoded, bytes } = this.#idle
    const idlePackets = packets / this.#options.members / (idleMs / 1000)
    const mean = encoded === 0 ? 0 : bytes / encoded
    return {
      idlePackets,
      idleBytes: idlePackets * mean,
      idleFramedBytes: idlePackets * (mean + framingBytes),
      idleWireBytes: idlePackets * (mean + framingBytes + headerBytes),
      agreedAfterMs: this.#agreedAfterMs,
      lossAgreedMs: this.#lossAgreedMs,
      healAgreedMs: this.#healAgreedMs,
    }
  }

  #run(forMs: number): void {
    this.#world.runUntil(this.#world.now + forMs)
  }

  #traffic(): Traffic {
    const sum: Traffic = { packets: 0, encoded: 0, bytes: 0 }
    for (const { process } of this.#cluster.hosts) {
      sum.packets += process?.figures.framesSent ?? 0
      sum.encoded += process?.figures.framesEncoded ?? 0
      sum.bytes += process?.figures.bytesSent ?? 0
    }
    return sum
  }

  #befall(kind: keyof typeof churnKinds): void {
    const running = this.#cluster.hosts.filter(takesPart)
    if (kind === 'kill' || kind === 'power-cut') {
      const host = this.#random.pick(running)
      if (kind === 'power-cut') this.silent.add(`${this.#world.now} ${host.peer}`)
      this.#cluster.end(host, kind)
    } else if (kind === 'leave') this.#cluster.depart(this.#random.pick(running), 'leave')
    else if (kind === 'join') this.#cluster.start(this.#cluster.addHost(), this.#contacts(running))
    else {
      const gone = this.#cluster.hosts.filter((host) => host.state === 'gone')
      if (gone.length > 0) this.#cluster.start(this.#random.pick(gone), this.#contacts(running))
    }
  }

  /** Three who run, as a person would name them. */
  #contacts(running: readonly MemberHost[]): string[] {
    return [0, 1, 2].flatMap(() => this.#random.pick(running).machine.addresses)
  }

  /** Nothing happens any more: soon all have one view, and it is the true one. */
  #agree(): void {
    const from = this.#world.now
    this.#agreedAfterMs = this.#runUntilOne()
    if (this.#agreedAfterMs === undefined)
      this.#cluster.breach(
        'one-view',
        `digests differ ${this.#world.now - from} ms after the last disturbance`,
      )
    const running = this.#cluster.hosts.filter(takesPart)
    const peers = running.map((host) => host.peer).sort()
    for (const host of this.#random.shuffled(running).slice(0, tablesRead)) {
      const rows = host.core?.members() ?? []
      const shown = rows.filter(({ status }) => status === 'alive').map(({ peer }) => peer)
      if (shown.sort().join() === peers.join()) continue
      this.#cluster.breach('one-view', `${host.name} shows ${shown.length} members alive, of ${peers.length}`)
    }
  }

  /** All agree, and one of them shows whoever runs as there, and nobody else. */
  #isOneView(): boolean {
    if (!this.#digestsAgree()) return false
    const running = this.#cluster.hosts.filter(takesPart)
    const rows = running[0]?.core?.members() ?? []
    const there = rows.filter(({ status }) => status !== 'dead' && status !== 'left')
    return there.length === running.length && there.every(({ status }) => status === 'alive')
  }

  #digestsAgree(): boolean {
    const [first, ...rest] = this.#cluster.hosts.filter(takesPart).map(({ core }) => core?.digest)
    return rest.every((digest) => digest === first)
  }
}

/** Both ways, between all of `some` and all of `others`. */
function across(
  some: readonly MemberHost[],
  others: readonly MemberHost[],
  act: (from: number, to: number) => void,
): void {
  for (const { machine: one } of some) {
    for (const { machine: other } of others) {
      act(one.index, other.index)
      act(other.index, one.index)
    }
  }
}

function boundsOf(options: CrowdOptions): MembershipBounds {
  const { suspicionMinMs, suspicionMaxFactor, probePeriodMs, healIntervalMs } = profiles[options.profile]
  const suspicionMaxMs = suspicionMinMs * suspicionMaxFactor * Math.max(1, Math.log10(options.members))
  return {
    detectionMs: suspicionMaxMs + 15 * probePeriodMs,
    convergenceMs: suspicionMaxMs + 20 * probePeriodMs,
    graceMs: 2.5 * healIntervalMs + 3 * probePeriodMs,
  }
}
