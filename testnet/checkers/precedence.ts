/**
 * No resurrection: at one observer, for as long as its process lives, a row only
 * moves up. Generation never falls; incarnation never falls, not even into a new
 * generation, unless the disk that remembered it went back; at equal ones
 * alive < suspect < dead < left. Over the observer's own restarts too: a life
 * that has ended, and that it showed so, it never shows as there again.
 */

import { Burials } from './burials.ts'
import type { HistoryEvent, MembershipBounds, Verdict, ViewEvent, ViewStatus, Violation } from './history.ts'
import { Rows } from './rows.ts'
import { Truth } from './truth.ts'

const rank = { alive: 0, suspect: 1, dead: 2, left: 3 } as const satisfies Record<ViewStatus, number>

export function checkPrecedence(
  history: readonly HistoryEvent[],
  bounds: MembershipBounds,
): Verdict<Record<never, never>> {
  const truth = new Truth(bounds.graceMs)
  const violations: Violation[] = []
  const rows = new Rows()
  const burials = new Burials(truth, bounds.tombstoneMs)
  const forgetful = new Set<string>()
  for (const event of history) {
    truth.apply(event)
    if (event.type === 'formed') rows.form(event)
    if (event.type === 'started') {
      rows.forget(event.peer)
      burials.start(event)
      if (event.forgetful === true) forgetful.add(event.peer)
    }
    if (event.type !== 'view' || !truth.live(event.observer)) continue
    const before = rows.set(event)
    violations.push(...burials.see(event))
    const fault = before === undefined ? undefined : fall(before, event, forgetful.has(event.subject))
    if (before === undefined || fault === undefined) continue
    violations.push({
      property: 'no-resurrection',
      at: event.at,
      message: `${fault} in ${event.observer}'s row for ${event.subject}: ${brief(before)}, then ${brief(event)}`,
    })
  }
  return { violations, figures: {} }
}

function fall(before: ViewEvent, after: ViewEvent, forgetful: boolean): string | undefined {
  if (after.generation < before.generation) return 'the generation falls'
  if (after.incarnation < before.incarnation) {
    if (after.generation === before.generation) return 'the incarnation falls'
    if (!forgetful) return 'the incarnation falls with a new generation'
  }
  const same = after.generation === before.generation && after.incarnation === before.incarnation
  if (same && rank[after.status] < rank[before.status]) {
    return `${before.status} turns ${after.status} without a newer incarnation`
  }
  return undefined
}

function brief(view: ViewEvent): string {
  return `${view.status} (${view.generation}, ${view.incarnation}) at ${Math.round(view.at)} ms`
}
