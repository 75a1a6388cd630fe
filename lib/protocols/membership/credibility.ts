/**
 * Who has cried wolf.
 *
 * A refutation counts against an accuser only if nobody else accused that
 * incarnation. After three in 60 s its accusations open no suspicion for 60 s.
 * They still confirm one that somebody credible opened: muting accusers outright
 * would let a liar provoke refutations until a true accuser is not heard.
 */
export class Credibility {
  static readonly strikes = 3
  static readonly windowMs = 60_000
  readonly #strikes = new Map<string, number[]>()
  readonly #mutedUntil = new Map<string, number>()

  /** `accuser` alone accused an incarnation that its owner then refuted. */
  refutedAlone(accuser: string, now: number): void {
    const recent = (this.#strikes.get(accuser) ?? []).filter((at) => now - at < Credibility.windowMs)
    recent.push(now)
    if (recent.length >= Credibility.strikes) {
      this.#mutedUntil.set(accuser, now + Credibility.windowMs)
      this.#strikes.delete(accuser)
    } else {
      this.#strikes.set(accuser, recent)
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
}
