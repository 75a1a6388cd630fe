import './host/with-resolvers.ts'
import { Companions } from './companions.ts'
import { mayBeDismissed, untilDismissed } from './dismissal.ts'
import { openLife } from './first-life.ts'
import type { ClockReading, Fork, Group, Groups, GroupView, TraceEvent } from './group.ts'
import { parseAddress, recordAddresses, withoutPeer } from './host/addresses.ts'
import { Admission } from './host/admission.ts'
import { Connections } from './host/connections.ts'
import { type Counters, newCounters } from './host/counters.ts'
import { Dialer } from './host/dialer.ts'
import { Driver, systemClock } from './host/driver.ts'
import { Gossip } from './host/gossip.ts'
import { cryptoOf, type Identity, parsePeerId } from './host/identity.ts'
import { bulkLimits, controlLimits, Links } from './host/links.ts'
import { Mdns } from './host/mdns.ts'
import type { Neighbour } from './host/mdns-answers.ts'
import type { Node } from './host/node.ts'
import { Releases } from './host/releases.ts'
import type { Journal, Store } from './host/store.ts'
import { TypedEvents } from './host/typed-events.ts'
import { withResolvers } from './host/with-resolvers.ts'
import { MemberTable } from './member-table.ts'
import { orAbort } from './or-abort.ts'
import { OwnTags } from './own-tags.ts'
import type { MembersUpdate, PeerEvents } from './peer-events.ts'
import { type GroupCounts, multicastLink, PeerGroups } from './peer-groups.ts'
import { makeNode } from './peer-node.ts'
import { checkedTags, type PeerOptions, type PeerSettings, settingsOf } from './peer-options.ts'
import { type PingPath, Pings, type Pong } from './pings.ts'
import type { NoPlugins, PeerPlugin, PluginApis } from './plugin.ts'
import { PluginHost, pluginStopMs } from './plugin-host.ts'
import { PeerClock } from './protocols/clocks/peer-clock.ts'
import type { PeerId } from './protocols/core.ts'
import { packetCodec } from './protocols/membership/codec.ts'
import { type Health, Membership } from './protocols/membership/membership.ts'
import {
  type DialOutcome,
  type MembershipCommand,
  type MembershipEvent,
  type MembershipRequest,
  type MemberView,
  type Packet,
  riderKinds,
  type Tags,
} from './protocols/membership/messages.ts'
import { durableKeys } from './protocols/multicast/durable-state.ts'
import { settledWithin } from './settled-within.ts'
import { P2pdError, WireError } from './wire/errors.ts'
import { maxBulkFrameBytes, maxControlFrameBytes } from './wire/limits.ts'

type MembershipDriver = Driver<Packet, MembershipCommand, MembershipEvent, MembershipRequest>

const protocol = 'membership'
/** A departure may take its own wait, and a little more; all of `stop()` stays below 5 s. */
const stopNoticeMs = 1500
/** Of the node and of the store, and what plugins leave of their time. */
const closeMs = 1000
/** How often the machine's own addresses are looked at. */
const readdressMs = 15_000

export type PeerCounters = Counters & {
  readonly connections: number
  readonly multicast: GroupCounts
  /** Lives of members that are gone, and remembered. */
  readonly tombstones: number
  /** Views, or parts of them, that were sent to members whose digest differs. */
  readonly syncs: number
}

