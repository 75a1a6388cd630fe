/**
 * Generations strictly increase over a peer's lives, by what the peer itself
 * says once it is ready (before that, one whose disk was rolled back may still
 * learn of its earlier lives).
 */
import type { HistoryEvent, MembershipBounds, Verdict, Violation } from './history.ts'
import { Truth } from './truth.ts'

export interface GenerationFigures {
  /** Lives whose generation is known and was judged. */
  readonly lives: number
}

export function checkGenerations(
  history: readonly HistoryEvent[],
  bounds: MembershipBounds,
): Verdict<GenerationFigures> {
  const truth = new Truth(bounds.graceMs)
  for (const event of history) truth.apply(event)
  const violations: Violation[] = []
  let judged = 0
  for (const peer of truth.peers()) {
    let highest = -1
    let holder = 0
    for (const life of truth.lives(peer)) {
      if (life.named === undefined || life.readyAt === undefined) continue
      judged++
      if (life.named <= highest) {
        violations.push({
          property: 'generations-increase',
          at: life.readyAt,
          message: `${peer} has generation ${life.named} in life ${life.number}, and had ${highest} in life ${holder}`,
        })
      } else {
        highest = life.named
        holder = life.number
      }
    }
  }
  return { violations, figures: { lives: judged } }
}
