/**
 * Convergence: while nothing is done to the cluster, all who take part soon have
 * one view. Everybody who is there is shown alive by everybody, at one
 * generation and incarnation; nobody who is gone is shown alive or suspect.
 *
 * The clock runs from the last disturbance, or from the moment at which views
 * began to differ again. It is void while the network is cut or degraded, and
 * says nothing about peers that are starting or frozen.
 */
import type { HistoryEvent, MembershipBounds, Verdict, ViewEvent, Violation } from './history.ts'
import { Rows } from './rows.ts'
import { Truth } from './truth.ts'

/** The disturbance, and how long after it the views were one, ms. */
export interface Agreement {
  readonly after: HistoryEvent['type']
  readonly peer: string | undefined
  readonly at: number
  readonly ms: number
}

export interface ConvergenceFigures {
  /** After each disturbance that was followed by agreement before the next one. */
  readonly agreements: readonly Agreement[]
  /** After the last disturbance; undefined when the views were never one again, or it was not judged. */
  readonly convergenceMs: number | undefined
}

/** What those who take part show of one subject. */
interface Tally {
  /** Rows of others that say alive. */
  alive: number
  /** Rows of others that say suspect. */
  suspect: number
  /** Alive rows by generation and incarnation, the subject's own one included. */
  readonly versions: Map<string, number>
}

export function checkConvergence(
  history: readonly HistoryEvent[],
  bounds: MembershipBounds,
): Verdict<ConvergenceFigures> {
  const judge = new ConvergenceJudge(bounds)
  for (const event of history) judge.apply(event)
  const last = history.at(-1)
  return judge.verdict(last === undefined ? 0 : last.at)
}

class ConvergenceJudge {
  readonly #truth: Truth
  readonly #boundMs: number
  readonly #rows = new Rows()
  readonly #tallies = new Map<string, Tally>()
  /** Whose rows are counted in the tallies. */
  readonly #counted = new Set<string>()
  /** Subjects about whom views differ, or are wrong. */
  readonly #open = new Set<string>()
  readonly #violations: Violation[] = []
  readonly #agreements: Agreement[] = []
  #disturbance: HistoryEvent | undefined
  #agreed = false
  /** Since when views differ and are judged. */
  #since: number | undefined

  constructor(bounds: MembershipBounds) {
    this.#truth = new Truth(bounds.graceMs)
    this.#boundMs = bounds.convergenceMs
  }

  apply(event: HistoryEvent): void {
    switch (event.type) {
      case 'view':
        this.#truth.apply(event)
        this.#see(event)
        break
      case 'started':
      case 'killed':
      case 'stopped':
      case 'left':
      case 'ready':
      case 'paused':
      case 'resumed':
      case 'cut':
      case 'degraded':
      case 'healed':
        this.#disturb(event)
        break
      case 'formed':
        this.#form(event)
        break
      case 'dismissed':
      case 'end':
        break
      default:
        event satisfies never
    }
  }

  verdict(at: number): Verdict<ConvergenceFigures> {
    this.#stop(at)
    const last = this.#agreements.at(-1)
    const convergenceMs = this.#agreed && last !== undefined ? last.ms : undefined
    return { violations: this.#violations, figures: { agreements: this.#agreements, convergenceMs } }
  }

  #see(event: ViewEvent): void {
    const { observer, subject, at } = event
    if (!this.#truth.live(observer)) return
    const before = this.#rows.set(event)
    if (!this.#counted.has(observer)) return
    if (before !== undefined) this.#count(before, -1)
    this.#count(event, 1)
    this.#weigh(subject)
    if (this.#truth.whole) this.#judge(at)
  }

  #disturb(event: HistoryEvent & { readonly peer?: string }): void {
    this.#stop(event.at)
    this.#truth.apply(event)
    if (event.peer !== undefined) this.#recount(event.peer)
    if (event.type === 'started' || event.type === 'killed') this.#rows.forget(event.peer)
    if (event.type === 'stopped' || event.type === 'left') this.#rows.forget(event.peer)
    for (const peer of this.#truth.peers()) this.#weigh(peer)
    this.#disturbance = event
    this.#agreed = false
    if (this.#truth.whole) this.#judge(event.at)
  }

  #form(event: Extract<HistoryEvent, { type: 'formed' }>): void {
    this.#truth.apply(event)
    this.#rows.form(event)
    this.#disturbance = event
    for (const { peer, generation, incarnation } of event.members) {
      this.#counted.add(peer)
      const versions = new Map([[`${generation}.${incarnation}`, event.members.length]])
      this.#tallies.set(peer, { alive: event.members.length - 1, suspect: 0, versions })
    }
  }

  /** Takes a peer's rows into the tallies, or out of them, as it takes part or not. */
  #recount(peer: string): void {
    const counts = this.#truth.active(peer)
    if (counts === this.#counted.has(peer)) return
    if (counts) this.#counted.add(peer)
    else this.#counted.delete(peer)
    for (const row of this.#rows.of(peer)) this.#count(row, counts ? 1 : -1)
  }

  #count(row: ViewEvent, by: 1 | -1): void {
    const { observer, subject, status } = row
    const tally = this.#tallies.get(subject) ?? { alive: 0, suspect: 0, versions: new Map<string, number>() }
    this.#tallies.set(subject, tally)
    if (observer !== subject) {
      if (status === 'alive') tally.alive += by
      if (status === 'suspect') tally.suspect += by
    }
    if (status !== 'alive') return
    const version = `${row.generation}.${row.incarnation}`
    const count = (tally.versions.get(version) ?? 0) + by
    if (count === 0) tally.versions.delete(version)
    else tally.versions.set(version, count)
  }

  #weigh(subject: string): void {
    if (this.#settled(subject)) this.#open.delete(subject)
    else this.#open.add(subject)
  }

  #settled(subject: string): boolean {
    const tally = this.#tallies.get(subject)
    if (!this.#truth.live(subject)) return tally === undefined || tally.alive + tally.suspect === 0
    if (!this.#truth.active(subject)) return true
    const others = this.#counted.size - 1
    if (tally === undefined) return others === 0
    return tally.alive === others && tally.versions.size <= 1
  }

  #judge(at: number): void {
    if (this.#open.size > 0) {
      this.#since ??= at
      return
    }
    this.#stop(at)
    const { type, at: from, peer } = this.#disturbance as HistoryEvent & { readonly peer?: string }
    if (!this.#agreed) this.#agreements.push({ after: type, peer, at: from, ms: at - from })
    this.#agreed = true
  }

  /** The clock stops at `at`: was it in time? */
  #stop(at: number): void {
    const since = this.#since
    this.#since = undefined
    if (since === undefined || at - since <= this.#boundMs) return
    const about = [...this.#open].slice(0, 5).map((subject) => this.#describe(subject))
    this.#violations.push({
      property: 'convergence',
      at,
      message: `views differed for ${Math.round(at - since)} ms from ${Math.round(since)} ms on; the bound is ${this.#boundMs} ms${about.length > 0 ? `; last about ${about.join('; ')}` : ''}`,
    })
  }

  #describe(subject: string): string {
    const shown = [...this.#counted].slice(0, 8).map((observer) => {
      const row = this.#rows.get(observer, subject)
      return `${observer}: ${row === undefined ? 'nothing' : `${row.status} ${row.generation}.${row.incarnation}`}`
    })
    return `${subject} (${shown.join(', ')})`
  }
}
