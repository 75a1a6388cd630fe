/**
 * Causal histories as a naive oracle keeps them: every message with the whole set
 * of those that happened before it. What the code under test holds as frontiers,
 * entries below and bases is here a maximum over a set.
 */
import fc from 'fast-check'
import { ascii } from '../../../../lib/protocols/bytes.ts'
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { CausalOrder, type CausalOrderPort } from '../../../../lib/protocols/multicast/causal-order.ts'
import { compareDots, dotOf, dotText } from '../../../../lib/protocols/multicast/dots.ts'
import { sealEnvelope } from '../../../../lib/protocols/multicast/envelope.ts'
import { toFrontierDots } from '../../../../lib/protocols/multicast/frontier.ts'
import type { LogItem } from '../../../../lib/protocols/multicast/log.ts'
import type {
  DotKey,
  EntryKey,
  Envelope,
  FrontierDot,
  Header,
  Proof,
  SignedHeader,
} from '../../../../lib/protocols/multicast/messages.ts'
import { type MulticastUnits, standardUnits } from '../../../../lib/protocols/multicast/units.ts'
import { cluster, cryptoOf, group, peer } from './sealing.ts'

export interface Told {
  readonly envelope: Envelope
  /** All that happened before. */
  readonly past: ReadonlySet<Told>
}

export type Vector = ReadonlyMap<EntryKey, number>

/** Those of which no other is after them. */
export function maximaOf(told: Iterable<Told>): Told[] {
  const all = [...told]
  return all.filter((one) => !all.some((other) => other.past.has(one)))
}

/** Of each log the highest seq. */
export function vectorOf(told: Iterable<Told>): Vector {
  const vector = new Map<EntryKey, number>()
  for (const { envelope } of told) {
    vector.set(envelope.entry, Math.max(vector.get(envelope.entry) ?? 0, envelope.last))
  }
  return vector
}

/** One author as the oracle sees it: it has delivered `seen`, a closed set. */
export class Writer {
  readonly peer: PeerId
  readonly seen = new Set<Told>()
  epoch: number
  last: Told | undefined

  constructor(name: string, epoch = 1000) {
    this.peer = peer(name)
    this.epoch = epoch
  }

  hear(...told: readonly Told[]): this {
    for (const one of told) {
      for (const before of one.past) this.seen.add(before)
      this.seen.add(one)
    }
    return this
  }

  /** Begins another life, with `left` of what it had seen; a closed set. */
  restart(epoch: number, left: Iterable<Told> = this.seen): this {
    const kept = [...left]
    this.seen.clear()
    for (const one of kept) this.seen.add(one)
    this.epoch = epoch
    this.last = undefined
    return this
  }

  /** As an honest author would, but for `change`. */
  draft(change: Partial<Header> = {}): Omit<Header, 'sizes' | 'payloadsHash'> {
    const old = this.last === undefined ? this.#newestOfFormerLives() : undefined
    const predecessor = this.last ?? old
    const frontier = maximaOf(this.seen)
    const parents = predecessor === undefined ? frontier : [predecessor, ...frontier]
    return {
      cluster,
      group,
      author: this.peer,
      epoch: this.epoch,
      seq: (this.last?.envelope.last ?? 0) + 1,
      previous: predecessor?.envelope.hash,
      lamport: 1 + Math.max(0, ...parents.map(({ envelope }) => envelope.lastLamport)),
      hybrid: undefined,
      dependencies: frontier
        .filter((one) => one !== predecessor)
        .map(({ envelope }) => dotOf(envelope))
        .sort(compareDots),
      old: old && dotOf(old.envelope),
      ...change,
    }
  }

  write(change: Partial<Header> = {}, payloads: readonly Uint8Array[] = [ascii('x')]): Told {
    const told = this.writeUnseen(change, payloads)
    this.seen.add(told)
    this.last = told
    return told
  }

  /** Written, and forgotten by its author: the next one takes its place. */
  writeUnseen(change: Partial<Header> = {}, payloads: readonly Uint8Array[] = [ascii('x')]): Told {
    const envelope = sealEnvelope(this.draft(change), payloads, cryptoOf(this.peer))
    return { envelope, past: new Set(this.seen) }
  }

  #newestOfFormerLives(): Told | undefined {
    let newest: Told | undefined
    for (const one of this.seen) {
      if (one.envelope.header.author !== this.peer) continue
      if (newest === undefined || one.envelope.lastLamport > newest.envelope.lastLamport) newest = one
    }
    return newest
  }
}

