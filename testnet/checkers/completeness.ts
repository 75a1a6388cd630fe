/**
 * Completeness: whoever takes part shows a peer that is gone as dead or left
 * within a bound.
 *
 * Judged a pair (observer, gone peer): the clock runs from the moment at which
 * the peer was gone, the observer took part undisturbed and its row said alive
 * or suspect, whichever came last. It is void while the observer is frozen or
 * cut off, and ends with the peer's return.
 */
import type { HistoryEvent, MembershipBounds, Verdict, ViewEvent, Violation } from './history.ts'
import { Rows } from './rows.ts'
import { type Ending, Truth } from './truth.ts'

/** How one end of a process was noticed. Milliseconds since that end; undefined when nobody noticed. */
export interface Detection {
  readonly peer: string
  readonly ending: Ending
  readonly at: number
  readonly firstMs: number | undefined
  readonly lastMs: number | undefined
  /** How many members noticed, of those that had shown it alive. */
  readonly noticed: number
  readonly observers: number
}

export interface CompletenessFigures {
  readonly detections: readonly Detection[]
}

interface Loss {
  readonly peer: string
  readonly ending: Ending
  readonly at: number
  /** Members that still have to notice, and since when; undefined while they are excused. */
  readonly pending: Map<string, number | undefined>
  readonly noticed: number[]
}

export function checkCompleteness(
  history: readonly HistoryEvent[],
  bounds: MembershipBounds,
): Verdict<CompletenessFigures> {
  const judge = new CompletenessJudge(bounds)
  for (const event of history) judge.apply(event)
  const last = history.at(-1)
  return judge.verdict(last === undefined ? 0 : last.at)
}

class CompletenessJudge {
  readonly #truth: Truth
  readonly #boundMs: number
  readonly #rows = new Rows()
  /** Peers that are gone now. */
  readonly #losses = new Map<string, Loss>()
  readonly #detections: Detection[] = []
  readonly #violations: Violation[] = []

  constructor(bounds: MembershipBounds) {
    this.#truth = new Truth(bounds.graceMs)
    this.#boundMs = bounds.detectionMs
  }

  apply(event: HistoryEvent): void {
    const { at } = event
    switch (event.type) {
      case 'view':
        this.#truth.apply(event)
        this.#see(event)
        break
      case 'started':
        this.#close(event.peer, at)
        this.#forget(event.peer, at)
        this.#truth.apply(event)
        break
      case 'killed':
      case 'stopped':
      case 'left': {
        const wasLive = this.#truth.live(event.peer)
        this.#truth.apply(event)
        if (!wasLive) return
        this.#forget(event.peer, at)
        this.#open(event.peer, event.type, at)
        break
      }
      case 'ready':
      case 'paused':
      case 'resumed':
      case 'cut':
      case 'degraded':
      case 'healed':
        this.#truth.apply(event)
        this.#reconsider(at)
        break
      case 'formed':
        this.#truth.apply(event)
        this.#rows.form(event)
        break
      case 'dismissed':
      case 'end':
        break
      default:
        event satisfies never
    }
  }

  verdict(at: number): Verdict<CompletenessFigures> {
    for (const peer of [...this.#losses.keys()]) this.#close(peer, at)
    return { violations: this.#violations, figures: { detections: this.#detections } }
  }

  #see(event: ViewEvent): void {
    const { observer, subject, at } = event
    if (!this.#truth.live(observer)) return
    this.#rows.set(event)
    const loss = this.#losses.get(subject)
    if (loss === undefined || observer === subject) return
    if (!shownAsThere(event)) {
      this.#settle(loss, observer, at)
      if (loss.pending.delete(observer)) loss.noticed.push(at - loss.at)
    } else if (!loss.pending.has(observer)) {
      loss.pending.set(observer, this.#judged(observer) ? at : undefined)
    }
  }

  #open(peer: string, ending: Ending, at: number): void {
    const loss: Loss = { peer, ending, at, pending: new Map(), noticed: [] }
    this.#losses.set(peer, loss)
    for (const row of this.#rows.about(peer)) {
      const { observer } = row
      if (observer === peer || !shownAsThere(row)) continue
      loss.pending.set(observer, this.#judged(observer) ? at : undefined)
    }
  }

  #close(peer: string, at: number): void {
    const loss = this.#losses.get(peer)
    if (loss === undefined) return
    this.#losses.delete(peer)
    for (const observer of loss.pending.keys()) this.#settle(loss, observer, at)
    const { ending, noticed } = loss
    this.#detections.push({
      peer,
      ending,
      at: loss.at,
      firstMs: noticed[0],
      lastMs: noticed.at(-1),
      noticed: noticed.length,
      observers: noticed.length + loss.pending.size,
    })
  }

  /** The observer's process ends or begins: it owes nothing more, its rows are void. */
  #forget(observer: string, at: number): void {
    for (const loss of this.#losses.values()) {
      this.#settle(loss, observer, at)
      loss.pending.delete(observer)
    }
    this.#rows.forget(observer)
  }

  /** After a disturbance: the excused stop the clock, the others start it anew. */
  #reconsider(at: number): void {
    for (const loss of this.#losses.values()) {
      for (const [observer, since] of loss.pending) {
        const judged = this.#judged(observer)
        if (judged === (since !== undefined)) continue
        this.#settle(loss, observer, at)
        loss.pending.set(observer, judged ? at : undefined)
      }
    }
  }

  #judged(observer: string): boolean {
    return this.#truth.active(observer) && !this.#truth.cutOff(observer) && !this.#truth.degraded
  }

  /** The clock of this pair stops at `at`: was it in time? */
  #settle(loss: Loss, observer: string, at: number): void {
    const since = loss.pending.get(observer)
    if (since === undefined || at - since <= this.#boundMs) return
    this.#violations.push({
      property: 'completeness',
      at,
      message:
        `${observer} showed ${loss.peer} as there for ${Math.round(at - since)} ms after it was ${loss.ending} ` +
        `at ${Math.round(loss.at)} ms; the bound is ${this.#boundMs} ms`,
    })
  }
}

function shownAsThere(row: ViewEvent): boolean {
  return row.status === 'alive' || row.status === 'suspect'
}
