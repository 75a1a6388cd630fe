import './with-resolvers.ts'
import type { GossipSubComponents } from '@chainsafe/libp2p-gossipsub'
import type { Connection, Libp2p, Stream, StreamHandler, StreamHandlerOptions } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { PeerId } from '../protocols/core.ts'
import { P2pdError } from '../wire/errors.ts'
import { readAddress, withoutPeer } from './addresses.ts'
import { bareConnect } from './bare-connect.ts'
import type { Counters } from './counters.ts'
import type { DialOptions } from './dial-watch.ts'
import { type Doorkeeper, doorProtocol, maxDoorStreams } from './doorkeeper.ts'
import { GossipService } from './gossip-service.ts'
import type { Identity } from './identity.ts'
import type { Node } from './node.ts'

/** What an app's libp2p node is to a peer that runs inside it. */
export type HostNode = Pick<
  Libp2p,
  | 'peerId'
  | 'peerStore'
  | 'status'
  | 'logger'
  | 'getMultiaddrs'
  | 'dial'
  | 'handle'
  | 'unhandle'
  | 'addEventListener'
  | 'removeEventListener'
>

export interface GuestInit {
  readonly libp2p: HostNode
  readonly identity: Identity
  readonly doorkeeper: Doorkeeper
  readonly counters: Counters
  /** The app has stopped its node. */
  readonly ended: () => void
  /** Connections of the node are not as they must be. */
  readonly trouble: (error: P2pdError) => void
}

/** The first stream of a connection has its peer asked; not so soon again when that fails. */
const askWithinMs = 3000
const askAgainMs = 5000
/** A dial that takes longer has a socket of its own ask whether the other machine accepts any. */
const witnessMs = 150
const encryption = '/noise'
const multiplexer = '/yamux/1.0.0'

type Registrar = GossipSubComponents['registrar']
type Topology = Parameters<Registrar['register']>[1]

/**
 * A peer's part of an app's libp2p node.
 *
 * The node is open to whomever the app deals with, so a connection is this
 * peer's business only when its peer has proved the secret on it: who dials
 * asks, and who gets a stream from somebody unproven (a node of its own, behind
 * pnet, asks nobody) asks then. Everything else of the node is the app's and
 * left alone: its connections, its gossip, its start and its end.
 */
export class GuestNode implements Node {
  readonly gossip: GossipService
  readonly joinsDials = true
  readonly #init: GuestInit
  readonly #admitted = new Set<Connection>()
  readonly #asked = new WeakMap<Connection, { readonly at: number; readonly proved: Promise<boolean> }>()
  readonly #topologies = new Map<string, Topology>()
  readonly #handled = new Set<string>()
  readonly #onStop = (): void => this.#init.ended()
  #opened: ((connection: Connection) => void) | undefined
  #warned = false
  #closed = false

  /** Errors: ERR_BAD_OPTION when the node does not run, or has another identity. */
  constructor(init: GuestInit) {
    const { libp2p, identity } = init
    if (libp2p.status !== 'started') {
      throw badNode(
        'the libp2p node is not started',
        'await node.start() first; the peer never starts nor stops it',
      )
    }
    if (libp2p.peerId.toString() !== identity.peerId) {
      throw badNode(
        `the identity is ${identity.peerId}, and the node is ${libp2p.peerId}`,
        'give createLibp2p and createPeer the same private key',
      )
    }
    this.#init = init
    this.gossip = new GossipService({
      privateKey: identity.privateKey,
      peerId: libp2p.peerId,
      peerStore: libp2p.peerStore,
      logger: libp2p.logger,
      registrar: this.#registrar(),
      connectionManager: this.#connectionManager(),
    })
  }

  watch(opened: ((connection: Connection) => void) | undefined): void {
    this.#opened = opened
  }

