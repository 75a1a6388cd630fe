/**
 * The table of the others, and what is kept as it changes: its digest, who of
 * them is gone, whom to watch, the room that their records take.
 *
 * Here it says only who is listed and as what. What may change a row is
 * `merging.ts`' business, and who is alive `judge.ts`'.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import { Digest } from './digest.ts'
import { Gone } from './gone.ts'
import type { MembershipInit } from './init.ts'
import { Member } from './member.ts'
import type { MemberChange, MemberRecord, Signed, Update } from './messages.ts'
import { Neighbours } from './neighbours.ts'
import { Population } from './population.ts'
import type { Timer } from './timers.ts'
import type { Tombstones } from './tombstones.ts'
import type { MembershipTurn } from './turn.ts'

export interface ViewPort {
  /** A row is another one now, or is there no longer. */
  changed(member: Member, change: MemberChange): void
  /** Others are to be watched from now on. */
  neighboursChanged(): void
}

export class View {
  readonly #init: MembershipInit
  readonly #turn: MembershipTurn
  readonly #port: ViewPort
  readonly population: Population
  /** Whom to watch and to keep connected with. */
  readonly neighbours: Neighbours
  /** All, but for those of the base whose row nobody asked for yet. */
  readonly #members = new Map<PeerId, Member>()
  /** Members in all, self apart. */
  #size: number
  readonly #gone: Gone
  readonly tombstones: Tombstones
  /** Of the base, and no longer in the table. */
  readonly #reaped = new Set<PeerId>()
  readonly #digest: Digest
  /** Of all members' current records. */
  #recordBytes: number

