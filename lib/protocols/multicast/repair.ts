/**
 * Repair: what is known to exist and is not here is pulled, by ranges of a log,
 * over the persistent link: first from whoever named it, then from its author,
 * then from random members. A jitter before the first pull leaves gossip its
 * chance; unanswered pulls go on elsewhere, more and more rarely.
 */
import type { PeerId } from '../core.ts'
import type { CausalOrder } from './causal-order.ts'
import type { MulticastConfig } from './config.ts'
import { entryKey } from './dots.ts'
import { multicastLimits } from './limits.ts'
import { headerBytes } from './log.ts'
import type { AuthorKey, DotKey, EntryKey, PacketBody, Range, SignedHeader, VectorEntry } from './messages.ts'
import { pagesOf } from './pages.ts'

export interface RepairPort {
  readonly now: () => number
  readonly random: () => number
  /** Members of the group with an open connection. */
  readonly reachable: () => readonly PeerId[]
  readonly peerOf: (author: AuthorKey) => PeerId | undefined
  readonly send: (to: PeerId, body: PacketBody) => void
  /** Wake me then. */
  readonly schedule: (at: number) => void
  readonly gap: (ranges: readonly Range[]) => void
  /** Everybody who can be reached was asked: `server` has it below its log, nobody can serve it. */
  readonly truncated: (server: PeerId) => void
  /** Everybody who can be reached was asked, and nobody has ever had it. */
  readonly unknown: () => void
}

interface Want {
  readonly entry: EntryKey
  readonly author: AuthorKey
  readonly epoch: number
  to: number
  since: number
  /** When somebody last said that it exists. */
  toldAt: number
  nextAt: number
  /** When something of this log was last delivered that no pull had brought. */
  gossipedAt: number
  attempts: number
  /** Who may have it, the likeliest first. */
  hints: PeerId[]
  /** In this round. */
  readonly asked: Set<PeerId>
  readonly answers: Map<PeerId, 'floor' | 'lacks'>
  pulled: boolean
  pull: number | undefined
  readonly cause: AuthorKey | undefined
}

export interface WantOptions {
  /** Without a jitter: somebody has just said that he has it. */
  readonly soon?: boolean
  /** Who is to blame if it does not exist: the author of the envelope that names it. */
  readonly cause?: AuthorKey
}

interface Pull {
  readonly id: number
  readonly server: PeerId
  readonly wants: readonly Want[]
  readonly expiresAt: number
}

/** Logs that may be behind at once; more are found again by anti-entropy. */
const maxWants = 4096
/** Of them, those that the envelopes of one author are to blame for. */
const maxWantsPerCause = 64
const maxHints = 4
/** Pulls that were given up, and may still be answered. */
const maxLate = 64
/**
 * A log that gossip moves and that shows no hole is not pulled: what a heartbeat told of is
 * still under way by gossip. Without this, up to a third of all messages were sent
 * a second time under full load.
 */
const movingMs = 300
/** The even ids are for pulls, the odd ones for inquiries: both are answered by a supply. */
const idStep = 2
/** Headers that a supply carries besides its envelopes. */
const supplyHeaders = { count: 512, bytes: 512 * 1024 } as const

export class Repair {
  readonly #order: CausalOrder
  readonly #config: MulticastConfig
  readonly #port: RepairPort
  readonly #wants = new Map<EntryKey, Want>()
  readonly #causes = new Map<AuthorKey, number>()
  readonly #pulls = new Map<number, Pull>()
  /** Given up, oldest first: what the time-out was too short for is taken all the same. */
  readonly #late = new Map<number, Pull>()
  #ids = 0
  #taking = false
  pulled = 0
  served = 0

  constructor(order: CausalOrder, config: MulticastConfig, port: RepairPort) {
    this.#order = order
    this.#config = config
    this.#port = port
  }

  get wanting(): number {
    return this.#wants.size
  }

