import './with-resolvers.ts'
import type { Connection, Stream, StreamMessageEvent } from '@libp2p/interface'
import type { PeerId } from '../protocols/core.ts'
import { P2pdError, WireError } from '../wire/errors.ts'
import { encodeFrame, FrameDecoder } from '../wire/frame.ts'
import type { Connections } from './connections.ts'
import type { Counters } from './counters.ts'
import { MutePeers } from './mute-peers.ts'
import type { Node } from './node.ts'
import { type LinkLimits, OutboundLink } from './outbound-link.ts'
import { batchWindowUpdates } from './window-updates.ts'

export interface LinkProtocol extends LinkLimits {
  /** As in `/p2pd/NAME/1`. */
  readonly name: string
  readonly maxFrameBytes: number
  /** A whole frame came from an authenticated peer. Throws `WireError` when it is malformed. */
  readonly receive: (from: PeerId, frame: Uint8Array) => void
}

/** What may wait of a control protocol: stale probes are worth nothing, so little. */
export const controlLimits: LinkLimits = { queueBytes: 256 * 1024, queueFrames: 512 }

/**
 * What may wait of a bulk protocol: the two ranges that a peer may have asked
 * for, 1 MiB each, and a few of the largest messages pushed on top; or as many
 * small ones. Whoever reads slower than that is sent the rest when it asks again.
 */
export const bulkLimits: LinkLimits = { queueBytes: 8 * 1024 * 1024, queueFrames: 2048 }

/** The one in use, one that replaces it, and room for both to be replaced at once. */
const maxInboundStreams = 4

/** Talks as long as there is a connection, and is no reason for one. */
const background = 'membership'

/** So many bad frames within this time, and the connection is cut. */
const strikesAllowed = 3
const strikeWindowMs = 60_000
/** Until the first frame of who has connected: a core greets at once. */
const muteMs = 30_000
/** Peers whose misdeeds are remembered. */
const maxOffenders = 1024

/**
 * Long-lived framed streams, one a peer, protocol and direction of sending: each
 * side opens its own and only reads the other's. No stream is opened a message.
 *
 * ```
 *   core ── send ──▶ codec ──▶ frame ──▶ queue ──▶ stream ═══▶ (yamux, noise, pnet, TCP)
 *   core ◀─ receive ── codec ◀── frame decoder ◀── stream ◀═══
 * ```
 */
export class Links {
  readonly #node: Node
  readonly #connections: Connections
  readonly #counters: Counters
  readonly #protocols = new Map<string, LinkProtocol>()
  readonly #outbound = new Map<PeerId, Map<string, OutboundLink>>()
  readonly #strikes = new Map<PeerId, number[]>()
  /** The last frame either way, but for those that keep a connection company. */
  readonly #usedAt = new Map<PeerId, number>()
  /** Cut for what came over them; what lies in their buffers is not looked at. */
  readonly #cut = new WeakSet<Connection>()
  /** When the last frame came over it, wall time as that of its opening. */
  readonly #heardAt = new WeakMap<Connection, number>()

  readonly #mute: MutePeers

