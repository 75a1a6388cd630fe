/** At most one holder of a lock at any instant. */
import type { Violation } from './history.ts'
import { describeStay, endOf, isBefore, type Stay } from './stays.ts'

/** `stays` of one lock, in the order of entry. */
export function checkExclusion(stays: readonly Stay[]): readonly Violation[] {
  const violations: Violation[] = []
  // Of those so far the one that stays longest: whoever enters before it has ended meets it.
  let longest: Stay | undefined
  for (const stay of stays) {
    if (longest !== undefined && isBefore(stay.from, endOf(longest))) {
      const { at } = stay.entered
      const message = `${describeStay(stay)} enters while ${describeStay(longest)} is still there`
      violations.push({ property: 'exclusion', at, message })
    }
    if (longest === undefined || isBefore(endOf(longest), endOf(stay))) longest = stay
  }
  return violations
}
