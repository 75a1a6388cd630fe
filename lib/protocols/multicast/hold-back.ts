/**
 * The hold-back queue: verified envelopes that wait for what they depend on.
 *
 * Each waits for one thing at a time, and is looked at again when that came.
 * Bounded an author and in all; what is put out is fetched again by repair, so
 * nothing is lost, and what can be delivered at once never comes here.
 */

import type { PeerId } from '../core.ts'
import { multicastLimits } from './limits.ts'
import { sizeOf } from './log.ts'
import type { AuthorKey, EntryKey, Envelope, PeerRange, Range } from './messages.ts'

export interface Held {
  readonly envelope: Envelope
  /** Who sent it: the first to ask for what it lacks. */
  readonly from: PeerId
  readonly at: number
  /** What it waits for. */
  waitsFor: string
}

export type Room = 'room' | 'too-far-ahead' | 'quota'

export class HoldBack {
  readonly #byHash = new Map<string, Held>()
  /** Sorted by first seq; forks may hold one seq twice. */
  readonly #byEntry = new Map<EntryKey, Held[]>()
  readonly #waiting = new Map<string, Set<Held>>()
  readonly #authors = new Map<AuthorKey, { count: number; bytes: number }>()
  readonly #budget: HeldBudget
  #bytes = 0

  constructor(budget: HeldBudget = new HeldBudget()) {
    this.#budget = budget
    budget.add(this)
  }

  get size(): number {
    return this.#byHash.size
  }

  get bytes(): number {
    return this.#bytes
  }

  has(hash: string): boolean {
    return this.#byHash.has(hash)
  }

  of(entry: EntryKey): readonly Held[] {
    return this.#byEntry.get(entry) ?? []
  }

  values(): IterableIterator<Held> {
    return this.#byHash.values()
  }

