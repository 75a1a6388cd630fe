/**
 * Writes down who asked for locks, held them and wrote under them, as the checker
 * wants it: a stay that is recorded lies within the true one.
 */
import type { MutexEvent } from '../../plugins/mutex/checker/history.ts'
import type { Recorder } from './recorder.ts'

export type Outcome = Extract<MutexEvent, { type: 'answered' }>['outcome']
export type Departure = Extract<MutexEvent, { type: 'left' }>['how']

export interface Asker {
  readonly lock: string
  readonly peer: string
  readonly life: number
  /** Who asks there, one at a time. */
  readonly caller: string
}

export class LockLog {
  readonly #recorder: Recorder
  readonly #events: MutexEvent[] = []
  readonly #visits: Visit[] = []
  readonly #gone = new Set<string>()

  constructor(recorder: Recorder) {
    this.#recorder = recorder
  }

  /** Before the request is made. */
  ask(asker: Asker): Visit {
    const visit = new Visit(this.#visits.length + 1, asker, this.#recorder, (event) => this.#record(event))
    this.#visits.push(visit)
    return visit
  }

  /** By its number. */
  visit(request: number): Visit | undefined {
    return this.#visits[request - 1]
  }

  /** Stays that began at or after this, in the order of entry. */
  enteredSince(at: number): readonly Visit[] {
    return this.#visits
      .filter(({ enteredAt }) => enteredAt !== undefined && enteredAt >= at)
      .sort((a, b) => (a.enteredAt ?? 0) - (b.enteredAt ?? 0))
  }

  /** By the resource, as it decides. */
  shown(lock: string, token: number, taken: boolean): void {
    this.#record({ type: 'shown', at: this.#recorder.now(), lock, token, taken })
  }

  /** Before its process is made to end. */
  gone(peer: string, life: number): void {
    this.#gone.add(`${peer}\n${life}`)
    this.#record({ type: 'gone', at: this.#recorder.now(), peer, life })
  }

  isGone(peer: string, life: number): boolean {
    return this.#gone.has(`${peer}\n${life}`)
  }

  /** After what took the quorum away, before what brings it back. */
  quorum(reachable: boolean): void {
    this.#record({ type: 'quorum', at: this.#recorder.now(), reachable })
  }

  voters(version: number, voters: readonly string[]): void {
    this.#record({ type: 'voters', at: this.#recorder.now(), version, voters })
  }

  /** Anybody ever asked. */
  get any(): boolean {
    return this.#visits.length > 0
  }

  history(): readonly MutexEvent[] {
    return this.#events.toSorted((a, b) => a.at - b.at)
  }

  #record(event: MutexEvent): void {
    this.#events.push(event)
    this.#recorder.wake()
  }
}

/** One request, and the stay that came of it. */
export class Visit {
  readonly request: number
  readonly asker: Asker
  readonly askedAt: number
  enteredAt: number | undefined
  token: number | undefined
  outcome: Outcome | undefined
  answeredAt: number | undefined
  leftAt: number | undefined
  readonly #recorder: Recorder
  readonly #record: (event: MutexEvent) => void

  constructor(request: number, asker: Asker, recorder: Recorder, record: (event: MutexEvent) => void) {
    this.request = request
    this.asker = asker
    this.askedAt = recorder.now()
    this.#recorder = recorder
    this.#record = record
    record({ type: 'asked', at: this.askedAt, request, ...asker })
  }

  /** `at`: it was inside by then. */
  entered(token: number, at = this.#recorder.now()): void {
    const { lock, peer, life } = this.asker
    this.enteredAt = at
    this.token = token
    this.#record({ type: 'entered', at, lock, peer, life, token, request: this.request })
    this.answered('entered')
  }

  answered(outcome: Outcome): void {
    this.outcome = outcome
    this.answeredAt = this.#recorder.now()
    this.#record({ type: 'answered', at: this.answeredAt, request: this.request, outcome })
  }

  /** `at`: it was still inside then. */
  left(how: Departure, at = this.#recorder.now()): void {
    if (this.token === undefined || this.leftAt !== undefined) return
    const { lock, peer, life } = this.asker
    this.leftAt = at
    this.#record({ type: 'left', at, lock, peer, life, token: this.token, how })
  }
}
