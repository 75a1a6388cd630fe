/**
 * What was delivered, in the order of delivery: readers follow it by index,
 * repair serves from it, and vectors are rebuilt with it.
 *
 * Below the log lies its base: a causally closed set of which only the last
 * headers and the frontier are kept. Truncation moves the oldest deliveries into
 * the base, so the base is always a prefix of this peer's own order.
 */
import { DeliveredSet } from './delivered-set.ts'
import { dotText, entryKey } from './dots.ts'
import { Frontier } from './frontier.ts'
import type { DotKey, EntryKey, Envelope, Header, Range, SignedHeader } from './messages.ts'
import type { MulticastUnits } from './units.ts'
import type { DeliveryOrder, Stand } from './vectors.ts'

/** One delivery: an envelope whose payloads from `first` on have the indexes `index`, `index + 1` …. */
export interface LogItem extends Stand {
  readonly envelope: Envelope
  /** Seq of the first payload that counts: a fork may have won earlier ones. */
  readonly first: number
  readonly predecessor: DotKey | undefined
  readonly at: number
}

/** What is below the log goes first. */
interface Served {
  readonly order: number
  readonly envelope: Envelope
}

/** What an item costs beyond its bytes: headers, maps, indexes. */
const itemOverheadBytes = 512

export class Log implements DeliveryOrder {
  readonly base = new DeliveredSet()
  readonly baseFrontier = new Frontier()
  readonly #units: MulticastUnits
  readonly #items = new Deque<LogItem>()
  readonly #byEntry = new Map<EntryKey, Deque<LogItem>>()
  /** Headers below the log that a message in it names, and how many do. */
  readonly #named = new Map<string, number>()
  readonly #headers = new Map<string, SignedHeader>()
  /** Own envelopes of former lives: below the base, and served all the same. */
  readonly #kept = new Map<EntryKey, Envelope[]>()
  #next = 1
  #bytes = 0

  constructor(units: MulticastUnits) {
    this.#units = units
  }

