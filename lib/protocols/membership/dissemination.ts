/**
 * Which updates are still to be told, and how often (SWIM §4.1).
 *
 * One entry a member, overwritten by the next news of it, so the queue is
 * bounded by the number of members. Who leaves comes first: the sooner that is
 * known, the fewer look for it. Then what was told least.
 */
interface News {
  tellings: number
  /** To whom it need not be told any more, where that is kept count of. */
  readonly knownTo: string[]
  announce: boolean
  urgent: boolean
}

export class Dissemination {
  readonly #pending = new Map<string, News>()
  /** The same by how urgent they are, then by tellings left: nothing has to be sorted. */
  readonly #ordinary: Set<string>[] = []
  readonly #urgent: Set<string>[] = []
  readonly #announced = new Set<string>()

  get size(): number {
    return this.#pending.size
  }

  /** Something is yet to be told to everybody. */
  get announces(): boolean {
    return this.#announced.size > 0
  }

  /** Whether there is anything that `to` is not known to know. */
  isNewTo(to: string): boolean {
    for (const { knownTo } of this.#pending.values()) if (!knownTo.includes(to)) return true
    return false
  }

  /** `tellings`: how often yet. `announce`: first of all once to everybody. `urgent`: before all that is not. */
  enqueue(peer: string, tellings: number, announce: boolean, urgent = false): void {
    const waiting = this.#pending.get(peer)
    if (waiting !== undefined) this.#drop(peer, waiting)
    const news = {
      tellings: Math.max(tellings, waiting?.tellings ?? 0),
      knownTo: [],
      announce: announce || waiting?.announce === true,
      urgent,
    }
    this.#add(peer, news)
  }

  /** The subjects to announce now, the urgent ones first; they stay, to be told like the others. */
  takeAnnouncements(): string[] {
    const isUrgent = (peer: string) => this.#pending.get(peer)?.urgent === true
    const all = [...this.#announced]
    for (const peer of all) {
      const news = this.#pending.get(peer)
      if (news !== undefined) news.announce = false
    }
    this.#announced.clear()
    return [...all.filter(isUrgent), ...all.filter((peer) => !isUrgent(peer))]
  }

  /**
   * The subjects to tell next, at most `limit`, and until one does not fit; forgotten after their last telling.
   * `to`: only what that one does not know yet.
   */
  take(limit: number, fits: (peer: string) => boolean = () => true, to?: string): string[] {
    const taken = this.#next(Math.min(limit, this.#pending.size), fits, to)
    for (const peer of taken) this.told(peer, to)
    return taken
  }

  #next(most: number, fits: (peer: string) => boolean, to: string | undefined): string[] {
    const next: string[] = []
    for (const levels of [this.#urgent, this.#ordinary]) {
      for (let tellings = levels.length - 1; tellings > 0 && next.length < most; tellings--) {
        const level = levels[tellings]
        // Nearly all are empty, and this is done for each packet.
        if (level !== undefined && level.size > 0 && !this.#takeFrom(level, next, most, fits, to)) return next
      }
    }
    return next
  }

  /** False when one does not fit. */
  #takeFrom(
    level: ReadonlySet<string>,
    next: string[],
    most: number,
    fits: (peer: string) => boolean,
    to: string | undefined,
  ): boolean {
    for (const peer of level) {
      if (next.length >= most) return true
      if (to !== undefined && this.#pending.get(peer)?.knownTo.includes(to)) continue
      if (!fits(peer)) return false
      next.push(peer)
    }
    return true
  }

  /** Once less: it was told to `to`, or who is called so knows it already and told it here. */
  told(peer: string, to?: string): void {
    const news = this.#pending.get(peer)
    if (news === undefined) return
    if (to !== undefined) {
      if (news.knownTo.includes(to)) return
      news.knownTo.push(to)
    }
    if (news.tellings <= 1) return this.#drop(peer, news)
    const levels = news.urgent ? this.#urgent : this.#ordinary
    levels[news.tellings]?.delete(peer)
    news.tellings--
    levels[news.tellings]?.add(peer)
  }

  /** There is nobody to tell anything. */
  clear(): void {
    for (const [peer, news] of this.#pending) this.#drop(peer, news)
  }

  /** There is nothing to tell of it any more. */
  forget(peer: string): void {
    const news = this.#pending.get(peer)
    if (news !== undefined) this.#drop(peer, news)
  }

  #add(peer: string, news: News): void {
    const levels = news.urgent ? this.#urgent : this.#ordinary
    while (levels.length <= news.tellings) levels.push(new Set())
    levels[news.tellings]?.add(peer)
    if (news.announce) this.#announced.add(peer)
    this.#pending.set(peer, news)
  }

  #drop(peer: string, news: News): void {
    const levels = news.urgent ? this.#urgent : this.#ordinary
    levels[news.tellings]?.delete(peer)
    this.#announced.delete(peer)
    this.#pending.delete(peer)
  }
}

/** How often an update is told until everybody has it with high probability. */
export function retransmitLimit(factor: number, n: number): number {
  return factor * Math.ceil(Math.log2(n + 1))
}
