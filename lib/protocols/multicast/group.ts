/**
 * One group at one member: wires delivery, repair, anti-entropy, joining and the
 * disk, and turns what comes from outside into their calls.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import type { Turn } from '../turn.ts'
import { AntiEntropy } from './anti-entropy.ts'
import { CausalOrder, dotOf, predecessorOf } from './causal-order.ts'
import type { Directory } from './directory.ts'
import { compareDots, dotText, entryKey } from './dots.ts'
import {
  type DurableGroup,
  durableKeys,
  encodeEntry,
  encodeGroupState,
  encodeProof,
} from './durable-state.ts'
import { encodeEnvelope, sealEnvelope } from './envelope.ts'
import type { Examiner } from './examiner.ts'
import { contradict } from './forks.ts'
import { peerRange } from './hold-back.ts'
import type { MulticastInit } from './init.ts'
import { Inquiries } from './inquiries.ts'
import { addFrame, type Baseline, baselineFrames, Joining, toFrontierDot } from './joining.ts'
import { multicastLimits } from './limits.ts'
import type { LogItem } from './log.ts'
import type {
  DotKey,
  EntryKey,
  Envelope,
  GroupFigures,
  GroupTail,
  MulticastEvent,
  MulticastPacket,
  MulticastRequest,
  PacketBody,
  Proof,
  Range,
  SignedHeader,
} from './messages.ts'
import { Repair } from './repair.ts'
import { type Timer, timerTypes } from './timers.ts'
import type { MulticastUnits } from './units.ts'

export type MulticastTurn = Turn<MulticastPacket, MulticastEvent, MulticastRequest>

interface WaitingPublish {
  readonly payload: Uint8Array
  readonly token: number
}

interface Pin {
  /** Nothing from this index on is truncated. */
  readonly index: number
  readonly since: number
  readonly until: number
}

/** A baseline that was asked for because nobody can serve what comes next here. */
interface Behind extends Baseline {
  /** Only a base that holds this dot is of any use. */
  readonly needs: DotKey | undefined
  readonly server: PeerId
  readonly id: number
  readonly until: number
}

/** A difference between digests counts once this peer has been quiet for so long: under load they always differ. */
const quietMs = 500
/** Messages whose payload was given up, and what they wait for. */
const maxExpired = 4096
const holdBackLooks = 4
/** However often a joiner asks, a pin ends after so many times `pinMs`. */
const longestPins = 10
/** Joiners that copy at once. */
const maxPins = 64
const leastRetainMs = 1000

export class Group {
  readonly name: string
  readonly id: string
  readonly order: CausalOrder
  readonly #init: MulticastInit
  readonly #turn: MulticastTurn
  readonly #agenda: Agenda<Timer>
  readonly #directory: Directory
  readonly #examiner: Examiner
  readonly #repair: Repair
  readonly #inquiries: Inquiries
  readonly #antiEntropy: AntiEntropy
  readonly #joining: Joining
  readonly #subscribed = new Set<PeerId>()
  readonly #compared = new Map<PeerId, string>()
  readonly #pins = new Map<PeerId, Pin>()
  readonly #expired = new Map<EntryKey, Map<string, DotKey>>()
  #waiting: WaitingPublish[] = []
  #waitingBytes = 0
  #epoch = 0
  #delivered = 0
  #deliveredAt = Number.NEGATIVE_INFINITY
  /** The own envelope that is being published: told with its delivery. */
  #publishing: number | undefined
  #behind: Behind | undefined
  #expiredCount = 0
  #keptUntil = 0

