/** The groups of a peer: runs the multicast core on gossip, links and journal, and gives apps their streams. */
import { randomBytes } from 'node:crypto'
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
import { assertGroupName, everybodyIsIn, groupLeft, throwNotIn, tooManyGroups } from './group-errors.ts'
import { GroupFeed, stopped } from './group-feed.ts'
import { GroupHandle } from './group-handle.ts'
import { GroupTraces } from './group-trace.ts'
import type { Counters } from './host/counters.ts'
import { Driver, systemClock } from './host/driver.ts'
import type { Gossip } from './host/gossip.ts'
import { bulkLimits, type Links } from './host/links.ts'
import type { Journal } from './host/store.ts'
import { withResolvers } from './host/with-resolvers.ts'
import { orAbort } from './or-abort.ts'
import { formatHybrid } from './protocols/clocks/hybrid.ts'
import type { PeerClock } from './protocols/clocks/peer-clock.ts'
import type { Crypto, PeerId } from './protocols/core.ts'
import { type MembershipEvent, type MemberView, riderKinds } from './protocols/membership/messages.ts'
import { decodeTails, encodeTails, multicastCodec } from './protocols/multicast/codec.ts'
import type { MulticastConfig } from './protocols/multicast/config.ts'
import { groupIdOf } from './protocols/multicast/dots.ts'
import { durableKeys } from './protocols/multicast/durable-state.ts'
import { multicastLimits } from './protocols/multicast/limits.ts'
import { sizeOf } from './protocols/multicast/log.ts'
import type {
  DotKey,
  Envelope,
  MemberStanding,
  MulticastCommand,
  MulticastEvent,
  MulticastPacket,
  MulticastRequest,
  PacketBody,
  PeerRange,
} from './protocols/multicast/messages.ts'
import { Multicast, type MulticastCounts, parentsOf } from './protocols/multicast/multicast.ts'
import { P2pdError } from './wire/errors.ts'

type MulticastDriver = Driver<MulticastPacket, MulticastCommand, MulticastEvent, MulticastRequest>

export const multicastLink = 'multicast'
/** Everybody is in it: broadcast. */
export const broadcastGroup = 'all'

/** While so much waits for the disk, what others send is left to repair. */
const maxWaitingEffects = 8192
/** From here on gossip is not read, until the disk has caught up: what is dropped would have to be fetched again. */
const pauseAt = 4096
/** More than what own publishes keep waiting, or they would shut gossip out. */
const resumeAt = 2048
const pauseAtBytes = 8 * 1024 * 1024
const resumeAtBytes = 2 * 1024 * 1024
/** Less than the log keeps: what no reader was shown yet must not be truncated. */
const maxWaitingBytes = 32 * 1024 * 1024
/** Answers that wait for a peer: who asks for more than it reads has them dropped before they are encoded. */
const maxAnswerBytes = bulkLimits.queueBytes / 2
/** Publishes whose answer is outstanding; more wait their turn, bounded like those that wait for a baseline. */
const maxUnderWay = 256

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
  readonly alarm: (notice: Extract<GroupNotice, { type: 'equivocation' | 'history-truncated' }>) => void
  readonly trouble: (error: unknown) => void
  readonly failed: (error: unknown) => void
}

/** What was counted over all groups since the start. */
export interface GroupCounts extends MulticastCounts {
  /** Messages lost to this peer, and reported. */
  readonly truncated: number
}

/** One group that this peer is in. */
interface Membership {
  readonly feed: GroupFeed
  readonly ready: ReturnType<typeof withResolvers<void>>
}

interface Publish {
  readonly name: string
  readonly payload: Uint8Array
  readonly resolve: (published: Published) => void
  readonly reject: (error: Error) => void
}

export class PeerGroups implements Groups {
  readonly #init: PeerGroupsInit
  readonly #core: Multicast
  readonly #driver: MulticastDriver
  readonly #joined = new Map<string, Membership>()
  readonly #traces = new GroupTraces()
  /** Groups, by id, that were left while effects of theirs still wait for the disk: how often. */
  readonly #leaving = new Map<string, number>()
  readonly #underWay = new Map<number, Publish>()
  #queue: Publish[] = []
  #queuedBytes = 0
  #underWayBytes = 0
  #tokens = 0
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
        setImmediate(() => this.#resumeGossip())
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
  }

