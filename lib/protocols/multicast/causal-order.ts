/**
 * Causal delivery: hold an envelope back until its predecessor and everything
 * that it names is delivered, never deliver anyway after a time-out (Birman,
 * Schiper & Stephenson 1991, with direct dependencies in place of vectors).
 *
 * What an envelope says of itself is checked exactly when its turn comes: the
 * hash of its predecessor, and its Lamport time. Verified signatures are the
 * caller's business; so is fetching what is lacked.
 */
import type { PeerId } from '../core.ts'
import { DeliveredSet } from './delivered-set.ts'
import { dotOf, dotText, entryKey } from './dots.ts'
import { contradict, Forks } from './forks.ts'
import { Frontier } from './frontier.ts'
import { type Held, type HeldBudget, HoldBack } from './hold-back.ts'
import { Log, type LogItem } from './log.ts'
import type {
  AuthorKey,
  DotKey,
  EntryKey,
  Envelope,
  FrontierDot,
  Header,
  Proof,
  SignedHeader,
} from './messages.ts'
import type { MulticastUnits } from './units.ts'
import { belowOf, type Stand } from './vectors.ts'

export interface CausalOrderPort {
  delivered(item: LogItem): void
  /** A held envelope of `author`, which came from `from`, names it. */
  lacks(dot: DotKey, from: PeerId, author: AuthorKey): void
  /**
   * Only a header is needed: to check a Lamport time, or another one than those of
   * the hashes `known`, to find out why one does not fit.
   */
  lacksHeader(dot: DotKey, from: PeerId, known: readonly string[]): void
  forked(proof: Proof): void
  /** It is held with a Lamport time that does not fit what is known. */
  doubted(envelope: Envelope): void
}

type Judgement =
  | { readonly type: 'deliver' }
  /** Its messages are delivered already, with this content or another. */
  | { readonly type: 'old' }
  | { readonly type: 'fork'; readonly against: SignedHeader }
  | { readonly type: 'wait'; readonly for: string }

export type Taken = 'delivered' | 'held' | 'old' | 'forked' | 'too-far-ahead' | 'quota'

/** Missing dependencies of one envelope that are looked for at once. */
const maxLacking = 32
/** Two contents of one dot that differ in their Lamport times; more are not looked at. */
const maxAlternatives = 4
/** Logs of one author, beyond which one that names no earlier life counts only where others name it. */
const maxFreshLogs = 64
const lamportDoubt = 'another header'
const baseline = 'a baseline'

export class CausalOrder {
  readonly delivered = new DeliveredSet()
  readonly frontier = new Frontier()
  readonly heldBack: HoldBack
  readonly forks = new Forks()
  readonly log: Log
  readonly #units: MulticastUnits
  readonly #port: CausalOrderPort
  /** Other headers of an outcast's dots: honest messages may be built on any of them. */
  readonly #alternatives = new Map<string, SignedHeader[]>()
  /** What may be delivered while a baseline is copied; undefined: everything. */
  #ceiling: ReadonlyMap<EntryKey, number> | undefined = new Map()
  #now = 0

  constructor(units: MulticastUnits, port: CausalOrderPort, budget?: HeldBudget) {
    this.heldBack = new HoldBack(budget)
    this.#units = units
    this.#port = port
    this.log = new Log(units)
  }

  /** Whether the very envelope is delivered or held. */
  knows(header: SignedHeader): boolean {
    if (this.heldBack.has(header.hash)) return true
    if (header.last > this.delivered.seq(header.entry)) return false
    const known = this.#deliveredHeader(header)
    // Below the log nobody can tell; then it is old for sure.
    return known === undefined || known.hash === header.hash
  }

  /** An envelope whose signature is verified. Delivers it, and whatever waited for it, or holds it back. */
  take(envelope: Envelope, from: PeerId, now: number): Taken {
    this.#now = now
    if (this.heldBack.has(envelope.hash)) return 'old'
    const judgement = this.#judge(envelope, from)
    switch (judgement.type) {
      case 'deliver':
        this.#wake(dotsOf(this.#deliver(envelope)))
        return 'delivered'
      case 'old':
        return this.#refuteOld(envelope) ? 'forked' : 'old'
      case 'fork':
        this.#port.forked({ first: judgement.against, second: envelope })
        // As an outcast's it may be needed after all.
        return this.take(envelope, from, now) === 'delivered' ? 'delivered' : 'forked'
      case 'wait':
        return this.#hold(envelope, from, judgement.for)
    }
  }

