/** A peer's own leave or stop makes it `left`, and only in the life that did so; or somebody dismissed that life. */
import {
  describeView,
  type HistoryEvent,
  type MembershipBounds,
  type Verdict,
  type Violation,
} from './history.ts'
import { Truth } from './truth.ts'

export function checkDepartures(
  history: readonly HistoryEvent[],
  bounds: MembershipBounds,
): Verdict<Record<never, never>> {
  const truth = new Truth(bounds.graceMs)
  const violations: Violation[] = []
  for (const event of history) {
    truth.apply(event)
    if (event.type !== 'view' || event.status !== 'left' || !truth.live(event.observer)) continue
    const life = truth.lifeOf(event.subject, event.generation)
    const endings = life?.endings ?? []
    if (endings.includes('left') || endings.includes('stopped')) continue
    if (truth.dismissed(event.subject, event.generation)) continue
    if (bounds.anybodyDismisses && life?.endedAt !== undefined) continue
    violations.push({
      property: 'left-by-own-will',
      at: event.at,
      message: `${describeView(event)}, but it neither left nor stopped in that life`,
    })
  }
  return { violations, figures: {} }
}