  /** Messages of this log up to `dot` exist; `hint` may have them. `soon`: no jitter. */
  want(dot: DotKey, hint: PeerId | undefined, options: WantOptions = {}): void {
    const { soon = false, cause } = options
    const entry = entryKey(dot.author, dot.epoch)
    const now = this.#port.now()
    if (dot.seq <= this.#order.delivered.seq(entry)) return
    let want = this.#wants.get(entry)
    if (want === undefined) {
      if (this.#wants.size >= maxWants && !this.#dropHopeless()) return
      if (cause !== undefined && !this.#charge(cause)) return
      const { author, epoch, seq } = dot
      const nextAt = soon ? now : this.#later(now)
      want = {
        entry,
        author,
        epoch,
        to: seq,
        since: now,
        toldAt: now,
        nextAt,
        gossipedAt: Number.NEGATIVE_INFINITY,
        attempts: 0,
        hints: [],
        asked: new Set(),
        answers: new Map(),
        pulled: false,
        pull: undefined,
        cause,
      }
      this.#wants.set(entry, want)
    }
    want.to = Math.max(want.to, dot.seq)
    want.toldAt = now
    if (hint !== undefined && want.hints[0] !== hint) {
      want.hints = [hint, ...want.hints.filter((peer) => peer !== hint)].slice(0, maxHints)
    }
    if (soon) want.nextAt = Math.min(want.nextAt, now)
    this.#port.schedule(want.nextAt)
  }

  /** It was delivered: since when a pull for it was under way, if one was. */
  delivered(entry: EntryKey, seq: number): number | undefined {
    const want = this.#wants.get(entry)
    if (want === undefined) return undefined
    if (seq >= want.to) this.#drop(want)
    if (!this.#taking) want.gossipedAt = this.#port.now()
    return want.pulled ? want.since : undefined
  }

  /** Asks for what is due. */
  run(): void {
    const now = this.#port.now()
    this.#expire(now)
    const batches = new Map<PeerId, Want[]>()
    const common = this.#pick(this.#port.reachable())
    for (const want of [...this.#wants.values()]) {
      if (want.pull !== undefined || want.nextAt > now) continue
      const server = this.#serverFor(want, now, common)
      if (server === undefined) continue
      const batch = batches.get(server) ?? []
      batch.push(want)
      batches.set(server, batch)
    }
    const gaps: Range[] = []
    for (const [server, wants] of batches) this.#ask(server, wants, now, gaps)
    if (gaps.length > 0) this.#port.gap(gaps)
    this.#arm()
  }

  /** Somebody is there who was not: what was asked in vain is asked again. */
  reached(peer: PeerId): void {
    const now = this.#port.now()
    for (const want of this.#wants.values()) {
      want.asked.delete(peer)
      want.answers.delete(peer)
      if (want.pull === undefined) want.nextAt = Math.min(want.nextAt, this.#later(now))
    }
    this.#arm()
  }

  lost(peer: PeerId): void {
    for (const pull of [...this.#pulls.values()]) if (pull.server === peer) this.#end(pull, peer)
    for (const pull of [...this.#late.values()]) if (pull.server === peer) this.#late.delete(pull.id)
    this.#arm()
  }

  /** Whether the pull `id` was sent to `from`, and not answered yet. */
  isAnswer(from: PeerId, id: number): boolean {
    return this.#sent(id)?.server === from
  }

  #sent(id: number): Pull | undefined {
    return this.#pulls.get(id) ?? this.#late.get(id)
  }

  /** What `take` has delivered was brought by a pull, and not by gossip. */
  taking(take: () => void): void {
    this.#taking = true
    take()
    this.#taking = false
  }

  /** After what it brought was taken. `brought`: the logs of which it brought something. */
  supplied(
    id: number,
    brought: ReadonlySet<EntryKey>,
    floors: readonly VectorEntry[],
    delivered: readonly VectorEntry[],
  ): void {
    const pull = this.#sent(id)
    if (pull === undefined) return
    this.#pulls.delete(id)
    const isLate = this.#late.delete(id)
    const now = this.#port.now()
    const floorOf = new Map(floors.map((entry) => [entryKey(entry.author, entry.epoch), entry.seq]))
    const hasOf = new Map(delivered.map((entry) => [entryKey(entry.author, entry.epoch), entry.seq]))
    for (const want of pull.wants) {
      // Of what it did not bring it tells nothing that may not have changed since.
      if (isLate && !brought.has(want.entry)) continue
      want.attempts = isLate ? 0 : want.attempts
      // Somebody else is being asked by now, and goes first.
      if (isLate && want.pull !== undefined) continue
      want.pull = undefined
      // Nothing came: the next server is asked after a while, or a dot that does not exist would cost a storm.
      want.nextAt = brought.has(want.entry) ? now : this.#later(now)
      const next = this.#order.delivered.seq(want.entry) + 1
      if (brought.has(want.entry)) {
        // The rest is where this came from. Once all that was asked for is here, gossip has its chance again.
        want.asked.delete(pull.server)
        if (this.#missing(want).length === 0) {
          want.pulled = false
          want.since = now
        }
        want.hints = [pull.server, ...want.hints.filter((peer) => peer !== pull.server)].slice(0, maxHints)
        want.attempts = 0
      } else if ((floorOf.get(want.entry) ?? 0) >= next) want.answers.set(pull.server, 'floor')
      else if ((hasOf.get(want.entry) ?? 0) < next) want.answers.set(pull.server, 'lacks')
    }
    this.run()
  }

  /** What a peer asks for, in one answer. */
  serve(to: PeerId, id: number, ranges: readonly Range[]): void {
    const { log, delivered } = this.#order
    const open = this.#order.isOpen
    const envelopes = open
      ? log.serve(ranges, { envelopes: multicastLimits.supplyEnvelopes, bytes: multicastLimits.supplyBytes })
      : []
    this.served += envelopes.length
    const floors: VectorEntry[] = []
    const has: VectorEntry[] = []
    for (const { author, epoch } of open ? ranges : []) {
      const entry = entryKey(author, epoch)
      floors.push({ author, epoch, seq: log.floor(entry), hash: '' })
      has.push({ author, epoch, seq: delivered.seq(entry), hash: '' })
    }
    this.#port.send(to, {
      type: 'supply',
      id,
      envelopes,
      headers: this.#namedBelow(envelopes),
      floors: floors.filter(({ seq }) => seq > 0),
      delivered: has.filter(({ seq }) => seq > 0),
    })
  }

  answerInquiry(to: PeerId, id: number, dots: readonly DotKey[]): void {
    const known = dots.flatMap((dot) => this.#order.headers(dot))
    // One page; whoever needs more asks again.
    const [headers = []] = pagesOf(known, supplyHeaders, headerBytes)
    this.#port.send(to, { type: 'supply', id, envelopes: [], headers, floors: [], delivered: [] })
  }

  /** Headers that these name and that whoever is behind may not have: they lie below the log. */
  #namedBelow(envelopes: readonly SignedHeader[]): SignedHeader[] {
    const headers = new Map<string, SignedHeader>()
    for (const { header } of envelopes) {
      for (const dot of header.old === undefined
        ? header.dependencies
        : [header.old, ...header.dependencies]) {
        if (this.#order.log.find(entryKey(dot.author, dot.epoch), dot.seq) !== undefined) continue
        for (const named of this.#order.headers(dot)) headers.set(named.hash, named)
        if (headers.size >= supplyHeaders.count) break
      }
    }
    const [page = []] = pagesOf([...headers.values()], supplyHeaders, headerBytes)
    return page
  }

  /** Makes room: what was asked for in vain most often goes. */
  #dropHopeless(): boolean {
    let hopeless: Want | undefined
    for (const want of this.#wants.values()) if (want.attempts > (hopeless?.attempts ?? 0)) hopeless = want
    if (hopeless === undefined) return false
    this.#drop(hopeless)
    return true
  }

  /** False when this author has too much looked for already. */
  #charge(cause: AuthorKey): boolean {
    const count = this.#causes.get(cause) ?? 0
    if (count >= maxWantsPerCause) return false
    this.#causes.set(cause, count + 1)
    return true
  }

  #drop(want: Want): void {
    if (!this.#wants.delete(want.entry) || want.cause === undefined) return
    const count = (this.#causes.get(want.cause) ?? 1) - 1
    if (count > 0) this.#causes.set(want.cause, count)
    else this.#causes.delete(want.cause)
  }

  /** `common`: whom those ask who have nobody in mind, so that they ask together. */
  #serverFor(want: Want, now: number, common: PeerId | undefined): PeerId | undefined {
    const have = this.#order.delivered.seq(want.entry)
    if (want.to <= have || now - want.toldAt > this.#config.holdBackMs) {
      this.#drop(want)
      return undefined
    }
    if (this.#missing(want).length === 0) {
      // All of it is held and waits for something else.
      want.nextAt = now + this.#config.pullDelayMaxMs
      return undefined
    }
    if (want.gossipedAt + movingMs > now && this.#order.heldBack.of(want.entry).length === 0) {
      want.nextAt = want.gossipedAt + movingMs
      return undefined
    }
    const reachable = this.#port.reachable()
    const author = this.#port.peerOf(want.author)
    const preferred = [...want.hints, ...(author === undefined ? [] : [author])]
    const fresh = (peer: PeerId): boolean => !want.asked.has(peer)
    const server =
      preferred.find((peer) => fresh(peer) && reachable.includes(peer)) ??
      (common !== undefined && fresh(common) ? common : this.#pick(reachable.filter(fresh)))
    if (server === undefined) this.#roundOver(want, reachable, now)
    else if (this.#busy(server)) want.nextAt = now + this.#config.pullDelayMinMs
    else return server
    return undefined
  }

  /** Everybody was asked: later again, unless all say that it is gone. */
  #roundOver(want: Want, reachable: readonly PeerId[], now: number): void {
    const answered = reachable.length > 0 && reachable.every((peer) => want.answers.has(peer))
    const server = reachable.find((peer) => want.answers.get(peer) === 'floor')
    if (answered && now - want.since >= this.#config.truncateAfterMs) {
      if (server !== undefined) this.#port.truncated(server)
      else this.#port.unknown()
    }
    want.asked.clear()
    want.answers.clear()
    const { pullTimeoutMs, pullBackoffMaxMs } = this.#config
    want.nextAt =
      now + Math.min(pullBackoffMaxMs, pullTimeoutMs * 2 ** want.attempts) * (0.5 + this.#port.random())
    want.attempts = Math.min(16, want.attempts + 1)
  }

  #ask(server: PeerId, wants: readonly Want[], now: number, gaps: Range[]): void {
    const ranges: Range[] = []
    const taken: Want[] = []
    for (const want of wants) {
      const missing = this.#missing(want)
      if (ranges.length + missing.length > multicastLimits.ranges) {
        want.nextAt = now + this.#config.pullDelayMinMs
        continue
      }
      ranges.push(...missing)
      taken.push(want)
      if (!want.pulled) gaps.push(...missing)
      want.pulled = true
    }
    const id = this.#nextId()
    for (const want of taken) {
      want.pull = id
      want.asked.add(server)
    }
    this.pulled += 1
    this.#pulls.set(id, { id, server, wants: taken, expiresAt: now + this.#config.pullTimeoutMs })
    this.#port.send(server, { type: 'pull', id, ranges })
  }

  /**
   * No further than what may be held of one author. Of an outcast, what is held may
   * be another content than the one that is needed, and wait for the very message that
   * needs it: what others have delivered of it is asked for all the same.
   */
  #missing({ author, epoch, entry, to }: Want): Range[] {
    const have = this.#order.delivered.seq(entry)
    const last = Math.min(to, have + multicastLimits.aheadPerAuthor)
    if (this.#order.forks.isOutcast(author))
      return last > have ? [{ author, epoch, from: have + 1, to: last }] : []
    return this.#order.heldBack.missing(author, epoch, entry, have, last).slice(0, 16)
  }

  /**
   * Asks elsewhere, and still takes the answer: over a slow link, or to a process that gets no
   * processor, each may come too late, and then none would ever count.
   */
  #expire(now: number): void {
    for (const pull of [...this.#pulls.values()]) {
      if (pull.expiresAt > now) continue
      this.#end(pull, undefined)
      this.#late.set(pull.id, pull)
      const [oldest] = this.#late.keys()
      if (this.#late.size > maxLate && oldest !== undefined) this.#late.delete(oldest)
    }
  }

  /** No answer came. */
  #end(pull: Pull, gone: PeerId | undefined): void {
    this.#pulls.delete(pull.id)
    for (const want of pull.wants) {
      want.pull = undefined
      want.nextAt = this.#port.now()
      if (gone !== undefined) want.hints = want.hints.filter((peer) => peer !== gone)
    }
  }

  #arm(): void {
    let at = Number.POSITIVE_INFINITY
    for (const want of this.#wants.values()) if (want.pull === undefined) at = Math.min(at, want.nextAt)
    for (const pull of this.#pulls.values()) at = Math.min(at, pull.expiresAt)
    if (at !== Number.POSITIVE_INFINITY) this.#port.schedule(Math.max(at, this.#port.now() + 1))
  }

  #busy(server: PeerId): boolean {
    let count = 0
    for (const pull of this.#pulls.values()) if (pull.server === server) count += 1
    return count >= this.#config.pullsPerServer
  }

  #pick(peers: readonly PeerId[]): PeerId | undefined {
    return peers[Math.floor(this.#port.random() * peers.length)]
  }

  /** When to ask after a jitter: on a grid, so that what is due at about one time is asked for together. */
  #later(now: number): number {
    const { pullDelayMinMs, pullDelayMaxMs } = this.#config
    const at = now + pullDelayMinMs + this.#port.random() * (pullDelayMaxMs - pullDelayMinMs)
    return Math.ceil(at / pullDelayMinMs) * pullDelayMinMs
  }

  #nextId(): number {
    this.#ids += idStep
    return this.#ids
  }
}
