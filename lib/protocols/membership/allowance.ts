/**
 * How much of something one member may cause (a token bucket): `burst` at once,
 * then `perSecond`.
 */
export interface Rate {
  readonly burst: number
  readonly perSecond: number
}

export class Allowance {
  #left: number
  #at: number

  constructor({ burst }: Rate, now: number) {
    this.#left = burst
    this.#at = now
  }

  /** Whether there is one to take at the monotonic instant `now`, ms. */
  has({ burst, perSecond }: Rate, now: number): boolean {
    this.#left = Math.min(burst, this.#left + ((now - this.#at) * perSecond) / 1000)
    this.#at = now
    return this.#left >= 1
  }

  /** Whether more than half of the burst is used up. */
  isSpent(rate: Rate, now: number): boolean {
    this.has(rate, now)
    return this.#left < rate.burst / 2
  }

  take(rate: Rate, now: number): boolean {
    if (!this.has(rate, now)) return false
    this.#left--
    return true
  }

  /** When there is one again, ms; what is missing may be less than a clock can tell. */
  nextAt(rate: Rate, now: number): number {
    return this.has(rate, now) ? now : now + Math.max(1, ((1 - this.#left) * 1000) / rate.perSecond)
  }
}
