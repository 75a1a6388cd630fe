/** When each peer first showed what a step waited for. */
import type { HistoryEvent, ViewEvent } from '../checkers/history.ts'
import type { Expectation } from './expectations.ts'

/** Milliseconds; `observers` have shown it. */
export interface Sightings {
  readonly observers: number
  readonly firstMs: number
  readonly medianMs: number
  readonly lastMs: number
}

/** Since what happened to the peer last: its end, its freeze, a cut, its start. */
export function sightings(
  history: readonly HistoryEvent[],
  peer: string,
  fits: (view: ViewEvent) => boolean,
): Sightings {
  const cause = history.findLastIndex((event) => concerns(event, peer))
  const since = history[cause]?.at ?? 0
  const times = new Map<string, number>()
  for (const event of history.slice(cause + 1)) {
    if (event.type !== 'view' || event.subject !== peer || event.observer === peer) continue
    if (fits(event) && !times.has(event.observer)) times.set(event.observer, event.at - since)
  }
  const sorted = [...times.values()].sort((a, b) => a - b)
  return {
    observers: sorted.length,
    firstMs: sorted[0] ?? 0,
    medianMs: sorted[Math.floor((sorted.length - 1) / 2)] ?? 0,
    lastMs: sorted.at(-1) ?? 0,
  }
}

export function fitting({ status, detail }: Expectation): (view: ViewEvent) => boolean {
  return (view) => view.status === status && (detail === undefined || view.stalled === true)
}

function concerns(event: HistoryEvent, peer: string): boolean {
  switch (event.type) {
    case 'view':
    case 'ready':
    case 'formed':
    case 'dismissed':
    case 'degraded':
    case 'healed':
    case 'end':
      return false
    case 'cut':
      return event.from.includes(peer) || event.to.includes(peer)
    default:
      return event.peer === peer
  }
}
