/** A fenced resource takes no token below the highest that it took, refuses no other, and is shown none that nobody got. */
import type { MutexEvent, Violation } from './history.ts'
import type { Stay } from './stays.ts'

export interface FencingFigures {
  /** Tokens shown to resources, and those of them that were refused. */
  readonly shown: number
  readonly refused: number
}

export function checkFencing(
  history: readonly MutexEvent[],
  byLock: ReadonlyMap<string, readonly Stay[]>,
): { readonly violations: readonly Violation[]; readonly figures: FencingFigures } {
  const violations: Violation[] = []
  const highest = new Map<string, number>()
  const given = new Map(
    [...byLock].map(([lock, stays]) => [lock, new Set(stays.map(({ entered: { token } }) => token))]),
  )
  let shown = 0
  let refused = 0
  for (const event of history) {
    if (event.type !== 'shown') continue
    const { at, lock, token, taken, resource } = event
    shown++
    if (!taken) refused++
    const name = resource === undefined ? lock : `${resource}, guarded by ${lock},`
    const key = JSON.stringify([lock, resource])
    const above = highest.get(key) ?? 0
    const find = (message: string): void => void violations.push({ property: 'fencing', at, message })
    if (taken && token < above) find(`${name} takes token ${token} after ${above}`)
    if (!taken && token >= above) find(`${name} refuses token ${token}, and has taken none above`)
    if (!given.get(lock)?.has(token)) find(`${name} is shown token ${token}, which nobody has entered with`)
    if (taken) highest.set(key, Math.max(token, above))
  }
  return { violations, figures: { shown, refused } }
}
