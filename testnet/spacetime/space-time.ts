/**
 * Vector clocks rebuilt offline from the traces of one or several hosts.
 *
 * Happened-before is the order of the events on each line, and each publication
 * before the deliveries of that message and before the publications that name
 * it. A line is one life of one host: what surfaces of an earlier life is
 * concurrent with a later one, unless a message says otherwise.
 */
import { type Line, type LineEvent, readLines } from './lines.ts'
import { TraceError, type TraceEvent } from './trace-event.ts'

export interface SpaceTimeEvent extends LineEvent {
  /** 1, 2, 3 … on its line. */
  readonly position: number
  /** Of each line how many of its events happened before this one, or are it. */
  readonly clock: Int32Array
}

export interface SpaceTime {
  /** A name each, without white space, as in `names`; a host's lives are numbered where it has several. */
  readonly lines: readonly string[]
  /** Causes before effects, and otherwise by time. */
  readonly events: readonly SpaceTimeEvent[]
}

/** Clocks are events times lines: 20 million entries are 80 MB. */
const maxClockEntries = 20_000_000

/**
 * Of the events of one group, in any order. `names` are what people call hosts.
 * Time is O(events × lines). Throws TraceError where events contradict each
 * other, or there are too many.
 */
export function buildSpaceTime(
  events: readonly TraceEvent[],
  names: ReadonlyMap<string, string> = new Map(),
): SpaceTime {
  const lines = readLines(events)
  const count = lines.reduce((total, line) => total + line.events.length, 0)
  if (count * lines.length > maxClockEntries) {
    throw new TraceError(`${count} events of ${lines.length} lives of hosts are too many for one diagram`)
  }
  return { lines: nameLines(lines, names), events: sort(lines, count) }
}

/** An event that waits for others. */
interface Node extends LineEvent {
  readonly position: number
  readonly clock: Int32Array
  readonly effects: Node[]
  causes: number
}

function sort(lines: readonly Line[], count: number): readonly SpaceTimeEvent[] {
  const nodes = link(lines)
  const ready = new Heap()
  for (const node of nodes) if (node.causes === 0) ready.push(node)
  const sorted: Node[] = []
  for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
    sorted.push(node)
    node.clock[node.line] = node.position
    for (const effect of node.effects) {
      raise(effect.clock, node.clock)
      if (--effect.causes === 0) ready.push(effect)
    }
  }
  if (sorted.length === count) return sorted
  const stuck = nodes.find(({ causes }) => causes > 0)
  throw new TraceError(`the events contradict each other: ${stuck?.dot} happened before itself`)
}

function link(lines: readonly Line[]): readonly Node[] {
  const nodes: Node[] = []
  const publications = new Map<string, Node>()
  for (const { events } of lines) {
    let before: Node | undefined
    for (const [place, event] of events.entries()) {
      const clock = new Int32Array(lines.length)
      const node: Node = { ...event, position: place + 1, clock, effects: [], causes: 0 }
      nodes.push(node)
      if (before !== undefined) precede(before, node)
      before = node
      if (node.kind === 'publish' && !publications.has(node.dot)) publications.set(node.dot, node)
    }
  }
  for (const node of nodes) {
    const publication = publications.get(node.dot)
    if (publication === undefined) continue
    if (publication !== node) precede(publication, node)
    for (const dot of node.after) {
      const cause = publications.get(dot)
      if (cause !== undefined && cause !== publication) precede(cause, publication)
    }
  }
  return nodes
}

function precede(cause: Node, effect: Node): void {
  cause.effects.push(effect)
  effect.causes++
}

function raise(clock: Int32Array, by: Int32Array): void {
  for (let index = 0; index < clock.length; index++) {
    const count = by[index] ?? 0
    if (count > (clock[index] ?? 0)) clock[index] = count
  }
}

function nameLines(lines: readonly Line[], names: ReadonlyMap<string, string>): readonly string[] {
  const taken = new Map<string, string>()
  const nameOf = (host: string): string => {
    const wanted = (names.get(host) ?? host).replaceAll(/[\s/]+/g, '_') || host
    const holder = taken.get(wanted) ?? host
    taken.set(wanted, holder)
    return holder === host ? wanted : host
  }
  const epochs = new Map<string, number[]>()
  for (const { host, epoch } of lines) epochs.set(host, [...(epochs.get(host) ?? []), epoch])
  return lines.map(({ host, epoch }) => {
    const lives = [...(epochs.get(host) ?? [])].sort((a, b) => a - b)
    return lives.length < 2 ? nameOf(host) : `${nameOf(host)}/${lives.indexOf(epoch) + 1}`
  })
}

/** The earliest first; at equal times by line and position. */
class Heap {
  readonly #nodes: Node[] = []

  push(node: Node): void {
    const nodes = this.#nodes
    let place = nodes.push(node) - 1
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (!this.#swapIfEarlier(place, parent)) break
      place = parent
    }
  }

  pop(): Node | undefined {
    const nodes = this.#nodes
    const [top] = nodes
    const last = nodes.pop()
    if (last === undefined || nodes.length === 0) return last
    nodes[0] = last
    for (let place = 0; ; ) {
      const left = 2 * place + 1
      const earlier = this.#earlier(left + 1, left) ? left + 1 : left
      if (!this.#swapIfEarlier(earlier, place)) break
      place = earlier
    }
    return top
  }

  #swapIfEarlier(place: number, than: number): boolean {
    const nodes = this.#nodes
    const [a, b] = [nodes[place], nodes[than]]
    if (a === undefined || b === undefined || !this.#earlier(place, than)) return false
    nodes[place] = b
    nodes[than] = a
    return true
  }

  #earlier(place: number, than: number): boolean {
    const [a, b] = [this.#nodes[place], this.#nodes[than]]
    if (a === undefined || b === undefined) return false
    return (a.time - b.time || a.line - b.line || a.position - b.position) < 0
  }
}
