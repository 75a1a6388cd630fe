import './with-resolvers.ts'
import { noise } from '@chainsafe/libp2p-noise'
import { type Identify, identify } from '@libp2p/identify'
import type {
  Connection,
  ConnectionGater,
  Libp2p,
  StreamHandler,
  StreamHandlerOptions,
} from '@libp2p/interface'
import { preSharedKey } from '@libp2p/pnet'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Datastore } from 'interface-datastore'
import { createLibp2p } from 'libp2p'
import type { PeerId } from '../protocols/core.ts'
import { withoutPeer } from './addresses.ts'
import type { Counters } from './counters.ts'
import type { DialOptions } from './dial-watch.ts'
import { DialWatches, type Transports } from './dial-watches.ts'
import { type Doorkeeper, doorProtocol, maxDoorStreams } from './doorkeeper.ts'
import { type GossipService, gossipService } from './gossip-service.ts'
import type { Identity } from './identity.ts'
import { type Inbound, maxOpen, maxPending } from './inbound.ts'
import { listenError } from './listen.ts'
import { PassingPeers } from './passing-peers.ts'
import { guardYamux, type YamuxLimits } from './yamux-guard.ts'

/** A libp2p node as the host uses it: one of its own, or its part of an app's. */
export interface Node {
  readonly gossip: GossipService
  /** Told of each connection that may be used, as it opens; undefined ends that. */
  watch(opened: ((connection: Connection) => void) | undefined): void
  /** Streams of connections that may not be used never reach the handler. */
  handle(protocol: string, handler: StreamHandler, options: StreamHandlerOptions): Promise<void>
  /** Dials of one address that are under way at once become one dial, so there must not be two. */
  readonly joinsDials: boolean
  /** Always a new connection, and one that may be used. */
  dial(address: Multiaddr, options: DialOptions): Promise<Connection>
  /** When others use the connection too, it is not theirs to lose: true, and nothing of it is used any more. */
  letGo(connection: Connection): boolean
  /** Opens the doors. Errors: ERR_PORT_IN_USE, ERR_BAD_ADDRESS. */
  open(): Promise<void>
  /** Where it listens, wildcards expanded to the addresses of the interfaces, without `/p2p/ID`. */
  addresses(): readonly string[]
  close(): Promise<void>
}

type OwnLibp2p = Libp2p<{
  readonly identify: Identify
  readonly gossip: GossipService
  readonly transports: Transports
}>

export interface NodeInit {
  readonly identity: Identity
  /** 32 bytes that all peers of the cluster share. */
  readonly secret: Uint8Array
  /** With their ports settled, see `settleListen`. */
  readonly listen: readonly string[]
  readonly gater: ConnectionGater
  readonly inbound: Inbound
  readonly counters: Counters
  /** Answers who asks for a proof of the secret; of its own connections pnet is the proof. */
  readonly doorkeeper: Doorkeeper
  readonly datastore: Datastore | undefined
  readonly version: string
  /** For a handshake of somebody else; 10 s by default. */
  readonly handshakeMs?: number
  /** It listens. */
  readonly opened?: () => Promise<void>
}

/** Who gets nowhere holds a place for so long at most, while nobody else needs it. A crowded machine may need that. */
const handshakeMs = 10_000

/**
 * Bytes that one stream may have waiting before yamux aborts it (its default is
 * without bound). Links stop at `send()`'s false and stay far below: twice the
 * largest bulk frame. gossipsub sets its own.
 */
const maxWriteBufferBytes = 4 * 1024 * 1024

/**
 * What a stream may have under way, which is also what a probe on the same
 * connection may have to wait behind. yamux lets it grow to 16 MiB, and then a
 * probe beside a full bulk stream took 60–200 ms on loopback; so it takes 3–10 ms. The smallest
 * that yamux allows; at 40 ms it still carries 6 MB a second.
 */
const maxStreamWindowBytes = 256 * 1024

/** Streams that one peer may have open on a connection: a few per protocol. */
const maxInboundStreams = 32

/**
 * Some ten streams are opened with a connection, and as many when the links move to another; p2pd sends
 * no pings of the multiplexer, other nodes of libp2p a few.
 */
const yamuxLimits: YamuxLimits = {
  maxFrameBytes: maxStreamWindowBytes,
  // What is said by `identify`, up to 8 KiB, may come with the answer that agrees on it.
  maxEarlyBytes: 16 * 1024,
  // In ten messages it could name 4,500 addresses, and cost a twentieth of a second.
  brief: new Set(['/ipfs/id/1.0.0', doorProtocol]),
  burst: 256,
  perSecond: 64,
}

/** To agree on the protocol of a stream: while that lasts, libp2p keeps up to 4 MiB of what comes on it. */
const negotiationTimeoutMs = 5000

/** A node of its own that does not listen yet. */
export async function createNode(init: NodeInit): Promise<Node> {
  const watches = new DialWatches(init.inbound)
  return new OwnNode(await createOwnLibp2p(init, watches), watches, init)
}