  /** Restores what the disk holds and joins broadcast; told once, after the node listens. */
  start(): void {
    this.#driver.command({ type: 'join', name: broadcastGroup })
    for (const { name } of this.#core.groups()) this.#membership(name)
  }

  stop(): void {
    this.#stopped = true
    this.#driver.stop()
    for (const { reject } of [...this.#underWay.values(), ...this.#queue]) reject(stopped())
    this.#underWay.clear()
    this.#queue = []
    for (const { feed, ready } of this.#joined.values()) {
      feed.end()
      ready.reject(stopped())
    }
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
  rider(peer: PeerId): Uint8Array | undefined {
    const tails = this.#core.tails(peer)
    return tails.length === 0 ? undefined : encodeTails(tails)
  }

  receive(from: PeerId, frame: Uint8Array): void {
    if (this.#isBehind()) this.#init.counters.dropped['store-behind'] += 1
    else this.#driver.receive(from, frame)
    // The core takes whoever it hears to be there.
    if (!this.#init.links.reaches(from)) this.disconnected(from)
  }

  /** The topic validator. */
  judge(topic: string, from: PeerId, data: Uint8Array): 'accept' | 'reject' | 'ignore' {
    const verdict = this.#core.examine(groupOf(topic), data)
    if (verdict.type === 'accept') {
      if (this.#isBehind()) this.#init.counters.dropped['store-behind'] += 1
      else this.#driver.command({ type: 'gossiped', from, envelope: verdict.envelope })
      const { waiting, waitingBytes } = this.#driver
      if (waiting >= pauseAt || waitingBytes >= pauseAtBytes) this.#init.gossip.pause()
    } else if (verdict.reason === 'unknown-author') this.#init.syncMembers(from)
    return verdict.type
  }

  #isBehind(): boolean {
    return this.#driver.waiting >= maxWaitingEffects || this.#driver.waitingBytes >= maxWaitingBytes
  }

  subscription(peer: PeerId, topic: string, subscribed: boolean): void {
    this.#driver.command({ type: 'subscription', peer, group: groupOf(topic), subscribed })
  }

  // What apps ask

  async group(name: string, options: { readonly signal?: AbortSignal } = {}): Promise<Group> {
    assertGroupName(name)
    if (this.#stopped) throw stopped()
    options.signal?.throwIfAborted()
    if (!this.#joined.has(name)) {
      if (this.#joined.size >= multicastLimits.groups) throw tooManyGroups()
      this.#membership(name)
      this.#driver.command({ type: 'join', name })
    }
    const { ready, feed } = this.#membership(name)
    await orAbort(ready.promise, options.signal)
    return new GroupHandle(name, feed, {
      publish: (payload, signal) => this.#publish(name, payload, signal),
      leave: () => this.#leave(name),
    })
  }

  groups(): readonly GroupView[] {
    const figures = new Map(this.#core.groups().map((group) => [group.name, group]))
    const members = new Map<string, PeerId[]>([...figures.keys()].map((name) => [name, [this.#init.self]]))
    for (const { peer, self, status, groups } of this.#init.members()) {
      if (self || status === 'dead' || status === 'left' || status === 'leaving') continue
      for (const name of groups) members.set(name, [...(members.get(name) ?? []), peer])
    }
    return [...members.keys()].sort().map((name) => {
      const own = figures.get(name)
      return {
        name,
        joined: own !== undefined,
        ready: own?.ready ?? null,
        members: members.get(name) ?? [],
        delivered: own?.delivered ?? 0,
        heldBack: own?.heldBack ?? 0,
        logMessages: own?.logMessages ?? 0,
        logBytes: own?.logBytes ?? 0,
      }
    })
  }

  forks(): readonly Fork[] {
    return this.#core
      .forks()
      .map(({ name, author, epoch, seq, hashes }) => ({ group: name, sender: author, epoch, seq, hashes }))
  }

  clock(group = broadcastGroup): ClockReading {
    this.#assertIn(group)
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
    this.#assertIn(group)
    return this.#traces.events(group)
  }

  // Publishing

  #publish(name: string, payload: Uint8Array, signal: AbortSignal | undefined): Promise<Published> {
    if (payload.length > multicastLimits.payloadBytes) throw tooLarge(payload.length)
    if (this.#stopped) throw stopped()
    signal?.throwIfAborted()
    const { waitingPublishes, waitingBytes } = multicastLimits
    if (this.#queue.length >= waitingPublishes || this.#queuedBytes + payload.length > waitingBytes) {
      throw new P2pdError('ERR_WOULD_BLOCK', 'too much waits to be published', {
        hint: 'publish more slowly, or wait for each publish',
      })
    }
    const published = withResolvers<Published>()
    // A copy: the app may go on with its buffer.
    const publish = { name, payload: payload.slice(), resolve: published.resolve, reject: published.reject }
    this.#queue.push(publish)
    this.#queuedBytes += payload.length
    this.#next()
    return orAbort(published.promise, signal, () => this.#withdraw(publish))
  }

  #next(): void {
    while (this.#underWay.size < maxUnderWay && !this.#stopped) {
      const [publish] = this.#queue
      if (publish === undefined) return
      const { length } = publish.payload
      if (this.#underWayBytes > 0 && this.#underWayBytes + length > multicastLimits.waitingBytes) return
      this.#queue.shift()
      this.#queuedBytes -= length
      this.#underWayBytes += length
      this.#tokens += 1
      this.#underWay.set(this.#tokens, publish)
      this.#driver.command({
        type: 'publish',
        name: publish.name,
        payload: publish.payload,
        token: this.#tokens,
      })
    }
  }

  /** What has not begun is not sent; what has is on its way, and cannot be taken back. */
  #withdraw(publish: Publish): void {
    if (!this.#queue.includes(publish)) return
    this.#queue = this.#queue.filter((other) => other !== publish)
    this.#queuedBytes -= publish.payload.length
  }

  #answer(token: number, settle: (publish: Publish) => void): void {
    const publish = this.#underWay.get(token)
    this.#underWay.delete(token)
    if (publish !== undefined) {
      this.#underWayBytes -= publish.payload.length
      settle(publish)
    }
    this.#next()
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
        this.#answer(event.token, ({ resolve }) => resolve(this.#published(event)))
        return
      case 'refused':
        this.#answer(event.token, ({ name, reject }) => reject(refusal(name, event.code)))
        return
      case 'gap':
        this.#notice(event.name, { type: event.type, group: event.name, ranges: event.ranges.map(dotRange) })
        return
      case 'history-truncated': {
        const ranges = event.ranges.map(dotRange)
        const notice = { type: event.type, group: event.name, ranges }
        for (const { from, to } of ranges) this.#truncated += to - from + 1
        this.#notice(event.name, notice)
        this.#init.alarm(notice)
        return
      }
      case 'undeliverable': {
        const { name, author, epoch, seq } = event
        this.#notice(name, { type: 'undeliverable', group: name, sender: author, epoch, seq })
        return
      }
      case 'equivocation': {
        const { name, author, epoch, seq, hashes } = event
        const notice = { type: 'equivocation', group: name, sender: author, epoch, seq, hashes } as const
        this.#notice(name, notice)
        this.#init.alarm(notice)
        return
      }
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
        this.#left(request.group)
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
    const membership = this.#present(name)
    membership?.feed.show(index)
    membership?.ready.resolve()
  }

  #delivered(event: Extract<MulticastEvent, { type: 'delivered' }>): void {
    const { name, envelope, index, first } = event
    this.#record(name, envelope, first)
    this.#present(name)?.feed.show(index + envelope.last - first)
  }

  #published({ name, envelope, index }: Extract<MulticastEvent, { type: 'published' }>): Published {
    const { author, epoch, seq, lamport } = envelope.header
    const known = this.#present(name) === undefined ? undefined : this.#core.vectorOf(name, index)
    const vector = Object.fromEntries(known?.vector ?? [])
    return { group: name, sender: author, epoch, seq, lamport, vector }
  }

  #record(name: string, envelope: Envelope, first: number): void {
    const { author, epoch } = envelope.header
    const own = author === this.#init.self && epoch === this.#epoch
    const after = parentsOf(envelope).map((dot) => this.#dotText(dot))
    const event = {
      group: name,
      host: this.#init.self,
      hostEpoch: this.#epoch,
      kind: own ? 'publish' : 'deliver',
      time: Date.now(),
      sender: author,
      epoch,
    } as const
    for (let seq = first; seq <= envelope.last; seq++) {
      const before = seq === envelope.header.seq ? after : [`${author}#${epoch}:${seq - 1}`]
      this.#traces.record({ ...event, seq, after: before })
    }
  }

  #dotText({ author, epoch, seq }: DotKey): string {
    return `${this.#core.peerOf(author) ?? author}#${epoch}:${seq}`
  }

  #notice(name: string, notice: GroupNotice): void {
    this.#present(name)?.feed.notice(notice)
  }

  #resumeGossip(): void {
    const { waiting, waitingBytes } = this.#driver
    if (waiting <= resumeAt && waitingBytes <= resumeAtBytes) this.#init.gossip.resume()
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

  #membership(name: string): Membership {
    const known = this.#joined.get(name)
    if (known !== undefined) return known
    const ready = withResolvers<void>()
    // Who does not wait for it is not to be ended by it.
    ready.promise.catch(() => {})
    // A reader that is slow to end must not read on in the log of whoever joins it again.
    const isHere = (): boolean => this.#joined.get(name)?.feed === feed
    const feed: GroupFeed = new GroupFeed({
      log: randomBytes(12).toString('hex'),
      name,
      bounds: () => (isHere() ? this.#core.bounds(name) : { first: 1, last: 0 }),
      read: (index, max) => (isHere() ? this.#core.read(name, index, max) : []),
      vectorOf: (index) => (isHere() ? this.#core.vectorOf(name, index) : undefined),
    })
    const membership: Membership = { feed, ready }
    this.#joined.set(name, membership)
    return membership
  }

  /** Undefined for what a former membership still tells: its effects may have waited for the disk. */
  #present(name: string): Membership | undefined {
    if (this.#leaving.size > 0 && this.#leaving.has(this.#idOf(name))) return undefined
    return this.#membership(name)
  }

  #idOf(name: string): string {
    return groupIdOf(name, this.#init.crypto.sha256)
  }

  /** The last that is told of a membership. */
  #left(id: string): void {
    const count = this.#leaving.get(id) ?? 0
    if (count > 1) this.#leaving.set(id, count - 1)
    else this.#leaving.delete(id)
  }

  #leave(name: string): void {
    if (name === broadcastGroup) throw everybodyIsIn(name)
    this.#assertIn(name)
    const { feed, ready } = this.#membership(name)
    const id = this.#idOf(name)
    this.#leaving.set(id, (this.#leaving.get(id) ?? 0) + 1)
    this.#joined.delete(name)
    this.#driver.command({ type: 'leave', name })
    feed.end()
    ready.reject(groupLeft(name))
  }

  #assertIn(name: string): void {
    if (!this.#joined.has(name)) throwNotIn(name)
  }
}

const topicPrefix = 'p2pd/'

function topicOf(group: string): string {
  return `${topicPrefix}${group}`
}

function groupOf(topic: string): string {
  return topic.slice(topicPrefix.length)
}

function dotRange({ author, epoch, from, to }: PeerRange) {
  return { sender: author, epoch, from, to }
}

function isAnswer({ type }: PacketBody): boolean {
  return type === 'supply' || type === 'baseline'
}

/** What else waits is small, or bounded with the publishes under way. */
function weightOf(effect: MulticastEvent | MulticastRequest): number {
  return effect.type === 'delivered' ? sizeOf(effect.envelope) : 0
}

function tooLarge(bytes: number): P2pdError {
  return new P2pdError(
    'ERR_TOO_LARGE',
    `a message of ${bytes} bytes; at most ${multicastLimits.payloadBytes}`,
    {
      hint: 'send a reference to it, or send it in parts',
    },
  )
}

function refusal(name: string, code: `ERR_${string}`): P2pdError {
  switch (code) {
    case 'ERR_WOULD_BLOCK':
      return new P2pdError(code, 'too much waits to be published', {
        hint: 'wait until this peer has joined the group, and for each publish',
      })
    case 'ERR_GROUP_LEFT':
      return groupLeft(name)
    default:
      return new P2pdError(code, 'the logical time of the group is at its end', {
        hint: 'a member drove it there; leave the group and use another one',
      })
  }
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
