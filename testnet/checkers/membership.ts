/** Everything that membership promises, judged over one recorded history in one go. */
import { type AccuracyFigures, checkAccuracy } from './accuracy.ts'
import { type CompletenessFigures, checkCompleteness } from './completeness.ts'
import { type ConvergenceFigures, checkConvergence } from './convergence.ts'
import { checkDepartures } from './departures.ts'
import { checkGenerations, type GenerationFigures } from './generations.ts'
import type { HistoryEvent, MembershipBounds, Verdict } from './history.ts'
import { checkPrecedence } from './precedence.ts'
import { checkStrangers } from './strangers.ts'

export interface MembershipFigures
  extends AccuracyFigures,
    CompletenessFigures,
    ConvergenceFigures,
    GenerationFigures {
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
  const convergence = checkConvergence(history, bounds)
  const generations = checkGenerations(history, bounds)
  const verdicts = [
    completeness,
    accuracy,
    checkPrecedence(history, bounds),
    generations,
    convergence,
    checkDepartures(history, bounds),
    checkStrangers(history, bounds),
  ]
  return {
    violations: verdicts.flatMap(({ violations }) => violations).sort((a, b) => a.at - b.at),
    figures: {
      events: history.length,
      ...accuracy.figures,
      ...completeness.figures,
      ...convergence.figures,
      ...generations.figures,
    },
  }
}
