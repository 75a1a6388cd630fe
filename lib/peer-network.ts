/**
 * A peer on the network: its node, the connections, links and gossip over it, whom
 * it dials and whom it finds, and the addresses at which others dial it.
 */
import { parseAddress, recordAddresses, withoutPeer } from './host/addresses.ts'
import { Connections } from './host/connections.ts'
import type { Counters } from './host/counters.ts'
import { Dialer } from './host/dialer.ts'
import { Gossip, type GossipEvents } from './host/gossip.ts'
import type { Identity } from './host/identity.ts'
import { type LinkProtocol, Links } from './host/links.ts'
import { Mdns } from './host/mdns.ts'
import type { Neighbour } from './host/mdns-answers.ts'
import type { Node } from './host/node.ts'
import { Releases } from './host/releases.ts'
import type { Store } from './host/store.ts'
import { makeNode } from './peer-node.ts'
import type { PeerSettings } from './peer-options.ts'
import type { PingPath } from './pings.ts'
import type { PeerId } from './protocols/core.ts'
import type { DialOutcome, MembershipCommand, MembershipRequest } from './protocols/membership/messages.ts'
import { P2pdError } from './wire/errors.ts'

/** How often the machine's own addresses are looked at. */
const readdressMs = 15_000

export interface PeerNetworkInit {
  readonly settings: PeerSettings
  readonly identity: Identity
  readonly store: Store
  readonly counters: Counters
  readonly admits: (peer: PeerId) => boolean
  /** It is a member that is there: found in the local network, it need not be dialled. */
  readonly isAlive: (peer: PeerId) => boolean
  /** Somebody waits for an answer of it: its connection is not given up. */
  readonly isNeeded: (peer: PeerId) => boolean
  readonly gossip: GossipEvents
  /** The first connection to `peer` is open. */
  readonly connected: (peer: PeerId) => void
  /** The last one is gone; `remote` when a FIN or RST was received. */
  readonly disconnected: (peer: PeerId, closedBy: 'remote' | 'local') => void
  /** Others dial it at other addresses from now on. */
  readonly readdressed: (addresses: readonly string[]) => void
  readonly trouble: (error: unknown) => void
  readonly failed: (error: P2pdError) => void
}

/** What carries messages. */
export interface Carriers {
  readonly links: Links
  readonly gossip: Gossip
}

export class PeerNetwork {
  readonly #init: PeerNetworkInit
  readonly #dialer: Dialer
  #node: Node | undefined
  #connections: Connections | undefined
  #links: Links | undefined
  #gossip: Gossip | undefined
  #releases: Releases | undefined
  #mdns: Mdns | undefined
  #readdress: NodeJS.Timeout | undefined
  #addresses: readonly string[] = []

