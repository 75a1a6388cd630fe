import './with-resolvers.ts'
import { setMaxListeners } from 'node:events'
import type {
  Connection,
  ConnectionEncrypter,
  ConnectionGater,
  ConnectionProtector,
  MessageStream,
} from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { PeerId } from '../protocols/core.ts'
import { limitBacklog } from './backlog.ts'
import { boundCipherMemory } from './cipher-memory.ts'
import type { DialOptions, DialWatch } from './dial-watch.ts'
import type { Inbound } from './inbound.ts'
import { writeTogether } from './write-together.ts'

/** Of libp2p's transports what a dial needs. */
export interface Transports {
  dial(address: Multiaddr, options: { readonly signal: AbortSignal }): Promise<Connection>
}

/**
 * Dials past libp2p's queue, and tells how far each gets, as do those of others.
 *
 * The queue makes one dial of two to the same address, so that a dial of half a
 * second would wait behind one of three; and it says neither whether a socket was
 * connected nor who answered before the connection counts as open. What libp2p
 * hands through all its layers is the dial's signal, so that is what a dial is known by:
 *
 * ```
 *   dial ── TCP connect ──▶ protector ── nonces ──▶ multistream ──▶ encrypter ── Noise ──▶ gater ──▶ open
 *                           connected    heard                      answered              ends?
 * ```
 */
export class DialWatches {
  readonly #bySignal = new WeakMap<AbortSignal, DialWatch>()
  readonly #byConnection = new WeakMap<MessageStream, DialWatch>()
  readonly #inbound: Inbound
  /** What pnet made of a connection, and the connection. */
  readonly #bare = new WeakMap<MessageStream, MessageStream>()

  constructor(inbound: Inbound) {
    this.#inbound = inbound
  }

  async dial(
    transports: Transports,
    address: Multiaddr,
    { signal, watch }: DialOptions,
  ): Promise<Connection> {
    // Its own, and let go of when the dial is done: what libp2p has open by then listens to it still.
    const own = new AbortController()
    const onAbort = (): void => own.abort(signal.reason)
    signal.throwIfAborted()
    signal.addEventListener('abort', onAbort, { once: true })
    setMaxListeners(0, own.signal)
    this.#bySignal.set(own.signal, watch)
    try {
      return await transports.dial(address, { signal: own.signal })
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  protector<Components>(
    make: (components: Components) => ConnectionProtector,
  ): (components: Components) => ConnectionProtector {
    return (components) => {
      const inner = make(components)
      return {
        protect: async (connection, options) => {
          const watch = this.#of(options?.signal)
          limitBacklog(connection)
          writeTogether(connection)
          if (watch !== undefined) this.#byConnection.set(connection, watch)
          watch?.reached('connected')
          const inside = await inner.protect(connection, options)
          boundCipherMemory(inside)
          limitBacklog(inside)
          watch?.reached('heard')
          this.#inbound.progressed(connection, 'heard')
          this.#bare.set(inside, connection)
          return inside
        },
      }
    }
  }

  /**
   * Noise that leaves the multiplexer to be agreed on afterwards, one round trip
   * later. With libp2p's short cut the accepting side counts a connection as open
   * before the dialling side has judged who answered: then a knock would look like
   * a peer that comes and dies, and a denied peer would believe it was let in.
   */
  encrypter<Components>(
    make: (components: Components) => ConnectionEncrypter,
  ): (components: Components) => ConnectionEncrypter {
    return (components) => {
      const inner = make(components)
      return {
        protocol: inner.protocol,
        secureOutbound: (stream, options) => {
          // Behind pnet nobody agrees on a protocol who does not know the secret.
          this.#of(options?.signal)?.reached('answered')
          return inner.secureOutbound(stream, options)
        },
        secureInbound: (stream, options) => {
          this.#inbound.progressed(this.#bare.get(stream) ?? stream, 'known')
          return inner.secureInbound(stream, { ...options, skipStreamMuxerNegotiation: true })
        },
      }
    }
  }

  gater(inner: ConnectionGater): ConnectionGater {
    return {
      ...inner,
      denyOutboundEncryptedConnection: async (peer, connection) =>
        this.#byConnection.get(connection)?.ends(peer.toString() as PeerId) === true ||
        (await inner.denyOutboundEncryptedConnection?.(peer, connection)) === true,
    }
  }

  #of(signal: AbortSignal | undefined): DialWatch | undefined {
    return signal === undefined ? undefined : this.#bySignal.get(signal)
  }
}
