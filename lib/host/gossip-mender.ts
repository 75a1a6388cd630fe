import type { PeerId } from '../protocols/core.ts'
import type { Connections } from './connections.ts'
import type { Counters } from './counters.ts'
import type { GossipService } from './gossip-service.ts'

interface Ailing {
  /** Its streams were opened anew so many times, in vain so far. */
  attempts: number
  dueAt: number
}

/** Identify and the first stream take a few round trips. */
const graceMs = 2000
/** A stream broke on a connection that may be about to go as well. */
const lostMs = 250
/** Between the reset of the old streams and the new one. */
const settleMs = 50
/** Then the connection itself is taken to be what is wrong. */
const attemptsBeforeReset = 3
/** Between two resets of the connection to one peer. */
const resetIntervalMs = 60_000
const longestWaitMs = 60_000

/**
 * Watches that gossip flows to whoever is connected.
 *
 * gossipsub opens its stream when a peer is identified and never again: when a
 * limit aborts the stream, when the connection that carried it was the double of
 * another, or when it takes an old connection's end for the new one's, the peer
 * gets nothing for as long as it stays connected. So the streams are opened
 * anew, and if that does not help the connection is closed for the dialler to
 * make another.
 */
export class GossipMender {
  readonly #service: GossipService
  readonly #connections: Connections
  readonly #counters: Counters
  readonly #ailing = new Map<PeerId, Ailing>()
  readonly #proven = new Set<PeerId>()
  readonly #resetAt = new Map<PeerId, number>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #stopped = false

  constructor(service: GossipService, connections: Connections, counters: Counters) {
    this.#service = service
    this.#connections = connections
    this.#counters = counters
  }

  /** Gossip flows to `peer`: it speaks the protocol. */
  opened(peer: PeerId): void {
    this.#proven.add(peer)
    this.#ailing.delete(peer)
  }

  /** The stream to `peer` is gone; its connection may be going, too. */
  lost(peer: PeerId): void {
    this.#later(lostMs, () => {
      if (this.#connections.of(peer).length === 0 || this.#well(peer)) return
      const { attempts } = this.#ailing.get(peer) ?? { attempts: 0 }
      if (attempts === 0) this.#mend(peer, { attempts, dueAt: 0 }, performance.now())
    })
  }

  /** To be called every few seconds. */
  look(now = performance.now()): void {
    const connected = new Set(this.#connections.peers())
    for (const peer of [...this.#ailing.keys(), ...this.#proven]) if (!connected.has(peer)) this.#forget(peer)
    for (const [peer, at] of this.#resetAt) if (now - at > resetIntervalMs) this.#resetAt.delete(peer)
    for (const peer of connected) {
      if (this.#well(peer)) {
        this.#ailing.delete(peer)
        continue
      }
      const ailing = this.#ailing.get(peer)
      if (ailing === undefined) this.#ailing.set(peer, { attempts: 0, dueAt: now + graceMs })
      else if (now >= ailing.dueAt) this.#mend(peer, ailing, now)
    }
  }

  stop(): void {
    this.#stopped = true
    for (const timer of this.#timers) clearTimeout(timer)
  }

  #forget(peer: PeerId): void {
    this.#ailing.delete(peer)
    this.#proven.delete(peer)
  }

  #well(peer: PeerId): boolean {
    return this.#service.streams.to(peer) !== undefined && this.#service.knows(peer)
  }

  #mend(peer: PeerId, { attempts }: Ailing, now: number): void {
    if (attempts >= attemptsBeforeReset && this.#mayReset(peer)) this.#reset(peer, now)
    else this.#reopen(peer)
    this.#ailing.set(peer, {
      attempts: attempts + 1,
      dueAt: now + Math.min(longestWaitMs, graceMs * 2 ** attempts),
    })
  }

  /**
   * The peer's stream goes, too: what broke on this side may be what was read,
   * and then the peer writes to nobody and cannot know.
   */
  #reopen(peer: PeerId): void {
    this.#counters.gossipReopened += 1
    this.#service.streams.abort(peer, new Error(`gossip with ${peer} was interrupted`))
    this.#later(settleMs, () => {
      const connection = this.#connections.of(peer).at(-1)
      if (connection !== undefined && !this.#well(peer)) this.#service.streams.open(connection)
    })
  }

  /** Only who has shown that it speaks the protocol: another would be cut off again and again. */
  #mayReset(peer: PeerId): boolean {
    return this.#proven.has(peer) && !this.#resetAt.has(peer)
  }

  #reset(peer: PeerId, now: number): void {
    this.#resetAt.set(peer, now)
    this.#counters.gossipResets += 1
    for (const connection of this.#connections.of(peer)) this.#connections.close(connection)
  }

  #later(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      if (!this.#stopped) run()
    }, ms)
    timer.unref()
    this.#timers.add(timer)
  }
}