  async handle(protocol: string, handler: StreamHandler, options: StreamHandlerOptions): Promise<void> {
    const guarded: StreamHandler = async (stream, connection) => {
      if (await this.#mayUse(connection)) await handler(stream, connection)
      else stream.abort(new P2pdError('ERR_DENIED', 'the secret was not proved on this connection'))
    }
    await this.#handle(protocol, guarded, options)
  }

  /** A new connection, and proved: the signal ends both. */
  async dial(address: Multiaddr, { signal, watch }: DialOptions): Promise<Connection> {
    // libp2p does not say whether a socket was connected.
    const witness = setTimeout(
      () => bareConnect(address, signal, () => watch.reached('connected')),
      witnessMs,
    )
    const dialled = this.#init.libp2p.dial(address, { signal, force: true })
    const connection = await dialled.finally(() => clearTimeout(witness))
    watch.reached('answered')
    const peer = connection.remotePeer.toString() as PeerId
    try {
      if (watch.ends(peer)) {
        throw new P2pdError('ERR_DENIED', `${peer} is not who was asked for, or was only to show itself`)
      }
      if (!this.#isFit(connection) || !(await this.#ask(connection, signal))) {
        throw new P2pdError('ERR_DENIED', `${peer} is not admitted`)
      }
      return connection
    } catch (error) {
      // Made for this, but libp2p may have joined it with a dial of the app's.
      if (!this.letGo(connection)) void closed(connection)
      throw error
    }
  }

  letGo(connection: Connection): boolean {
    const streams = connection.streams.map((stream) => ({ stream, kind: this.#kindOf(stream, connection) }))
    this.#dismiss(connection)
    if (!streams.some(({ kind }) => kind === 'foreign')) return false
    for (const { stream, kind } of streams) {
      if (kind === 'own') stream.abort(new Error('the connection is no longer used'))
    }
    return true
  }

  async open(): Promise<void> {
    const answer: StreamHandler = async (stream, connection) => {
      const peer = connection.remotePeer.toString() as PeerId
      if (this.#isFit(connection)) {
        await this.#init.doorkeeper.answer(stream, peer, () => this.#admit(connection))
      } else stream.abort(new P2pdError('ERR_DENIED', 'the connection is not fit for it'))
    }
    await this.#handle(doorProtocol, answer, { maxInboundStreams: maxDoorStreams })
    await this.gossip.start()
    this.#init.libp2p.addEventListener('stop', this.#onStop)
  }

  addresses(): readonly string[] {
    const all = this.#init.libp2p.getMultiaddrs().map((address) => withoutPeer(address.toString()))
    return all.filter((address) => readAddress(address) !== undefined)
  }

  async close(): Promise<void> {
    const { libp2p } = this.#init
    this.#closed = true
    libp2p.removeEventListener('stop', this.#onStop)
    await this.gossip.stop()
    const unshared = [...this.#admitted].filter((connection) => !this.letGo(connection))
    await Promise.all(unshared.map(closed))
    await libp2p.unhandle([...this.#handled])
  }

  async #handle(protocol: string, handler: StreamHandler, options: StreamHandlerOptions): Promise<void> {
    try {
      await this.#init.libp2p.handle(protocol, handler, options)
      this.#handled.add(protocol)
    } catch (cause) {
      if (!(cause instanceof Error && cause.name === 'DuplicateProtocolHandlerError')) throw cause
      throw badNode(
        `the node handles ${protocol} already`,
        'one peer a node; stop the other one first',
        cause,
      )
    }
  }

  async #mayUse(connection: Connection): Promise<boolean> {
    if (this.#closed) return false
    if (this.#admitted.has(connection)) return true
    const asked = this.#asked.get(connection)
    if (asked !== undefined && performance.now() - asked.at < askAgainMs) return await asked.proved
    const proved = this.#isFit(connection) && (await this.#ask(connection, AbortSignal.timeout(askWithinMs)))
    if (!proved) this.#init.counters.refusedHandshakes.handshake += 1
    return proved
  }

  #ask(connection: Connection, signal: AbortSignal): Promise<boolean> {
    const proved = this.#prove(connection, signal)
    this.#asked.set(connection, { at: performance.now(), proved })
    return proved
  }

  async #prove(connection: Connection, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#init.doorkeeper.ask(connection, signal)
    } catch {
      return this.#admitted.has(connection)
    }
    this.#admit(connection)
    return this.#admitted.has(connection)
  }

  #admit(connection: Connection): void {
    if (this.#closed || this.#admitted.has(connection) || connection.status !== 'open') return
    this.#admitted.add(connection)
    connection.addEventListener('close', () => this.#dismiss(connection), { once: true })
    this.#opened?.(connection)
    for (const topology of this.#topologies.values()) topology.onConnect?.(connection.remotePeer, connection)
  }

  #dismiss(connection: Connection): void {
    if (!this.#admitted.delete(connection)) return
    this.#asked.delete(connection)
    const peer = connection.remotePeer
    if ([...this.#admitted].some((other) => other.remotePeer.equals(peer))) return
    for (const topology of this.#topologies.values()) topology.onDisconnect?.(peer)
  }

  /** Without a channel that proves who is there, the proof of the secret says nothing. */
  #isFit(connection: Connection): boolean {
    const fit =
      connection.limits === undefined &&
      connection.encryption === encryption &&
      connection.multiplexer === multiplexer
    if (fit || this.#warned) return fit
    this.#warned = true
    const found = `${connection.encryption} and ${connection.multiplexer}`
    this.#init.trouble(
      badNode(
        `the node's connections have ${found}`,
        'give createLibp2p noise() and yamux() as the first of their kind, and no relays to these peers',
      ),
    )
    return false
  }

  #kindOf(stream: Stream, { remotePeer }: Connection): 'own' | 'idle' | 'foreign' {
    const { protocol } = stream
    const gossip = this.gossip.streams.to(remotePeer.toString() as PeerId)
    if (protocol.startsWith('/p2pd/') || stream === gossip) return 'own'
    // libp2p's own, on any connection: nobody waits for them.
    return protocol.startsWith('/ipfs/id/') || protocol.startsWith('/ipfs/ping/') ? 'idle' : 'foreign'
  }

  /** What gossipsub wants of libp2p's: it is told of the connections that are admitted, and of no others. */
  #registrar(): Registrar {
    const registrar: Pick<Registrar, 'handle' | 'unhandle' | 'register' | 'unregister'> = {
      handle: (protocol, handler, options) => this.handle(protocol, handler, options ?? {}),
      unhandle: async (protocol, options) => {
        this.#handled.delete(protocol)
        await this.#init.libp2p.unhandle(protocol, options)
      },
      register: async (protocol, topology) => {
        this.#topologies.set(protocol, topology)
        for (const connection of this.#admitted) topology.onConnect?.(connection.remotePeer, connection)
        return protocol
      },
      unregister: (id) => {
        this.#topologies.delete(id)
      },
    }
    return registrar as Registrar
  }

  /** For direct peers and peer exchange, of which there are none. */
  #connectionManager(): GossipSubComponents['connectionManager'] {
    const manager: Pick<GossipSubComponents['connectionManager'], 'openConnection'> = {
      openConnection: (peer, options) => this.#init.libp2p.dial(peer, options),
    }
    return manager as GossipSubComponents['connectionManager']
  }
}

async function closed(connection: Connection): Promise<void> {
  try {
    await connection.close()
  } catch (error) {
    connection.abort(error instanceof Error ? error : new Error(String(error)))
  }
}

function badNode(message: string, hint: string, cause?: unknown): P2pdError {
  return new P2pdError('ERR_BAD_OPTION', message, { hint, cause })
}
