/**
 * A peer that runs: membership, multicast and plugins on one network and one disk,
 * what each tells the others, and the order in which they begin and end.
 */
import './host/with-resolvers.ts'
import { Companions } from './companions.ts'
import type { ClockReading, Fork, Group, GroupView, TraceEvent } from './group.ts'
import { Admission } from './host/admission.ts'
import { newCounters } from './host/counters.ts'
import { systemClock } from './host/driver.ts'
import type { Gossip } from './host/gossip.ts'
import { cryptoOf, type Identity, parsePeerId } from './host/identity.ts'
import { bulkLimits, type Links } from './host/links.ts'
import type { Journal, Store } from './host/store.ts'
import { TypedEvents } from './host/typed-events.ts'
import { withResolvers } from './host/with-resolvers.ts'
import type { Peer, PeerCounters } from './peer.ts'
import type { MembersUpdate, PeerEvents } from './peer-events.ts'
import { multicastLink, PeerGroups } from './peer-groups.ts'
import { PeerMembership } from './peer-membership.ts'
import { PeerNetwork } from './peer-network.ts'
import type { PeerSettings } from './peer-options.ts'
import type { Pong } from './pings.ts'
import type { PeerPlugin, PluginApis } from './plugin.ts'
import { PluginHost, pluginStopMs } from './plugin-host.ts'
import { PeerClock } from './protocols/clocks/peer-clock.ts'
import type { PeerId } from './protocols/core.ts'
import type { Health } from './protocols/membership/membership.ts'
import {
  type MembershipEvent,
  type MemberView,
  riderKinds,
  type Tags,
} from './protocols/membership/messages.ts'
import { durableKeys } from './protocols/multicast/durable-state.ts'
import { settledWithin } from './settled-within.ts'
import { P2pdError, WireError } from './wire/errors.ts'
import { maxBulkFrameBytes } from './wire/limits.ts'

/** Of the node and of the store, and what plugins leave of their time. */
const closeMs = 1000

