import type { TraceEvent } from './group.ts'

/** Events of one group that are remembered. */
const maxEvents = 10_000

/** What this peer did in a group, in order: its line of the space-time diagram. */
export class GroupTrace {
  readonly #events: TraceEvent[] = []
  #count = 0
  #start = 0

  record(event: Omit<TraceEvent, 'index'>): void {
    this.#count += 1
    const numbered = { ...event, index: this.#count }
    if (this.#events.length < maxEvents) {
      this.#events.push(numbered)
      return
    }
    this.#events[this.#start] = numbered
    this.#start = (this.#start + 1) % maxEvents
  }

  events(): readonly TraceEvent[] {
    return [...this.#events.slice(this.#start), ...this.#events.slice(0, this.#start)]
  }
}
