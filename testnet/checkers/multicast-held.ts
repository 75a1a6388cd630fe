/** What one life of a peer has of a group, or was told that it will never have, as its history goes on. */
import type { GroupLog, Life, Message } from './multicast-groups.ts'
import type { MulticastEvent } from './multicast-history.ts'

type Delivered = Extract<MulticastEvent, { type: 'delivered' }>

interface Range {
  readonly from: number
  readonly to: number
}

export class Held {
  /** An entry: all of it up to here is delivered, below the baseline, or known to be lost. */
  readonly upTo: Int32Array
  /** What is delivered above a hole: sparse, since a hole is a fault. */
  readonly #above = new Map<number, Set<number>>()
  readonly #told = new Map<number, Range[]>()

  constructor(base: Int32Array) {
    this.upTo = base.slice()
  }

  has(entry: number, seq: number): boolean {
    return seq <= (this.upTo[entry] ?? 0) || this.#above.get(entry)?.has(seq) === true
  }

  /** The lowest of `1 … seq` that is not here, if there is one. */
  hole(entry: number, seq: number): number | undefined {
    const above = this.#above.get(entry)
    for (let next = (this.upTo[entry] ?? 0) + 1; next <= seq; next++) {
      if (above?.has(next) !== true) return next
    }
    return undefined
  }

  wasTold(entry: number, seq: number): boolean {
    return this.#told.get(entry)?.some(({ from, to }) => from <= seq && seq <= to) === true
  }

  add(entry: number, seq: number): void {
    const next = (this.upTo[entry] ?? 0) + 1
    if (seq === next && !this.#above.has(entry) && !this.#told.has(entry)) {
      this.upTo[entry] = seq
      return
    }
    if (seq < next) return
    const above = this.#above.get(entry) ?? new Set()
    this.#above.set(entry, above.add(seq))
    this.#advance(entry)
  }

  tell(entry: number, range: Range): void {
    const told = this.#told.get(entry) ?? []
    told.push(range)
    this.#told.set(entry, told)
    this.#advance(entry)
  }

  #advance(entry: number): void {
    const above = this.#above.get(entry)
    for (;;) {
      const next = (this.upTo[entry] ?? 0) + 1
      const range = this.#told.get(entry)?.find(({ from, to }) => from <= next && next <= to)
      if (range !== undefined) this.upTo[entry] = range.to
      else if (above?.delete(next) === true) this.upTo[entry] = next
      else break
    }
    if (above?.size === 0) this.#above.delete(entry)
  }
}

/** Goes through a life; `onDelivery` sees what was held before it. Gives what was held at the end. */
export function replay(
  group: GroupLog,
  life: Life,
  base: Int32Array,
  onDelivery: (event: Delivered, message: Message, held: Held) => void = () => {},
): Held {
  const held = new Held(base)
  const { events, messages } = life
  for (let index = 0; index < events.length; index++) {
    const event = events[index]
    const message = messages[index]
    if (event?.type === 'delivered' && message !== undefined) {
      onDelivery(event, message, held)
      held.add(message.entry.index, message.seq)
    } else if (event?.type === 'truncated') {
      for (const { sender, epoch, from, to } of event.ranges) {
        const entry = group.entry(`${sender}#${epoch}`)
        if (entry !== undefined) held.tell(entry.index, { from, to })
      }
    }
  }
  return held
}
