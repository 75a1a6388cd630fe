import './with-resolvers.ts'
import type { GossipSubComponents } from '@chainsafe/libp2p-gossipsub'
import type { Connection, Stream } from '@libp2p/interface'
import type { PeerId } from '../protocols/core.ts'
import { batchWindowUpdates } from './window-updates.ts'

type Registrar = GossipSubComponents['registrar']
type Topology = Parameters<Registrar['register']>[1]

export interface GossipStreamEvents {
  /** gossipsub can send to `peer` from now on. */
  readonly opened: (peer: PeerId) => void
  /** It no longer can. */
  readonly closed: (peer: PeerId) => void
  /** It has dropped `peer`, and what that had subscribed to. */
  readonly forgotten: (peer: PeerId) => void
  /** Somebody has read; there may be room again. */
  readonly drained: () => void
}

/** gossipsub opens its streams one after the other: one peer that does not answer holds up all. */
const openTimeoutMs = 3000

/**
 * The streams that gossipsub uses, seen on their way through the registrar.
 *
 * gossipsub keeps them to itself, ignores their back-pressure, and opens no new
 * one when one breaks while the connection stays up. The registrar's own
 * middleware is no way to see them: with it, libp2p runs the protocol's handler
 * once more for each stream that came before, and on outbound streams too.
 */
export class GossipStreams {
  readonly #outbound = new Map<PeerId, Stream>()
  readonly #inbound = new Map<PeerId, Set<Stream>>()
  #topology: Topology | undefined
  #paused = false
  #events: GossipStreamEvents | undefined
  readonly #wireName: (protocol: string) => string

  /** `wireName`: what a protocol of gossipsub is called on the wire; its own name by default. */
  constructor(wireName: (protocol: string) => string = (protocol) => protocol) {
    this.#wireName = wireName
  }

  watch(events: GossipStreamEvents | undefined): void {
    this.#events = events
  }

  /** The stream by which `peer` is told, if it is usable. */
  to(peer: PeerId): Stream | undefined {
    const stream = this.#outbound.get(peer)
    return stream?.status === 'open' && stream.writeStatus === 'writable' ? stream : undefined
  }

  outbound(): IterableIterator<Stream> {
    return this.#outbound.values()
  }