  constructor(
    init: MembershipInit,
    turn: MembershipTurn,
    agenda: Agenda<Timer>,
    tombstones: Tombstones,
    port: ViewPort,
  ) {
    this.#init = init
    this.#turn = turn
    this.tombstones = tombstones
    this.#port = port
    const { base, self, config } = init
    this.#size = base === undefined ? 0 : base.records.size - (base.records.has(self) ? 1 : 0)
    this.#recordBytes = base?.recordBytes ?? 0
    this.#digest = new Digest(base)
    const changed = () => port.neighboursChanged()
    this.neighbours = new Neighbours(self, config, { turn, n: () => this.n, changed }, base?.rings)
    this.population = new Population(this.neighbours, this.#size)
    this.#gone = new Gone(init, turn, agenda, this.population.gone)
  }

  get(peer: PeerId): Member | undefined {
    return this.#members.get(peer) ?? this.#fromBase(peer)
  }

  /** Its row is not made for that. */
  recordOf(peer: PeerId): Signed<MemberRecord> | undefined {
    return this.#members.get(peer)?.record ?? this.#init.base?.records.get(peer)
  }

  /** Everybody but self. A walk over all: only where all are asked for. */
  *values(): IterableIterator<Member> {
    yield* this.#members.values()
    for (const peer of this.#init.base?.records.keys() ?? []) {
      const member = this.#members.has(peer) ? undefined : this.#fromBase(peer)
      if (member !== undefined) yield member
    }
  }

  /**
   * What there is to tell of `member`. In a mesh, contact is first-hand. On rings
   * most never meet, so what a member has vouched for is passed on as that.
   */
  tell(member: Member): Update {
    return member.update(!this.neighbours.meshed)
  }

  /** Bytes of all records but the own. */
  get recordBytes(): number {
    return this.#recordBytes
  }

  /** The digest in 256 parts. */
  get sums(): readonly bigint[] {
    return this.#digest.sums
  }

  /** Whose rows are in that part: those that count in the digest, self perhaps among them, and those that are gone. */
  peersIn(bucket: number): readonly PeerId[] {
    const gone = this.population.goneIn(bucket)
    return [...new Set([...this.#digest.peersIn(bucket), ...gone])]
  }

  get digest(): bigint {
    return this.#digest.value
  }

  /** The own row counts in the digest like every other. */
  setOwnRow(row: string): void {
    this.#digest.set(this.#init.self, row)
  }

  /** Members that are alive or suspect, self included. */
  get n(): number {
    return this.population.present + 1
  }

  /**
   * Whether there is a place for one more; the oldest of the gone give theirs. For one that is here
   * `inPerson` those do too of whom there is only hearsay: names are easily made up.
   */
  makePlace(bytes: number, inPerson: boolean): boolean {
    while (this.#isFull && this.#reapOldest()) {}
    if (this.makeRoom(bytes) && !this.#isFull) return true
    if (inPerson) this.#giveUpHearsay(bytes)
    return this.#hasRoom(bytes) && !this.#isFull
  }

  /**
   * Whether there is room for so many bytes of records more. Nobody living is kept out by the gone, nor from
   * saying something new of itself: all of them go first, but for `without`.
   */
  makeRoom(growth: number, without?: Member): boolean {
    while (!this.#hasRoom(growth) && this.#reapOldest(without)) {}
    return this.#hasRoom(growth)
  }

  /** Lists somebody who was unknown. */
  add(record: Signed<MemberRecord>): Member {
    const member = new Member(record, this.#turn.now, this.#turn.wall)
    this.#members.set(member.peer, member)
    this.#size++
    this.population.added(member)
    this.#recordBytes += record.bytes.length
    this.tombstones.returned(member)
    this.restated(member)
    this.#port.changed(member, 'joined')
    return member
  }

  /** A newer record of `member`. Its status is still the one of the former. */
  replaceRecord(member: Member, record: Signed<MemberRecord>): void {
    this.#recordBytes += record.bytes.length - member.record.bytes.length
    const restarted = record.body.generation !== member.generation
    if (restarted) this.tombstones.supersede(member)
    member.replaceRecord(record)
    if (restarted) member.lifeKnownAt = this.#turn.now
    this.restated(member)
  }

  become(member: Member, status: Member['status'], change: MemberChange = status): void {
    const before = member.status
    member.status = status
    member.stalledAt = change === 'stalled' ? this.#turn.now : undefined
    this.population.moved(member, before)
    member.statusAt = this.#turn.now
    member.since = this.#turn.wall
    this.restated(member)
    if (member.present) {
      this.tombstones.returned(member)
    } else {
      this.tombstones.bury(member)
      this.#gone.schedule()
    }
    this.#port.changed(member, change)
  }

  /** Its row is another one, and its status what it was. */
  changed(member: Member, change: MemberChange): void {
    this.#port.changed(member, change)
  }

  /**
   * What there is to tell of `member` is something else now: the digest says so. Rows of the gone
   * do not count: members forget them at different times, and joiners never hear of them.
   */
  restated(member: Member): void {
    if (member.present) this.#digest.set(member.peer, member.digestRow())
    else this.#digest.delete(member.peer)
  }

  /** Takes rows of the gone out that have been here for long enough, or are too many. */
  reap(): void {
    for (let { due } = this.#gone; due !== undefined; due = this.#gone.due) this.#reap(due)
    this.#gone.schedule()
  }

  /** What there is to tell of who was dismissed: no digest asks for it. */
  dismissals(most: number): Update[] {
    const updates: Update[] = []
    for (const member of this.population.gone) {
      if (updates.length >= most) break
      if (member.accusations.dismissed.size > 0) updates.push(member.update())
    }
    return updates
  }

  #reap(member: Member): void {
    const { peer, record } = member
    this.#members.delete(peer)
    if (this.#init.base?.records.has(peer)) this.#reaped.add(peer)
    this.#size--
    this.#recordBytes -= record.bytes.length
    this.population.removed(member)
    this.#digest.delete(peer)
    this.#port.changed(member, 'reaped')
  }

  /** Who was heard of last goes first. */
  #giveUpHearsay(bytes: number): void {
    const unmet = [...this.#members.values()].filter(({ contact }) => !contact).reverse()
    for (const member of unmet) {
      if (this.#hasRoom(bytes) && !this.#isFull) return
      this.#reap(member)
    }
  }

  get #isFull(): boolean {
    return this.#size + 1 >= this.#init.config.maxMembers
  }

  /** What does not grow always fits: nobody is kept from refuting. */
  #hasRoom(growth: number): boolean {
    return growth <= 0 || this.#recordBytes + growth <= this.#init.config.maxRecordBytes
  }

  #reapOldest(without?: Member): boolean {
    const { oldest } = this.#gone
    if (oldest === undefined || oldest === without) return false
    this.#reap(oldest)
    return true
  }

  #fromBase(peer: PeerId): Member | undefined {
    if (peer === this.#init.self || this.#reaped.has(peer)) return undefined
    const record = this.#init.base?.records.get(peer)
    if (record === undefined) return undefined
    const member = new Member(record, this.#turn.now, this.#turn.wall)
    this.#members.set(peer, member)
    return member
  }
}
