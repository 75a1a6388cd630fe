/**
 * Which updates are still to be told, and how often (SWIM §4.1).
 *
 * One entry a member, overwritten by the next news of it, so the queue is
 * bounded by the number of members. What was told least goes first, departures
 * before everything.
 */
export class Dissemination {
  readonly #pending = new Map<string, { sent: number; urgent: boolean }>()

  get size(): number {
    return this.#pending.size
  }

  /** Something waits that should not wait for its turn. */
  get hasUrgent(): boolean {
    for (const news of this.#pending.values()) if (news.urgent && news.sent === 0) return true
    return false
  }

  enqueue(peer: string, urgent: boolean): void {
    this.#pending.set(peer, { sent: 0, urgent })
  }

  forget(peer: string): void {
    this.#pending.delete(peer)
  }

  /** The subjects to tell next; `limit` each call; forgotten after `retransmits` tellings. */
  take(limit: number, retransmits: number): string[] {
    const subjects = [...this.#pending]
      .sort(([, a], [, b]) => Number(b.urgent) - Number(a.urgent) || a.sent - b.sent)
      .slice(0, limit)
    for (const [peer, told] of subjects) {
      told.sent++
      if (told.sent >= retransmits) this.#pending.delete(peer)
    }
    return subjects.map(([peer]) => peer)
  }
}

/** How often an update is told until everybody has it with high probability. */
export function retransmitLimit(factor: number, n: number): number {
  return factor * Math.ceil(Math.log2(n + 1))
}