  /** Reads no more, so that the peers' windows fill and they wait; those that open meanwhile, too. */
  pause(): void {
    if (this.#paused) return
    this.#paused = true
    for (const streams of this.#inbound.values()) for (const stream of streams) pause(stream)
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    for (const streams of this.#inbound.values()) for (const stream of streams) resume(stream)
  }

  /** Lets gossipsub open a stream over `connection`, as it does when a peer is identified. */
  open(connection: Connection): void {
    void this.#topology?.onConnect?.(connection.remotePeer, connection)
  }

  /** Aborts the streams from and to `peer`, so that both sides notice that they are gone. */
  abort(peer: PeerId, reason: Error): void {
    const inbound = this.#inbound.get(peer) ?? []
    const outbound = this.#outbound.get(peer)
    for (const stream of [...inbound, ...(outbound === undefined ? [] : [outbound])]) stream.abort(reason)
  }

  /** `registrar`, with every stream of whoever uses it noted here. */
  observe(registrar: Registrar): Registrar {
    const observed: Pick<Registrar, 'handle' | 'unhandle' | 'register'> = {
      handle: (protocol, handler, options) =>
        registrar.handle(
          this.#wireName(protocol),
          (stream, connection) => {
            this.#accepted(connection.remotePeer.toString() as PeerId, stream)
            return handler(stream, this.#observeConnection(connection))
          },
          options,
        ),
      register: (protocol, topology) => {
        this.#topology = this.#observeTopology(topology)
        return registrar.register(this.#wireName(protocol), this.#topology)
      },
      unhandle: (protocol, options) => registrar.unhandle(this.#wireName(protocol), options),
    }
    return Object.assign(Object.create(registrar), observed)
  }

  #observeTopology(topology: Topology): Topology {
    return {
      ...topology,
      onConnect: (peer, connection) => topology.onConnect?.(peer, this.#observeConnection(connection)),
      onDisconnect: (peer) => {
        topology.onDisconnect?.(peer)
        this.#events?.forgotten(peer.toString() as PeerId)
      },
    }
  }

  #observeConnection(connection: Connection): Connection {
    const newStream: Connection['newStream'] = async (protocols, options) => {
      const signal = AbortSignal.timeout(openTimeoutMs)
      const asked = [protocols].flat()
      const stream = await connection.newStream(asked.map(this.#wireName), { ...options, signal })
      // By this name gossipsub tells what the peer understands.
      stream.protocol =
        asked.find((protocol) => this.#wireName(protocol) === stream.protocol) ?? stream.protocol
      coalesce(stream)
      this.#opened(connection.remotePeer.toString() as PeerId, stream)
      return stream
    }
    return Object.create(connection, { newStream: { value: newStream } })
  }

  #opened(peer: PeerId, stream: Stream): void {
    this.#outbound.set(peer, stream)
    // Nothing is expected here: what the peer sends on it is thrown away, not buffered.
    stream.closeRead().catch((error: Error) => stream.abort(error))
    stream.addEventListener('drain', () => queueMicrotask(() => this.#events?.drained()))
    stream.addEventListener('close', () => this.#closed(peer, stream), { once: true })
    // Only when gossipsub has it, too.
    setImmediate(() => {
      if (this.to(peer) === stream) this.#events?.opened(peer)
    })
  }

  #closed(peer: PeerId, stream: Stream): void {
    if (this.#outbound.get(peer) !== stream) return
    this.#outbound.delete(peer)
    this.#events?.closed(peer)
    this.#events?.drained()
  }

  #accepted(peer: PeerId, stream: Stream): void {
    const streams = this.#inbound.get(peer) ?? new Set()
    this.#inbound.set(peer, streams.add(stream))
    batchWindowUpdates(stream)
    if (this.#paused) pause(stream)
    // Nothing is ever sent on it: half-closed at once, it is gone as soon as the peer closes its half.
    stream.close().catch((error: Error) => stream.abort(error))
    stream.addEventListener(
      'close',
      () => {
        streams.delete(stream)
        if (streams.size === 0 && this.#inbound.get(peer) === streams) this.#inbound.delete(peer)
      },
      { once: true },
    )
  }
}

/** A frame of several messages is no larger than one read of a socket. */
const frameBytes = 64 * 1024

/**
 * What is sent in one turn of the event loop goes in one frame: yamux, noise, pnet
 * and the socket cost as much for one message as for a hundred (about 50 µs at each
 * end). No message waits for another: `nextTick` runs before the loop turns.
 */
function coalesce(stream: Stream): void {
  const send = stream.send.bind(stream)
  let waiting: Uint8Array[] = []
  let bytes = 0
  const flush = (): boolean => {
    const chunks = waiting
    const [first] = chunks
    waiting = []
    bytes = 0
    if (first === undefined || stream.writeStatus !== 'writable') return true
    return send(chunks.length === 1 ? first : Buffer.concat(chunks))
  }
  // Nobody is there to catch: the connection may have gone since.
  const flushOrAbort = (): void => {
    try {
      flush()
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)))
    }
  }
  stream.send = (data) => {
    if (stream.writeStatus !== 'writable') return send(data)
    waiting.push(data instanceof Uint8Array ? data : data.subarray())
    bytes += data.byteLength
    if (bytes >= frameBytes) return flush()
    if (waiting.length === 1) process.nextTick(flushOrAbort)
    return !stream.writableNeedsDrain
  }
}

function pause(stream: Stream): void {
  if (stream.readStatus === 'readable') stream.pause()
}

function resume(stream: Stream): void {
  if (stream.readStatus === 'paused') stream.resume()
}