  constructor(
    name: string,
    id: string,
    init: MulticastInit,
    units: MulticastUnits,
    parts: {
      readonly turn: MulticastTurn
      readonly agenda: Agenda<Timer>
      readonly directory: Directory
      readonly examiner: Examiner
    },
  ) {
    this.name = name
    this.id = id
    this.#init = init
    this.#turn = parts.turn
    this.#agenda = parts.agenda
    this.#directory = parts.directory
    this.#examiner = parts.examiner
    const now = () => this.#turn.now
    const { random, config } = init
    const send = (to: PeerId, body: PacketBody) => this.#turn.send(to, { group: this.id, body })
    this.order = new CausalOrder(units, {
      delivered: (item) => this.#onDelivered(item),
      lacks: (dot, from, cause) => this.#repair.want(dot, from, { cause }),
      lacksHeader: (dot, from) => this.#inquiries.ask(dot, from),
      forked: (proof) => this.#onForked(proof),
      doubted: () => this.#examiner.count('lamport'),
    })
    this.#repair = new Repair(this.order, config, {
      now,
      random,
      reachable: () => this.#reachable(),
      peerOf: (author) => this.#directory.peerOf(author),
      send,
      schedule: (at) => this.#schedule('repair', at),
      gap: (ranges) => this.#tellGap(ranges),
      truncated: (server) => this.#fellBehind(server),
    })
    this.#inquiries = new Inquiries(config, {
      now,
      random,
      reachable: () => this.#reachable(),
      send,
      schedule: (at) => this.#schedule('inquiries', at),
      lost: (dot) => this.#lostHeader(dot),
    })
    this.#antiEntropy = new AntiEntropy(this.order, this.#repair, this.#inquiries, { now, send })
    this.#joining = new Joining(this.order, this.#repair, config, {
      now,
      random,
      send,
      schedule: (at) => this.#schedule('joining', at),
      members: () => this.#directory.membersOf(this.name),
      reachable: () => this.#reachable(),
      alone: () => this.#directory.alone,
      verify: (header) => this.#isOurs(header) && this.#examiner.verify(header),
      standing: (entries) => this.#persistAll(entries),
      ready: () => this.#becameReady(),
    })
  }

  get ready(): boolean {
    return this.order.isOpen
  }

  figures(): GroupFigures {
    const { heldBack, log } = this.order
    return {
      name: this.name,
      ready: this.ready,
      delivered: this.#delivered,
      heldBack: heldBack.size,
      heldBytes: heldBack.bytes,
      logMessages: log.messages,
      logBytes: log.bytes,
    }
  }

  /** Deliveries since this life began. */
  get delivered(): number {
    return this.#delivered
  }

  /** In the present epoch. */
  get hasPublished(): boolean {
    return this.tail().seq > 0
  }

  get pulled(): number {
    return this.#repair.pulled
  }

  get served(): number {
    return this.#repair.served
  }

  // Life

  /** New to the group: nothing is delivered before a baseline. */
  enter(): void {
    this.#persistGroup(false)
    this.#antiEntropySoon()
  }

  /** Returns with what its disk holds. */
  restore(stored: DurableGroup): void {
    if (!stored.based) {
      // It went down while it was joining: what it had copied is worth nothing without the rest.
      for (const { entry } of stored.entries) this.#turn.persist(durableKeys.entry(this.id, entry), undefined)
      this.enter()
      return
    }
    for (const proof of stored.proofs) {
      this.order.forks.prove(proof)
      this.order.castOut(proof.first.authorKey, this.#turn.now)
    }
    for (const { header } of stored.entries) this.#directory.author(header.author)
    this.order.adopt(stored.entries, stored.frontier, this.#turn.now)
    this.order.log.keep(stored.own)
    this.#kept()
    this.order.open()
    this.#turn.emit({ type: 'ready', name: this.name, index: 0 })
    this.#antiEntropySoon()
  }

  settled(): void {
    this.#joining.settled()
  }

  epoch(epoch: number): void {
    this.#epoch = epoch
    this.#flushWaiting()
  }

  leave(): void {
    for (const { token } of this.#waiting) this.#refuse(token, 'ERR_GROUP_LEFT')
    this.#waiting = []
    this.#turn.persist(durableKeys.group(this.name), undefined)
    for (const header of this.order.delivered.values()) {
      this.#turn.persist(durableKeys.entry(this.id, header.entry), undefined)
    }
    for (const item of this.order.log.after(0)) this.#forgetOwn(item.envelope)
    for (const envelope of this.order.log.dropKept()) this.#forgetOwn(envelope)
    for (const author of this.order.forks.authors()) {
      this.#turn.persist(durableKeys.proof(this.id, author), undefined)
    }
    for (const type of timerTypes) {
      this.#agenda.cancel(`${this.id} ${type}`)
    }
  }

  // Members

  /** Somebody appeared in the group, was connected, or both. */
  reached(peer: PeerId): void {
    if (!this.#reachable().includes(peer)) return
    if (!this.ready) {
      this.#joining.look()
      return
    }
    this.#repair.reached(peer)
    this.#antiEntropy.begin(peer)
  }

  lost(peer: PeerId): void {
    this.#repair.lost(peer)
    this.#joining.lost(peer)
    this.#antiEntropy.forget(peer)
    this.#compared.delete(peer)
  }

  subscription(peer: PeerId, subscribed: boolean): void {
    if (subscribed) this.#subscribed.add(peer)
    else this.#subscribed.delete(peer)
  }

  deny(peer: PeerId, denied: boolean): void {
    const author = this.#directory.keyOf(peer)
    this.order.forks.deny(author, denied)
    if (denied) this.order.castOut(author, this.#turn.now)
    else this.order.readmit(author, this.#turn.now)
  }

  // Publishing

  publish(payload: Uint8Array, token: number): void {
    if (this.ready && this.#epoch > 0) {
      this.#publish(payload, token)
      return
    }
    const { waitingPublishes, waitingBytes } = multicastLimits
    if (this.#waiting.length >= waitingPublishes || this.#waitingBytes + payload.length > waitingBytes) {
      this.#refuse(token, 'ERR_WOULD_BLOCK')
      return
    }
    this.#waiting.push({ payload, token })
    this.#waitingBytes += payload.length
  }

  #flushWaiting(): void {
    if (!this.ready || this.#epoch === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    this.#waitingBytes = 0
    for (const { payload, token } of waiting) this.#publish(payload, token)
  }

  #publish(payload: Uint8Array, token: number): void {
    const sealed = this.#seal(payload)
    if (typeof sealed === 'string') {
      this.#refuse(token, sealed)
      return
    }
    this.#publishing = token
    const item = this.order.takeOwn(sealed, this.#turn.now)
    this.#publishing = undefined
    this.#turn.emit({ type: 'published', token, name: this.name, envelope: sealed, index: item.index })
    this.#turn.request({ type: 'gossip', group: this.id, bytes: encodeEnvelope(sealed) })
    this.#pushDirectly(sealed)
  }

  #seal(payload: Uint8Array): Envelope | `ERR_${string}` {
    const { self, crypto, cluster, clock } = this.#init
    const author = this.#directory.keyOf(self)
    const entry = entryKey(author, this.#epoch)
    const last = this.order.delivered.last(entry)
    const old = last === undefined ? this.#lastOfFormerLives() : undefined
    const predecessor = last ?? old
    const named = predecessor === undefined ? '' : dotText(dotOf(predecessor))
    const dependencies = nameable(this.order.frontier.dots().filter((dot) => dotText(dot) !== named))
    let before = predecessor?.lastLamport ?? 0
    for (const dot of dependencies) {
      const header = this.order.log.header(dot)
      if (header === undefined) throw new Error(`the header of the frontier's ${dotText(dot)} is missing`)
      before = Math.max(before, header.header.lamport + (dot.seq - header.header.seq))
    }
    if (before + 1 >= multicastLimits.counter) return 'ERR_LAMPORT_EXHAUSTED'
    const stamped = clock.stamp(this.#turn.instant)
    if (stamped?.ceiling !== undefined) this.#turn.persist(durableKeys.clock, stamped.ceiling)
    return sealEnvelope(
      {
        cluster,
        group: this.id,
        author: self,
        epoch: this.#epoch,
        seq: (last?.last ?? 0) + 1,
        previous: predecessor?.hash,
        lamport: before + 1,
        hybrid: stamped?.stamp,
        dependencies,
        old: old === undefined ? undefined : dotOf(old),
      },
      [payload],
      crypto,
    )
  }

  /** The last own message of earlier lives that this one has delivered. */
  #lastOfFormerLives(): SignedHeader | undefined {
    const author = this.#directory.keyOf(this.#init.self)
    let newest: SignedHeader | undefined
    for (const header of this.order.delivered.values()) {
      if (header.authorKey !== author || header.header.epoch === this.#epoch) continue
      if (newest === undefined || header.lastLamport > newest.lastLamport) newest = header
    }
    return newest
  }

  /** To members whom gossip does not reach yet; they do not pass it on. */
  #pushDirectly(envelope: Envelope): void {
    let pushes = 0
    for (const peer of this.#reachable()) {
      if (this.#subscribed.has(peer)) continue
      if (pushes++ >= this.#init.config.directPushes) return
      this.#turn.send(peer, { group: this.id, body: { type: 'push', envelope } })
    }
  }

  #refuse(token: number, code: `ERR_${string}`): void {
    this.#turn.emit({ type: 'refused', token, code })
  }

  // Receiving

  /** Its signature is verified and its author known. */
  gossiped(envelope: Envelope, from: PeerId): void {
    this.#take(envelope, from)
  }

  receive(from: PeerId, body: PacketBody): void {
    switch (body.type) {
      case 'summary':
        if (this.ready) this.#antiEntropy.summary(from, body)
        break
      case 'vector':
        if (this.ready) this.#antiEntropy.vector(from, body)
        break
      case 'pull':
        this.#renewPin(from)
        this.#repair.serve(from, body.id, body.ranges)
        break
      case 'supply':
        this.#supplied(from, body)
        break
      case 'inquiry':
        this.#repair.answerInquiry(from, body.id, body.dots)
        break
      case 'proofs':
        for (const proof of body.proofs) this.#takeProof(from, proof)
        break
      case 'baseline-request':
        this.#giveBaseline(from, body.id, body.done)
        break
      case 'baseline':
        this.#baseline(from, body)
        break
      case 'push':
        this.#takeChecked(from, body.envelope)
        break
    }
    if (!this.ready) this.#joining.progress()
  }

  tail(): GroupTail {
    const own = entryKey(this.#directory.keyOf(this.#init.self), this.#epoch)
    const { delivered } = this.order
    return { group: this.id, epoch: this.#epoch, seq: delivered.seq(own), digest: delivered.digest }
  }

  /** What a heartbeat of `from` told. */
  tailOf(from: PeerId, tail: GroupTail): void {
    if (!this.ready) return
    if (tail.seq > 0) {
      const author = this.#directory.keyOf(from)
      if (!this.order.forks.isOutcast(author))
        this.#repair.want({ author, epoch: tail.epoch, seq: tail.seq }, from)
    }
    if (tail.digest === this.order.delivered.digest) this.#compared.delete(from)
    else if (this.#reachable().includes(from)) {
      this.#compared.set(from, tail.digest)
      this.#agenda.scheduleAtLatest(`${this.id} compare`, this.#turn.now + quietMs, {
        type: 'compare',
        group: this.id,
      })
    }
  }

  fired(timer: Timer): void {
    switch (timer.type) {
      case 'repair':
        this.#repair.run()
        break
      case 'inquiries':
        this.#inquiries.run()
        break
      case 'joining':
        this.#joining.look()
        break
      case 'anti-entropy':
        this.#compareWithSomebody()
        break
      case 'compare':
        this.#compareWithThoseWhoDiffer()
        break
      case 'retention':
        this.#retain()
        break
      case 'hold-back':
        this.#giveUpOld()
        break
    }
    if (!this.ready) this.#joining.progress()
  }

  // Taking envelopes

  /** By the persistent link: nobody has looked at it yet. */
  #takeChecked(from: PeerId, envelope: Envelope): boolean {
    if (!this.#isOurs(envelope)) return this.#misbehaved(from, 'other-group')
    if (this.order.knows(envelope)) return true
    const { author } = envelope.header
    if (!this.#directory.isKnown(author)) {
      this.#examiner.count('unknown-author')
      this.#turn.request({ type: 'sync-members', peer: from })
      return false
    }
    if (!this.#examiner.verify(envelope)) return this.#misbehaved(from, 'bad-signature')
    this.#take(envelope, from)
    return true
  }

  #take(envelope: Envelope, from: PeerId): void {
    this.#directory.author(envelope.header.author)
    const taken = this.order.take(envelope, from, this.#turn.now)
    if (taken === 'held') this.#schedule('hold-back', this.#turn.now + this.#init.config.holdBackMs)
    if (taken === 'too-far-ahead' || taken === 'quota') {
      this.#examiner.count(taken)
      // Gossip does not bring it again.
      this.#repair.want(dotOf(envelope), from)
    }
  }

  #supplied(from: PeerId, body: Extract<PacketBody, { type: 'supply' }>): void {
    const pulled = this.#repair.isAnswer(from, body.id)
    if (!this.#takeHeaders(from, body.headers, pulled, body.id) || !pulled) return
    const brought = new Set<EntryKey>()
    for (const envelope of body.envelopes) {
      const before = this.order.heldBack.size + this.#delivered + this.order.log.lastIndex
      if (!this.#takeChecked(from, envelope)) break
      if (this.order.heldBack.size + this.#delivered + this.order.log.lastIndex !== before) {
        brought.add(envelope.entry)
      }
    }
    this.#repair.supplied(body.id, brought, body.floors, body.delivered)
  }

  /** True when they were asked for, and are what their authors signed. */
  #takeHeaders(from: PeerId, headers: readonly SignedHeader[], pulled: boolean, id: number): boolean {
    const sound = headers.filter((header) => this.#isOurs(header) && this.#examiner.verify(header))
    if (!pulled && !this.#inquiries.answered(from, id, sound.map(dotOf))) return false
    for (const header of sound) {
      this.#inquiries.found(dotOf(header))
      this.order.takeHeader(header, this.#turn.now)
    }
    return sound.length === headers.length || this.#misbehaved(from, 'bad-signature')
  }

  #isOurs({ header }: SignedHeader): boolean {
    return header.group === this.id && header.cluster === this.#init.cluster
  }

  #misbehaved(peer: PeerId, reason: 'other-group' | 'bad-signature'): false {
    this.#examiner.count(reason)
    this.#turn.emit({ type: 'misbehaved', peer, reason })
    return false
  }

  #onDelivered(item: LogItem): void {
    const { envelope } = item
    const { header, entry } = envelope
    this.#turn.persist(durableKeys.entry(this.id, entry), encodeEntry(envelope))
    // With it may come what somebody else had it depend on in advance.
    if (this.#publishing !== undefined && header.author === this.#init.self) {
      const key = durableKeys.own(this.id, header.epoch, header.seq)
      this.#turn.persist(key, encodeEnvelope(envelope))
    }
    this.#init.clock.observe(header.author, envelope.lastLamport, header.hybrid, this.#turn.instant)
    const since = this.#repair.delivered(entry, envelope.last)
    if (this.ready) {
      this.#persistGroup(true)
      this.#delivered += envelope.last - item.first + 1
      this.#turn.emit({
        type: 'delivered',
        name: this.name,
        envelope,
        index: item.index,
        first: item.first,
        repairedAfterMs: since === undefined ? undefined : this.#turn.now - since,
      })
    }
    this.#deliveredAt = this.#turn.now
    this.#wantExpired(entry)
    if (this.order.log.bytes > this.#init.config.retentionBytes) this.#retain()
    else this.#schedule('retention', this.#turn.now + this.#init.config.retentionMs)
  }

  // Forks

  #takeProof(from: PeerId, { first, second }: Proof): void {
    if (this.order.forks.isProven(first.authorKey)) return
    const sound =
      this.#isOurs(first) &&
      this.#isOurs(second) &&
      contradict(first, second) &&
      this.#examiner.verify(first) &&
      this.#examiner.verify(second)
    if (sound) this.#onForked({ first, second })
    else this.#misbehaved(from, 'bad-signature')
  }

  /** Spread before anything else: it explains differences. */
  #onForked(proof: Proof): void {
    const { first, second } = proof
    const author = first.authorKey
    if (this.order.forks.isProven(author)) return
    this.#directory.author(first.header.author)
    this.order.forks.prove(proof)
    this.#turn.persist(durableKeys.proof(this.id, author), encodeProof(proof))
    this.#turn.emit({
      type: 'equivocation',
      name: this.name,
      author: first.header.author,
      epoch: first.header.epoch,
      seq: Math.max(first.header.seq, second.header.seq),
      hashes: [first.hash, second.hash],
    })
    for (const peer of this.#reachable()) this.#antiEntropy.sendProofs(peer, [proof])
    this.order.castOut(author, this.#turn.now)
  }

  // Joining and falling behind

  #giveBaseline(to: PeerId, id: number, done: boolean): void {
    if (done) {
      this.#pins.delete(to)
      return
    }
    if (!this.ready) {
      const none = {
        type: 'baseline',
        id,
        none: true,
        entries: [],
        frontier: [],
        delivered: [],
        last: true,
      } as const
      this.#turn.send(to, { group: this.id, body: none })
      return
    }
    this.#antiEntropy.sendProofs(to, this.order.forks.proofs())
    const { now } = this.#turn
    const since = this.#pins.get(to)?.since ?? now
    if (this.#pins.size >= maxPins && !this.#pins.has(to)) {
      const [oldest] = this.#pins.keys()
      if (oldest !== undefined) this.#pins.delete(oldest)
    }
    this.#pins.set(to, { index: this.order.log.firstIndex, since, until: now + this.#init.config.pinMs })
    for (const body of baselineFrames(this.order, id)) this.#turn.send(to, { group: this.id, body })
  }

  /** While a joiner copies, what it still lacks stays. */
  #renewPin(peer: PeerId): void {
    const pin = this.#pins.get(peer)
    if (pin === undefined) return
    const { pinMs } = this.#init.config
    const until = Math.min(this.#turn.now + pinMs, pin.since + longestPins * pinMs)
    this.#pins.set(peer, { ...pin, until })
  }

  #baseline(from: PeerId, body: Extract<PacketBody, { type: 'baseline' }>): void {
    if (this.#behind?.server === from) this.#catchUp(from, body)
    else if (!this.#joining.baseline(from, body)) this.#misbehaved(from, 'bad-signature')
  }

  /** Nobody can serve what comes next here: stand on what `server` has below its log, and say what is lost. */
  #fellBehind(server: PeerId, needs?: DotKey): void {
    if (!this.ready) {
      this.#joining.again()
      return
    }
    if (this.#behind !== undefined && this.#behind.until > this.#turn.now) return
    const until = this.#turn.now + this.#init.config.baselineTimeoutMs
    const id = Math.floor(this.#init.random() * 2 ** 32) + 1
    this.#behind = { server, id, until, needs, entries: [], frontier: [], delivered: [] }
    this.#turn.send(server, { group: this.id, body: { type: 'baseline-request', id, done: false } })
  }

  /**
   * What waits for this header cannot be checked any more. Whoever has delivered
   * it has it below its log by now, or could serve the header: stand on that.
   */
  #lostHeader(dot: DotKey): void {
    const [needs] = this.order.waitingForHeader(dot)
    const peers = this.#reachable()
    const server = peers[Math.floor(this.#init.random() * peers.length)]
    if (needs !== undefined && server !== undefined) this.#fellBehind(server, needs)
  }

  #catchUp(from: PeerId, body: Extract<PacketBody, { type: 'baseline' }>): void {
    const behind = this.#behind
    if (behind === undefined || behind.id !== body.id) return
    const signed = body.entries.every((header) => this.#isOurs(header) && this.#examiner.verify(header))
    if (body.none || !addFrame(behind, body) || !signed) {
      this.#behind = undefined
      if (!body.none) this.#misbehaved(from, 'bad-signature')
      return
    }
    if (!body.last) return
    this.#behind = undefined
    this.#turn.send(from, { group: this.id, body: { type: 'baseline-request', id: body.id, done: true } })
    const { delivered } = this.order
    const { needs } = behind
    const useful = (header: SignedHeader): boolean =>
      needs === undefined ||
      (header.entry === entryKey(needs.author, needs.epoch) && header.last >= needs.seq)
    if (!behind.entries.some(useful)) return
    const lost = behind.entries.filter((header) => header.last > delivered.seq(header.entry))
    if (lost.length === 0) return
    const ranges = lost.map((header) => ({
      author: header.header.author,
      epoch: header.header.epoch,
      from: delivered.seq(header.entry) + 1,
      to: header.last,
    }))
    for (const header of lost) this.#directory.author(header.header.author)
    this.#turn.emit({ type: 'history-truncated', name: this.name, ranges })
    this.#persistAll(lost)
    this.order.adopt(behind.entries, behind.frontier, this.#turn.now)
    this.#persistGroup(true)
    this.#kept()
  }

  #becameReady(): void {
    this.#persistGroup(true)
    this.#turn.emit({ type: 'ready', name: this.name, index: this.order.log.lastIndex })
    for (const peer of this.#reachable()) this.#antiEntropy.begin(peer)
    this.#flushWaiting()
  }

  // Now and then

  #antiEntropySoon(): void {
    const { antiEntropyMinMs, antiEntropyMaxMs } = this.#init.config
    const afterMs = antiEntropyMinMs + this.#init.random() * (antiEntropyMaxMs - antiEntropyMinMs)
    this.#schedule('anti-entropy', this.#turn.now + afterMs)
  }

  #compareWithSomebody(): void {
    this.#antiEntropySoon()
    const peers = this.#reachable()
    const peer = peers[Math.floor(this.#init.random() * peers.length)]
    if (peer !== undefined && this.ready) this.#antiEntropy.begin(peer)
  }

  #compareWithThoseWhoDiffer(): void {
    const quietAt = this.#deliveredAt + quietMs
    if (quietAt > this.#turn.now) {
      this.#schedule('compare', quietAt)
      return
    }
    const { digest } = this.order.delivered
    for (const [peer, theirs] of this.#compared) if (theirs !== digest) this.#antiEntropy.begin(peer)
    this.#compared.clear()
  }

  /** What a log holds over its retention goes, but for what a joiner still copies. */
  #retain(): void {
    const { log } = this.order
    const { retentionMs, retentionBytes } = this.#init.config
    const { now } = this.#turn
    const pinned = this.#pinnedFrom(now)
    for (let oldest = log.oldest; oldest !== undefined && oldest.index < pinned; oldest = log.oldest) {
      if (oldest.at + retentionMs > now && log.bytes <= retentionBytes) break
      log.truncate()
      this.#forgetOwn(oldest.envelope)
    }
    if (log.keeps && this.#keptUntil <= now) {
      for (const envelope of log.dropKept()) this.#forgetOwn(envelope)
    }
    const next = log.oldest === undefined ? Number.POSITIVE_INFINITY : log.oldest.at + retentionMs
    const at = Math.min(next, log.keeps ? this.#keptUntil : Number.POSITIVE_INFINITY)
    // A pin may hold back what is due: look again, not at once.
    if (at !== Number.POSITIVE_INFINITY) this.#schedule('retention', Math.max(at, now + leastRetainMs))
  }

  #pinnedFrom(now: number): number {
    let from = Number.POSITIVE_INFINITY
    // A joiner that is too slow begins again; memory comes first.
    if (this.order.log.bytes > 2 * this.#init.config.retentionBytes) return from
    for (const [peer, pin] of this.#pins) {
      if (pin.until <= now) this.#pins.delete(peer)
      else from = Math.min(from, pin.index)
    }
    return from
  }

  /** Something is served from below the base, for as long as the log would have kept it. */
  #kept(): void {
    if (!this.order.log.keeps) return
    this.#keptUntil = this.#turn.now + this.#init.config.retentionMs
    this.#schedule('retention', this.#keptUntil)
  }

  #forgetOwn({ header }: Envelope): void {
    if (header.author !== this.#init.self) return
    this.#turn.persist(durableKeys.own(this.id, header.epoch, header.seq), undefined)
  }

  /** An undeliverable message gives up its payload; what it waits for may still come, and then it is fetched again. */
  #giveUpOld(): void {
    const { heldBack, forks, delivered } = this.order
    const { holdBackMs } = this.#init.config
    const before = this.#turn.now - holdBackMs
    for (const held of this.ready ? [...heldBack.values()] : []) {
      if (held.at > before) continue
      const { envelope } = held
      heldBack.remove(held)
      if (forks.isOutcast(envelope.authorKey)) continue
      const { author, epoch } = envelope.header
      this.#turn.emit({ type: 'undeliverable', name: this.name, author, epoch, seq: envelope.last })
      const parents = [...envelope.header.dependencies, predecessorOf(envelope)]
      for (const dot of parents)
        if (dot !== undefined && !delivered.includes(dot)) this.#awaitFor(dot, dotOf(envelope))
    }
    if (heldBack.size > 0) this.#schedule('hold-back', this.#turn.now + holdBackMs / holdBackLooks)
  }

  #awaitFor(dot: DotKey, waiting: DotKey): void {
    const entry = entryKey(dot.author, dot.epoch)
    if (this.#expiredCount >= maxExpired) {
      // What nobody brought in all this time is not what anybody waits for.
      this.#expired.clear()
      this.#expiredCount = 0
    }
    const waiters = this.#expired.get(entry) ?? new Map<string, DotKey>()
    const before = waiters.size
    waiters.set(dotText(waiting), waiting)
    this.#expiredCount += waiters.size - before
    this.#expired.set(entry, waiters)
  }

  #wantExpired(entry: EntryKey): void {
    const waiters = this.#expired.get(entry)
    if (waiters === undefined) return
    this.#expired.delete(entry)
    this.#expiredCount -= waiters.size
    for (const dot of waiters.values()) this.#repair.want(dot, undefined)
  }

  // Disk

  #persistGroup(based: boolean): void {
    const frontier = [...this.order.frontier.values()].map(toFrontierDot)
    this.#turn.persist(durableKeys.group(this.name), encodeGroupState({ name: this.name, based, frontier }))
  }

  #persistAll(entries: readonly SignedHeader[]): void {
    for (const header of entries) {
      this.#directory.author(header.header.author)
      if (header.last <= this.order.delivered.seq(header.entry)) continue
      this.#turn.persist(durableKeys.entry(this.id, header.entry), encodeEntry(header))
    }
  }

  #reachable(): readonly PeerId[] {
    return this.#directory.reachable(this.name)
  }

  /** Of authors that nobody knows there may be nothing. */
  #tellGap(missing: readonly Range[]): void {
    const ranges = missing.flatMap((range) => {
      const author = this.#directory.peerOf(range.author)
      return author === undefined ? [] : [peerRange(author, range)]
    })
    if (ranges.length > 0 && this.ready) this.#turn.emit({ type: 'gap', name: this.name, ranges })
  }

  #schedule(type: Timer['type'], at: number): void {
    this.#agenda.scheduleAtLatest(`${this.id} ${type}`, at, { type, group: this.id })
  }
}

/**
 * What one envelope can name of the frontier: all of it, but for a crowd of
 * concurrent logs. Then the newest log of each author first; the rest stays
 * maximal and is named by the next.
 */
function nameable(frontier: readonly DotKey[]): readonly DotKey[] {
  const limit = multicastLimits.dependencies
  if (frontier.length <= limit) return frontier
  const rank = new Map<DotKey, number>()
  const seen = new Map<string, number>()
  for (const dot of [...frontier].reverse()) {
    const before = seen.get(dot.author) ?? 0
    rank.set(dot, before)
    seen.set(dot.author, before + 1)
  }
  const chosen = [...frontier].sort((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0)).slice(0, limit)
  return chosen.sort(compareDots)
}
