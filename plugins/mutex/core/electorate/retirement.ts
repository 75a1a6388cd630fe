/** Who was replaced, and for how long it is passed over: so that a peer that comes and goes does not do so as a voter. */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import type { Decision } from './messages.ts'

interface Retired {
  readonly times: number
  /** When this peer learnt of the last time, monotonic ms: a restart begins anew, which is the careful side. */
  readonly at: number
}

export class Retirement {
  readonly #retired = new Map<PeerId, Retired>()
  #lastAt = Number.NEGATIVE_INFINITY

  /** A decision, in the order of the chain. */
  learn(decision: Decision, now: number): void {
    if (decision.type !== 'voters' || decision.replaced.length === 0) return
    for (const peer of decision.replaced) {
      this.#retired.set(peer, { times: (this.#retired.get(peer)?.times ?? 0) + 1, at: now })
    }
    this.#lastAt = now
  }

  /** Those of the chain that was there before this life; when the last of them was is not known. */
  restore(decision: Decision, now: number): void {
    const lastAt = this.#lastAt
    this.learn(decision, now)
    this.#lastAt = lastAt
  }

  sinceMs(now: number): number {
    return now - this.#lastAt
  }

  isRetired(peer: PeerId, now: number, firstMs: number, mostMs: number): boolean {
    const retired = this.#retired.get(peer)
    if (retired === undefined) return false
    return now - retired.at < Math.min(mostMs, firstMs * 2 ** (retired.times - 1))
  }

  clear(): void {
    this.#retired.clear()
    this.#lastAt = Number.NEGATIVE_INFINITY
  }
}
