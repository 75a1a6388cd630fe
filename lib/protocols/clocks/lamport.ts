/**
 * Lamport's logical clock: if one event happened before another, its number is lower.
 *
 * - Lamport 1978, Time, Clocks, and the Ordering of Events in a Distributed System
 *
 * The reverse does not hold: a lower number proves nothing. One clock a peer;
 * every protocol whose messages carry a number merges it here.
 */

/** The largest number that a double counts exactly. */
export const maxLamport = Number.MAX_SAFE_INTEGER

/**
 * A number further ahead than this is nobody's honest count: at a million events
 * a second the step takes twelve days. Without it one message would end the clock.
 */
export const maxLamportLead = 2 ** 40

export class LamportClock {
  #value = 0

  /** Of the last event here, or the highest merged; 0 before the first. */
  get value(): number {
    return this.#value
  }

  /** The number of a new event. At its end, which only a liar brings about in thousands of steps, the clock stands still. */
  tick(): number {
    this.#value = Math.min(maxLamport, this.#value + 1)
    return this.#value
  }

  /** Takes over a higher number. False, and nothing changed, when no honest clock can say it. */
  observe(remote: number): boolean {
    const sound = Number.isSafeInteger(remote) && remote >= 0
    if (!sound || remote - this.#value > maxLamportLead) return false
    this.#value = Math.max(this.#value, remote)
    return true
  }
}
