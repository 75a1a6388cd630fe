import type { HistoryEvent, ViewEvent } from './history.ts'

type Formed = Extract<HistoryEvent, { type: 'formed' }>

/** What each observer shows now. Of a crowd that was there from the beginning only the differences are kept. */
export class Rows {
  readonly #told = new Map<string, Map<string, ViewEvent>>()
  readonly #formed = new Map<string, Formed['members'][number]>()
  /** Whose rows are those of the beginning unless told otherwise. */
  readonly #founders = new Set<string>()
  #formedAt = 0

  form({ at, members }: Formed): void {
    this.#formedAt = at
    for (const member of members) {
      this.#formed.set(member.peer, member)
      this.#founders.add(member.peer)
    }
  }

  get(observer: string, subject: string): ViewEvent | undefined {
    return this.#told.get(observer)?.get(subject) ?? this.#founding(observer, subject)
  }

  /** The row that it replaces. */
  set(event: ViewEvent): ViewEvent | undefined {
    const before = this.get(event.observer, event.subject)
    const rows = this.#told.get(event.observer) ?? new Map<string, ViewEvent>()
    this.#told.set(event.observer, rows)
    rows.set(event.subject, event)
    return before
  }

  /** The observer's process ends or begins: its rows are void. */
  forget(observer: string): void {
    this.#told.delete(observer)
    this.#founders.delete(observer)
  }

  *of(observer: string): Iterable<ViewEvent> {
    const told = this.#told.get(observer)
    if (told !== undefined) yield* told.values()
    if (!this.#founders.has(observer)) return
    for (const subject of this.#formed.keys()) {
      const row = told?.has(subject) ? undefined : this.#founding(observer, subject)
      if (row !== undefined) yield row
    }
  }

  *about(subject: string): Iterable<ViewEvent> {
    for (const rows of this.#told.values()) {
      const row = rows.get(subject)
      if (row !== undefined) yield row
    }
    for (const observer of this.#founders) {
      const row = this.#told.get(observer)?.has(subject) ? undefined : this.#founding(observer, subject)
      if (row !== undefined) yield row
    }
  }

  #founding(observer: string, subject: string): ViewEvent | undefined {
    const member = this.#formed.get(subject)
    if (member === undefined || !this.#founders.has(observer)) return undefined
    const { generation, incarnation } = member
    return { at: this.#formedAt, type: 'view', observer, subject, status: 'alive', generation, incarnation }
  }
}
