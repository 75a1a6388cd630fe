/**
 * Whom to probe in this period (SWIM §4.3).
 *
 * Round robin over a shuffled list bounds the time until a given member is
 * probed, which picking at random does not. Small clusters probe everybody each
 * period: with five members, one subject a period left a tail of 6–9 s before a
 * silent death was noticed. While a suspicion is open, eight are probed, those
 * on whom its word is still wanted first: suspects must be judged, and if many are
 * silent the own connection is the likelier culprit.
 */
import { shuffled } from './shuffled.ts'

export class ProbeSchedule {
  static readonly whileSuspecting = 8
  readonly #random: () => number
  #queue: string[] = []

  constructor(random: () => number) {
    this.#random = random
  }

  next(members: readonly ProbeCandidate[], probeAllUpTo: number): string[] {
    if (members.length + 1 <= probeAllUpTo) return members.map((m) => m.peer)
    const holdsSuspect = members.some((m) => m.suspect)
    const count = holdsSuspect ? ProbeSchedule.whileSuspecting : 1
    const subjects = members
      .filter((m) => m.suspect && !m.isJudged)
      .slice(0, count)
      .map((m) => m.peer)
    const probeable = new Set(members.map((m) => m.peer))
    for (let tries = 0; subjects.length < count && tries <= 2 * members.length; tries++) {
      if (this.#queue.length === 0) this.#queue = shuffled([...probeable], this.#random)
      const peer = this.#queue.pop()
      if (peer !== undefined && probeable.has(peer) && !subjects.includes(peer)) subjects.push(peer)
    }
    return subjects
  }
}

export interface ProbeCandidate {
  readonly peer: string
  readonly suspect: boolean
  /** A probe of it would change nothing. */
  readonly isJudged: boolean
}