  /** Its author's own, new: delivered at once. */
  takeOwn(envelope: Envelope, now: number): LogItem {
    this.#now = now
    const item = this.#deliver(envelope)
    this.#wake(dotsOf(item))
    return item
  }

  /** A verified header that was asked for. */
  takeHeader(header: SignedHeader, now: number): void {
    this.#now = now
    const dot = dotOf(header)
    const known = this.#deliveredHeader(header)
    if (known !== undefined && contradict(known, header)) {
      this.#addAlternative(header)
      if (!this.forks.isProven(header.authorKey)) this.#port.forked({ first: known, second: header })
    } else if (known === undefined) {
      this.#addAlternative(header)
      this.log.keepHeader(header)
    }
    this.#wake([headerOf(dot), lamportDoubt])
  }

  /** The headers of this dot that are known: of the delivered content first, and of others if it is forked. */
  headers(dot: DotKey): readonly SignedHeader[] {
    const known = this.log.header(dot)
    const others = this.#alternatives.get(dotText(dot)) ?? []
    if (known === undefined) return others
    return [known, ...others.filter(({ hash }) => hash !== known.hash)]
  }

  /** Envelopes that wait for this header, to be checked. */
  waitingForHeader(dot: DotKey): readonly DotKey[] {
    return this.heldBack.waitingFor(headerOf(dot)).map(({ envelope }) => dotOf(envelope))
  }

  /** The author is proven to fork, or denied: its messages count only where others name them. */
  castOut(author: AuthorKey, now: number): void {
    this.#now = now
    this.delivered.exclude(author)
    const proof = this.forks.proofOf(author)
    if (proof !== undefined) for (const header of [proof.first, proof.second]) this.#addAlternative(header)
    this.review(now)
  }

  readmit(author: AuthorKey, now: number): void {
    if (this.forks.isOutcast(author)) return
    this.delivered.include(author)
    this.review(now)
  }

  /** Looks at everything that is held again. */
  review(now: number): void {
    this.#now = now
    for (const { envelope } of [...this.heldBack.values()]) this.#spreadNeed(envelope)
    this.#wake([...new Set([...this.heldBack.values()].map(({ waitsFor }) => waitsFor))])
  }

  // Baselines

  /** Nothing is delivered until `open`, but for what lies at or below `ceiling`. */
  close(ceiling: ReadonlyMap<EntryKey, number>): void {
    this.#ceiling = ceiling
  }

  /** What waited for this is looked at by the next `review`. */
  open(): void {
    this.#ceiling = undefined
  }

  get isOpen(): boolean {
    return this.#ceiling === undefined
  }

  /**
   * Stands on what others have below their logs: all of `entries` counts as
   * delivered, nothing of it is. Both sets are causally closed, so their union is,
   * and a dot is maximal in the union if it is in each set that has it.
   */
  adopt(entries: readonly SignedHeader[], frontier: readonly FrontierDot[], now: number): void {
    this.#now = now
    this.log.rebase()
    const given = new Map(entries.map((header) => [header.entry, header]))
    const isGiven = (dot: DotKey): boolean =>
      (given.get(entryKey(dot.author, dot.epoch))?.last ?? 0) >= dot.seq
    const givenFrontier = new Map(this.#units.baselineFrontier(frontier).map((dot) => [dotText(dot), dot]))
    const own = [...this.frontier.values()]
    const isOwn = (dot: DotKey): boolean => this.delivered.includes(dot)
    const stay = own.filter(({ dot }) => !isGiven(dot) || givenFrontier.has(dotText(dot)))
    const come = [...givenFrontier.values()].filter((dot) => !isOwn(dot))
    for (const { dot } of own) this.frontier.delete(dot)
    const seqs = new Map([...this.delivered.values()].map((header) => [header.entry, header.last]))
    for (const { dot, below, exact } of stay) {
      for (const header of entries) {
        const mine = seqs.get(header.entry) ?? 0
        if (header.last > mine && !below.has(header.entry)) below.set(header.entry, mine)
      }
      this.frontier.add({ dot, below, exact })
    }
    for (const { author, epoch, seq, below, exact } of come) {
      const lists = new Map(below.map((entry) => [entryKey(entry.author, entry.epoch), entry.seq]))
      for (const [entry, mine] of seqs) {
        const theirs = given.get(entry)?.last ?? 0
        if (mine > theirs && !lists.has(entry)) lists.set(entry, theirs)
      }
      this.frontier.add({ dot: { author, epoch, seq }, below: lists, exact })
    }
    for (const header of entries) {
      if (header.last <= this.delivered.seq(header.entry)) continue
      this.delivered.advance(header)
      this.log.base.advance(header)
    }
    this.log.standOn(this.frontier)
    this.review(now)
  }

  // Judging

  #judge(envelope: Envelope, from: PeerId): Judgement {
    const { header, entry, authorKey } = envelope
    const have = this.delivered.seq(entry)
    if (envelope.last <= have) return { type: 'old' }
    if (this.#ceiling !== undefined && envelope.last > (this.#ceiling.get(entry) ?? 0)) {
      return { type: 'wait', for: baseline }
    }
    const outcast = this.forks.isOutcast(authorKey)
    const onlyIfNeeded = outcast || this.#isThrowaway(envelope)
    if (onlyIfNeeded && this.forks.neededUpTo(entry) < header.seq) return { type: 'wait', for: needOf(entry) }
    return this.#judgePredecessor(envelope, have, outcast) ?? this.#judgeDependencies(envelope, from)
  }