class OwnNode implements Node {
  readonly gossip: GossipService
  readonly joinsDials = false
  readonly #libp2p: OwnLibp2p
  readonly #watches: DialWatches
  readonly #init: NodeInit
  readonly #passing: PassingPeers
  #onOpen: ((event: CustomEvent<Connection>) => void) | undefined

  constructor(libp2p: OwnLibp2p, watches: DialWatches, init: NodeInit) {
    this.#libp2p = libp2p
    this.#watches = watches
    this.#init = init
    this.gossip = libp2p.services.gossip
    this.#passing = new PassingPeers(libp2p)
  }

  watch(opened: ((connection: Connection) => void) | undefined): void {
    if (this.#onOpen !== undefined) this.#libp2p.removeEventListener('connection:open', this.#onOpen)
    this.#onOpen = opened === undefined ? undefined : (event) => opened(event.detail)
    if (this.#onOpen !== undefined) this.#libp2p.addEventListener('connection:open', this.#onOpen)
  }

  async handle(protocol: string, handler: StreamHandler, options: StreamHandlerOptions): Promise<void> {
    await this.#libp2p.handle(protocol, handler, options)
  }

  async dial(address: Multiaddr, options: DialOptions): Promise<Connection> {
    return await this.#watches.dial(this.#libp2p.services.transports, address, options)
  }

  letGo(): boolean {
    return false
  }

  async open(): Promise<void> {
    const { doorkeeper, listen, opened } = this.#init
    await this.handle(
      doorProtocol,
      async (stream, { remotePeer }) => {
        await doorkeeper.answer(stream, remotePeer.toString() as PeerId, () => {})
      },
      { maxInboundStreams: maxDoorStreams },
    )
    await this.#passing.forgetFormer()
    try {
      await this.#libp2p.start()
    } catch (error) {
      const port = /EADDRINUSE.*?:(\d+)/.exec(String(error))?.[1]
      throw listenError(listen.join(', '), Number(port ?? 0), error)
    }
    await opened?.()
  }

  addresses(): readonly string[] {
    return this.#libp2p.getMultiaddrs().map((address) => withoutPeer(address.toString()))
  }

  async close(): Promise<void> {
    this.#passing.stop()
    await this.#libp2p.stop()
  }
}

function createOwnLibp2p(init: NodeInit, watches: DialWatches): Promise<OwnLibp2p> {
  return createLibp2p({
    start: false,
    privateKey: init.identity.privateKey,
    addresses: { listen: [...init.listen] },
    transports: [tcp()],
    connectionProtector: watches.protector(preSharedKey({ psk: swarmKey(init.secret) })),
    connectionEncrypters: [watches.encrypter(noise())],
    streamMuxers: [
      guardYamux(
        yamux({
          // A ping each 30 s and connection, whose only use is to let windows grow: membership probes anyway.
          enableKeepAlive: false,
          maxInboundStreams,
          streamOptions: {
            maxWriteBufferLength: maxWriteBufferBytes,
            maxStreamWindowSize: maxStreamWindowBytes,
          },
        }),
        yamuxLimits,
        init.counters,
      ),
    ],
    connectionGater: watches.gater(init.gater),
    connectionManager: {
      // `Inbound` decides who waits at the door, and who is inside, and counts whom it refuses;
      // libp2p's limits, which it does not tell of, lie above its own.
      maxConnections: 2 * maxOpen,
      inboundUpgradeTimeout: init.handshakeMs ?? handshakeMs,
      inboundStreamProtocolNegotiationTimeout: negotiationTimeoutMs,
      maxIncomingPendingConnections: 2 * maxPending,
      inboundConnectionThreshold: 1_000_000,
      // Membership decides whom to dial again and when.
      reconnectRetries: 0,
    },
    // It would open a stream each 10 s and connection, and by default abort healthy
    // connections on one late answer; membership's probes say more on a stream that is open anyway.
    connectionMonitor: { enabled: false, abortConnectionOnPingFailure: false },
    // Membership knows whom to dial.
    peerStore: { addressFilter: () => false },
    services: { identify: identify(), gossip: gossipService, transports },
    nodeInfo: { name: 'p2pd', version: init.version },
    ...(init.datastore === undefined ? {} : { datastore: init.datastore }),
  })
}

/** libp2p gives its parts to services alone; not the part itself, which would be started twice. */
const transports = ({ transportManager }: { readonly transportManager: Transports }): Transports => ({
  dial: (address, options) => transportManager.dial(address, options),
})

/** A cluster's secret as pnet reads it, for an app's node that joins a cluster of nodes of their own. */
export function swarmKey(secret: Uint8Array): Uint8Array {
  return new TextEncoder().encode(`/key/swarm/psk/1.0.0/\n/base16/\n${Buffer.from(secret).toString('hex')}`)
}
