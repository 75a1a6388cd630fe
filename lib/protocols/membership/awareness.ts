/**
 * Lifeguard's local health multiplier: am I the sick one (§IV-A)?
 *
 * 0 is well, 8 is worst. It scales the probe period and the time-out both, so a
 * peer that has trouble slows down before it accuses.
 */
export class Awareness {
  static readonly worst = 8
  #score = 0
  #refutedAt = Number.NEGATIVE_INFINITY

  get score(): number {
    return this.#score
  }

  /** What periods and time-outs are multiplied by. */
  get multiplier(): number {
    return this.#score + 1
  }

  probeSucceeded(): void {
    this.#add(-1)
  }

  /** Only for a subject that nobody suspected when the probe began: a dead peer says nothing of me. */
  probeFailed(): void {
    this.#add(1)
  }

  /** A helper that was asked and is alive said nothing at all: the silence is likely mine. */
  nackMissed(): void {
    this.#add(1)
  }

  /** Somebody had to be told that I live. At most once a period: a mass death raises many at once. */
  refuted(now: number, periodMs: number): void {
    if (now - this.#refutedAt < periodMs) return
    this.#refutedAt = now
    this.#add(1)
  }

  #add(delta: number): void {
    this.#score = Math.min(Awareness.worst, Math.max(0, this.#score + delta))
  }
}
