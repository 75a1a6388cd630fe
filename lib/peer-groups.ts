/** The groups of a peer: runs the multicast core on gossip, links and journal, and gives apps their streams. */
import { DiskBacklog } from './disk-backlog.ts'
import type {
  ClockReading,
  Fork,
  Group,
  GroupNotice,
  Groups,
  GroupView,
  Published,
  TraceEvent,
} from './group.ts'
import { assertGroupName } from './group-errors.ts'
import { stopped } from './group-feed.ts'
import { GroupHandle } from './group-handle.ts'
import { broadcastGroup, GroupMemberships } from './group-memberships.ts'
import { type Alarm, isAlarm, noticeOf } from './group-notices.ts'
import { GroupPublishes } from './group-publishes.ts'
import { GroupTraces } from './group-trace.ts'
import { groupViews } from './group-views.ts'
import type { Counters } from './host/counters.ts'
import { Driver, systemClock } from './host/driver.ts'
import type { Gossip } from './host/gossip.ts'
import { bulkLimits, type Links } from './host/links.ts'
import type { Journal } from './host/store.ts'
import { orAbort } from './or-abort.ts'
import { formatHybrid } from './protocols/clocks/hybrid.ts'
import type { PeerClock } from './protocols/clocks/peer-clock.ts'
import type { Crypto, Instant, PeerId } from './protocols/core.ts'
import { type MembershipEvent, type MemberView, riderKinds } from './protocols/membership/messages.ts'
import { decodeTails, encodeTails, multicastCodec } from './protocols/multicast/codec.ts'
import type { MulticastConfig } from './protocols/multicast/config.ts'
import { durableKeys } from './protocols/multicast/durable-state.ts'
import { sizeOf } from './protocols/multicast/log.ts'
import type {
  MemberStanding,
  MulticastCommand,
  MulticastEvent,
  MulticastPacket,
  MulticastRequest,
  PacketBody,
} from './protocols/multicast/messages.ts'
import { Multicast, type MulticastCounts } from './protocols/multicast/multicast.ts'

type MulticastDriver = Driver<MulticastPacket, MulticastCommand, MulticastEvent, MulticastRequest>

export const multicastLink = 'multicast'

/** Answers that wait for a peer: who asks for more than it reads has them dropped before they are encoded. */
const maxAnswerBytes = bulkLimits.queueBytes / 2

export interface PeerGroupsInit {
  readonly self: PeerId
  readonly cluster: string
  readonly crypto: Crypto
  readonly clock: PeerClock
  readonly config: MulticastConfig
  readonly durable: ReadonlyMap<string, Uint8Array>
  readonly journal: Journal
  readonly links: Links
  readonly gossip: Gossip
  readonly counters: Counters
  /** The table of members, this peer first. */
  readonly members: () => readonly MemberView[]
  /** The groups of this peer have changed. */
  readonly regrouped: (groups: readonly string[]) => void
  /** An author is unknown: exchange member tables with `peer`. */
  readonly syncMembers: (peer: PeerId) => void
  /** Take a new generation. */
  readonly renew: () => void
  /** What an operator should know of, whether somebody reads the group or not. */
  readonly alarm: (notice: Alarm) => void
  readonly trouble: (error: unknown) => void
  readonly failed: (error: unknown) => void
}

/** What was counted over all groups since the start. */
export interface GroupCounts extends MulticastCounts {
  /** Messages lost to this peer, and reported. */
  readonly truncated: number
}

export class PeerGroups implements Groups {
  readonly #init: PeerGroupsInit
  readonly #core: Multicast
  readonly #driver: MulticastDriver
  readonly #backlog: DiskBacklog
  readonly #memberships: GroupMemberships
  readonly #publishes: GroupPublishes
  readonly #traces = new GroupTraces()
  #epoch = 0
  #truncated = 0
  #stopped = false

