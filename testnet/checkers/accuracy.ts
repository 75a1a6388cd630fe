/**
 * Accuracy: a peer that runs, is not frozen and can be reached is never shown
 * dead; one whose process alone is frozen is not for as long as `stalls` says. Its being suspected is allowed (SWIM's suspicion exists so that it can
 * object), and counted.
 */
import {
  describeView,
  type HistoryEvent,
  type MembershipBounds,
  type Verdict,
  type ViewEvent,
  type Violation,
} from './history.ts'
import { type Life, Truth } from './truth.ts'

export interface AccuracyFigures {
  /** Rows that turned suspect without cause, and those of them that turned alive again. */
  readonly falseSuspicions: number
  readonly refuted: number
}

export function checkAccuracy(
  history: readonly HistoryEvent[],
  bounds: MembershipBounds,
): Verdict<AccuracyFigures> {
  const truth = new Truth(bounds.graceMs)
  const violations: Violation[] = []
  const suspected = new Map<string, Life>()
  let falseSuspicions = 0
  let refuted = 0
  for (const event of history) {
    truth.apply(event)
    if (event.type !== 'view' || !truth.live(event.observer)) continue
    const { at, observer, subject, status } = event
    const pair = `${observer}\n${subject}`
    if (status === 'alive' || status === 'left') {
      if (status === 'alive' && suspected.get(pair) === truth.life(subject)) refuted++
      suspected.delete(pair)
      continue
    }
    const excused = excusedByStandstill(truth, bounds, event) || truth.severed(observer, subject, at)
    const life = truth.live(subject) ? truth.life(subject) : undefined
    if (life === undefined || truth.lifeOf(subject, event.generation) !== life || excused) continue
    if (status === 'suspect') {
      if (suspected.get(pair) === life) continue
      suspected.set(pair, life)
      falseSuspicions++
    } else {
      violations.push({
        property: 'accuracy',
        at,
        message: `${describeView(event)}, but it runs and can be reached`,
      })
    }
  }
  return { violations, figures: { falseSuspicions, refuted } }
}

/** Who stands still for too long may be called dead, and for a while after; suspected at any time. */
function excusedByStandstill(truth: Truth, bounds: MembershipBounds, event: ViewEvent): boolean {
  const { subject, at } = event
  if (!truth.lately(subject, at)) return false
  const since = truth.processPausedAt(subject)
  if (event.status === 'suspect' || since === undefined || bounds.stalls === undefined) return true
  return at - since > bounds.stalls.memberMs
}