  get messages(): number {
    return this.#next - this.firstIndex
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Index of the newest message; 0 for none. */
  get lastIndex(): number {
    return this.#next - 1
  }

  /** Index of the oldest message that is still here, or of the next one. */
  get firstIndex(): number {
    return this.#items.first?.index ?? this.#next
  }

  get oldest(): LogItem | undefined {
    return this.#items.first
  }

  append(item: Omit<LogItem, 'index'>): LogItem {
    const placed: LogItem = { ...item, index: this.#next }
    const { envelope } = item
    this.#next += envelope.last - item.first + 1
    this.#bytes += sizeOf(envelope)
    this.#items.push(placed)
    this.#listOf(envelope.entry).push(placed)
    this.#name(envelope)
    return placed
  }

  /** The delivery that brought this seq, if it is still here. */
  find(entry: EntryKey, seq: number): LogItem | undefined {
    const list = this.#byEntry.get(entry)
    if (list === undefined) return undefined
    const item = list.lastWhere((candidate) => candidate.first <= seq)
    return item !== undefined && seq <= item.envelope.last ? item : undefined
  }

  /** The item that holds the message of this index. */
  at(index: number): LogItem | undefined {
    return this.#items.lastWhere((item) => item.index <= index)
  }

  /** A header of a delivered envelope that ends with this dot, or was kept because it is named. */
  header(dot: DotKey): SignedHeader | undefined {
    const entry = entryKey(dot.author, dot.epoch)
    const item = this.find(entry, dot.seq)
    if (item !== undefined) return item.envelope
    const last = this.base.last(entry)
    return last?.last === dot.seq ? last : this.#headers.get(dotText(dot))
  }

  /** Remembers a header from below the base while something in the log names it. */
  keepHeader(header: SignedHeader): void {
    const text = dotText({ author: header.authorKey, epoch: header.header.epoch, seq: header.last })
    if (this.#named.has(text)) this.#headers.set(text, header)
  }

  /** Where the vector of this dot is known. */
  stand(dot: DotKey): Stand | undefined {
    const item = this.find(entryKey(dot.author, dot.epoch), dot.seq)
    if (item !== undefined) return item
    const maximal = this.baseFrontier.get(dot)
    // Of one that is not exact, the entries below may have been left out.
    if (maximal?.exact !== true) return undefined
    return { index: this.firstIndex - 1, below: maximal.below, exact: true }
  }

  // What vectors need

  valueAt(entry: EntryKey, index: number): number {
    const list = this.#byEntry.get(entry)
    const item = list?.lastWhere((candidate) => candidate.index <= index)
    return item === undefined ? this.base.seq(entry) : item.envelope.last
  }

  valueNow(entry: EntryKey): number {
    return this.#byEntry.get(entry)?.last?.envelope.last ?? this.base.seq(entry)
  }

  valueAtBase(entry: EntryKey): number {
    return this.base.seq(entry)
  }

  *entriesAfter(index: number): Iterable<EntryKey> {
    let steps = 0
    for (const item of this.#items.backwards()) {
      if (item.index <= index) return
      yield item.envelope.entry
      steps += 1
      // Longer than the list of all entries: take that instead.
      if (steps > this.#byEntry.size) {
        yield* this.#byEntry.keys()
        return
      }
    }
  }

  /** All that is delivered, in the log or below. */
  *entries(): Iterable<EntryKey> {
    for (const header of this.base.values()) yield header.entry
    for (const entry of this.#byEntry.keys()) if (this.base.seq(entry) === 0) yield entry
  }

  // Serving

  /** Of former lives, in order; they are served and were delivered then. */
  keep(envelopes: readonly Envelope[]): void {
    for (const envelope of envelopes) {
      const list = this.#kept.get(envelope.entry) ?? []
      list.push(envelope)
      this.#kept.set(envelope.entry, list)
      this.#name(envelope)
    }
  }

  /** Own envelopes of former lives; empty afterwards. */
  dropKept(): Envelope[] {
    const envelopes = [...this.#kept.values()].flat()
    this.#kept.clear()
    for (const { header } of envelopes) for (const dot of namedBy(header)) this.#release(dot)
    return envelopes
  }

  get keeps(): boolean {
    return this.#kept.size > 0
  }

  /** Up to and including this seq not everything can be served: what is kept below the base may have holes. */
  floor(entry: EntryKey): number {
    let floor = this.base.seq(entry)
    for (const { header, last } of [...(this.#kept.get(entry) ?? [])].reverse()) {
      if (last !== floor) break
      floor = header.seq - 1
    }
    return floor
  }

  /** What of these ranges is here, in delivery order: at least one if any, within the limits. */
  serve(
    ranges: readonly Range[],
    limits: { readonly envelopes: number; readonly bytes: number },
  ): Envelope[] {
    // Merged, not gathered and sorted: of 256 ranges of a full log that would be most of the log.
    const heads: { readonly rest: Iterator<Served>; head: Served }[] = []
    for (const range of ranges) {
      const rest = this.#within(range)
      const { value: head, done } = rest.next()
      if (done !== true) heads.push({ rest, head })
    }
    const served = new Set<Envelope>()
    let bytes = 0
    // Steps, not envelopes: ranges may overlap, and who asks for one thing often is not to cost more.
    for (let steps = 0; heads.length > 0 && steps < limits.envelopes; steps++) {
      let at = 0
      for (let i = 1; i < heads.length; i++) if (isServedBefore(heads[i]?.head, heads[at]?.head)) at = i
      const first = heads[at]
      if (first === undefined) break
      const { envelope } = first.head
      const size = envelope.bytes.length + payloadBytes(envelope)
      if (served.size > 0 && bytes + size > limits.bytes) break
      if (!served.has(envelope)) bytes += size
      served.add(envelope)
      const next = first.rest.next()
      if (next.done === true) heads.splice(at, 1)
      else first.head = next.value
    }
    return [...served]
  }

  *#within({ author, epoch, from, to }: Range): Generator<Served, void, void> {
    const entry = entryKey(author, epoch)
    for (const envelope of this.#kept.get(entry) ?? []) {
      if (envelope.last >= from && envelope.header.seq <= to) yield { order: 0, envelope }
    }
    for (const item of this.#byEntry.get(entry)?.from((it) => it.envelope.last < from) ?? []) {
      if (item.first > to) return
      yield { order: item.index, envelope: item.envelope }
    }
  }

  /** Messages after `index`, oldest first. */
  *after(index: number): Iterable<LogItem> {
    yield* this.#items.from((item) => item.index + item.envelope.last - item.first <= index)
  }

  // Truncation

  /** Moves the oldest delivery into the base. */
  truncate(): LogItem | undefined {
    const item = this.#items.shift()
    if (item === undefined) return undefined
    const { envelope } = item
    const { entry, header } = envelope
    const list = this.#byEntry.get(entry)
    list?.shift()
    if (list?.first === undefined) this.#byEntry.delete(entry)
    this.#bytes -= sizeOf(envelope)
    const dot: DotKey = { author: envelope.authorKey, epoch: header.epoch, seq: envelope.last }
    const before = this.base.seq(entry)
    this.#rememberNamed(this.base.last(entry))
    this.base.advance(envelope)
    this.baseFrontier.deliver(entry, before, this.#units.supersedes(header, item.predecessor), {
      dot,
      below: item.below,
      exact: item.exact,
    })
    for (const named of namedBy(header)) this.#release(named)
    return item
  }

  /** Everything goes below the base; what was here is served all the same. */
  rebase(): void {
    for (let item = this.oldest; item !== undefined; item = this.oldest) {
      // First, so that the headers that it names stay.
      this.keep([item.envelope])
      this.truncate()
    }
  }

  /** The base is all that is delivered, and this is its frontier. */
  standOn(frontier: Frontier): void {
    this.baseFrontier.replace(frontier)
  }

  /** It was the last of its log below the base and no longer is. */
  #rememberNamed(header: SignedHeader | undefined): void {
    if (header === undefined) return
    const text = dotText({ author: header.authorKey, epoch: header.header.epoch, seq: header.last })
    if (this.#named.has(text)) this.#headers.set(text, header)
  }

  #name({ header }: Envelope): void {
    for (const dot of namedBy(header)) {
      const text = dotText(dot)
      this.#named.set(text, (this.#named.get(text) ?? 0) + 1)
    }
  }

  #release(dot: DotKey): void {
    const text = dotText(dot)
    const count = this.#named.get(text) ?? 0
    if (count > 1) {
      this.#named.set(text, count - 1)
    } else {
      this.#named.delete(text)
      this.#headers.delete(text)
    }
  }

  #listOf(entry: EntryKey): Deque<LogItem> {
    let list = this.#byEntry.get(entry)
    if (list === undefined) {
      list = new Deque()
      this.#byEntry.set(entry, list)
    }
    return list
  }
}

function isServedBefore(a: Served | undefined, b: Served | undefined): boolean {
  if (a === undefined || b === undefined) return false
  return a.order < b.order || (a.order === b.order && a.envelope.header.seq < b.envelope.header.seq)
}

function namedBy(header: Header): readonly DotKey[] {
  return header.old === undefined ? header.dependencies : [...header.dependencies, header.old]
}

/** Of a header with its signature, on the wire. */
export function headerBytes(header: SignedHeader): number {
  return header.bytes.length + header.signature.length + 8
}

export function payloadBytes(envelope: Envelope): number {
  return envelope.payloads.reduce((sum, payload) => sum + payload.length, 0)
}

/** What it costs to keep an envelope, in bytes. */
export function sizeOf(envelope: Envelope): number {
  return itemOverheadBytes + envelope.bytes.length + envelope.signature.length + payloadBytes(envelope)
}

/** A queue with random access: its first elements go, and searching takes the logarithm. */
class Deque<T> {
  #elements: T[] = []
  #head = 0

  get first(): T | undefined {
    return this.#elements[this.#head]
  }

  get last(): T | undefined {
    return this.#head < this.#elements.length ? this.#elements.at(-1) : undefined
  }

  push(element: T): void {
    this.#elements.push(element)
  }

  shift(): T | undefined {
    if (this.#head === this.#elements.length) return undefined
    const element = this.#elements[this.#head] as T
    this.#head += 1
    if (this.#head > 32 && this.#head * 2 > this.#elements.length) {
      this.#elements = this.#elements.slice(this.#head)
      this.#head = 0
    }
    return element
  }

  /** The last element for which `holds`, which must hold for a prefix. */
  lastWhere(holds: (element: T) => boolean): T | undefined {
    const at = this.#countWhere(holds)
    return at === this.#head ? undefined : this.#elements[at - 1]
  }

  /** From the first element for which `skips`, which must hold for a prefix, does not hold. */
  *from(skips: (element: T) => boolean): Iterable<T> {
    for (let at = this.#countWhere(skips); at < this.#elements.length; at++) yield this.#elements[at] as T
  }

  *backwards(): Iterable<T> {
    for (let at = this.#elements.length - 1; at >= this.#head; at--) yield this.#elements[at] as T
  }

  #countWhere(holds: (element: T) => boolean): number {
    let low = this.#head
    let high = this.#elements.length
    // Most questions are about the end.
    if (high > low && holds(this.#elements[high - 1] as T)) return high
    while (low < high) {
      const middle = (low + high) >> 1
      if (holds(this.#elements[middle] as T)) low = middle + 1
      else high = middle
    }
    return low
  }
}