  constructor(init: PeerNetworkInit) {
    this.#init = init
    this.#dialer = new Dialer({
      self: init.identity.peerId,
      admits: init.admits,
      ownAddresses: () => this.#addresses,
      counters: init.counters,
    })
  }

  /** Where others dial it. */
  get addresses(): readonly string[] {
    return this.#addresses
  }

  get connectionCount(): number {
    return this.#connections?.count ?? 0
  }

  peers(): readonly PeerId[] {
    return this.#connections?.peers() ?? []
  }

  isConnected(peer: PeerId): boolean {
    return (this.#connections?.of(peer) ?? []).length > 0
  }

  /** By which connection it is reached. */
  pathTo(peer: PeerId): Omit<PingPath, 'dialled'> | undefined {
    const connection = this.#connections?.of(peer)[0]
    if (connection === undefined) return undefined
    return { address: withoutPeer(connection.remoteAddr.toString()), direction: connection.direction }
  }

  /** When this resolves it listens. */
  async open(protocols: readonly LinkProtocol[]): Promise<Carriers> {
    const node = await makeNode(this.#init)
    const carriers = await this.#connect(node, protocols)
    await node.open()
    this.#addresses = this.#currentAddresses()
    return carriers
  }

  /** Looks around from now on: at the own addresses, and for others in the local network. */
  lookAround(): void {
    this.#readdress = setInterval(() => this.#lookAtAddresses(), readdressMs).unref()
    if (this.#init.settings.mdns) this.#discover()
  }

  stopLooking(): void {
    clearInterval(this.#readdress)
    this.#mdns?.stop()
  }

  /** A person gave these addresses: whoever answers there is dialled again. Errors: ERR_BAD_ADDRESS. */
  trust(addresses: readonly string[]): void {
    for (const address of addresses) parseAddress(address)
    this.#dialer.trust(addresses)
  }

  /** Whether it comes to anything shows by the connection. */
  dial(peer: PeerId, addresses: readonly string[]): void {
    this.#releases?.keep(peer)
    void this.connect(peer, addresses)
  }

  async connect(peer: PeerId, addresses: readonly string[]): Promise<DialOutcome> {
    const { dialTimeoutMs: timeoutMs } = this.#init.settings.config
    return await this.#dialer.dial({ type: 'dial', id: 0, peer, addresses, mode: 'connect', timeoutMs })
  }

  /** What the core of membership asks for; `answer` is told what came of it. */
  requested(request: MembershipRequest, answer: (command: MembershipCommand) => void): void {
    switch (request.type) {
      case 'dial':
        if (request.peer !== undefined) this.#releases?.keep(request.peer)
        void this.#dialer
          .dial(request)
          .then((outcome) => answer({ type: 'dialled', id: request.id, outcome }))
        return
      case 'knock':
        void this.#dialer
          .knock(request)
          .then((outcome) => answer({ type: 'knocked', id: request.id, outcome }))
        return
      case 'release':
        this.#releases?.release(request.peer)
        return
    }
  }

  /** Whoever needs the connection with it has done with it. */
  release(peer: PeerId): void {
    this.#releases?.release(peer)
  }

  cut(peer: PeerId, reason: P2pdError): void {
    this.#connections?.abort(peer, reason)
  }

  strike(peer: PeerId, how: 'misbehaved' | 'malformed'): void {
    this.#links?.strike(peer, how)
  }

  /** No more dials. */
  stopDialling(): void {
    this.#dialer.stop()
  }

  stop(): void {
    this.#gossip?.stop()
    this.#releases?.stop()
    this.#connections?.stop()
    this.#links?.stop()
  }

  async close(): Promise<void> {
    await this.#node?.close()
  }

  async #connect(node: Node, protocols: readonly LinkProtocol[]): Promise<Carriers> {
    const { identity, counters, connected, disconnected, isNeeded } = this.#init
    const connections = new Connections(node, identity.peerId, counters, {
      connected,
      disconnected,
      changed: (peer) => this.#links?.reconcile(peer),
    })
    const links = new Links(node, connections, counters)
    this.#node = node
    this.#connections = connections
    this.#links = links
    this.#dialer.start(node, connections)
    connections.start()
    for (const protocol of protocols) await links.register(protocol)
    const gossip = new Gossip({ node, connections, counters, events: this.#init.gossip })
    const releases = new Releases({ node, connections, links, gossip, isNeeded })
    this.#gossip = gossip
    this.#releases = releases
    await releases.start()
    return { links, gossip }
  }

  #discover(): void {
    const { identity, settings, trouble } = this.#init
    const mdns = new Mdns({
      self: identity.peerId,
      cluster: settings.clusterId,
      addresses: () => this.#addresses,
      found: (neighbour) => this.#found(neighbour),
      trouble: (cause) =>
        trouble(
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
    if (!this.#init.isAlive(peer) && !this.isConnected(peer)) this.dial(peer, [address])
  }

  #currentAddresses(): readonly string[] {
    const { announce, listen } = this.#init.settings
    if (announce.length > 0) return announce.map(withoutPeer)
    return this.#node === undefined ? [] : recordAddresses(this.#node.addresses(), listen)
  }

  #lookAtAddresses(): void {
    const addresses = this.#currentAddresses()
    if (addresses.join() === this.#addresses.join()) return
    this.#addresses = addresses
    this.#init.readdressed(addresses)
  }
}
