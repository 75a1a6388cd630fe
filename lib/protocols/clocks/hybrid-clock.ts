/**
 * The hybrid clock of a peer (Kulkarni et al. 2014; see hybrid.ts): what it
 * stamps rises, is not below its wall clock, and is above every stamp it merged.
 *
 * Merging cannot be taken back, so a stamp from afar is merged only as far as it
 * can be the time. Refusing must be looser than merging: else a liar drives one
 * honest peer to its limit, and the next one, whose limit is a little lower,
 * refuses that honest peer. Hence three zones above what it can be:
 *
 * ```
 *   ── the time ── latest ── merged ── + 500 ms ── held until inside ── + 1000 ms ── not merged, counted ──▶
 * ```
 *
 * A restart must not go back, whatever the wall clock says then. So before a
 * stamp is told, a *ceiling* above it is on disk, up to 500 ms ahead so that it
 * is written twice a second at most. The next life starts at it.
 *
 * Nothing here waits or wakes: what is held is looked at with the next call.
 * Until then nobody can tell the difference.
 */
import type { Instant, PeerId } from '../core.ts'
import { decodeCeiling, encodeCeiling } from './codec.ts'
import {
  compareHybrid,
  type HybridStamp,
  isHybridStamp,
  maxHybridCounter,
  maxHybridMs,
  nextHybrid,
} from './hybrid.ts'
import { LatestTold } from './latest-told.ts'
import { Repeaters } from './repeaters.ts'

export type MergeOutcome = 'merged' | 'held' | 'ignored'

export interface Stamping {
  readonly stamp: HybridStamp
  /** To be on disk before the stamp is told to anybody; see `persisted`. */
  readonly ceiling: Uint8Array | undefined
}

export class HybridClock {
  /** Stamps are merged up to the latest time that it can be plus this, ms. */
  static readonly mergeWithinMs = 500
  /** Beyond that, held up to so much more, ms. */
  static readonly holdWithinMs = 500
  /** How far a ceiling is above the stamp that needs it, ms. */
  static readonly ceilingAheadMs = 500
  /** Distinct milliseconds held; more than the zone has only after `latest` fell. */
  static readonly maxHeld = 1000
  readonly #told = new LatestTold()
  readonly #repeaters = new Repeaters()
  /** Highest counter by millisecond: only the highest of a millisecond matters, and all of one are inside at once. */
  readonly #held = new Map<number, number>()
  #lowestHeldMs = Number.POSITIVE_INFINITY
  /** The last stamp made or merged. */
  #last: HybridStamp
  /** The last one that a crash cannot make this peer fall below. */
  #tellable: HybridStamp | undefined
  /** First millisecond that is not covered: by what was asked to be written, and by what is on disk. */
  #ceilingMs: number
  #durableMs: number
  /** A former life got so far: until that can be the time, others would not merge what is stamped. */
  #waitsForMs: number
  #merged = 0
  #heldCount = 0
  #ignored = 0

  /** `ceiling`: what an earlier life persisted. Throws `WireError` ERR_STORE_CORRUPT. */
  constructor(ceiling?: Uint8Array) {
    const startMs = ceiling === undefined ? 0 : decodeCeiling(ceiling)
    this.#ceilingMs = startMs
    this.#durableMs = startMs
    this.#waitsForMs = startMs
    this.#last = startMs === 0 ? { ms: 0, counter: 0 } : { ms: startMs - 1, counter: maxHybridCounter }
  }