  constructor(init: PeerGroupsInit) {
    this.#init = init
    this.#core = new Multicast({
      self: init.self,
      cluster: init.cluster,
      config: init.config,
      crypto: init.crypto,
      random: Math.random,
      durable: init.durable,
      clock: init.clock,
    })
    this.#driver = new Driver({
      core: this.#core,
      codec: multicastCodec(init.crypto),
      counters: init.counters,
      send: (to, bytes) => init.links.send(to, multicastLink, bytes),
      write: async (entries) => {
        // The store takes a while before it hands over to its thread: what waits for the
        // same turn of the loop, readers and gossip, goes first.
        await new Promise(setImmediate)
        await init.journal.write(entries)
        setImmediate(() => this.#backlog.shrunk())
        const ceiling = entries.get(durableKeys.clock)
        if (ceiling !== undefined) init.clock.hybrid.persisted(ceiling)
      },
      emit: (event) => this.#emitted(event),
      request: (request) => this.#requested(request),
      hasRoom: (to, { body }) => !isAnswer(body) || init.links.queuedBytes(to) < maxAnswerBytes,
      weigh: weightOf,
      writeFailed: init.trouble,
      failed: init.failed,
    })
    this.#backlog = new DiskBacklog(this.#driver, init.gossip)
    this.#memberships = new GroupMemberships(this.#core, init.crypto.sha256)
    this.#publishes = new GroupPublishes((publish) => this.#driver.command({ type: 'publish', ...publish }))
  }

  /** Restores what the disk holds and joins broadcast; told once, after the node listens. */
  start(): void {
    this.#driver.command({ type: 'join', name: broadcastGroup })
    for (const { name } of this.#core.groups()) this.#memberships.of(name)
  }

  stop(): void {
    this.#stopped = true
    this.#driver.stop()
    this.#publishes.stop()
    this.#memberships.end()
  }

  get counts(): GroupCounts {
    return { ...this.#core.counts, truncated: this.#truncated }
  }

  // What the peer tells

  connected(peer: PeerId): void {
    this.#driver.command({ type: 'connected', peer })
  }

  disconnected(peer: PeerId): void {
    this.#driver.command({ type: 'disconnected', peer })
  }

  deny(peer: PeerId, denied: boolean): void {
    this.#driver.command({ type: 'deny', peer, denied })
  }

  membership(event: MembershipEvent): void {
    switch (event.type) {
      case 'member':
        this.#member(event.member)
        return
      case 'joined':
        this.#driver.command({ type: 'settled' })
        return
      case 'rider':
        if (event.kind !== riderKinds.multicast) return
        this.#driver.command({ type: 'tails', from: event.from, tails: decodeTails(event.body) })
        return
    }
  }

  /** What rides on a heartbeat to `peer`. */
  rider(peer: PeerId, now: Instant): Uint8Array | undefined {
    const tails = this.#core.tailNews(peer, now.monotonic)
    return tails.length === 0 ? undefined : encodeTails(tails)
  }

  receive(from: PeerId, frame: Uint8Array): void {
    if (this.#backlog.isFull) this.#init.counters.dropped['store-behind'] += 1
    else this.#driver.receive(from, frame)
    // The core takes whoever it hears to be there.
    if (!this.#init.links.reaches(from)) this.disconnected(from)
  }

  /** The topic validator. */
  judge(topic: string, from: PeerId, data: Uint8Array): 'accept' | 'reject' | 'ignore' {
    const verdict = this.#core.examine(groupOf(topic), data)
    if (verdict.type === 'accept') {
      if (this.#backlog.isFull) this.#init.counters.dropped['store-behind'] += 1
      else this.#driver.command({ type: 'gossiped', from, envelope: verdict.envelope })
      this.#backlog.grown()
    } else if (verdict.reason === 'unknown-author') this.#init.syncMembers(from)
    return verdict.type
  }

  subscription(peer: PeerId, topic: string, subscribed: boolean): void {
    this.#driver.command({ type: 'subscription', peer, group: groupOf(topic), subscribed })
  }

  // What apps ask

  async group(name: string, options: { readonly signal?: AbortSignal } = {}): Promise<Group> {
    assertGroupName(name)
    if (this.#stopped) throw stopped()
    options.signal?.throwIfAborted()
    if (!this.#memberships.has(name)) {
      this.#memberships.join(name)
      this.#driver.command({ type: 'join', name })
    }
    const { ready, feed } = this.#memberships.of(name)
    await orAbort(ready.promise, options.signal)
    return new GroupHandle(name, feed, {
      publish: (payload, signal) => this.#publishes.publish(name, payload, signal),
      leave: () => {
        this.#memberships.leave(name)
        this.#driver.command({ type: 'leave', name })
      },
    })
  }

  groups(): readonly GroupView[] {
    return groupViews(this.#init.self, this.#core.groups(), this.#init.members())
  }

  forks(): readonly Fork[] {
    return this.#core
      .forks()
      .map(({ name, author, epoch, seq, hashes }) => ({ group: name, sender: author, epoch, seq, hashes }))
  }

  clock(group = broadcastGroup): ClockReading {
    this.#memberships.assertIn(group)
    const { clock } = this.#init
    return {
      lamport: clock.lamport.value,
      vector: Object.fromEntries(this.#core.vector(group)),
      hlc: formatHybrid(clock.hybrid.read(systemClock())),
      network: {
        state: 'unsynchronised',
        scope: 'internal',
        timeline: null,
        faultsTolerated: null,
        earliestMs: null,
        latestMs: null,
        offsetMs: null,
        uncertaintyMs: null,
        peers: 0,
      },
    }
  }

  trace(group = broadcastGroup): readonly TraceEvent[] {
    this.#memberships.assertIn(group)
    return this.#traces.events(group)
  }

  // Events and requests of the core

  #emitted(event: MulticastEvent): void {
    switch (event.type) {
      case 'ready':
        this.#becameReady(event.name, event.index)
        return
      case 'delivered':
        this.#delivered(event)
        return
      case 'published':
        this.#publishes.published(event.token, this.#published(event))
        return
      case 'refused':
        this.#publishes.refused(event.token, event.code)
        return
      case 'gap':
      case 'history-truncated':
      case 'undeliverable':
      case 'equivocation':
        this.#noticed(noticeOf(event))
        return
      case 'misbehaved':
        this.#init.links.strike(event.peer, 'misbehaved')
        return
    }
  }

  #requested(request: MulticastRequest): void {
    switch (request.type) {
      case 'gossip':
        this.#init.gossip.publish(topicOf(request.group), request.bytes)
        return
      case 'subscribe':
        this.#subscribe(request.group)
        return
      case 'unsubscribe':
        this.#init.gossip.unsubscribe(topicOf(request.group))
        this.#memberships.left(request.group)
        return
      case 'regroup':
        this.#init.regrouped(request.groups)
        return
      case 'sync-members':
        this.#init.syncMembers(request.peer)
        return
      case 'renew-epoch':
        this.#init.renew()
        return
    }
  }

  /** Who subscribed before this peer did was not told then. */
  #subscribe(group: string): void {
    const topic = topicOf(group)
    this.#init.gossip.subscribe(topic)
    for (const peer of this.#init.gossip.subscribers(topic)) this.subscription(peer, topic, true)
  }

  #becameReady(name: string, index: number): void {
    const membership = this.#memberships.present(name)
    membership?.feed.show(index)
    membership?.ready.resolve()
  }

  #delivered(event: Extract<MulticastEvent, { type: 'delivered' }>): void {
    const { name, envelope, index, first } = event
    const line = { group: name, host: this.#init.self, hostEpoch: this.#epoch }
    this.#traces.delivered(line, envelope, first, (author) => this.#core.peerOf(author))
    this.#memberships.present(name)?.feed.show(index + envelope.last - first)
  }

  #published({ name, envelope, index }: Extract<MulticastEvent, { type: 'published' }>): Published {
    const { author, epoch, seq, lamport } = envelope.header
    const known = this.#memberships.present(name) === undefined ? undefined : this.#core.vectorOf(name, index)
    const vector = Object.fromEntries(known?.vector ?? [])
    return { group: name, sender: author, epoch, seq, lamport, vector }
  }

  #noticed(notice: GroupNotice): void {
    if (notice.type === 'history-truncated')
      for (const { from, to } of notice.ranges) this.#truncated += to - from + 1
    this.#memberships.present(notice.group)?.feed.notice(notice)
    if (isAlarm(notice)) this.#init.alarm(notice)
  }

  // Members

  #member(member: MemberView): void {
    if (member.self) {
      if (member.generation === this.#epoch || member.status === 'leaving') return
      this.#epoch = member.generation
      this.#driver.command({ type: 'epoch', epoch: member.generation })
      return
    }
    const { peer, status, groups } = member
    const standing = standingOf(status)
    if (standing === 'dead' || standing === 'left') this.#init.clock.forget(peer)
    this.#driver.command({ type: 'member', peer, standing, groups })
  }
}

const topicPrefix = 'p2pd/'

function topicOf(group: string): string {
  return `${topicPrefix}${group}`
}

function groupOf(topic: string): string {
  return topic.slice(topicPrefix.length)
}

function isAnswer({ type }: PacketBody): boolean {
  return type === 'supply' || type === 'baseline'
}

/** What else waits is small, or bounded with the publishes under way. */
function weightOf(effect: MulticastEvent | MulticastRequest): number {
  return effect.type === 'delivered' ? sizeOf(effect.envelope) : 0
}

function standingOf(status: MemberView['status']): MemberStanding {
  switch (status) {
    case 'joining':
      return 'alive'
    case 'stalled':
      return 'suspect'
    case 'leaving':
      return 'left'
    default:
      return status
  }
}