export class RunningPeer<Plugins extends Readonly<Record<string, PeerPlugin>>>
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
  readonly #closed = withResolvers<void>()
  readonly #plugins: PluginHost
  readonly #network: PeerNetwork
  readonly #membership: PeerMembership
  readonly #companions: Companions
  #clock: PeerClock | undefined
  #groups: PeerGroups | undefined
  /** The groups that the own record names. */
  #groupNames: readonly string[] = []
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
    this.closed = this.#closed.promise
    // Whoever does not look at it is not to be ended by it.
    this.closed.catch(() => {})
    this.admission = new Admission({
      store,
      self: this.peerId,
      counters: this.#counters,
      present: () => this.#present(),
      cut: (peer) => this.#network.cut(peer, new P2pdError('ERR_DENIED', `${peer} is not admitted`)),
      denied: (peer, denied) => this.#groups?.deny(peer, denied),
    })
    this.#network = new PeerNetwork({
      settings,
      identity,
      store,
      counters: this.#counters,
      admits: (peer) => this.admission.admits(peer),
      isAlive: (peer) => this.member(peer)?.status === 'alive',
      isNeeded: (peer) => this.#membership.isPinging(peer),
      gossip: {
        judge: (topic, from, data) => this.#groups?.judge(topic, from, data) ?? 'ignore',
        subscription: (peer, topic, subscribed) => this.#groups?.subscription(peer, topic, subscribed),
        failed: (error) => this.#fail(internal(error)),
      },
      connected: (peer) => this.#connected(peer),
      disconnected: (peer, closedBy) => this.#disconnected(peer, closedBy),
      readdressed: (addresses) => this.#membership.command({ type: 'readdress', addresses }),
      trouble: (error) => this.#trouble(error),
      failed: (error) => this.#fail(error),
    })
    this.#membership = new PeerMembership({
      settings,
      identity,
      store,
      counters: this.#counters,
      network: this.#network,
      emitted: (event) => this.#emitted(event),
      trouble: (error) => this.#trouble(error),
      failed: (error) => this.#fail(internal(error)),
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
      dial: (peer, addresses) => this.#network.dial(peer, addresses),
      trouble: (error) => this.#trouble(error),
      failed: (error) => this.#fail(internal(error)),
    })
    this.#companions = new Companions({
      self: this.peerId,
      meshUpTo: settings.config.meshUpTo,
      members: () => this.members(),
      groups: () => this.#groupNames,
      dial: (peer, addresses) => this.#network.dial(peer, addresses),
    })
  }

  get plugins(): PluginApis<Plugins> {
    return this.#plugins.apis as PluginApis<Plugins>
  }

  get generation(): number {
    return this.#membership.generation
  }

  get rolledBack(): boolean {
    return this.#membership.rolledBack
  }

  get addresses(): readonly string[] {
    return this.#network.addresses.map((address) => `${address}/p2p/${this.peerId}`)
  }

  get tags(): Tags {
    return this.#membership.tags
  }

  get health(): Health {
    return this.#membership.health
  }

  /** Whoever connects while this peer is not yet ready is told to the core as soon as there is one. */
  async start(): Promise<void> {
    const contacts = this.#settings.join
    const { links, gossip } = await this.#network.open([
      this.#membership.link,
      {
        ...bulkLimits,
        name: multicastLink,
        maxFrameBytes: maxBulkFrameBytes,
        receive: (from, frame) => this.#groups?.receive(from, frame),
      },
    ])
    this.#network.trust(contacts)
    const groups = await this.#startGroups(links, gossip)
    this.#membership.start(links, {
      groups: this.#groupNames,
      riders: [
        { kind: riderKinds.clocks, body: (_to, now) => this.#clock?.rider(now) },
        { kind: riderKinds.multicast, body: (to, now) => groups.rider(to, now) },
      ],
    })
    const registered = this.#plugins.run(links)
    for (const peer of this.#network.peers()) this.#plugins.connected(peer)
    this.#membership.command({ type: 'start', contacts })
    for (const peer of this.#network.peers()) {
      this.#membership.command({ type: 'connected', peer })
      groups.connected(peer)
    }
    await registered
    // It may have failed meanwhile; then that is what the caller is told.
    if (this.#stopping !== undefined) await this.closed
    this.#network.lookAround()
    this.#companions.start()
  }

  #connected(peer: PeerId): void {
    this.#membership.command({ type: 'connected', peer })
    this.#groups?.connected(peer)
    this.#plugins.connected(peer)
  }

  #disconnected(peer: PeerId, closedBy: 'remote' | 'local'): void {
    this.#membership.command({ type: 'disconnected', peer, closedBy })
    this.#groups?.disconnected(peer)
    this.#plugins.disconnected(peer)
  }

  async #startGroups(links: Links, gossip: Gossip): Promise<PeerGroups> {
    const journal: Journal = this.#store.journal(multicastLink)
    const durable = await journal.load()
    const clock = new PeerClock(durable.get(durableKeys.clock))
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
      syncMembers: (peer) => this.#membership.command({ type: 'sync', peer }),
      renew: () => this.#membership.command({ type: 'renew' }),
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

  members(): readonly MemberView[] {
    return this.#membership.table.rows()
  }

  member(peer: PeerId): MemberView | undefined {
    return this.#membership.table.row(peer)
  }

  watch(options: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<MembersUpdate> {
    return this.#membership.table.watch(options.signal)
  }

  join(addresses: readonly string[]): void {
    this.#network.trust(addresses)
    this.#membership.command({ type: 'join', contacts: addresses })
  }

  joined(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#membership.joined(options.signal)
  }

  async ping(peer: string, options: { readonly signal?: AbortSignal } = {}): Promise<Pong> {
    return await this.#membership.ping(parsePeerId(peer), options.signal)
  }

  setTags(tags: Tags): void {
    this.#membership.setTags(tags)
  }

  async forceLeave(peer: string, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#membership.forceLeave(parsePeerId(peer), options.signal)
  }

  counters(): PeerCounters {
    const connections = this.#network.connectionCount
    const multicast = this.#runningGroups().counts
    return { ...structuredClone(this.#counters), connections, multicast, ...this.#membership.counts }
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
    this.#network.stopLooking()
    this.#companions.stop()
    this.#membership.holdTags()
    const closeBy = performance.now() + pluginStopMs + closeMs
    if (notice !== undefined) await this.#plugins.settle()
    const spareMs = closeBy - performance.now()
    if (notice !== undefined) await this.#membership.depart(notice)
    this.#network.stopDialling()
    this.#membership.stop()
    this.#groups?.stop()
    this.#plugins.stop()
    this.#network.stop()
    this.#membership.end()
    await settledWithin(this.#network.close(), (2 * spareMs) / 3)
    await settledWithin(this.#store.close(), spareMs / 3)
    this.#membership.neverJoins(reason ?? new P2pdError('ERR_STOPPED', 'the peer has stopped'))
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
        this.#plugins.member(member)
        this.safeDispatchEvent('member', { detail: { change, member } })
        return
      }
      case 'joined':
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
        this.#network.strike(event.peer, 'misbehaved')
        this.safeDispatchEvent('misbehaved', { detail: { peer: event.peer, reason: event.reason } })
        return
      case 'name-conflict':
        this.safeDispatchEvent('name-conflict', { detail: { name: event.name, peers: event.peers } })
        return
      case 'isolated':
        this.safeDispatchEvent('isolated', { detail: { isolated: event.isolated, since: event.since } })
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
      this.#network.strike(event.from, 'malformed')
    }
  }

  #regrouped(names: readonly string[]): void {
    this.#groupNames = names
    this.#membership.command({ type: 'regroup', groups: names })
    this.#companions.look()
  }

  #runningGroups(): PeerGroups {
    if (this.#groups === undefined) throw new P2pdError('ERR_STOPPED', 'the peer has not started')
    return this.#groups
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

  #present(): readonly PeerId[] {
    const members = this.members().filter((member) => member.status !== 'dead' && member.status !== 'left')
    return [...members.map((member) => member.peer), ...this.#network.peers()]
  }
}

function internal(cause: unknown): P2pdError {
  return new P2pdError('ERR_INTERNAL', `a broken assertion: ${String(cause)}`, {
    hint: 'this is a bug of p2pd; please report it with the log',
    cause,
  })
}