  /**
   * One more log of an author that has many, and tied to none of them: an honest
   * author names its last message of an earlier life. As with outcasts, it counts
   * where others name it, so nobody else's messages suffer.
   */
  #isThrowaway({ header, authorKey }: Envelope): boolean {
    const fresh = header.seq === 1 && header.old === undefined
    return fresh && this.delivered.logsOf(authorKey) >= maxFreshLogs
  }

  #judgePredecessor(envelope: Envelope, have: number, outcast: boolean): Judgement | undefined {
    const { header, entry, authorKey } = envelope
    if (header.seq === 1 && have === 0) return this.#judgeOld(envelope, outcast)
    const last = this.delivered.last(entry)
    if (this.#units.comesNext(have, last?.hash ?? '', header.seq, header.previous)) return undefined
    if (header.seq > have + 1) {
      return { type: 'wait', for: dotText({ author: authorKey, epoch: header.epoch, seq: header.seq - 1 }) }
    }
    if (outcast || last === undefined) return undefined
    return { type: 'fork', against: last }
  }

  /** An epoch's first envelope follows the old dot that it names. */
  #judgeOld({ header }: Envelope, outcast: boolean): Judgement | undefined {
    const { old } = header
    if (old === undefined) return undefined
    if (!this.delivered.includes(old)) return { type: 'wait', for: dotText(old) }
    const known = this.log.header(old)
    if (outcast || known === undefined || known.last !== old.seq || known.hash === header.previous) {
      return undefined
    }
    return { type: 'fork', against: known }
  }

  #judgeDependencies(envelope: Envelope, from: PeerId): Judgement {
    for (const dot of this.#units.mustFollow(envelope.header)) {
      if (!this.delivered.includes(dot)) return { type: 'wait', for: dotText(dot) }
    }
    return this.#judgeLamport(envelope, from)
  }

  /**
   * Exact: one more than the highest of the parents. Where a parent's dot is
   * forked, any of its contents may be the one that was meant.
   */
  #judgeLamport(envelope: Envelope, from: PeerId): Judgement {
    const { header } = envelope
    const predecessor = predecessorOf(envelope)
    const parents = predecessor === undefined ? header.dependencies : [predecessor, ...header.dependencies]
    const target = header.lamport - 1
    let highest = 0
    let fits = true
    let reached = target === 0 && parents.length === 0
    for (const dot of parents) {
      // Only rules that were weakened let one through whose parents are not delivered: nothing to check then.
      if (!this.delivered.includes(dot)) return { type: 'deliver' }
      const times = this.#lamportsOf(dot)
      if (times.length === 0) {
        this.#port.lacksHeader(dot, from, [])
        return { type: 'wait', for: headerOf(dot) }
      }
      highest = Math.max(highest, times[0] as number)
      fits &&= times.some((time) => time <= target)
      reached ||= times.includes(target)
    }
    const before = fits && reached ? target : highest === target ? highest + 1 : highest
    if (this.#units.lamportIsExact(header, before)) return { type: 'deliver' }
    return { type: 'wait', for: lamportDoubt }
  }

  /** Of the delivered content first. */
  #lamportsOf(dot: DotKey): number[] {
    return this.headers(dot).map(({ header }) => header.lamport + (dot.seq - header.seq))
  }

  #addAlternative(header: SignedHeader): void {
    const text = dotText(dotOf(header))
    const known = this.#alternatives.get(text) ?? []
    if (known.length >= maxAlternatives || known.some(({ hash }) => hash === header.hash)) return
    this.#alternatives.set(text, [...known, header])
    // The oldest doubts go first; what they were about is long settled.
    if (this.#alternatives.size > 4096) {
      const [oldest] = this.#alternatives.keys()
      if (oldest !== undefined) this.#alternatives.delete(oldest)
    }
  }

  // Delivering

  #deliver(envelope: Envelope): LogItem {
    const { header, entry, authorKey } = envelope
    const have = this.delivered.seq(entry)
    const predecessor: DotKey | undefined =
      have > 0 ? { author: authorKey, epoch: header.epoch, seq: have } : header.old
    const { below, exact } = this.#vectorOf(envelope, predecessor)
    const item = this.log.append({
      envelope,
      first: Math.max(have + 1, header.seq),
      predecessor,
      at: this.#now,
      below,
      exact,
    })
    // It is named from now on: what is known of it only as another header must stay with the log.
    for (const dot of namedBy(header)) {
      if (this.log.header(dot) !== undefined) continue
      for (const known of this.#alternatives.get(dotText(dot)) ?? []) this.log.keepHeader(known)
    }
    this.delivered.advance(envelope)
    this.frontier.deliver(entry, have, this.#supersededBy(envelope, predecessor), {
      dot: dotOf(envelope),
      below,
      exact,
    })
    this.forks.satisfied(entry, envelope.last)
    this.#port.delivered(item)
    return item
  }

  /**
   * A forked dot may be named for another of its contents than was delivered here,
   * which shows in its Lamport time. That does not cover what was delivered: it stays maximal.
   */
  #supersededBy(envelope: Envelope, predecessor: DotKey | undefined): readonly DotKey[] {
    const superseded = this.#units.supersedes(envelope.header, predecessor)
    return superseded.filter((dot) => {
      const named = this.log.header(dot)
      if (named === undefined || dot === predecessor) return true
      return named.header.lamport + (dot.seq - named.header.seq) < envelope.header.lamport
    })
  }

  #vectorOf(envelope: Envelope, predecessor: DotKey | undefined) {
    const stands: Stand[] = []
    const unknown: [EntryKey, number][] = []
    for (const dot of this.#units.parents(envelope.header, predecessor)) {
      const stand = this.log.stand(dot)
      if (stand === undefined) unknown.push([entryKey(dot.author, dot.epoch), dot.seq])
      else stands.push(stand)
    }
    return belowOf(envelope.entry, stands, unknown, this.log)
  }

  /** Those who waited for these, those who waited for them, and so on. */
  #wake(keys: readonly string[]): void {
    const queue = [...keys]
    for (let key = queue.shift(); key !== undefined; key = queue.shift()) {
      for (const held of this.heldBack.waitingFor(key)) {
        if (held.waitsFor === key && this.heldBack.has(held.envelope.hash)) queue.push(...this.#again(held))
      }
    }
  }

  /** Returns what its delivery wakes. */
  #again(held: Held): readonly string[] {
    const { envelope, from } = held
    const judgement = this.#judge(envelope, from)
    switch (judgement.type) {
      case 'deliver':
        this.heldBack.remove(held)
        return dotsOf(this.#deliver(envelope))
      case 'old':
        this.heldBack.remove(held)
        this.#refuteOld(envelope)
        return []
      case 'fork':
        this.heldBack.waitFor(held, needOf(envelope.entry))
        this.#port.forked({ first: judgement.against, second: envelope })
        return []
      case 'wait':
        if (judgement.for !== held.waitsFor) {
          this.heldBack.waitFor(held, judgement.for)
          this.#tellLacks(held)
        }
        return []
    }
  }

  #hold(envelope: Envelope, from: PeerId, waitsFor: string): Taken {
    const { room, evicted } = this.heldBack.makeRoom(envelope)
    for (const held of evicted) this.#port.lacks(dotOf(held.envelope), held.from, held.envelope.authorKey)
    if (room !== 'room') return room
    const held: Held = { envelope, from, at: this.#now, waitsFor }
    this.heldBack.add(held)
    this.#spreadNeed(envelope)
    this.#tellLacks(held)
    return 'held'
  }

  #tellLacks({ envelope, from, waitsFor }: Held): void {
    const { header, authorKey } = envelope
    if (waitsFor === lamportDoubt) {
      this.#port.doubted(envelope)
      // Once: another content of a parent, if there is one, explains it.
      const predecessor = predecessorOf(envelope)
      const parents = [...(predecessor === undefined ? [] : [predecessor]), ...header.dependencies]
      for (const dot of parents.slice(0, maxLacking)) {
        // What it is doubted for stays, also when the log has gone on.
        const known = this.log.header(dot)
        if (known !== undefined) this.#addAlternative(known)
        const hashes = this.headers(dot).map(({ hash }) => hash)
        this.#port.lacksHeader(dot, from, hashes)
      }
    }
    if (header.seq > 1) {
      const before: DotKey = { author: authorKey, epoch: header.epoch, seq: header.seq - 1 }
      if (!this.delivered.includes(before)) this.#port.lacks(before, from, authorKey)
    }
    let lacking = 0
    for (const dot of namedBy(header)) {
      if (this.delivered.includes(dot)) continue
      this.#port.lacks(dot, from, authorKey)
      // The rest when these are there: who names a thousand dots that do not exist is not to cost more.
      if (++lacking >= maxLacking) return
    }
  }

  /** What an envelope of somebody in good standing waits for is needed, whoever wrote it. */
  #spreadNeed(envelope: Envelope): void {
    if (this.forks.none && !this.delivered.hasCrowd(maxFreshLogs)) return
    const queue = [envelope]
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const onlyIfNeeded = this.forks.isOutcast(next.authorKey) || this.#isThrowaway(next)
      if (onlyIfNeeded && this.forks.neededUpTo(next.entry) < next.header.seq) continue
      for (const dot of namedBy(next.header)) {
        if (this.delivered.includes(dot)) continue
        const many = this.delivered.logsOf(dot.author) >= maxFreshLogs
        if (!many && !this.forks.isOutcast(dot.author)) continue
        if (!this.forks.need(dot)) continue
        const entry = entryKey(dot.author, dot.epoch)
        for (const held of this.heldBack.of(entry))
          if (held.envelope.header.seq <= dot.seq) queue.push(held.envelope)
        this.#needed.add(needOf(entry))
      }
    }
    const keys = [...this.#needed]
    this.#needed.clear()
    if (keys.length > 0) this.#wake(keys)
  }

  readonly #needed = new Set<string>()

  /** Its dots are delivered: with another content it proves a fork. */
  #refuteOld(envelope: Envelope): boolean {
    const known = this.#deliveredHeader(envelope)
    if (known === undefined || known.hash === envelope.hash || !contradict(known, envelope)) return false
    this.#addAlternative(envelope)
    if (!this.forks.isProven(envelope.authorKey)) this.#port.forked({ first: known, second: envelope })
    return true
  }

  #deliveredHeader(header: SignedHeader): SignedHeader | undefined {
    const item = this.log.find(header.entry, header.last)
    if (item !== undefined) return item.envelope
    const last = this.log.base.last(header.entry)
    return last !== undefined && last.header.seq <= header.last && header.last <= last.last ? last : undefined
  }
}

/** What it says that it follows. */
export function predecessorOf({ header, authorKey }: SignedHeader): DotKey | undefined {
  return header.seq > 1 ? { author: authorKey, epoch: header.epoch, seq: header.seq - 1 } : header.old
}

/** What waits for a delivery waits for one of these. */
function dotsOf({ envelope, first }: LogItem): string[] {
  const { authorKey: author, header, last } = envelope
  const dots: string[] = []
  for (let seq = first; seq <= last; seq++) dots.push(dotText({ author, epoch: header.epoch, seq }))
  return dots
}

function namedBy(header: Header): readonly DotKey[] {
  return header.old === undefined ? header.dependencies : [...header.dependencies, header.old]
}

function needOf(entry: EntryKey): string {
  return `need of ${entry}`
}

function headerOf(dot: DotKey): string {
  return `header of ${dotText(dot)}`
}
