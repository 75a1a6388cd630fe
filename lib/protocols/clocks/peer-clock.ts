/**
 * The clocks of one peer: a Lamport clock and a hybrid one, shared by all its
 * protocols, so that an order by either holds across them. Vectors belong to a
 * group and live with multicast.
 *
 * Heartbeats carry both (`rider`, `heard`): who publishes nothing and hears no
 * message still moves on with the others. A heartbeat is no event: neither clock
 * ticks for it, or an idle cluster would count as fast as it pings.
 */
import type { Instant, PeerId } from '../core.ts'
import { decodeClockRider, encodeClockRider } from './codec.ts'
import { type HybridStamp, maxHybridMs } from './hybrid.ts'
import { HybridClock, type Stamping } from './hybrid-clock.ts'
import { LamportClock } from './lamport.ts'

export interface ClockFigures {
  /** Remote hybrid stamps since the start, by what became of them. */
  readonly merged: number
  readonly held: number
  readonly ignored: number
  /** Remote Lamport numbers that were too far ahead to be merged. */
  readonly lamportRefused: number
}

export class PeerClock {
  readonly lamport = new LamportClock()
  readonly hybrid: HybridClock
  #lamportRefused = 0

  /** `ceiling`: what an earlier life persisted under `clock`. Throws `WireError` ERR_STORE_CORRUPT. */
  constructor(ceiling?: Uint8Array) {
    this.hybrid = new HybridClock(ceiling)
  }

  get figures(): ClockFigures {
    return { ...this.hybrid.figures, lamportRefused: this.#lamportRefused }
  }

  /** A hybrid stamp for an event here; see `HybridClock.stamp` for `ceiling` and for undefined. */
  stamp(now: Instant): Stamping | undefined {
    return this.hybrid.stamp(now)
  }

  /** Merges what a message of `from` carries. Never a reason to drop the message. */
  observe(from: PeerId, lamport: number, stamp: HybridStamp | undefined, now: Instant): void {
    if (!this.lamport.observe(lamport)) this.#lamportRefused++
    if (stamp !== undefined) this.hybrid.merge(stamp, from, now)
  }

  /**
   * What a heartbeat carries, at most 26 bytes. `latest` is the bare wall clock:
   * lifted to the ceiling, peers that were set back would talk each other ahead.
   */
  rider(now: Instant): Uint8Array {
    const latestMs = Math.min(maxHybridMs, Math.max(0, Math.ceil(now.wall)))
    return encodeClockRider({ lamport: this.lamport.value, hybrid: this.hybrid.tellable(now), latestMs })
  }

  /**
   * What a heartbeat of a member's current life carried. Throws `WireError` for what
   * no clock can say. A number that is only too far ahead of the own one is counted
   * and not merged: its sender may be an honest peer that a liar drove to its limit.
   */
  heard(from: PeerId, bytes: Uint8Array, now: Instant): void {
    const { lamport, hybrid, latestMs } = decodeClockRider(bytes)
    // First, since it bounds the sender's own stamp.
    this.hybrid.told(from, latestMs, now)
    this.observe(from, lamport, hybrid, now)
  }

  /** A member has left or died: what it told no longer counts. */
  forget(peer: PeerId): void {
    this.hybrid.forget(peer)
  }
}