export interface Step {
  readonly author: number
  readonly payloads: number
  /** Which earlier message it hears of first, counted from the newest. */
  readonly hears: number | undefined
  /** It restarts first, on what had happened before an earlier message. */
  readonly loses: number | undefined
}

export function stepsOf(limits: { readonly authors: number; readonly messages: number }) {
  return fc.array(
    fc.record<Step>(
      {
        author: fc.nat(limits.authors - 1),
        payloads: fc.constantFrom(1, 1, 1, 3),
        hears: fc.option(fc.nat(5), { nil: undefined, freq: 3 }),
        loses: fc.option(fc.nat(6), { nil: undefined, freq: 8 }),
      },
      { noNullPrototype: true },
    ),
    { minLength: 1, maxLength: limits.messages },
  )
}

/** What authors write, in the order of writing. */
export function historyOf(steps: readonly Step[]): Told[] {
  const writers = new Map<number, Writer>()
  const history: Told[] = []
  for (const { author, payloads, hears, loses } of steps) {
    const writer = writers.get(author) ?? new Writer(`author${author}`)
    writers.set(author, writer)
    // A disk that had lost its last writes: lost tails may surface later.
    const lost = loses === undefined ? undefined : history[history.length - 1 - loses]
    if (lost !== undefined) writer.restart(writer.epoch + 1, lost.past)
    const heard = hears === undefined ? undefined : history[history.length - 1 - hears]
    if (heard !== undefined) writer.hear(heard)
    history.push(
      writer.write(
        {},
        Array.from({ length: payloads }, (_, i) => ascii(`${history.length}.${i}`)),
      ),
    )
  }
  return history
}

/** A causal order under test, and what it told. */
export class Receiver {
  readonly order: CausalOrder
  readonly items: LogItem[] = []
  readonly lacked: DotKey[] = []
  readonly headersLacked: DotKey[] = []
  readonly proofs: Proof[] = []
  readonly doubted: Envelope[] = []
  #now = 0

  constructor(units: MulticastUnits = standardUnits, isOpen = true) {
    const port: CausalOrderPort = {
      delivered: (item) => void this.items.push(item),
      lacks: (dot) => void this.lacked.push(dot),
      lacksHeader: (dot) => void this.headersLacked.push(dot),
      doubted: (envelope) => void this.doubted.push(envelope),
      forked: (proof) => {
        if (this.order.forks.isProven(proof.first.authorKey)) return
        this.proofs.push(proof)
        this.order.forks.prove(proof)
        this.order.castOut(proof.first.authorKey, this.#now)
      },
    }
    this.order = new CausalOrder(units, port)
    if (isOpen) this.order.open()
  }

  take(...told: readonly Told[]) {
    return told.map(({ envelope }) => this.order.take(envelope, envelope.header.author, ++this.#now))
  }

  /** Of the delivered envelopes, in order. */
  get hashes(): string[] {
    return this.items.map(({ envelope }) => envelope.hash)
  }

  has(told: Told): boolean {
    return this.hashes.includes(told.envelope.hash)
  }
}

export function hashesOf(told: Iterable<Told>): string[] {
  return [...told].map(({ envelope }) => envelope.hash)
}

export function dotsOf(told: Iterable<Told>): string[] {
  return [...told].map(({ envelope }) => dotText(dotOf(envelope))).sort()
}

export function frontierOf(order: CausalOrder): string[] {
  return order.frontier.dots().map(dotText).sort()
}

/** What a giver's log stands on. */
export function baseOf(order: CausalOrder, mostEntries = 10_000): Given {
  return {
    entries: [...order.log.base.values()],
    frontier: toFrontierDots(order.log.baseFrontier.values(), mostEntries),
  }
}

/** What a member's disk holds. */
export function diskOf(order: CausalOrder, mostEntries = 10_000): Given {
  return {
    entries: [...order.delivered.values()],
    frontier: toFrontierDots(order.frontier.values(), mostEntries),
  }
}

export interface Given {
  readonly entries: readonly SignedHeader[]
  readonly frontier: readonly FrontierDot[]
}

/** A delivery order that keeps causes before effects, other than that of writing. */
export function inOtherOrder(history: readonly Told[], picks: readonly number[]): Told[] {
  const left = [...history]
  const done = new Set<Told>()
  for (let i = 0; left.length > 0; i++) {
    const next = left.filter(({ past }) => [...past].every((before) => done.has(before)))
    const pick = next[(picks[i % picks.length] ?? 0) % next.length] as Told
    done.add(pick)
    left.splice(left.indexOf(pick), 1)
  }
  return [...done]
}