  /** Makes room if there can be: the highest Lamport of the author that holds most goes first. Returns what went. */
  makeRoom(envelope: Envelope): { readonly room: Room; readonly evicted: readonly Held[] } {
    const { aheadPerAuthor, heldBytesPerAuthor, heldBytes } = multicastLimits
    const author = this.#authors.get(envelope.authorKey)
    if ((author?.count ?? 0) >= aheadPerAuthor) return { room: 'too-far-ahead', evicted: [] }
    const size = sizeOf(envelope)
    const evicted: Held[] = []
    while ((this.#authors.get(envelope.authorKey)?.bytes ?? 0) + size > heldBytesPerAuthor) {
      const victim = this.#highest(envelope.authorKey)
      if (victim === undefined || victim.envelope.header.lamport <= envelope.header.lamport) {
        return { room: 'quota', evicted }
      }
      this.remove(victim)
      evicted.push(victim)
    }
    while (this.#budget.bytes + size > heldBytes) {
      const heaviest = this.#budget.heaviest()
      if (heaviest === undefined) return { room: 'quota', evicted }
      const victim = heaviest.queue.#highest(heaviest.author)
      const own = heaviest.queue === this
      if (victim === undefined) return { room: 'quota', evicted }
      if (own && heaviest.author === envelope.authorKey) return { room: 'quota', evicted }
      heaviest.queue.remove(victim)
      if (own) evicted.push(victim)
    }
    return { room: 'room', evicted }
  }

  add(held: Held): void {
    const { envelope } = held
    this.#byHash.set(envelope.hash, held)
    const list = this.#byEntry.get(envelope.entry) ?? []
    let at = list.length
    while (at > 0 && (list[at - 1] as Held).envelope.header.seq > envelope.header.seq) at -= 1
    list.splice(at, 0, held)
    this.#byEntry.set(envelope.entry, list)
    const author = this.#authors.get(envelope.authorKey) ?? { count: 0, bytes: 0 }
    author.count += 1
    author.bytes += sizeOf(envelope)
    this.#authors.set(envelope.authorKey, author)
    this.#bytes += sizeOf(envelope)
    this.#wait(held)
  }

  remove(held: Held): void {
    const { envelope } = held
    if (!this.#byHash.delete(envelope.hash)) return
    const list = this.#byEntry.get(envelope.entry) ?? []
    list.splice(list.indexOf(held), 1)
    if (list.length === 0) this.#byEntry.delete(envelope.entry)
    const author = this.#authors.get(envelope.authorKey)
    if (author !== undefined) {
      author.count -= 1
      author.bytes -= sizeOf(envelope)
      if (author.count === 0) this.#authors.delete(envelope.authorKey)
    }
    this.#bytes -= sizeOf(envelope)
    this.#unwait(held)
  }

  /** It lacks something else now. */
  waitFor(held: Held, what: string): void {
    this.#unwait(held)
    held.waitsFor = what
    this.#wait(held)
  }

  /** Who waited for this; they wait on until they are removed or told to wait for something else. */
  waitingFor(what: string): readonly Held[] {
    const waiting = this.#waiting.get(what)
    return waiting === undefined ? [] : [...waiting]
  }

  /** The parts of `delivered + 1 … to` that are not held. */
  missing(author: AuthorKey, epoch: number, entry: EntryKey, delivered: number, to: number): Range[] {
    const ranges: Range[] = []
    let next = delivered + 1
    for (const { envelope } of this.of(entry)) {
      if (envelope.header.seq > to) break
      if (envelope.header.seq > next) ranges.push({ author, epoch, from: next, to: envelope.header.seq - 1 })
      next = Math.max(next, envelope.last + 1)
    }
    if (next <= to) ranges.push({ author, epoch, from: next, to })
    return ranges
  }

  #wait(held: Held): void {
    const waiting = this.#waiting.get(held.waitsFor) ?? new Set<Held>()
    waiting.add(held)
    this.#waiting.set(held.waitsFor, waiting)
  }

  #unwait(held: Held): void {
    const waiting = this.#waiting.get(held.waitsFor)
    waiting?.delete(held)
    if (waiting?.size === 0) this.#waiting.delete(held.waitsFor)
  }

  /** The author that holds most bytes here. */
  heaviest(): { readonly author: AuthorKey; readonly bytes: number } | undefined {
    let heaviest: { author: AuthorKey; bytes: number } | undefined
    for (const [author, { bytes }] of this.#authors) {
      if (bytes > (heaviest?.bytes ?? 0)) heaviest = { author, bytes }
    }
    return heaviest
  }

  #highest(author: AuthorKey): Held | undefined {
    let highest: Held | undefined
    for (const held of this.#byHash.values()) {
      if (held.envelope.authorKey !== author) continue
      if (highest === undefined || held.envelope.header.lamport > highest.envelope.header.lamport)
        highest = held
    }
    return highest
  }
}

/** What all groups of a peer hold back together. */
export class HeldBudget {
  readonly #queues = new Set<HoldBack>()

  get bytes(): number {
    let bytes = 0
    for (const queue of this.#queues) bytes += queue.bytes
    return bytes
  }

  add(queue: HoldBack): void {
    this.#queues.add(queue)
  }

  /** The group was left. */
  delete(queue: HoldBack): void {
    this.#queues.delete(queue)
  }

  /** Who holds most bytes in one group. */
  heaviest(): { readonly queue: HoldBack; readonly author: AuthorKey } | undefined {
    let heaviest: { queue: HoldBack; author: AuthorKey; bytes: number } | undefined
    for (const queue of this.#queues) {
      const most = queue.heaviest()
      if (most !== undefined && most.bytes > (heaviest?.bytes ?? 0)) heaviest = { queue, ...most }
    }
    return heaviest
  }
}

/** The range as an embedder names it. */
export function peerRange(author: PeerId, range: Range): PeerRange {
  return { author, epoch: range.epoch, from: range.from, to: range.to }
}
