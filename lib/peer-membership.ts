/** Membership as a peer runs it: the core and its driver, the table that apps see, pings and tags. */
import { mayBeDismissed, untilDismissed } from './dismissal.ts'
import type { Counters } from './host/counters.ts'
import { Driver } from './host/driver.ts'
import { cryptoOf, type Identity } from './host/identity.ts'
import { controlLimits, type LinkProtocol, type Links } from './host/links.ts'
import type { Store } from './host/store.ts'
import { withResolvers } from './host/with-resolvers.ts'
import { MemberTable } from './member-table.ts'
import { orAbort } from './or-abort.ts'
import { OwnTags } from './own-tags.ts'
import type { PeerNetwork } from './peer-network.ts'
import { checkedTags, type PeerSettings } from './peer-options.ts'
import { Pings, type Pong } from './pings.ts'
import type { PeerId } from './protocols/core.ts'
import { packetCodec } from './protocols/membership/codec.ts'
import { type Health, Membership, type MembershipInit } from './protocols/membership/membership.ts'
import type {
  MembershipCommand,
  MembershipEvent,
  MembershipRequest,
  Packet,
  Tags,
} from './protocols/membership/messages.ts'
import { settledWithin } from './settled-within.ts'
import { P2pdError } from './wire/errors.ts'
import { maxControlFrameBytes } from './wire/limits.ts'

type MembershipDriver = Driver<Packet, MembershipCommand, MembershipEvent, MembershipRequest>

/** What other protocols bring along. */
export type FromOthers = Required<Pick<MembershipInit, 'groups' | 'riders'>>

const protocol = 'membership'
/** A departure may take its own wait, and a little more; all of `stop()` stays below 5 s. */
const stopNoticeMs = 1500

export interface PeerMembershipInit {
  readonly settings: PeerSettings
  readonly identity: Identity
  readonly store: Store
  readonly counters: Counters
  readonly network: PeerNetwork
  /** Told after the table. */
  readonly emitted: (event: MembershipEvent) => void
  readonly trouble: (error: unknown) => void
  readonly failed: (error: unknown) => void
}

