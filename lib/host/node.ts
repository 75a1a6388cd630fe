import './with-resolvers.ts'
import { type NoiseComponents, noise } from '@chainsafe/libp2p-noise'
import { type Identify, identify } from '@libp2p/identify'
import type { ConnectionEncrypter, ConnectionGater, Libp2p } from '@libp2p/interface'
import { preSharedKey } from '@libp2p/pnet'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import type { Datastore } from 'interface-datastore'
import { createLibp2p } from 'libp2p'
import { withoutPeer } from './addresses.ts'
import { type GossipService, gossipService } from './gossip-service.ts'
import type { Identity } from './identity.ts'
import { listenError } from './listen.ts'

export type Node = Libp2p<{ readonly identify: Identify; readonly gossip: GossipService }>

export interface NodeInit {
  readonly identity: Identity
  /** 32 bytes that all peers of the cluster share. */
  readonly secret: Uint8Array
  /** With their ports settled, see `settleListen`. */
  readonly listen: readonly string[]
  readonly gater: ConnectionGater
  readonly datastore: Datastore | undefined
  readonly version: string
}

/** A full mesh of a few hundred machines, with room for the second connection of a redial. */
const maxConnections = 512

/** Handshakes under way; libp2p's 10 are used up by ten sockets that say nothing. */
const maxIncomingPendingConnections = 128

/** A peer in the same building needs milliseconds; libp2p's 10 s let a silent socket hold a slot for long. */
const inboundUpgradeTimeoutMs = 3000

/**
 * Connections a second from one address; libp2p's 5 refuse a testnet on one
 * machine, where 32 peers may dial a founder, and knock at it, in one second. A
 * handshake costs about 3 ms, so this bounds one address to a third of a core.
 */
const inboundConnectionThreshold = 128

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

/** Streams that one peer may open on a connection: a few per protocol. */
const maxInboundStreams = 64

/** A libp2p node that does not listen yet. */
export function createNode(init: NodeInit): Promise<Node> {
  return createLibp2p({
    start: false,
    privateKey: init.identity.privateKey,
    addresses: { listen: [...init.listen] },
    transports: [tcp()],
    connectionProtector: preSharedKey({ psk: swarmKey(init.secret) }),
    connectionEncrypters: [noiseThenMuxer()],
    streamMuxers: [
      yamux({
        maxInboundStreams,
        streamOptions: {
          maxWriteBufferLength: maxWriteBufferBytes,
          maxStreamWindowSize: maxStreamWindowBytes,
        },
      }),
    ],
    connectionGater: init.gater,
    connectionManager: {
      maxConnections,
      maxIncomingPendingConnections,
      inboundUpgradeTimeout: inboundUpgradeTimeoutMs,
      inboundConnectionThreshold,
      // Membership decides whom to dial again and when.
      reconnectRetries: 0,
    },
    // It would open a stream each 10 s and connection, and by default abort healthy
    // connections on one late answer; membership's probes say more on a stream that is open anyway.
    connectionMonitor: { enabled: false, abortConnectionOnPingFailure: false },
    services: { identify: identify(), gossip: gossipService },
    nodeInfo: { name: 'p2pd', version: init.version },
    ...(init.datastore === undefined ? {} : { datastore: init.datastore }),
  })
}

/** Opens the doors. Errors: ERR_PORT_IN_USE, ERR_BAD_ADDRESS. */
export async function listen(node: Node, addresses: readonly string[]): Promise<void> {
  try {
    await node.start()
  } catch (error) {
    const port = /EADDRINUSE.*?:(\d+)/.exec(String(error))?.[1]
    throw listenError(addresses.join(', '), Number(port ?? 0), error)
  }
}

/** Where the node listens, wildcards expanded to the addresses of the interfaces, without `/p2p/ID`. */
export function listeningAddresses(node: Node): readonly string[] {
  return node.getMultiaddrs().map((address) => withoutPeer(address.toString()))
}

/**
 * Noise that leaves the multiplexer to be agreed on afterwards, one round trip
 * later. With libp2p's short cut the accepting side counts a connection as open
 * before the dialling side has judged who answered: then a knock would look like
 * a peer that comes and dies, and a denied peer would believe it was let in.
 */
function noiseThenMuxer(): (components: NoiseComponents) => ConnectionEncrypter {
  return (components) => {
    const inner = noise()(components)
    return {
      protocol: inner.protocol,
      secureOutbound: (stream, options) => inner.secureOutbound(stream, options),
      secureInbound: (stream, options) =>
        inner.secureInbound(stream, { ...options, skipStreamMuxerNegotiation: true }),
    }
  }
}

/** The swarm key file format that pnet reads. */
function swarmKey(secret: Uint8Array): Uint8Array {
  return new TextEncoder().encode(`/key/swarm/psk/1.0.0/\n/base16/\n${Buffer.from(secret).toString('hex')}`)
}