  constructor(node: Node, connections: Connections, counters: Counters, patienceMs = muteMs) {
    this.#mute = new MutePeers(patienceMs, (peer) => {
      counters.refusedHandshakes.mute += 1
      connections.abort(peer, new P2pdError('ERR_MISBEHAVED', `${peer} has connected and says nothing`))
    })
    this.#node = node
    this.#connections = connections
    this.#counters = counters
  }

  /** Before or after connections are open. */
  async register(protocol: LinkProtocol): Promise<void> {
    const id = protocolId(protocol.name)
    this.#protocols.set(id, protocol)
    for (const [peer, links] of this.#outbound) {
      this.#openLink(id, protocol, this.#connections.of(peer).at(-1), links)
    }
    await this.#node.handle(id, (stream, connection) => this.#read(protocol, stream, connection), {
      maxInboundStreams,
    })
  }

  /** Best effort: false when it was dropped, for want of a connection or of room. */
  send(to: PeerId, name: string, body: Uint8Array): boolean {
    const id = protocolId(name)
    const link = this.#outbound.get(to)?.get(id)
    const protocol = this.#protocols.get(id)
    if (link === undefined || protocol === undefined) {
      this.#counters.dropped['not-connected'] += 1
      return false
    }
    if (name !== background) this.#usedAt.set(to, performance.now())
    return link.send(encodeFrame(body, protocol.maxFrameBytes))
  }

  /** Whether `peer` has a connection: what it sent over its last one may be read after that has gone. */
  reaches(peer: PeerId): boolean {
    return this.#outbound.has(peer)
  }

  /** Bytes that wait for `peer`, over all protocols. */
  queuedBytes(peer: PeerId): number {
    return [...(this.#outbound.get(peer)?.values() ?? [])].reduce((sum, link) => sum + link.queuedBytes, 0)
  }

  /** When, by `performance.now()`, `peer` was last sent or had sent a frame that is not membership's. */
  usedAt(peer: PeerId): number {
    return this.#usedAt.get(peer) ?? Number.NEGATIVE_INFINITY
  }

  /** The connections of `peer` have changed: open, move or close its links. */
  reconcile(peer: PeerId): void {
    const connections = this.#connections.usable(peer)
    const newest = connections.at(-1)
    if (newest === undefined) {
      for (const link of this.#outbound.get(peer)?.values() ?? []) link.close()
      this.#outbound.delete(peer)
      this.#usedAt.delete(peer)
      this.#mute.settled(peer)
      return
    }
    const links = this.#outbound.get(peer)
    if (links === undefined) {
      this.#outbound.set(peer, this.#openLinks(newest))
      this.#mute.connected(peer)
    } else for (const link of links.values()) link.use(this.#best(connections, newest))
  }

  /** A peer broke the rules; when it repeats that, all its connections are cut. */
  strike(peer: PeerId, reason: 'oversized' | 'malformed' | 'misbehaved'): void {
    this.#counters.dropped[reason] += 1
    const now = performance.now()
    const recent = (this.#strikes.get(peer) ?? []).filter((at) => now - at < strikeWindowMs)
    recent.push(now)
    this.#strikes.delete(peer)
    if (recent.length < strikesAllowed) {
      this.#strikes.set(peer, recent)
      this.#forgetOldest()
      return
    }
    this.#counters.linksCut += 1
    for (const connection of this.#connections.of(peer)) this.#cut.add(connection)
    this.#connections.abort(peer, new P2pdError('ERR_MISBEHAVED', `${peer} keeps breaking the protocol`))
  }

  stop(): void {
    this.#mute.stop()
    for (const links of this.#outbound.values()) for (const link of links.values()) link.close()
    this.#outbound.clear()
  }

  #forgetOldest(): void {
    if (this.#strikes.size <= maxOffenders) return
    const [oldest] = this.#strikes.keys()
    if (oldest !== undefined) this.#strikes.delete(oldest)
  }

  #openLinks(connection: Connection): Map<string, OutboundLink> {
    const links = new Map<string, OutboundLink>()
    for (const [id, protocol] of this.#protocols) this.#openLink(id, protocol, connection, links)
    return links
  }

  #openLink(
    id: string,
    protocol: LinkProtocol,
    connection: Connection | undefined,
    links: Map<string, OutboundLink>,
  ): void {
    const link = new OutboundLink(id, protocol, this.#counters)
    links.set(id, link)
    if (connection !== undefined) link.use(connection)
  }

  /**
   * The newest that has lasted: an older one may be cut without knowing it, a newer
   * one be the double that is closed. But when that one says nothing, the newest.
   */
  #best(connections: readonly Connection[], newest: Connection): Connection {
    const now = Date.now()
    const settled = connections.filter((connection) => now - connection.timeline.open >= settledAgeMs)
    const best = settled.at(-1) ?? connections[0] ?? newest
    const heardAt = this.#heardAt.get(best) ?? best.timeline.open
    return now - heardAt >= silentMs ? newest : best
  }

  /** By its events: an async iterator costs each frame some tens of microseconds more, which a lock has twice. */
  #read(protocol: LinkProtocol, stream: Stream, connection: Connection): void {
    const from = connection.remotePeer.toString() as PeerId
    const decoder = new FrameDecoder(protocol.maxFrameBytes)
    batchWindowUpdates(stream)
    const onMessage = ({ data }: StreamMessageEvent): void => {
      this.#heardAt.set(connection, Date.now())
      try {
        for (const part of data instanceof Uint8Array ? [data] : data) {
          for (const frame of decoder.push(part)) {
            if (this.#cut.has(connection)) return
            this.#take(protocol, from, frame)
          }
        }
      } catch (error) {
        stream.removeEventListener('message', onMessage)
        stream.abort(error instanceof Error ? error : new Error(String(error)))
        // After a bad length the rest of the stream is noise; it is closed at the first one.
        if (error instanceof WireError) this.strike(from, 'oversized')
      }
    }
    stream.addEventListener('message', onMessage)
    // Nothing is ever sent on it: half-closed at once, it is gone as soon as the peer closes its half.
    stream.close().catch((error: Error) => stream.abort(error))
  }

  #take(protocol: LinkProtocol, from: PeerId, frame: Uint8Array): void {
    this.#mute.settled(from)
    this.#counters.framesIn += 1
    this.#counters.bytesIn += frame.byteLength
    // Not of one that has gone, or it would be remembered for ever.
    if (protocol.name !== background && this.#outbound.has(from)) this.#usedAt.set(from, performance.now())
    try {
      protocol.receive(from, frame)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.strike(from, 'malformed')
    }
  }
}

/** A little less than `settledMs`, after which the tracker asks again: timers and clocks round differently. */
const settledAgeMs = 900

/** Of a connection beside which there is a newer one. */
const silentMs = 1000

export function protocolId(name: string): string {
  return `/p2pd/${name}/1`
}
