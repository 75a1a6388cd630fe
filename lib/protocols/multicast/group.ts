/**
 * One group at one member: wires delivery, repair, joining and the disk, and
 * turns what comes from outside into their calls.
 */

import type { PeerId } from '../core.ts'
import { AntiEntropy, answerIntervalMs } from './anti-entropy.ts'
import { CatchingUp } from './catching-up.ts'
import { CausalOrder } from './causal-order.ts'
import { Comparison } from './comparison.ts'
import { dotOf } from './dots.ts'
import type { DurableGroup } from './durable-state.ts'
import { contradict } from './forks.ts'
import type { GroupContext } from './group-context.ts'
import { GroupDisk } from './group-disk.ts'
import { peerRange } from './hold-back.ts'
import { Inquiries } from './inquiries.ts'
import { baselineFrames, Joining, noBaseline } from './joining.ts'
import type { LogItem } from './log.ts'
import type {
  EntryKey,
  Envelope,
  GroupFigures,
  GroupTail,
  PacketBody,
  Proof,
  Range,
  SignedHeader,
} from './messages.ts'
import { Pace } from './pace.ts'
import { Publisher } from './publisher.ts'
import { Repair } from './repair.ts'
import { Retention } from './retention.ts'
import type { Timer } from './timers.ts'
import { Undeliverable } from './undeliverable.ts'
import type { MulticastUnits } from './units.ts'

export class Group {
  readonly order: CausalOrder
  readonly #group: GroupContext
  readonly #disk: GroupDisk
  readonly #publisher: Publisher
  readonly #repair: Repair
  readonly #inquiries: Inquiries
  readonly #antiEntropy: AntiEntropy
  readonly #comparison: Comparison
  readonly #joining: Joining
  readonly #catchingUp: CatchingUp
  readonly #retention: Retention
  readonly #undeliverable: Undeliverable
  /** Baselines: a frame that asks for one is nothing, and the answer may be megabytes. */
  readonly #given = new Pace(answerIntervalMs)
  #delivered = 0

