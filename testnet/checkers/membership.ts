/** Everything that membership promises, judged over one recorded history in one go. */
import { type AccuracyFigures, checkAccuracy } from './accuracy.ts'
import { type CompletenessFigures, checkCompleteness } from './completeness.ts'
import { type ConvergenceFigures, checkConvergence } from './convergence.ts'
import { checkDepartures } from './departures.ts'
import { checkGenerations, type GenerationFigures } from './generations.ts'
import type { HistoryEvent, MembershipBounds, Verdict } from './history.ts'
import { checkPrecedence } from './precedence.ts'
import { checkStalls, type StallFigures } from './stalls.ts'
import { checkStrangers } from './strangers.ts'

/** As they stand in `Violation.property`. */
export const membershipProperties = [
  'completeness',
  'accuracy',
  'no-resurrection',
  'generations-increase',
  'convergence',
  'stalls-shown',
  'left-by-own-will',
  'no-strangers',
] as const

type MembershipProperty = (typeof membershipProperties)[number]

export interface MembershipFigures
  extends AccuracyFigures,
    CompletenessFigures,
    ConvergenceFigures,
    GenerationFigures,
    StallFigures {
  readonly events: number
}

/**
 * Judges a history in the order of `at`. Time and memory are linear in its
 * events, plus the number of peers for each thing done to the cluster.
 */
export function checkMembership(
  history: readonly HistoryEvent[],
  bounds: MembershipBounds,
): Verdict<MembershipFigures> {
  const completeness = checkCompleteness(history, bounds)
  const accuracy = checkAccuracy(history, bounds)
  const generations = checkGenerations(history, bounds)
  const convergence = checkConvergence(history, bounds)
  const stalls = checkStalls(history, bounds)
  const verdicts: Readonly<Record<MembershipProperty, Verdict<unknown>>> = {
    completeness,
    accuracy,
    'no-resurrection': checkPrecedence(history, bounds),
    'generations-increase': generations,
    convergence,
    'stalls-shown': stalls,
    'left-by-own-will': checkDepartures(history, bounds),
    'no-strangers': checkStrangers(history, bounds),
  }
  return {
    violations: Object.values(verdicts)
      .flatMap(({ violations }) => violations)
      .sort((a, b) => a.at - b.at),
    figures: {
      events: history.length,
      ...accuracy.figures,
      ...completeness.figures,
      ...convergence.figures,
      ...generations.figures,
      ...stalls.figures,
    },
  }
}
