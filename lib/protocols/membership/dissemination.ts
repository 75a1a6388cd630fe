/**
 * Which updates are still to be told, and how often (SWIM §4.1).
 *
 * One entry a member, overwritten by the next news of it, so the queue is
 * bounded by the number of members. What was told least goes first.
 */
export class Dissemination {
  readonly #pending = new Map<string, { tellings: number; announce: boolean }>()

  get size(): number {
    return this.#pending.size
  }

  /** `tellings`: how often yet. `announce`: first of all once to everybody. */
  enqueue(peer: string, tellings: number, announce: boolean): void {
    const waiting = this.#pending.get(peer)
    this.#pending.set(peer, {
      tellings: Math.max(tellings, waiting?.tellings ?? 0),
      announce: announce || waiting?.announce === true,
    })
  }

  /** The subjects to announce now; they stay, to be told like the others. */
  takeAnnouncements(): string[] {
    const subjects: string[] = []
    for (const [peer, news] of this.#pending) {
      if (!news.announce) continue
      news.announce = false
      subjects.push(peer)
    }
    return subjects
  }

  /** The subjects to tell next, at most `limit`; forgotten after their last telling. */
  take(limit: number): string[] {
    const subjects = [...this.#pending].sort(([, a], [, b]) => b.tellings - a.tellings).slice(0, limit)
    for (const [peer, news] of subjects) {
      news.tellings--
      if (news.tellings <= 0) this.#pending.delete(peer)
    }
    return subjects.map(([peer]) => peer)
  }
}

/** How often an update is told until everybody has it with high probability. */
export function retransmitLimit(factor: number, n: number): number {
  return factor * Math.ceil(Math.log2(n + 1))
}
