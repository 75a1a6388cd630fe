/**
 * What a scenario forbids of its own: a status in which nobody who runs may ever
 * show a peer. Stricter than accuracy, which excuses what is shown of a peer that
 * is frozen or cut off: a short freeze, say, must kill nobody.
 */
import { describeView, type HistoryEvent, type Violation } from './history.ts'

export interface Prohibition {
  readonly status: 'suspect' | 'dead' | 'left'
  /** Of whom it may not be shown; of nobody, when absent. */
  readonly peer?: string
}

export function checkProhibitions(
  history: readonly HistoryEvent[],
  prohibitions: readonly Prohibition[],
): readonly Violation[] {
  return history.flatMap((event): readonly Violation[] => {
    if (event.type !== 'view') return []
    const broken = prohibitions.some(
      ({ status, peer }) => status === event.status && (peer === undefined || peer === event.subject),
    )
    if (!broken) return []
    const { at } = event
    return [{ property: 'never', at, message: `${describeView(event)}, which this scenario forbids` }]
  })
}
