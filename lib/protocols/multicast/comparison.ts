/**
 * When to compare with whom: now and then with anybody, and soon with those whose
 * heartbeat told another digest, once this peer is quiet: under load they always differ.
 */
import type { PeerId } from '../core.ts'
import type { AntiEntropy } from './anti-entropy.ts'
import type { CausalOrder } from './causal-order.ts'
import type { GroupContext } from './group-context.ts'

/** Without a delivery for so long, a difference counts, ms. */
const quietMs = 500

export class Comparison {
  readonly #group: GroupContext
  readonly #order: CausalOrder
  readonly #antiEntropy: AntiEntropy
  /** Digests that differed when they were told. */
  readonly #differing = new Map<PeerId, string>()
  #deliveredAt = Number.NEGATIVE_INFINITY

  constructor(group: GroupContext, order: CausalOrder, antiEntropy: AntiEntropy) {
    this.#group = group
    this.#order = order
    this.#antiEntropy = antiEntropy
  }

  /** Plans the next round with a random member. */
  plan(): void {
    const { antiEntropyMinMs, antiEntropyMaxMs } = this.#group.init.config
    const afterMs = antiEntropyMinMs + this.#group.random() * (antiEntropyMaxMs - antiEntropyMinMs)
    this.#group.schedule('anti-entropy', this.#group.now + afterMs)
  }

  /** The time of that round. */
  run(): void {
    this.plan()
    const peer = this.#group.pick(this.#group.reachable())
    if (peer !== undefined && this.#order.isOpen) this.#antiEntropy.begin(peer)
  }

  /** With everybody who can be reached. */
  withAll(): void {
    for (const peer of this.#group.reachable()) this.#antiEntropy.begin(peer)
  }

  delivered(): void {
    this.#deliveredAt = this.#group.now
  }

  /** What a heartbeat of `peer` told. */
  told(peer: PeerId, digest: string): void {
    if (digest === this.#order.delivered.digest) this.#differing.delete(peer)
    else if (this.#group.reachable().includes(peer)) {
      this.#differing.set(peer, digest)
      this.#group.schedule('compare', this.#group.now + quietMs)
    }
  }

  withThoseWhoDiffer(): void {
    const quietAt = this.#deliveredAt + quietMs
    if (quietAt > this.#group.now) {
      this.#group.schedule('compare', quietAt)
      return
    }
    const { digest } = this.#order.delivered
    for (const [peer, theirs] of this.#differing) if (theirs !== digest) this.#antiEntropy.begin(peer)
    this.#differing.clear()
  }

  lost(peer: PeerId): void {
    this.#differing.delete(peer)
  }
}