export class PeerMembership {
  readonly table = new MemberTable(() => this.#core?.members() ?? [])
  /** Frames of others; before `start` nobody takes them. */
  readonly link: LinkProtocol = {
    ...controlLimits,
    name: protocol,
    maxFrameBytes: maxControlFrameBytes,
    receive: (from, frame) => this.#driver?.receive(from, frame),
  }
  readonly #init: PeerMembershipInit
  readonly #tags: OwnTags
  readonly #pings: Pings
  readonly #joined = withResolvers<void>()
  readonly #departed = withResolvers<void>()
  #core: Membership | undefined
  #driver: MembershipDriver | undefined

  constructor(init: PeerMembershipInit) {
    const { network } = init
    this.#init = init
    this.#tags = new OwnTags(init.settings.tags, (tags) => this.command({ type: 'retag', tags }))
    this.#pings = new Pings({
      isConnected: (peer) => network.isConnected(peer),
      dial: (peer) => network.connect(peer, this.table.row(peer)?.addresses ?? []),
      release: (peer) => this.#releaseAboveMesh(peer),
      measure: (peer, token) => this.command({ type: 'measure', peer, token }),
      pathOf: (peer) => network.pathTo(peer),
    })
    // Whoever does not look at it is not to be ended by it.
    this.#joined.promise.catch(() => {})
  }

  get generation(): number {
    return this.#core?.generation ?? 0
  }

  get rolledBack(): boolean {
    return this.#core?.rolledBack ?? false
  }

  get health(): Health {
    return this.#core?.health ?? { score: 0, isolated: false }
  }

  get tags(): Tags {
    return this.#tags.current
  }

  get counts(): {
    readonly tombstones: number
    readonly syncs: number
    readonly refusedStrangers: number
  } {
    const { tombstones = 0, syncs = 0, refusedStrangers = 0 } = this.#core ?? {}
    return { tombstones, syncs, refusedStrangers }
  }

  /** Makes the core; it does nothing before the command `start`. */
  start(links: Links, others: FromOthers): void {
    const { settings, identity, store, counters, network, trouble, failed } = this.#init
    const core = new Membership({
      self: identity.peerId,
      cluster: settings.clusterId,
      name: settings.name,
      version: settings.version,
      addresses: network.addresses,
      config: settings.config,
      crypto: cryptoOf(identity),
      random: Math.random,
      durable: store.load(protocol),
      tags: this.#tags.current,
      ...others,
    })
    const driver: MembershipDriver = new Driver({
      core,
      codec: packetCodec,
      counters,
      send: (to, bytes) => links.send(to, protocol, bytes),
      write: (entries) => store.write(protocol, entries),
      emit: (event) => this.#emitted(event),
      request: (request) => network.requested(request, (command) => driver.command(command)),
      writeFailed: trouble,
      failed,
    })
    this.#core = core
    this.#driver = driver
  }

  /** Before `start` there is nobody to tell. */
  command(command: MembershipCommand): void {
    this.#driver?.command(command)
  }

  joined(signal: AbortSignal | undefined): Promise<void> {
    return orAbort(this.#joined.promise, signal)
  }

  /** Errors: as `Peer.ping`. */
  async ping(subject: PeerId, signal: AbortSignal | undefined): Promise<Pong> {
    if (subject === this.#init.identity.peerId) {
      throw new P2pdError('ERR_SELF', 'a peer has no link to itself', { hint: 'ping another member' })
    }
    return await this.#pings.ping(subject, signal)
  }

  /** A round trip to it is under way. */
  isPinging(peer: PeerId): boolean {
    return this.#pings.waitsFor(peer)
  }

  setTags(tags: Tags): void {
    this.#tags.set(checkedTags(tags))
  }

  /** Errors: as `Peer.forceLeave`. */
  async forceLeave(subject: PeerId, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    if (!mayBeDismissed(subject, this.table.row(subject))) return
    const updates = this.table.watch(signal)
    this.command({ type: 'dismiss', peer: subject })
    await untilDismissed(subject, updates, () =>
      signal?.aborted ? signal.reason : new P2pdError('ERR_STOPPED', 'the peer has stopped'),
    )
  }

  /** Tells the others; resolves when enough know it, or could not be told. */
  async depart(notice: 'leave' | 'stop'): Promise<void> {
    if (this.#driver === undefined) return
    const { leaveWaitMs } = this.#init.settings.config
    this.#driver.command({ type: notice })
    await settledWithin(
      this.#departed.promise,
      notice === 'leave' ? leaveWaitMs + stopNoticeMs : stopNoticeMs,
    )
  }

  /** Tags that wait to be told are not told any more. */
  holdTags(): void {
    this.#tags.stop()
  }

  /** No more steps, no more effects. */
  stop(): void {
    this.#driver?.stop()
  }

  /** Whoever waits for something is told. */
  end(): void {
    this.#pings.end()
    this.table.end()
  }

  /** This life will not be settled. */
  neverJoins(reason: P2pdError): void {
    this.#joined.reject(reason)
  }

  #emitted(event: MembershipEvent): void {
    switch (event.type) {
      case 'member':
        this.table.tell({ change: event.change, member: event.member })
        break
      case 'joined':
        this.#joined.resolve()
        break
      case 'departed':
        this.#departed.resolve()
        break
      case 'pong':
        this.#pings.answered(event.token, event.rttMs)
        break
    }
    this.#init.emitted(event)
  }

  /** In a full mesh every connection is welcome. */
  #releaseAboveMesh(peer: PeerId): void {
    if (this.table.size > this.#init.settings.config.meshUpTo) this.#init.network.release(peer)
  }
}
