/**
 * Who has cried wolf.
 *
 * A refutation counts against an accuser only if nobody else accused that
 * incarnation. After three in 60 s its accusations open no suspicion for 60 s.
 * They still confirm one that somebody credible opened: muting accusers outright
 * would let a liar provoke refutations until a true accuser is not heard.
 *
 * What is too old to count is forgotten, also of those who are no members any
 * more: an accuser may be long gone when its subject answers.
 */
export class Credibility {
  static readonly strikes = 3
  static readonly windowMs = 60_000
  /** Accusers remembered; of more, those whose last strike is the oldest are forgotten. */
  static readonly most = 4096
  /** When each was refuted within the window; who was last comes last. */
  readonly #strikes = new Map<string, readonly number[]>()
  /** Who was muted last comes last. */
  readonly #mutedUntil = new Map<string, number>()

  /** How many there is something to remember of. */
  get size(): number {
    return this.#strikes.size + this.#mutedUntil.size
  }

  /** `accuser` alone accused an incarnation that its owner then refuted. */
  refutedAlone(accuser: string, now: number): void {
    this.#forgetOld(now)
    const recent = (this.#strikes.get(accuser) ?? []).filter((at) => now - at < Credibility.windowMs)
    this.#strikes.delete(accuser)
    if (recent.length + 1 < Credibility.strikes) {
      this.#strikes.set(accuser, [...recent, now])
    } else {
      this.#mutedUntil.delete(accuser)
      this.#mutedUntil.set(accuser, now + Credibility.windowMs)
    }
  }

  isMuted(accuser: string, now: number): boolean {
    const until = this.#mutedUntil.get(accuser)
    if (until === undefined) return false
    if (now < until) return true
    this.#mutedUntil.delete(accuser)
    return false
  }

  forget(accuser: string): void {
    this.#strikes.delete(accuser)
    this.#mutedUntil.delete(accuser)
  }

  #forgetOld(now: number): void {
    for (const [accuser, at] of this.#strikes) {
      const isOld = now - (at.at(-1) ?? 0) >= Credibility.windowMs
      if (!isOld && this.#strikes.size < Credibility.most) break
      this.#strikes.delete(accuser)
    }
    for (const [accuser, until] of this.#mutedUntil) {
      if (now < until && this.#mutedUntil.size < Credibility.most) break
      this.#mutedUntil.delete(accuser)
    }
  }
}
