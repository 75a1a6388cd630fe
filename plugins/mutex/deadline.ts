/** `setTimeout` overflows beyond 2^31 - 1 ms; whoever is called an hour early looks again. */
const longestTimerMs = 3_600_000

/** One timer for many ends: it goes off at the earliest. Does not keep the process alive. */
export class Deadline {
  readonly #reached: () => void
  #timer: NodeJS.Timeout | undefined
  #at = Number.POSITIVE_INFINITY

  /** `reached` may be called early: it looks at the clock, and says `by` for what is still to come. */
  constructor(reached: () => void) {
    this.#reached = reached
  }

  /** At monotonic ms, or earlier. */
  by(at: number): void {
    if (at >= this.#at) return
    this.clear()
    this.#at = at
    const waitMs = Math.min(longestTimerMs, Math.max(0, Math.ceil(at - performance.now())))
    this.#timer = setTimeout(() => {
      this.clear()
      this.#reached()
    }, waitMs).unref()
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#at = Number.POSITIVE_INFINITY
  }
}