/** A member of a cluster. Made by `createPeer`; ends with `stop()` or `leave()`. */
export interface Peer<Plugins extends Readonly<Record<string, PeerPlugin>> = NoPlugins>
  extends TypedEvents<PeerEvents>,
    Groups {
  readonly peerId: PeerId
  readonly name: string
  readonly cluster: string
  /** 32 hexadecimal digits of the cluster's name and secret; tells nothing of the secret. */
  readonly clusterId: string
  /** This life of the peer; 0 until it is on the disk. */
  readonly generation: number
  /** The data directory was restored from a backup: this peer must not vote. */
  readonly rolledBack: boolean
  /** Where others dial it, with `/p2p/ID`. */
  readonly addresses: readonly string[]
  readonly health: Health
  /** What people say of this peer, as it was set last. */
  readonly tags: Tags
  /** Who may come in besides knowing the secret. */
  readonly admission: Admission
  /** The membership table, this peer first. */
  members(): readonly MemberView[]
  /** One row of it. */
  member(peer: PeerId): MemberView | undefined
  /**
   * The table, then each change, until `signal` aborts or the peer stops. A
   * reader that falls 4096 changes behind gets ERR_TOO_SLOW.
   */
  watch(options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<MembersUpdate>
  /** Dials these multiaddrs and joins whoever answers. Errors: ERR_BAD_ADDRESS. */
  join(addresses: readonly string[]): void
  /** Resolves when this life is settled: a contact has answered, or there was none to ask. */
  joined(options?: { readonly signal?: AbortSignal }): Promise<void>
  /**
   * One round trip over the own link; where there is no connection one is made for
   * it. Errors: ERR_BAD_PEER_ID, ERR_SELF, ERR_NO_ANSWER (a NoAnswerError that says why), ERR_TOO_MANY.
   */
  ping(peer: string, options?: { readonly signal?: AbortSignal }): Promise<Pong>
  /**
   * Replaces all tags of this peer. Changes that follow each other closely are told
   * together. Errors: ERR_BAD_OPTION, and the former ones stay.
   */
  setTags(tags: Tags): void
  /**
   * A dead member does not come back: it counts as left, here and elsewhere, until it
   * says otherwise. Resolves when the own table shows it; at once where it has left
   * already. Errors: ERR_BAD_PEER_ID, ERR_SELF, ERR_UNKNOWN_PEER, ERR_NOT_DEAD.
   */
  forceLeave(peer: string, options?: { readonly signal?: AbortSignal }): Promise<void>
  /** A copy of what was counted since the start. */
  counters(): PeerCounters
  /** What the plugins give, by name. */
  readonly plugins: PluginApis<Plugins>
  /**
   * Gives up membership and stops; resolves when the others know, or could not
   * be told. Rejects, and the peer stays, when a plugin must not go now
   * (ERR_LEAVE_INCOMPLETE); `force` says that it goes all the same.
   */
  leave(options?: { readonly force?: boolean }): Promise<void>
  /** Tells the others that the process ends, and stops, within 5 s; the membership remains. */
  stop(): Promise<void>
  /** Resolves when the peer has stopped; rejects with what made it stop by itself (ERR_IDENTITY_IN_USE, ERR_NODE_STOPPED, ERR_INTERNAL). */
  readonly closed: Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Starts a peer: when this resolves it listens and joins.
 *
 * Errors: ERR_BAD_OPTION, ERR_BAD_PLUGIN, ERR_BAD_ADDRESS, ERR_PORT_IN_USE, ERR_PORT_DENIED,
 * ERR_KEY_*, ERR_STORE_*, ERR_DISK_FULL; what a plugin throws. Whatever was opened is closed again.
 */
export async function createPeer<Plugins extends Readonly<Record<string, PeerPlugin>> = NoPlugins>(
  options: PeerOptions<Plugins>,
): Promise<Peer<Plugins>> {
  const settings = settingsOf(options)
  options.signal?.throwIfAborted()
  const { identity, store } = await openLife({
    dataDir: options.dataDir,
    identity: options.identity,
    newIdentity: options.newIdentity ?? false,
    cluster: settings.clusterId,
    joins: settings.joins,
    plugins: settings.plugins,
  })
  const peer = new RunningPeer<Plugins>(settings, identity, store)
  try {
    options.signal?.throwIfAborted()
    await peer.start()
    options.signal?.throwIfAborted()
    return peer
  } catch (error) {
    await peer.shutDown(undefined)
    throw error
  }
}

class RunningPeer<Plugins extends Readonly<Record<string, PeerPlugin>>>
  extends TypedEvents<PeerEvents>
  implements Peer<Plugins>
{
  readonly peerId: PeerId
  readonly name: string
  readonly cluster: string
  readonly clusterId: string
  readonly admission: Admission
  readonly closed: Promise<void>
  readonly #settings: PeerSettings
  readonly #identity: Identity
  readonly #store: Store
  readonly #counters = newCounters()
  readonly #dialer: Dialer
  readonly #closed = withResolvers<void>()
  readonly #joined = withResolvers<void>()
  readonly #departed = withResolvers<void>()
  readonly #pings = new Pings({
    isConnected: (peer) => (this.#connections?.of(peer) ?? []).length > 0,
    dial: (peer) => this.#dialForPing(peer),
    release: (peer) => this.#releaseAboveMesh(peer),
    measure: (peer, token) => this.#driver?.command({ type: 'measure', peer, token }),
    pathOf: (peer) => this.#pathTo(peer),
  })
  readonly #table = new MemberTable(() => this.#core?.members() ?? [])
  readonly #plugins: PluginHost
  readonly #tags: OwnTags
  #recordAddresses: readonly string[] = []
  #node: Node | undefined
  #clock: PeerClock | undefined
  #groups: PeerGroups | undefined
  #gossip: Gossip | undefined
  /** The groups that the own record names. */
  #groupNames: readonly string[] = []
  #connections: Connections | undefined
  #links: Links | undefined
  #releases: Releases | undefined
  #mdns: Mdns | undefined
  #core: Membership | undefined
  #driver: MembershipDriver | undefined
  #readdress: NodeJS.Timeout | undefined
  readonly #companions: Companions
  #stopping: Promise<void> | undefined

  constructor(settings: PeerSettings, identity: Identity, store: Store) {
    super()
    this.#settings = settings
    this.#identity = identity
    this.#store = store
    this.peerId = identity.peerId
    this.name = settings.name
    this.cluster = settings.cluster
    this.clusterId = settings.clusterId
    this.#tags = new OwnTags(settings.tags, (tags) => this.#driver?.command({ type: 'retag', tags }))
    this.closed = this.#closed.promise
    // Whoever does not look at `closed` or `joined` is not to be ended by it.
    this.closed.catch(() => {})
    this.#joined.promise.catch(() => {})
    this.admission = new Admission({
      store,
      self: this.peerId,
      counters: this.#counters,
      present: () => this.#present(),
      cut: (peer) => this.#connections?.abort(peer, new P2pdError('ERR_DENIED', `${peer} is not admitted`)),
      denied: (peer, denied) => this.#groups?.deny(peer, denied),
    })
    this.#dialer = new Dialer({
      self: this.peerId,
      admits: (peer) => this.admission.admits(peer),
      ownAddresses: () => this.#recordAddresses,
      counters: this.#counters,
    })
    this.#plugins = new PluginHost({
      plugins: settings.plugins,
      self: this.peerId,
      cluster: this.clusterId,
      profile: settings.profile,
      crypto: cryptoOf(identity),
      store,
      counters: this.#counters,
      members: () => this.members(),
      groups: this,
      dial: (peer, addresses) => this.#dial(peer, addresses),
      trouble: (error) => this.#trouble(error),
      failed: (error) => this.#fail(internal(error)),
    })
    this.#companions = new Companions({
      self: this.peerId,
      meshUpTo: settings.config.meshUpTo,
      members: () => this.members(),
      groups: () => this.#groupNames,
      dial: (peer, addresses) => this.#dial(peer, addresses),
    })
  }

  get plugins(): PluginApis<Plugins> {
    return this.#plugins.apis as PluginApis<Plugins>
  }

  get generation(): number {
    return this.#core?.generation ?? 0
  }

  get rolledBack(): boolean {
    return this.#core?.rolledBack ?? false
  }

  get addresses(): readonly string[] {
    return this.#recordAddresses.map((address) => `${address}/p2p/${this.peerId}`)
  }

  get tags(): Tags {
    return this.#tags.current
  }

  get health(): Health {
    return this.#core?.health ?? { score: 0, isolated: false }
  }

  /** Whoever connects while this peer is not yet ready is told to the core as soon as there is one. */
  async start(): Promise<void> {
    const contacts = this.#settings.join
    const node = await makeNode({
      settings: this.#settings,
      identity: this.#identity,
      store: this.#store,
      counters: this.#counters,
      admits: (peer) => this.admission.admits(peer),
      trouble: (error) => this.#trouble(error),
      failed: (error) => this.#fail(error),
    })
    const links = await this.#connect(node)
    await node.open()
    this.#recordAddresses = this.#currentAddresses()
    this.#dialer.trust(contacts)
    const groups = await this.#startGroups(links)
    const driver = this.#startMembership(links, groups)
    const registered = this.#plugins.run(links)
    for (const peer of this.#connections?.peers() ?? []) this.#plugins.connected(peer)
    driver.command({ type: 'start', contacts })
    for (const peer of this.#connections?.peers() ?? []) {
      driver.command({ type: 'connected', peer })
      groups.connected(peer)
    }
    await registered
    // It may have failed meanwhile; then that is what the caller is told.
    if (this.#stopping !== undefined) await this.closed
    this.#readdress = setInterval(() => this.#lookAtAddresses(), readdressMs).unref()
    this.#companions.start()
    if (this.#settings.mdns) this.#discover()
  }

  #discover(): void {
    const mdns = new Mdns({
      self: this.peerId,
      cluster: this.clusterId,
      addresses: () => this.#recordAddresses,
      found: (neighbour) => this.#found(neighbour),
      trouble: (cause) =>
        this.#trouble(
          new P2pdError('ERR_MDNS', `multicast DNS does not work: ${String(cause)}`, {
            hint: 'others are found by --join and invites; something else may have UDP port 5353 for itself',
            cause,
          }),
        ),
    })
    this.#mdns = mdns
    mdns.start()
  }

  /** Anybody may say so: it is dialled only where it is missing, and has to prove who it is. */
  #found({ peer, address }: Neighbour): void {
    const isHere = this.#table.row(peer)?.status === 'alive' || this.#connections?.of(peer).length !== 0
    if (!isHere) this.#dial(peer, [address])
  }

  async #connect(node: Node): Promise<Links> {
    const connections = new Connections(node, this.peerId, this.#counters, {
      connected: (peer) => {
        this.#driver?.command({ type: 'connected', peer })
        this.#groups?.connected(peer)
        this.#plugins.connected(peer)
      },
      disconnected: (peer, closedBy) => {
        this.#driver?.command({ type: 'disconnected', peer, closedBy })
        this.#groups?.disconnected(peer)
        this.#plugins.disconnected(peer)
      },
      changed: (peer) => this.#links?.reconcile(peer),
    })
    const links = new Links(node, connections, this.#counters)
    this.#node = node
    this.#connections = connections
    this.#links = links
    this.#dialer.start(node, connections)
    connections.start()
    await links.register({
      ...controlLimits,
      name: protocol,
      maxFrameBytes: maxControlFrameBytes,
      receive: (from, frame) => this.#driver?.receive(from, frame),
    })
    await links.register({
      ...bulkLimits,
      name: multicastLink,
      maxFrameBytes: maxBulkFrameBytes,
      receive: (from, frame) => this.#groups?.receive(from, frame),
    })
    const gossip = new Gossip({
      node,
      connections,
      counters: this.#counters,
      events: {
        judge: (topic, from, data) => this.#groups?.judge(topic, from, data) ?? 'ignore',
        subscription: (peer, topic, subscribed) => this.#groups?.subscription(peer, topic, subscribed),
        failed: (error) => this.#fail(internal(error)),
      },
    })
    const isNeeded = (peer: PeerId) => this.#pings.waitsFor(peer)
    const releases = new Releases({ node, connections, links, gossip, isNeeded })
    this.#gossip = gossip
    this.#releases = releases
    await releases.start()
    return links
  }

  async #startGroups(links: Links): Promise<PeerGroups> {
    const journal: Journal = this.#store.journal(multicastLink)
    const durable = await journal.load()
    const clock = new PeerClock(durable.get(durableKeys.clock))
    const gossip = this.#gossip
    if (gossip === undefined) throw new Error('groups before gossip')
    const groups = new PeerGroups({
      self: this.peerId,
      cluster: this.clusterId,
      crypto: cryptoOf(this.#identity),
      clock,
      config: this.#settings.multicast,
      durable,
      journal,
      links,
      gossip,
      counters: this.#counters,
      members: () => this.members(),
      regrouped: (names) => this.#regrouped(names),
      syncMembers: (peer) => this.#driver?.command({ type: 'sync', peer }),
      renew: () => this.#driver?.command({ type: 'renew' }),
      alarm: (notice) => {
        if (notice.type === 'equivocation') this.safeDispatchEvent(notice.type, { detail: notice })
        else this.safeDispatchEvent(notice.type, { detail: notice })
      },
      trouble: (error) => this.#trouble(error),
      failed: (error) => this.#fail(internal(error)),
    })
    this.#clock = clock
    this.#groups = groups
    groups.start()
    for (const peer of this.admission.list().denied) groups.deny(peer, true)
    return groups
  }

  #startMembership(links: Links, groups: PeerGroups): MembershipDriver {
    const core = new Membership({
      self: this.peerId,
      cluster: this.clusterId,
      name: this.name,
      version: this.#settings.version,
      addresses: this.#recordAddresses,
      config: this.#settings.config,
      crypto: cryptoOf(this.#identity),
      random: Math.random,
      durable: this.#store.load(protocol),
      groups: this.#groupNames,
      tags: this.#tags.current,
      riders: [
        { kind: riderKinds.clocks, body: (_to, now) => this.#clock?.rider(now) },
        { kind: riderKinds.multicast, body: (to, now) => groups.rider(to, now) },
      ],
    })
    const driver: MembershipDriver = new Driver({
      core,
      codec: packetCodec,
      counters: this.#counters,
      send: (to, bytes) => links.send(to, protocol, bytes),
      write: (entries) => this.#store.write(protocol, entries),
      emit: (event) => this.#emitted(event),
      request: (request) => this.#requested(request),
      writeFailed: (error) => this.#trouble(error),
      failed: (error) => this.#fail(internal(error)),
    })
    this.#core = core
    this.#driver = driver
    return driver
  }

  members(): readonly MemberView[] {
    return this.#table.rows()
  }

  member(peer: PeerId): MemberView | undefined {
    return this.#table.row(peer)
  }

  watch(options: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<MembersUpdate> {
    return this.#table.watch(options.signal)
  }

  join(addresses: readonly string[]): void {
    for (const address of addresses) parseAddress(address)
    this.#dialer.trust(addresses)
    this.#driver?.command({ type: 'join', contacts: addresses })
  }

  joined(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return orAbort(this.#joined.promise, options.signal)
  }

  async ping(peer: string, options: { readonly signal?: AbortSignal } = {}): Promise<Pong> {
    const subject = parsePeerId(peer)
    if (subject === this.peerId) {
      throw new P2pdError('ERR_SELF', 'a peer has no link to itself', { hint: 'ping another member' })
    }
    return await this.#pings.ping(subject, options.signal)
  }

  setTags(tags: Tags): void {
    this.#tags.set(checkedTags(tags))
  }

  async forceLeave(peer: string, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const subject = parsePeerId(peer)
    options.signal?.throwIfAborted()
    if (!mayBeDismissed(subject, this.#table.row(subject))) return
    const updates = this.#table.watch(options.signal)
    this.#driver?.command({ type: 'dismiss', peer: subject })
    await untilDismissed(subject, updates, () =>
      options.signal?.aborted ? options.signal.reason : new P2pdError('ERR_STOPPED', 'the peer has stopped'),
    )
  }

  counters(): PeerCounters {
    const connections = this.#connections?.count ?? 0
    const { tombstones = 0, syncs = 0 } = this.#core ?? {}
    const multicast = this.#runningGroups().counts
    return { ...structuredClone(this.#counters), connections, multicast, tombstones, syncs }
  }

  async group(name: string, options: { readonly signal?: AbortSignal } = {}): Promise<Group> {
    return await this.#runningGroups().group(name, options)
  }

  groups(): readonly GroupView[] {
    return this.#runningGroups().groups()
  }

  forks(): readonly Fork[] {
    return this.#runningGroups().forks()
  }

  clock(group?: string): ClockReading {
    return this.#runningGroups().clock(group)
  }

  trace(group?: string): readonly TraceEvent[] {
    return this.#runningGroups().trace(group)
  }

  async leave(options: { readonly force?: boolean } = {}): Promise<void> {
    if (this.#stopping === undefined) await this.#plugins.leave({ force: options.force ?? false })
    await this.shutDown('leave')
  }

  stop(): Promise<void> {
    return this.shutDown('stop')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** Once; `notice` is what the others are told, if anything. */
  shutDown(notice: 'leave' | 'stop' | undefined, reason?: P2pdError): Promise<void> {
    this.#stopping ??= this.#shutDown(notice, reason)
    return this.#stopping
  }

  async #shutDown(notice: 'leave' | 'stop' | undefined, reason: P2pdError | undefined): Promise<void> {
    clearInterval(this.#readdress)
    this.#companions.stop()
    this.#tags.stop()
    this.#mdns?.stop()
    const closeBy = performance.now() + pluginStopMs + closeMs
    if (notice !== undefined) await this.#plugins.settle()
    const spareMs = closeBy - performance.now()
    if (notice !== undefined && this.#driver !== undefined) {
      const waitMs = notice === 'leave' ? this.#settings.config.leaveWaitMs + stopNoticeMs : stopNoticeMs
      this.#driver.command({ type: notice })
      await settledWithin(this.#departed.promise, waitMs)
    }
    this.#dialer.stop()
    this.#driver?.stop()
    this.#groups?.stop()
    this.#plugins.stop()
    this.#gossip?.stop()
    this.#releases?.stop()
    this.#connections?.stop()
    this.#links?.stop()
    this.#pings.end()
    this.#table.end()
    await settledWithin(Promise.resolve(this.#node?.close()), (2 * spareMs) / 3)
    await settledWithin(this.#store.close(), spareMs / 3)
    this.#joined.reject(reason ?? new P2pdError('ERR_STOPPED', 'the peer has stopped'))
    if (reason === undefined) this.#closed.resolve()
    else this.#closed.reject(reason)
  }

  #emitted(event: MembershipEvent): void {
    if (event.type === 'rider') {
      this.#rode(event)
      return
    }
    this.#groups?.membership(event)
    switch (event.type) {
      case 'member': {
        const { change, member } = event
        this.#table.tell({ change, member })
        this.#plugins.member(member)
        this.safeDispatchEvent('member', { detail: { change, member } })
        return
      }
      case 'joined':
        this.#joined.resolve()
        this.#plugins.joined(event.generation)
        this.safeDispatchEvent('joined', { detail: { generation: event.generation } })
        return
      case 'refuted':
        this.safeDispatchEvent('refuted', { detail: { incarnation: event.incarnation } })
        return
      case 'rolled-back':
        this.safeDispatchEvent('rolled-back', { detail: { persisted: event.persisted, known: event.known } })
        return
      case 'identity-in-use':
        this.#identityInUse(event.generation, event.heardAgoMs)
        return
      case 'misbehaved':
        this.#links?.strike(event.peer, 'misbehaved')
        this.safeDispatchEvent('misbehaved', { detail: { peer: event.peer, reason: event.reason } })
        return
      case 'name-conflict':
        this.safeDispatchEvent('name-conflict', { detail: { name: event.name, peers: event.peers } })
        return
      case 'departed':
        this.#departed.resolve()
        return
      case 'pong':
        this.#pings.answered(event.token, event.rttMs)
        return
    }
  }

  /** What came along with a heartbeat, for other protocols. */
  #rode(event: Extract<MembershipEvent, { type: 'rider' }>): void {
    try {
      if (event.kind === riderKinds.clocks) this.#clock?.heard(event.from, event.body, systemClock())
      else this.#groups?.membership(event)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.#links?.strike(event.from, 'malformed')
    }
  }

  #regrouped(names: readonly string[]): void {
    this.#groupNames = names
    this.#driver?.command({ type: 'regroup', groups: names })
    this.#companions.look()
  }

  #runningGroups(): PeerGroups {
    if (this.#groups === undefined) throw new P2pdError('ERR_STOPPED', 'the peer has not started')
    return this.#groups
  }

  #requested(request: MembershipRequest): void {
    switch (request.type) {
      case 'dial':
        if (request.peer !== undefined) this.#releases?.keep(request.peer)
        void this.#dialer
          .dial(request)
          .then((outcome) => this.#driver?.command({ type: 'dialled', id: request.id, outcome }))
        return
      case 'knock':
        void this.#dialer
          .knock(request)
          .then((outcome) => this.#driver?.command({ type: 'knocked', id: request.id, outcome }))
        return
      case 'release':
        this.#releases?.release(request.peer)
        return
    }
  }

  /** Whether it comes to anything shows by the connection. */
  #dial(peer: PeerId, addresses: readonly string[]): void {
    const { dialTimeoutMs: timeoutMs } = this.#settings.config
    this.#releases?.keep(peer)
    void this.#dialer.dial({ type: 'dial', id: 0, peer, addresses, mode: 'connect', timeoutMs })
  }

  /** In a full mesh every connection is welcome. */
  #releaseAboveMesh(peer: PeerId): void {
    if (this.#table.size > this.#settings.config.meshUpTo) this.#releases?.release(peer)
  }

  async #dialForPing(peer: PeerId): Promise<DialOutcome> {
    const addresses = this.#table.row(peer)?.addresses ?? []
    const { dialTimeoutMs: timeoutMs } = this.#settings.config
    return await this.#dialer.dial({ type: 'dial', id: 0, peer, addresses, mode: 'connect', timeoutMs })
  }

  #pathTo(peer: PeerId): Omit<PingPath, 'dialled'> | undefined {
    const connection = this.#connections?.of(peer)[0]
    if (connection === undefined) return undefined
    return { address: withoutPeer(connection.remoteAddr.toString()), direction: connection.direction }
  }

  /** Says nothing to the others: it would speak in the name of the life that goes on. */
  #identityInUse(generation: number, heardAgoMs: number): void {
    this.safeDispatchEvent('identity-in-use', { detail: { generation, heardAgoMs } })
    this.#fail(
      new P2pdError('ERR_IDENTITY_IN_USE', 'another process runs with the identity of this peer', {
        hint: 'a copied data directory cannot be used twice; give one of them a new identity',
      }),
    )
  }

  #fail(reason: P2pdError): void {
    void this.shutDown(undefined, reason)
  }

  #trouble(error: unknown): void {
    this.safeDispatchEvent('trouble', { detail: error instanceof P2pdError ? error : internal(error) })
  }

  #currentAddresses(): readonly string[] {
    const { announce, listen } = this.#settings
    if (announce.length > 0) return announce.map(withoutPeer)
    return this.#node === undefined ? [] : recordAddresses(this.#node.addresses(), listen)
  }

  #lookAtAddresses(): void {
    const addresses = this.#currentAddresses()
    if (addresses.join() === this.#recordAddresses.join()) return
    this.#recordAddresses = addresses
    this.#driver?.command({ type: 'readdress', addresses })
  }

  #present(): readonly PeerId[] {
    const members = this.members().filter((member) => member.status !== 'dead' && member.status !== 'left')
    return [...members.map((member) => member.peer), ...(this.#connections?.peers() ?? [])]
  }
}

function internal(cause: unknown): P2pdError {
  return new P2pdError('ERR_INTERNAL', `a broken assertion: ${String(cause)}`, {
    hint: 'this is a bug of p2pd; please report it with the log',
    cause,
  })
}
