/**
 * How soon what happens is noticed, one time for each member that notices: the
 * figures that people compare, and the one of them that a bound may be put on.
 */
import type { HistoryEvent, ViewEvent, Violation } from './history.ts'
import { Truth } from './truth.ts'

/** Of `count` times; milliseconds. */
export interface Times {
  readonly count: number
  readonly medianMs: number
  readonly worstMs: number
}

export interface NoticeTimes {
  /** From an end until shown dead or left; null when nobody noticed any. */
  readonly killed: Times | null
  readonly stopped: Times | null
  readonly left: Times | null
  /** From a freeze until shown stalled. */
  readonly stalled: Times | null
  /** From the mending of a network until a row that was not alive is so for good. */
  readonly healed: Times | null
}

type Kind = keyof NoticeTimes

export function noticeTimes(history: readonly HistoryEvent[]): NoticeTimes {
  const watch = new Watch()
  for (const event of history) watch.apply(event)
  const found = watch.times()
  return {
    killed: summary(found.killed),
    stopped: summary(found.stopped),
    left: summary(found.left),
    stalled: summary(found.stalled),
    healed: summary(found.healed),
  }
}

/** Half of those who notice that a peer has ended do so within the bound; `undefined` is none. */
export function checkMedian(
  history: readonly HistoryEvent[],
  medianDetectionMs: number | undefined,
): readonly Violation[] {
  if (medianDetectionMs === undefined) return []
  const { killed, stopped, left } = noticeTimes(history)
  return Object.entries({ killed, stopped, left }).flatMap(([kind, times]): readonly Violation[] => {
    if (times === null || times.medianMs <= medianDetectionMs) return []
    const message =
      `half of those who saw a peer ${kind} needed ${Math.round(times.medianMs)} ms or more; ` +
      `the bound is ${medianDetectionMs} ms`
    return [{ property: 'median-detection', at: history.at(-1)?.at ?? 0, message }]
  })
}

/** By `observer`, a newline and `subject`. */
type Pairs<Value> = Map<string, Value>

class Watch {
  readonly #truth = new Truth(0)
  readonly #rows: Pairs<ViewEvent> = new Map()
  /** What has not been noticed yet, and since when. */
  readonly #open: Pairs<{ readonly kind: Exclude<Kind, 'healed'>; readonly since: number }> = new Map()
  readonly #found: Record<Kind, number[]> = { killed: [], stopped: [], left: [], stalled: [], healed: [] }
  /** Since the last heal, if nothing was done since: when rows that were not alive turned so. */
  #healedAt: number | undefined
  readonly #mended: Pairs<number> = new Map()

  apply(event: HistoryEvent): void {
    if (event.type === 'view') {
      this.#truth.apply(event)
      if (this.#truth.live(event.observer)) this.#see(event)
      return
    }
    this.#endHeal()
    switch (event.type) {
      case 'killed':
      case 'stopped':
      case 'left':
        if (!this.#truth.live(event.peer)) break
        this.#forget(event.peer)
        this.#expect(event.peer, event.type, event.at)
        break
      case 'started':
        this.#forget(event.peer)
        this.#cease(event.peer)
        break
      case 'paused':
        this.#expect(event.peer, 'stalled', event.at)
        break
      case 'resumed':
        this.#cease(event.peer)
        break
      case 'healed':
        this.#healedAt = event.at
        break
      case 'ready':
      case 'formed':
      case 'dismissed':
      case 'cut':
      case 'degraded':
      case 'end':
        break
      default:
        event satisfies never
    }
    this.#truth.apply(event)
  }

  times(): Readonly<Record<Kind, readonly number[]>> {
    this.#endHeal()
    return this.#found
  }

  #see(view: ViewEvent): void {
    const { observer, subject, status, at } = view
    const pair = `${observer}\n${subject}`
    this.#rows.set(pair, view)
    if (this.#healedAt !== undefined && observer !== subject && this.#truth.live(subject)) {
      if (status === 'alive') this.#mended.set(pair, at - this.#healedAt)
    }
    const open = this.#open.get(pair)
    if (open === undefined) return
    const noticed = open.kind === 'stalled' ? view.stalled === true : !isThere(view)
    if (!noticed) return
    this.#open.delete(pair)
    this.#found[open.kind].push(at - open.since)
  }

  /** Of everybody who shows it as there. */
  #expect(peer: string, kind: Exclude<Kind, 'healed'>, since: number): void {
    for (const [pair, row] of this.#rows) {
      if (row.subject !== peer || row.observer === peer || !isThere(row)) continue
      this.#open.set(pair, { kind, since })
    }
  }

  #cease(subject: string): void {
    for (const pair of this.#open.keys()) if (pair.endsWith(`\n${subject}`)) this.#open.delete(pair)
  }

  /** What this observer showed is void: its process ends or begins. */
  #forget(observer: string): void {
    for (const pair of this.#rows.keys()) if (pair.startsWith(`${observer}\n`)) this.#rows.delete(pair)
    for (const pair of this.#open.keys()) if (pair.startsWith(`${observer}\n`)) this.#open.delete(pair)
  }

  #endHeal(): void {
    this.#healedAt = undefined
    this.#found.healed.push(...this.#mended.values())
    this.#mended.clear()
  }
}

function isThere({ status }: ViewEvent): boolean {
  return status === 'alive' || status === 'suspect'
}

function summary(times: readonly number[]): Times | null {
  const sorted = [...times].sort((a, b) => a - b)
  const medianMs = sorted[Math.floor((sorted.length - 1) / 2)]
  const worstMs = sorted.at(-1)
  if (medianMs === undefined || worstMs === undefined) return null
  return { count: sorted.length, medianMs, worstMs }
}
