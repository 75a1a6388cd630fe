import type { TraceEvent } from './group.ts'
import type { PeerId } from './protocols/core.ts'
import type { DotKey, Envelope } from './protocols/multicast/messages.ts'
import { parentsOf } from './protocols/multicast/multicast.ts'

/** Events of one group that are remembered. */
const maxEvents = 10_000
/** Events and what they follow directly, about 100 bytes each: of one group, and of all. */
const maxWeight = 100_000
const maxWeightInAll = 400_000
/** Groups whose events are remembered, those that were left among them. */
const maxTraces = 512

/** What this peer did in a group, in order: its line of the space-time diagram. */
class GroupTrace {
  #events: TraceEvent[] = []
  /** Where the oldest stands. */
  #start = 0
  #count = 0
  weight = 0

  record(event: Omit<TraceEvent, 'index'>): void {
    this.#count += 1
    this.#events.push({ ...event, index: this.#count })
    this.weight += weightOf(event)
    while (this.#events.length - this.#start > maxEvents || this.weight > maxWeight) this.forgetOldest()
  }

  forgetOldest(): void {
    const oldest = this.#events[this.#start]
    if (oldest === undefined) return
    this.weight -= weightOf(oldest)
    this.#start += 1
    if (this.#start * 2 < this.#events.length) return
    this.#events = this.#events.slice(this.#start)
    this.#start = 0
  }

  events(): readonly TraceEvent[] {
    return this.#events.slice(this.#start)
  }
}

/** Whose line it is: this peer, in this life, in a group. */
export type TraceLine = Pick<TraceEvent, 'group' | 'host' | 'hostEpoch'>

/** The traces of all groups, also of those that were left: events of one life are numbered through. */
export class GroupTraces {
  readonly #traces = new Map<string, GroupTrace>()
  #weight = 0

  /** Messages from `first` to the last of `envelope`, at the moment of their delivery. `nameOf` tells who an author is. */
  delivered(
    line: TraceLine,
    envelope: Envelope,
    first: number,
    nameOf: (author: DotKey['author']) => PeerId | undefined,
  ): void {
    const { author, epoch } = envelope.header
    const own = author === line.host && epoch === line.hostEpoch
    const dots = parentsOf(envelope).map(
      (dot) => `${nameOf(dot.author) ?? dot.author}#${dot.epoch}:${dot.seq}`,
    )
    const event = {
      ...line,
      kind: own ? 'publish' : 'deliver',
      time: Date.now(),
      sender: author,
      epoch,
    } as const
    for (let seq = first; seq <= envelope.last; seq++) {
      const after = seq === envelope.header.seq ? dots : [`${author}#${epoch}:${seq - 1}`]
      this.record({ ...event, seq, after })
    }
  }

  events(group: string): readonly TraceEvent[] {
    return this.#traces.get(group)?.events() ?? []
  }

  record(event: Omit<TraceEvent, 'index'>): void {
    const trace = this.#of(event.group)
    const before = trace.weight
    trace.record(event)
    this.#weight += trace.weight - before
    while (this.#weight > maxWeightInAll) this.#forgetOldestOfHeaviest()
  }

  #forgetOldestOfHeaviest(): void {
    let heaviest: GroupTrace | undefined
    for (const trace of this.#traces.values()) {
      if (trace.weight > (heaviest?.weight ?? 0)) heaviest = trace
    }
    const before = heaviest?.weight ?? 0
    heaviest?.forgetOldest()
    this.#weight += (heaviest?.weight ?? 0) - before
  }

  #of(group: string): GroupTrace {
    const trace = this.#traces.get(group) ?? new GroupTrace()
    // Recorded least recently goes first.
    this.#traces.delete(group)
    this.#traces.set(group, trace)
    if (this.#traces.size > maxTraces) this.#drop()
    return trace
  }

  #drop(): void {
    const [oldest] = this.#traces
    if (oldest === undefined) return
    this.#traces.delete(oldest[0])
    this.#weight -= oldest[1].weight
  }
}

function weightOf({ after }: Pick<TraceEvent, 'after'>): number {
  return 1 + after.length
}
