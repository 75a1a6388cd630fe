/**
 * The counters from which tokens are proposed, one a lock.
 *
 * `max + 1` of a quorum's counters is no token: with {0,1}, {0,1}, {0,2}, {1,2}
 * and crashes it gives 3 twice. So each proposal burns the counter, and a holder
 * enters only with a token that a whole quorum has burnt.
 *
 * Nothing is written with a grant. One ceiling for all locks is on disk, a block
 * ahead; no counter exceeds it, and a restart goes on above it. A ceiling may be
 * used only when enough other voters know of the write: else a disk that was put
 * back from a copy would give the block again.
 */
import { mutexLimits } from '../limits.ts'

export class Counters {
  readonly #block: number
  readonly #counters = new Map<string, number>()
  #floor: number
  #highest: number
  #ceiling: number
  #usable: number

  /** Nothing above `ceiling` was ever proposed; of a new voter it is 0. Nothing may be before `extended`. */
  constructor(ceiling: number, block: number) {
    this.#floor = ceiling
    this.#highest = ceiling
    this.#ceiling = ceiling
    this.#usable = ceiling
    this.#block = block
  }

  /** No counter is above. */
  get highest(): number {
    return this.#highest
  }

  /** On disk. */
  get ceiling(): number {
    return this.#ceiling
  }

  of(lock: string): number {
    return this.#counters.get(lock) ?? this.#floor
  }

  /** Whether tokens up to `token` may be told. */
  mayUse(token: number): boolean {
    return token <= this.#usable
  }

  /** The ceiling that should be on disk next; undefined while half a block is left above `token`. */
  wanted(token: number): number | undefined {
    const needed = Math.max(token, this.#highest)
    return this.#ceiling - needed >= this.#block / 2 ? undefined : needed + this.#block
  }

  /** `ceiling` is being written. */
  extended(ceiling: number): void {
    this.#ceiling = Math.max(this.#ceiling, ceiling)
  }

  /** Enough others know of the write that brought `ceiling`. */
  release(ceiling: number): void {
    this.#usable = Math.max(this.#usable, ceiling)
  }

  /** Burns everything up to `token` of that lock; at most what may be used. */
  burn(lock: string, token: number): void {
    const counter = Math.max(token, this.of(lock))
    this.#counters.delete(lock)
    this.#counters.set(lock, counter)
    this.#highest = Math.max(this.#highest, counter)
    if (this.#counters.size <= mutexLimits.counters) return
    // The one that was idle for longest; forgetting it must not let it begin again.
    const [oldest] = this.#counters
    if (oldest === undefined) return
    this.#counters.delete(oldest[0])
    this.#floor = Math.max(this.#floor, oldest[1])
  }

  /** No token of any lock is at or below `floor` any more. */
  raise(floor: number): void {
    this.#floor = Math.max(this.#floor, floor)
    this.#highest = Math.max(this.#highest, floor)
    for (const [lock, counter] of this.#counters) if (counter <= this.#floor) this.#counters.delete(lock)
  }
}
