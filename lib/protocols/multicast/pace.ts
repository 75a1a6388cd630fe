import type { PeerId } from '../core.ts'

/** Answers each peer no more often than once an interval. */
export class Pace {
  readonly #intervalMs: number
  readonly #answeredAt = new Map<PeerId, number>()

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs
  }

  /** Whether `peer` may be answered now; then it is. */
  allows(peer: PeerId, now: number): boolean {
    if (now - (this.#answeredAt.get(peer) ?? Number.NEGATIVE_INFINITY) < this.#intervalMs) return false
    this.#answeredAt.set(peer, now)
    return true
  }

  forget(peer: PeerId): void {
    this.#answeredAt.delete(peer)
  }
}