  /** Of remote stamps since the start. What was held is merged later. */
  get figures(): { readonly merged: number; readonly held: number; readonly ignored: number } {
    return { merged: this.#merged, held: this.#heldCount, ignored: this.#ignored }
  }

  /**
   * A stamp for an event here. Undefined while it must not stamp: a former life was
   * ahead, by a wall clock that was set back since, of what it can be now plus 500 ms.
   */
  stamp(now: Instant): Stamping | undefined {
    this.#release(now)
    if (this.#mustWait(now)) return undefined
    const stamp = nextHybrid(this.#last, wallMs(now))
    if (stamp === undefined) return undefined
    this.#take(stamp)
    if (stamp.ms < this.#durableMs) return { stamp, ceiling: undefined }
    if (stamp.ms >= this.#ceilingMs) {
      this.#ceilingMs = Math.min(stamp.ms + HybridClock.ceilingAheadMs, maxHybridMs + 1)
    }
    return { stamp, ceiling: encodeCeiling(this.#ceilingMs) }
  }

  /**
   * `ceiling` is on disk. Until this is said every stamp comes with its ceiling,
   * since another protocol's write may still be under way, and heartbeats do not
   * tell the stamps above it. Throws `WireError` for what is no ceiling.
   */
  persisted(ceiling: Uint8Array): void {
    this.#durableMs = Math.max(this.#durableMs, decodeCeiling(ceiling))
    this.#noteTellable()
  }

  /** The present hybrid time, for people to read: no event, and nothing to persist. */
  read(now: Instant): HybridStamp {
    this.#release(now)
    const ms = wallMs(now)
    return ms > this.#last.ms ? { ms, counter: 0 } : this.#last
  }

  /** The last stamp made or merged that may be told as it is; undefined before the first. */
  tellable(now: Instant): HybridStamp | undefined {
    this.#release(now)
    return this.#tellable
  }

  /** Takes a remote stamp into account, as far as it can be the time. Never a reason to drop what it came with. */
  merge(stamp: HybridStamp, from: PeerId, now: Instant): MergeOutcome {
    this.#release(now)
    const outcome = this.#judge(stamp, from, now)
    if (outcome === 'merged') this.#merged++
    else if (outcome === 'held') this.#heldCount++
    else this.#ignored++
    return outcome
  }

  /** A member says how late it can be; `latestMs` is within 48 bits. */
  told(from: PeerId, latestMs: number, now: Instant): void {
    this.#told.tell(from, latestMs, now)
  }

  forget(peer: PeerId): void {
    this.#told.forget(peer)
    this.#repeaters.forget(peer)
  }

  #judge(stamp: HybridStamp, from: PeerId, now: Instant): MergeOutcome {
    if (!isHybridStamp(stamp) || this.#repeaters.isIgnored(from, now.monotonic)) return 'ignored'
    if (compareHybrid(stamp, this.#last) <= 0) return 'merged'
    const limitMs = this.#limitMs(now)
    if (stamp.ms <= limitMs) {
      this.#take(stamp)
      return 'merged'
    }
    if (stamp.ms <= limitMs + HybridClock.holdWithinMs) return this.#hold(stamp) ? 'held' : 'ignored'
    this.#repeaters.struck(from, now.monotonic)
    return 'ignored'
  }

  /** The latest millisecond that is merged. */
  #limitMs(now: Instant): number {
    return (this.#told.latestMs(now) ?? wallMs(now)) + HybridClock.mergeWithinMs
  }

  /** Once the time can have come, it stays so. The own clock may be the one that knows. */
  #mustWait(now: Instant): boolean {
    const latestMs = Math.max(wallMs(now), this.#told.latestMs(now) ?? 0)
    if (latestMs + HybridClock.mergeWithinMs < this.#waitsForMs) return true
    this.#waitsForMs = 0
    return false
  }

  #take(stamp: HybridStamp): void {
    this.#last = stamp
    this.#noteTellable()
  }

  #noteTellable(): void {
    if (this.#last.ms < this.#durableMs) this.#tellable = this.#last
  }

  #hold({ ms, counter }: HybridStamp): boolean {
    const known = this.#held.get(ms)
    if (known === undefined && this.#held.size >= HybridClock.maxHeld) return false
    this.#held.set(ms, Math.max(known ?? 0, counter))
    this.#lowestHeldMs = Math.min(this.#lowestHeldMs, ms)
    return true
  }

  /** What was held and is inside by now. */
  #release(now: Instant): void {
    if (this.#held.size === 0) return
    const limitMs = this.#limitMs(now)
    if (limitMs < this.#lowestHeldMs) return
    this.#lowestHeldMs = Number.POSITIVE_INFINITY
    for (const [ms, counter] of this.#held) {
      if (ms > limitMs) {
        this.#lowestHeldMs = Math.min(this.#lowestHeldMs, ms)
        continue
      }
      this.#held.delete(ms)
      if (compareHybrid({ ms, counter }, this.#last) > 0) this.#take({ ms, counter })
    }
  }
}

/** The wall clock as the stamp's physical part: whole milliseconds that fit. */
function wallMs(now: Instant): number {
  return Math.min(maxHybridMs, Math.max(0, Math.floor(now.wall)))
}
