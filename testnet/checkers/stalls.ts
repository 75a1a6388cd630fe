/**
 * Stalls: a process that stands still while its machine runs is shown as stalled,
 * within a bound, by everybody who takes part undisturbed and showed it alive.
 */
import type { HistoryEvent, MembershipBounds, Verdict, Violation } from './history.ts'
import { Rows } from './rows.ts'
import { Truth } from './truth.ts'

export interface StallFigures {
  /** After each pause that was noticed by somebody: how long until the first and the last did, ms. */
  readonly stalls: readonly { readonly peer: string; readonly firstMs: number; readonly lastMs: number }[]
}

interface Pause {
  readonly at: number
  readonly pending: Set<string>
  readonly noticed: number[]
}

export function checkStalls(
  history: readonly HistoryEvent[],
  bounds: MembershipBounds,
): Verdict<StallFigures> {
  const judge = new StallJudge(bounds)
  for (const event of history) judge.apply(event)
  return judge.verdict(history.at(-1)?.at ?? 0)
}

class StallJudge {
  readonly #truth: Truth
  readonly #shownMs: number
  readonly #rows = new Rows()
  readonly #pauses = new Map<string, Pause>()
  readonly #violations: Violation[] = []
  readonly #stalls: StallFigures['stalls'][number][] = []

  constructor({ graceMs, stalls }: MembershipBounds) {
    this.#truth = new Truth(graceMs)
    this.#shownMs = stalls?.shownMs ?? Number.POSITIVE_INFINITY
  }

  apply(event: HistoryEvent): void {
    const disturbs = event.type === 'cut' || event.type === 'degraded'
    if (disturbs) for (const peer of [...this.#pauses.keys()]) this.#close(peer, event.at)
    if ('peer' in event) this.#disturb(event.peer, event.at)
    this.#truth.apply(event)
    if (event.type === 'formed') this.#rows.form(event)
    else if (event.type === 'started') this.#rows.forget(event.peer)
    else if (event.type === 'paused' && event.machine !== true) this.#open(event.peer, event.at)
    else if (event.type === 'view' && this.#truth.live(event.observer)) {
      this.#rows.set(event)
      const pause = this.#pauses.get(event.subject)
      // Dead is judged elsewhere.
      if (event.stalled !== true && event.status !== 'dead') return
      if (pause?.pending.delete(event.observer)) pause.noticed.push(event.at - pause.at)
    }
  }

  verdict(at: number): Verdict<StallFigures> {
    for (const peer of [...this.#pauses.keys()]) this.#close(peer, at)
    return { violations: this.#violations, figures: { stalls: this.#stalls } }
  }

  #open(peer: string, at: number): void {
    // After a cut some connection may be silent for a while yet, and a suspicion open that was nobody's stall.
    if (!this.#truth.live(peer) || !this.#truth.whole) return
    const pending = new Set<string>()
    for (const { observer, status } of this.#rows.about(peer)) {
      const undisturbed = !this.#truth.lately(observer, at) && !this.#truth.severed(observer, peer, at)
      if (observer === peer || status !== 'alive' || !this.#truth.active(observer) || !undisturbed) continue
      pending.add(observer)
    }
    this.#pauses.set(peer, { at, pending, noticed: [] })
  }

  /** Something is done to it: as a subject its pause is over, as an observer it owes nothing more. */
  #disturb(peer: string, at: number): void {
    this.#close(peer, at)
    for (const [subject, pause] of this.#pauses) {
      if (!pause.pending.delete(peer)) continue
      if (at - pause.at > this.#shownMs) this.#object(subject, [peer], pause.at, at)
    }
  }

  #close(peer: string, at: number): void {
    const pause = this.#pauses.get(peer)
    if (pause === undefined) return
    this.#pauses.delete(peer)
    const { noticed, pending } = pause
    const [firstMs] = noticed
    const lastMs = noticed.at(-1)
    if (firstMs !== undefined && lastMs !== undefined) this.#stalls.push({ peer, firstMs, lastMs })
    const late = noticed.filter((ms) => ms > this.#shownMs)
    if (pending.size > 0 && at - pause.at > this.#shownMs) this.#object(peer, [...pending], pause.at, at)
    else if (late.length > 0)
      this.#object(peer, [`${late.length} of them`], pause.at, pause.at + (lastMs ?? 0))
  }

  #object(subject: string, observers: readonly string[], since: number, at: number): void {
    this.#violations.push({
      property: 'stalls-shown',
      at,
      message:
        `${observers.slice(0, 5).join(', ')} did not show ${subject} as stalled for ${Math.round(at - since)} ms ` +
        `after it stood still at ${Math.round(since)} ms; the bound is ${this.#shownMs} ms`,
    })
  }
}