  constructor(group: GroupContext, units: MulticastUnits) {
    this.#group = group
    const { config } = group.init
    const common = {
      now: () => group.now,
      random: () => group.random(),
      reachable: () => group.reachable(),
      send: (to: PeerId, body: PacketBody) => group.send(to, body),
    }
    this.order = new CausalOrder(
      units,
      {
        delivered: (item) => this.#onDelivered(item),
        lacks: (dot, from, cause) => this.#repair.want(dot, from, { cause }),
        lacksHeader: (dot, from, known) => this.#inquiries.ask(dot, from, known),
        forked: (proof) => this.#onForked(proof),
        doubted: () => group.examiner.count('lamport'),
      },
      group.budget,
    )
    this.#disk = new GroupDisk(group)
    this.#publisher = new Publisher(group, this.order, this.#disk)
    this.#repair = new Repair(this.order, config, {
      ...common,
      peerOf: (author) => group.directory.peerOf(author),
      schedule: (at) => group.schedule('repair', at),
      gap: (ranges) => this.#tellGap(ranges),
      unknown: () => this.#joining.unknown(),
      truncated: (server) => (this.ready ? this.#catchingUp.begin(server) : this.#joining.again()),
    })
    this.#inquiries = new Inquiries(config, {
      ...common,
      schedule: (at) => group.schedule('inquiries', at),
      lost: (dot) => (this.ready ? this.#catchingUp.withoutHeader(dot) : this.#joining.again()),
    })
    this.#antiEntropy = new AntiEntropy(this.order, this.#repair, this.#inquiries, common)
    this.#comparison = new Comparison(group, this.order, this.#antiEntropy)
    this.#joining = new Joining(this.order, this.#repair, config, {
      ...common,
      schedule: (at) => group.schedule('joining', at),
      members: () => group.directory.membersOf(group.name),
      alone: () => group.directory.alone,
      verify: (header) => group.isSound(header),
      standing: (entries) => this.#disk.writeStanding(this.order, entries),
      ready: () => this.#becameReady(),
    })
    this.#retention = new Retention(group, this.order.log, this.#disk)
    this.#catchingUp = new CatchingUp(group, this.order, this.#disk, () => this.#retention.kept())
    this.#undeliverable = new Undeliverable(group, this.order, this.#repair)
  }

  get name(): string {
    return this.#group.name
  }

  get id(): string {
    return this.#group.id
  }

  get ready(): boolean {
    return this.order.isOpen
  }

  /** Deliveries since this life began. */
  get delivered(): number {
    return this.#delivered
  }

  /** In the present epoch. */
  get hasPublished(): boolean {
    return this.#publisher.lastSeq > 0
  }

  get pulled(): number {
    return this.#repair.pulled
  }

  get served(): number {
    return this.#repair.served
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

  // Life

  /** New to the group: nothing is delivered before a baseline. */
  enter(): void {
    this.#disk.writeState(this.order, false)
    this.#comparison.plan()
  }

  /** Returns with what its disk holds. */
  restore(stored: DurableGroup): void {
    if (!stored.based) {
      // It went down while it was joining: what it had copied is worth nothing without the rest.
      for (const { entry } of stored.entries) this.#disk.forgetEntry(entry)
      this.enter()
      return
    }
    for (const proof of stored.proofs) {
      this.order.forks.prove(proof)
      this.order.castOut(proof.first.authorKey, this.#group.now)
    }
    for (const { header } of stored.entries) this.#group.directory.author(header.author)
    this.order.adopt(stored.entries, stored.frontier, this.#group.now)
    this.order.log.keep(stored.own)
    this.#retention.kept()
    this.order.open()
    this.#group.turn.emit({ type: 'ready', name: this.name, index: 0 })
    this.#comparison.plan()
  }

  settled(): void {
    this.#joining.settled()
  }

  /** 0: none that may be used. */
  epoch(epoch: number): void {
    this.#publisher.begin(epoch)
  }

  publish(payload: Uint8Array, token: number): void {
    this.#publisher.publish(payload, token)
  }

  leave(): void {
    this.#publisher.refuseAll('ERR_GROUP_LEFT')
    this.#disk.wipe(this.order)
    this.#group.budget.delete(this.order.heldBack)
    this.#group.cancelAll()
  }

  #becameReady(): void {
    this.#disk.writeState(this.order, true)
    this.#group.turn.emit({ type: 'ready', name: this.name, index: this.order.log.lastIndex })
    this.#comparison.withAll()
    this.#publisher.flush()
  }

  // Members

  /** Somebody appeared in the group, was connected, or both. */
  reached(peer: PeerId): void {
    if (!this.#group.reachable().includes(peer)) return
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
    this.#given.forget(peer)
    this.#comparison.lost(peer)
  }

  subscription(peer: PeerId, subscribed: boolean): void {
    this.#publisher.subscription(peer, subscribed)
  }

  deny(peer: PeerId, denied: boolean): void {
    const author = this.#group.directory.keyOf(peer)
    this.order.forks.deny(author, denied)
    if (denied) this.order.castOut(author, this.#group.now)
    else this.order.readmit(author, this.#group.now)
  }

  // Heartbeats

  tail(): GroupTail {
    const { epoch, lastSeq } = this.#publisher
    return { group: this.id, epoch, seq: lastSeq, digest: this.order.delivered.digest }
  }

  /** What a heartbeat of `from` told. */
  tailOf(from: PeerId, { epoch, seq, digest }: GroupTail): void {
    // Who tells a tail is ready, and copies no more.
    this.#retention.unpin(from)
    if (!this.ready) return
    const author = this.#group.directory.keyOf(from)
    if (seq > 0 && !this.order.forks.isOutcast(author)) this.#repair.want({ author, epoch, seq }, from)
    this.#comparison.told(from, digest)
  }

  // Receiving

  /** Its signature is verified and its author known. */
  gossiped(envelope: Envelope, from: PeerId): void {
    this.#take(envelope, from)
  }

  receive(from: PeerId, body: PacketBody): void {
    this.#receive(from, body)
    if (!this.ready) this.#joining.progress()
  }

  #receive(from: PeerId, body: PacketBody): void {
    switch (body.type) {
      case 'summary':
        if (this.ready) this.#antiEntropy.summary(from, body)
        return
      case 'vector':
        if (this.ready) this.#antiEntropy.vector(from, body)
        return
      case 'pull':
        this.#retention.renew(from)
        this.#repair.serve(from, body.id, body.ranges)
        return
      case 'supply':
        this.#supplied(from, body)
        return
      case 'inquiry':
        this.#repair.answerInquiry(from, body.id, body.dots)
        return
      case 'proofs':
        for (const proof of body.proofs) this.#takeProof(from, proof)
        return
      case 'baseline-request':
        if (body.done) this.#retention.unpin(from)
        else this.#giveBaseline(from, body.id)
        return
      case 'baseline':
        if (!this.#takeBaseline(from, body)) this.#group.misbehaved(from, 'bad-signature')
        return
      case 'push':
        this.#takeChecked(from, body.envelope)
        return
    }
  }

  fired(timer: Timer): void {
    this.#fired(timer)
    if (!this.ready) this.#joining.progress()
  }

  #fired(timer: Timer): void {
    switch (timer.type) {
      case 'repair':
        return this.#repair.run()
      case 'inquiries':
        return this.#inquiries.run()
      case 'joining':
        return this.#joining.look()
      case 'anti-entropy':
        return this.#comparison.run()
      case 'compare':
        return this.#comparison.withThoseWhoDiffer()
      case 'retention':
        return this.#retention.run()
      case 'hold-back':
        return this.#undeliverable.run()
    }
  }

  // Envelopes and headers

  /** By the persistent link: nobody has looked at it yet. */
  #takeChecked(from: PeerId, envelope: Envelope): boolean {
    const { directory, examiner, turn } = this.#group
    if (!this.#group.isOurs(envelope)) return this.#group.misbehaved(from, 'other-group')
    if (this.order.knows(envelope)) return true
    if (!directory.isKnown(envelope.header.author)) {
      examiner.count('unknown-author')
      turn.request({ type: 'sync-members', peer: from })
      return false
    }
    if (!examiner.verify(envelope)) return this.#group.misbehaved(from, 'bad-signature')
    this.#take(envelope, from)
    return true
  }

  #take(envelope: Envelope, from: PeerId): void {
    this.#group.directory.author(envelope.header.author)
    const taken = this.order.take(envelope, from, this.#group.now)
    if (taken === 'held') this.#undeliverable.held()
    if (taken === 'too-far-ahead' || taken === 'quota') {
      this.#group.examiner.count(taken)
      // Gossip does not bring it again.
      this.#repair.want(dotOf(envelope), from)
    }
  }

  #supplied(from: PeerId, body: Extract<PacketBody, { type: 'supply' }>): void {
    const pulled = this.#repair.isAnswer(from, body.id)
    if (!this.#takeHeaders(from, body.headers, pulled, body.id) || !pulled) return
    const brought = new Set<EntryKey>()
    this.#repair.taking(() => {
      for (const envelope of body.envelopes) {
        const known = this.order.knows(envelope)
        if (!this.#takeChecked(from, envelope)) return
        if (!known && this.order.knows(envelope)) brought.add(envelope.entry)
      }
    })
    this.#repair.supplied(body.id, brought, body.floors, body.delivered)
  }

  /** True when they were asked for, and are what their authors signed. */
  #takeHeaders(from: PeerId, headers: readonly SignedHeader[], pulled: boolean, id: number): boolean {
    const sound = headers.filter((header) => this.#group.isSound(header))
    if (!pulled && !this.#inquiries.answered(from, id, sound)) return false
    for (const header of sound) {
      this.#inquiries.found(header)
      this.order.takeHeader(header, this.#group.now)
    }
    return sound.length === headers.length || this.#group.misbehaved(from, 'bad-signature')
  }

  /**
   * What others wrote is told first and on the disk then: an own message that names
   * it waits for the disk anyway, since effects keep their order, and after a
   * crash in between it is told once more instead of never. What this peer wrote is told
   * when the disk has it.
   */
  #onDelivered(item: LogItem): void {
    const { entry, header, last, lastLamport } = item.envelope
    const { init, now, turn } = this.#group
    init.clock.observe(header.author, lastLamport, header.hybrid, turn.instant)
    const since = this.#repair.delivered(entry, last)
    const own = header.author === init.self
    if (!own) this.#tell(item, since === undefined ? undefined : now - since)
    this.#disk.writeEntry(item.envelope)
    if (this.ready) this.#disk.writeState(this.order, true)
    if (own) this.#tell(item, undefined)
    this.#comparison.delivered()
    this.#undeliverable.delivered(entry)
    this.#retention.delivered()
  }

  /** But for what is copied with a baseline: that was delivered there. */
  #tell({ envelope, index, first }: LogItem, repairedAfterMs: number | undefined): void {
    if (!this.ready) return
    this.#delivered += envelope.last - first + 1
    const { name, turn } = this.#group
    turn.emit({ type: 'delivered', name, envelope, index, first, repairedAfterMs })
  }

  // Forks

  #takeProof(from: PeerId, proof: Proof): void {
    const { first, second } = proof
    if (this.order.forks.isProven(first.authorKey)) return
    const { directory, examiner, turn } = this.#group
    if (!directory.isKnown(first.header.author)) {
      // There is no end to keys that anybody can make and prove to fork.
      examiner.count('unknown-author')
      turn.request({ type: 'sync-members', peer: from })
      return
    }
    const sound = contradict(first, second) && this.#group.isSound(first) && this.#group.isSound(second)
    if (sound) this.#onForked(proof)
    else this.#group.misbehaved(from, 'bad-signature')
  }

  /** Spread before anything else: it explains differences. */
  #onForked(proof: Proof): void {
    const { first, second } = proof
    const { name, now, turn, directory } = this.#group
    const { author, epoch } = first.header
    if (this.order.forks.isProven(first.authorKey)) return
    directory.author(author)
    this.order.forks.prove(proof)
    this.#disk.writeProof(proof)
    const seq = Math.max(first.header.seq, second.header.seq)
    turn.emit({ type: 'equivocation', name, author, epoch, seq, hashes: [first.hash, second.hash] })
    for (const peer of this.#group.reachable()) this.#antiEntropy.sendProofs(peer, [proof])
    this.order.castOut(first.authorKey, now)
  }

  // Baselines

  #giveBaseline(to: PeerId, id: number): void {
    if (!this.ready) {
      this.#group.send(to, noBaseline(id))
      return
    }
    if (!this.#given.allows(to, this.#group.now)) return
    this.#antiEntropy.sendProofs(to, this.order.forks.proofs())
    this.#retention.pin(to)
    for (const body of baselineFrames(this.order, id)) this.#group.send(to, body)
  }

  #takeBaseline(from: PeerId, body: Extract<PacketBody, { type: 'baseline' }>): boolean {
    return this.#catchingUp.asks(from) ? this.#catchingUp.baseline(body) : this.#joining.baseline(from, body)
  }

  /** Of authors that nobody knows there may be nothing. */
  #tellGap(missing: readonly Range[]): void {
    const ranges = missing.flatMap((range) => {
      const author = this.#group.directory.peerOf(range.author)
      return author === undefined ? [] : [peerRange(author, range)]
    })
    if (ranges.length > 0 && this.ready) this.#group.turn.emit({ type: 'gap', name: this.name, ranges })
  }
}
