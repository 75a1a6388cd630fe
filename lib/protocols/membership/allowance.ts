/**
 * How much of something one member may cause (a token bucket): `burst` at once,
 * then `perSecond`.
 */
export interface Rate {
  readonly burst: number
  readonly perSecond: number
}

export class Allowance {
  /** When all that was taken will have been earned again, ms (GCRA's theoretical arrival time). */
  #paidAt = Number.NEGATIVE_INFINITY

  /** Whether there is at least one to take at the monotonic instant `now`, ms. */
  has(rate: Rate, now: number): boolean {
    return this.#left(rate, now) >= 1
  }

  /** Whether more than half of the burst is used up. */
  isSpent(rate: Rate, now: number): boolean {
    return this.#left(rate, now) < rate.burst / 2
  }

  /** What costs more than one may leave less than nothing. */
  take(rate: Rate, now: number, cost = 1): boolean {
    if (!this.has(rate, now)) return false
    this.#paidAt = Math.max(this.#paidAt, now) + (cost * 1000) / rate.perSecond
    return true
  }

  /** When there is one again, ms; what is missing may be less than a clock can tell. */
  nextAt(rate: Rate, now: number): number {
    const left = this.#left(rate, now)
    return left >= 1 ? now : now + Math.max(1, ((1 - left) * 1000) / rate.perSecond)
  }

  #left({ burst, perSecond }: Rate, now: number): number {
    return burst - (Math.max(0, this.#paidAt - now) * perSecond) / 1000
  }
}
