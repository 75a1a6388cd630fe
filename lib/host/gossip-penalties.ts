import type { PeerId } from '../protocols/core.ts'

/** As long as links remember a strike. */
const windowMs = 60_000
/** Of one peer; the third already makes it unheard. */
const maxRemembered = 4
/** Peers whose misdeeds are remembered. */
const maxOffenders = 1024
/** gossipsub prunes a peer below 0 from its meshes and stops listening to one below -80: at the third misdeed. */
const scorePerSquare = -10

/**
 * What a refused message costs its sender, as gossipsub's application score.
 *
 * gossipsub's own count of invalid messages works only for topics that were named
 * when it was made, and starts again from zero whenever a peer reconnects.
 */
export class GossipPenalties {
  readonly #misdeeds = new Map<PeerId, readonly number[]>()

  add(peer: PeerId, now = performance.now()): void {
    const recent = [...this.#recent(peer, now), now].slice(-maxRemembered)
    this.#misdeeds.delete(peer)
    this.#misdeeds.set(peer, recent)
    if (this.#misdeeds.size <= maxOffenders) return
    const [oldest] = this.#misdeeds.keys()
    if (oldest !== undefined) this.#misdeeds.delete(oldest)
  }

  /** 0 without misdeeds, and below it by the square of their number. */
  score(peer: PeerId, now = performance.now()): number {
    if (!this.#misdeeds.has(peer)) return 0
    const recent = this.#recent(peer, now)
    if (recent.length === 0) this.#misdeeds.delete(peer)
    return recent.length === 0 ? 0 : scorePerSquare * recent.length ** 2
  }

  #recent(peer: PeerId, now: number): readonly number[] {
    return (this.#misdeeds.get(peer) ?? []).filter((at) => now - at < windowMs)
  }
}
