/** Fencing tokens strictly increase in the order of entry, over all holders, crashes and changes of the voters. */
import type { MutexBounds, Violation } from './history.ts'
import { describeStay, type Stay } from './stays.ts'

/** `stays` of one lock, in the order of entry. */
export function checkTokens(stays: readonly Stay[], { timely }: MutexBounds): readonly Violation[] {
  const violations: Violation[] = []
  const seen = new Map<number, Stay>()
  let highest: Stay | undefined
  for (const stay of stays) {
    const { at, token } = stay.entered
    const find = (what: string): void => {
      violations.push({ property: 'tokens', at, message: `${describeStay(stay)} ${what}` })
    }
    const twin = seen.get(token)
    if (!Number.isSafeInteger(token) || token < 1) find('has no token: those are whole and from 1 on')
    else if (twin !== undefined) find(`has the token of ${describeStay(twin)}`)
    else if (timely && highest !== undefined && token < highest.entered.token) {
      find(`enters after ${describeStay(highest)}`)
    }
    seen.set(token, stay)
    if (highest === undefined || token > highest.entered.token) highest = stay
  }
  return violations
}
