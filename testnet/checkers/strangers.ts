/** Nobody is shown, in whatever state, who was never started as a member. */
import {
  describeView,
  type HistoryEvent,
  type MembershipBounds,
  type Verdict,
  type Violation,
} from './history.ts'
import { Truth } from './truth.ts'

export function checkStrangers(
  history: readonly HistoryEvent[],
  bounds: MembershipBounds,
): Verdict<Record<never, never>> {
  const truth = new Truth(bounds.graceMs)
  const violations: Violation[] = []
  for (const event of history) {
    truth.apply(event)
    if (event.type !== 'view' || truth.known(event.subject)) continue
    violations.push({
      property: 'no-strangers',
      at: event.at,
      message: `${describeView(event)}, but it is no member`,
    })
  }
  return { violations, figures: {} }
}
