/**
 * The FencedMutex model, judged over one recorded history: an entry is legal only
 * if the lock is free and the token above the last; and what else a lock promises.
 */
import { checkAnswers } from './answers.ts'
import { checkExclusion } from './exclusion.ts'
import { checkFencing, type FencingFigures } from './fencing.ts'
import { countMutex, type MutexCounts } from './figures.ts'
import type { MutexBounds, MutexEvent, Verdict } from './history.ts'
import { checkOvertaking, type OvertakingFigures } from './overtaking.ts'
import { readRequests } from './requests.ts'
import { readScene } from './scene.ts'
import { readStays } from './stays.ts'
import { checkTokens } from './tokens.ts'
import { checkVotes } from './votes.ts'

/** What can be judged of real processes, from outside. */
export const outsideProperties = [
  /** At most one holder at any instant. */
  'exclusion',
  /** Tokens strictly increase in the order of entry. */
  'tokens',
  /** A resource takes no token below the highest that it took, and refuses no other. */
  'fencing',
  /** Each request is answered once, and as it was. */
  'answers',
  /** Without a quorum nobody asks and enters, and everybody is told soon. */
  'quorum',
] as const

/** All, as they stand in `Violation.property`. */
export const mutexProperties = [
  ...outsideProperties,
  /** Nobody goes on when its right has ended by its own reckoning. */
  'expiry',
  /** In a calm everybody is served. */
  'progress',
  /** Who waits at a quorum is not overtaken for ever. */
  'overtaking',
  /** An arbiter has one vote a lock and version. */
  'one-vote',
  /** Whoever enters has a quorum of votes of one version. */
  'quorum-votes',
  /** As long as it works such a quorum is out. */
  'backing',
  /** The history contradicts itself: the recorder is at fault. */
  'recording',
] as const

export interface MutexFigures extends MutexCounts, FencingFigures, OvertakingFigures {
  readonly events: number
}

/**
 * Judges a history; see `history.ts` for what its recorder owes. Time is
 * O(n log n) in its events, plus each request's overtakers and each stay's votes.
 */
export function checkMutex(given: readonly MutexEvent[], bounds: MutexBounds): Verdict<MutexFigures> {
  const history = given.toSorted((a, b) => a.at - b.at)
  const endAt = history.at(-1)?.at ?? 0
  const scene = readScene(history)
  const { byLock, violations: contradictions } = readStays(history)
  const { requests, violations: misanswered } = readRequests(history, byLock, scene)
  const fencing = checkFencing(history, byLock)
  const overtaking = checkOvertaking(requests, scene, bounds)
  const locks = [...byLock.values()]
  const violations = [
    ...contradictions,
    ...(bounds.timely ? locks.flatMap(checkExclusion) : []),
    ...locks.flatMap((stays) => checkTokens(stays, bounds)),
    ...fencing.violations,
    ...misanswered,
    ...checkAnswers(requests.values(), scene, bounds, endAt),
    ...overtaking.violations,
    ...checkVotes(history, byLock, bounds),
  ]
  return {
    violations: violations.sort((a, b) => a.at - b.at),
    figures: {
      events: history.length,
      ...countMutex(byLock, requests),
      ...fencing.figures,
      ...overtaking.figures,
    },
  }
}
