/**
 * The others: merging what is said of them, and judging who is alive.
 *
 * Records are signed by their owners and merge by precedence. `dead` is never
 * adopted from anybody: each member derives it from signed accusations, its own
 * timer and its own connection. A suspicion ends only by the owner's higher
 * incarnation or generation.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import { Allowance } from './allowance.ts'
import { Credibility } from './credibility.ts'
import { Digest } from './digest.ts'
import { Gone } from './gone.ts'
import type { MembershipInit } from './init.ts'
import { Member, maxAccusationsPerCharge, sameDetails } from './member.ts'
import type {
  Accusation,
  Charge,
  MemberChange,
  MemberRecord,
  Misbehaviour,
  Signed,
  Update,
} from './messages.ts'
import { Neighbours } from './neighbours.ts'
import { Population } from './population.ts'
import { recordIsSigned, signAccusation } from './statements.ts'
import { scaledMinimumMs, type Witnesses } from './suspicion.ts'
import type { Timer } from './timers.ts'
import type { Tombstones } from './tombstones.ts'
import { chargeRate, raiseRate } from './traffic.ts'
import type { MembershipTurn } from './turn.ts'
import type { MembershipUnits } from './units.ts'

/** What the view needs to know of the rest of membership. */
export interface ViewPort {
  isConnected(peer: PeerId): boolean
  ownGeneration(): number
  /** Own dials of it that failed in a row; undefined when it is not dialled from here. */
  failedDials(peer: PeerId): number | undefined
  changed(member: Member, change: MemberChange): void
  /** An accusation by `accuser` was kept, and should travel. */
  accused(member: Member, accuser: PeerId): void
  /** Nothing of it was news. */
  heardAgain(member: Member): void
  /** Somebody unknown is said to be alive: worth a dial, no more. */
  hinted(record: MemberRecord): void
  /** `from` speaks of a life whose tombstone is here. */
  disputed(update: Update, from: PeerId): void
  misbehaved(peer: PeerId, reason: Misbehaviour): void
  /** Whether `from` has not named more strangers than it may. */
  mayIntroduce(from: PeerId): boolean
  /** Others are to be watched from now on. */
  neighboursChanged(): void
}

export class View {
  readonly #init: MembershipInit
  readonly #units: MembershipUnits
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
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
  readonly #credibility = new Credibility()
  #heardAnybodyAt = Number.NEGATIVE_INFINITY
  #refusedAt = Number.NEGATIVE_INFINITY
  /** Of all members' current records. */
  #recordBytes: number

  constructor(
    init: MembershipInit,
    units: MembershipUnits,
    turn: MembershipTurn,
    agenda: Agenda<Timer>,
    tombstones: Tombstones,
    port: ViewPort,
  ) {
    this.#init = init
    this.#units = units
    this.#turn = turn
    this.#agenda = agenda
    this.tombstones = tombstones
    this.#port = port
    const { base, self, config } = init
    this.#size = base === undefined ? 0 : base.records.size - (base.records.has(self) ? 1 : 0)
    this.#recordBytes = base?.recordBytes ?? 0
    this.#digest = new Digest(base)
    const changed = () => this.#port.neighboursChanged()
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

  /** Nothing heard from anybody while most members are suspected: this peer may be the sick one. */
  get isolated(): boolean {
    const { now } = this.#turn
    return this.#units.isIsolated({
      n: this.n,
      suspects: this.population.suspects.size,
      silentForMs: now - this.#heardAnybodyAt,
      unrefusedForMs: now - this.#refusedAt,
      suspicionMinMs: this.#suspicionMinMs(this.n),
    })
  }

  /** A connect was refused, by a machine that this one has reached. */
  refused(): void {
    this.#refusedAt = this.#turn.now
  }

  /** Bytes of the member's current life came directly from it. */
  heard(member: Member): void {
    member.heardAt = this.#turn.now
    member.contact = true
    this.#heardAnybodyAt = this.#turn.now
  }

  merge(update: Update, from: PeerId): void {
    const record = update.record.body
    const known = this.get(record.peer)
    if (record.cluster !== this.#init.cluster) {
      this.#port.misbehaved(from, 'other-cluster')
      return
    }
    const before = known?.record
    if (known === undefined) this.#mergeUnknown(update, from)
    else if (!this.#mergeRecord(known, update.record, from)) return
    const member = this.get(record.peer)
    if (member === undefined) return
    if (update.contact || from === member.peer) member.vouched = true
    let added = false
    for (const accusation of update.accusations) {
      if (!this.#addAccusation(member, accusation, from)) continue
      added = true
      this.#port.accused(member, accusation.body.accuser)
    }
    if (!added && member.record === before && update.accusations.length >= member.accusationCount) {
      this.#port.heardAgain(member)
    }
    if (added) {
      this.#refreshDigest(member)
      this.assess(member)
      this.#buryDismissed(member)
    }
  }

  /** Signs an accusation of its own, once an incarnation and charge. */
  accuse(member: Member, charge: 'suspected' | 'refused'): void {
    const { self } = this.#init
    if (!member.present || member.accusations[charge].has(self)) return
    // Enough have said so; one more would only be one more to tell. Whom nobody believes has not said it.
    const believed = [...member.accusations[charge].keys()].filter((accuser) => !this.#isMuted(accuser))
    if (believed.length >= maxAccusationsPerCharge && charge === 'suspected') return
    this.#keep(member, this.#accusation(member, charge))
    this.#refreshDigest(member)
    this.#port.accused(member, self)
    this.assess(member)
  }

  /** A person does not expect it back. Only of the dead, and only until it says otherwise. */
  dismiss(peer: PeerId): void {
    const member = this.get(peer)
    if (member?.status !== 'dead') return
    this.#keep(member, this.#accusation(member, 'dismissed'))
    this.#refreshDigest(member)
    this.#port.accused(member, this.#init.self)
    this.#buryDismissed(member)
  }

  /**
   * An own dial was taken, and nobody spoke: a stopped process. Local knowledge,
   * so in what is told, and in the digest, it is a suspect like others.
   */
  stalled(member: Member): void {
    if (!member.present || member.stalledAt !== undefined) return
    if (member.status === 'alive') {
      this.#become(member, 'suspect', 'stalled')
    } else {
      member.stalledAt = this.#turn.now
      member.since = this.#turn.wall
      this.#port.changed(member, 'stalled')
    }
    this.assess(member)
  }

  /**
   * Looks at one member anew, after an accusation or a disconnect. A verdict is
   * left to the timer: input that waits behind this one, after an own stall, may
   * be the refutation.
   */
  assess(member: Member): void {
    if (!member.present) return
    if (member.status === 'alive') {
      if (!this.#units.witnessesOpen(this.#witnesses(member))) return
      this.#become(member, 'suspect')
    }
    this.#assessAt(member, this.#turn.now)
  }

  /** Its time has come: dead, or when to look again. */
  judge(member: Member): void {
    if (member.status !== 'suspect') return
    // Those who watch it kept it to themselves that it does not answer; long enough now.
    if (this.#stalledForMs(member) >= this.#init.config.stalledMs) this.accuse(member, 'suspected')
    if (this.#refusalDecides(member) || this.#suspicionDecides(member)) {
      this.#agenda.cancel(assessKey(member.peer))
      this.#become(member, 'dead')
      this.#buryDismissed(member)
    }
  }

  /** An own stall of `lagMs` is nobody's fault: a suspicion lasts longer by as much of it as it was open. */
  grant(lagMs: number): void {
    const { now } = this.#turn
    for (const member of this.population.suspects) {
      member.grantedMs += Math.min(lagMs, now - member.statusAt)
      // It may have spoken meanwhile; what it said comes after the timers.
      if (member.stalledAt !== undefined) member.stalledAt = Math.min(now, member.stalledAt + lagMs)
      this.assess(member)
    }
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

  #accusation({ peer: subject, generation, incarnation }: Member, charge: Charge): Signed<Accusation> {
    const { self: accuser, cluster, crypto } = this.#init
    const accuserGeneration = this.#port.ownGeneration()
    return signAccusation(
      { charge, cluster, subject, generation, incarnation, accuser, accuserGeneration },
      crypto,
    )
  }

  /** Death is for everybody to see for itself; that it is final may be said by anybody who is in. */
  #buryDismissed(member: Member): void {
    if (member.accusations.dismissed.size === 0 || member.status === 'left') return
    if (this.#units.dismissalBuries(member.status)) this.#become(member, 'left')
  }

  #reap(member: Member): void {
    const { peer, record } = member
    this.#members.delete(peer)
    if (this.#init.base?.records.has(peer)) this.#reaped.add(peer)
    this.#size--
    this.#recordBytes -= record.bytes.length
    this.population.removed(member)
    this.#digest.delete(peer)
    this.#agenda.cancel(assessKey(peer))
    this.#credibility.forget(peer)
    this.#port.changed(member, 'reaped')
  }

  #suspicionMinMs(n: number): number {
    return scaledMinimumMs(this.#init.config.suspicionMinMs, n)
  }

  #isMuted(accuser: PeerId): boolean {
    return accuser !== this.#init.self && this.#credibility.isMuted(accuser, this.#turn.now)
  }

  #witnesses(member: Member): Witnesses {
    const accusers = [...member.accusers()]
    const credible = accusers.filter((accuser) => !this.#isMuted(accuser))
    return { accusers: accusers.length, credible: credible.length }
  }

  #refusers(member: Member): PeerId[] {
    return [...member.accusations.refused.keys()].filter((accuser) => !this.#isMuted(accuser))
  }

  /** Since it was found so, or last heard after that; negative infinity when it is not stalled. */
  #stalledForMs({ stalledAt, heardAt }: Member): number {
    return (
      this.#turn.now -
      (stalledAt === undefined ? Number.POSITIVE_INFINITY : Math.max(stalledAt, heardAt ?? stalledAt))
    )
  }

  #mergeUnknown(update: Update, from: PeerId): void {
    const { record } = update
    // `left` and `dead` of somebody unknown are nothing to us.
    if (record.body.presence !== 'alive') return
    const stone = this.tombstones.get(record.body.peer)
    if (stone !== undefined && !this.#units.outlives(record.body, stone)) {
      this.#port.disputed(update, from)
      return
    }
    if (!this.#port.mayIntroduce(from)) return
    if (!recordIsSigned(record, this.#init.crypto)) {
      this.#port.misbehaved(from, 'bad-signature')
      return
    }
    const own = from === record.body.peer
    // First-hand only: a member that somebody once relayed would come back for ever.
    const confirmed = update.contact && this.get(from)?.present === true
    if (!own && !confirmed) {
      this.#port.hinted(record.body)
      return
    }
    while (this.#size + 1 >= this.#init.config.maxMembers && this.#reapOldest()) {}
    this.#makeRoom(record.bytes.length)
    if (this.#size + 1 >= this.#init.config.maxMembers || !this.#hasRoom(record.bytes.length)) {
      // Who relays it may have room, and had no way of knowing that this view has none.
      if (own) this.#port.misbehaved(from, 'too-many-members')
      return
    }
    const member = new Member(record, this.#turn.now, this.#turn.wall)
    this.#members.set(member.peer, member)
    this.#size++
    this.population.added(member)
    this.#recordBytes += record.bytes.length
    this.tombstones.returned(member)
    this.#refreshDigest(member)
    this.#port.changed(member, 'joined')
  }

  /** Nobody living is kept out by the gone, nor from saying something new of itself. */
  #makeRoom(growth: number, without?: Member): void {
    while (!this.#hasRoom(growth) && this.#reapOldest(without)) {}
  }

  #reapOldest(without?: Member): boolean {
    const { oldest } = this.#gone
    if (oldest === undefined || oldest === without) return false
    this.#reap(oldest)
    return true
  }

  /** False when the update is of an older life or incarnation, or refused. */
  #mergeRecord(member: Member, record: Signed<MemberRecord>, from: PeerId): boolean {
    const { generation, incarnation, presence } = record.body
    const offered = { generation, incarnation, status: presence === 'alive' ? 'alive' : 'left' } as const
    const identical = generation === member.generation && incarnation === member.incarnation
    if (identical && (presence === 'alive' || member.status === 'left')) return true
    if (this.#units.comparePrecedence(offered, member.rank) <= 0) return false
    if (incarnation - member.incarnation > this.#init.config.maxIncarnationJump) {
      // Who relays it may have met its owner just there; only the owner knows how far it jumped.
      if (from === member.peer) this.#port.misbehaved(from, 'incarnation-too-far')
      return false
    }
    const raises = raiseRate(this.#init.config)
    member.raises ??= new Allowance(raises, this.#turn.now)
    if (!member.raises.has(raises, this.#turn.now)) {
      // Not of a rumour: it may be somebody else's haste. What is missed comes with a later heartbeat.
      if (from === member.peer) this.#port.misbehaved(from, 'flooding')
      return false
    }
    if (!recordIsSigned(record, this.#init.crypto)) {
      this.#port.misbehaved(from, 'bad-signature')
      return false
    }
    member.raises.take(raises, this.#turn.now)
    const growth = record.bytes.length - member.record.bytes.length
    this.#makeRoom(growth, member)
    if (!this.#hasRoom(growth)) {
      if (from === member.peer) this.#port.misbehaved(from, 'too-many-members')
      return false
    }
    this.#recordBytes += growth
    const restarted = generation !== member.generation
    // Who says something new of itself raises its incarnation too, and may not even have heard the accusation.
    const reshaped = !sameDetails(record.body, member.record.body)
    if (!restarted && !reshaped && presence === 'alive') this.#blameLoneAccuser(member)
    const before = member.status
    if (restarted) this.tombstones.supersede(member)
    member.replaceRecord(record)
    if (restarted) member.lifeKnownAt = this.#turn.now
    this.#agenda.cancel(assessKey(member.peer))
    this.#refreshDigest(member)
    if (offered.status === 'left') this.#become(member, 'left')
    else if (before !== 'alive') this.#become(member, 'alive', restarted ? 'restarted' : 'alive')
    else this.#port.changed(member, restarted ? 'restarted' : 'updated')
    return true
  }

  /** What does not grow always fits: nobody is kept from refuting. */
  #hasRoom(growth: number): boolean {
    return growth <= 0 || this.#recordBytes + growth <= this.#init.config.maxRecordBytes
  }

  #blameLoneAccuser(member: Member): void {
    const [accuser, another] = member.accusers()
    if (accuser === undefined || another !== undefined || accuser === this.#init.self) return
    this.#credibility.refutedAlone(accuser, this.#turn.now)
  }

  #addAccusation(member: Member, accusation: Signed<Accusation>, from: PeerId): boolean {
    const { body } = accusation
    const about =
      body.cluster === this.#init.cluster &&
      body.subject === member.peer &&
      body.generation === member.generation &&
      body.incarnation === member.incarnation
    if (!about || body.accuser === member.peer || member.status === 'left') return false
    if (body.charge === 'dismissed' && !this.#units.dismissalCounts(member)) return false
    const kept = member.accusations[body.charge]
    if (kept.has(body.accuser)) return false
    // Who is unknown here cannot witness here; the next sync brings it again.
    const accuser = this.get(body.accuser)
    if (body.accuser !== this.#init.self && accuser === undefined) return false
    const charges = chargeRate(this.n)
    if (accuser !== undefined) {
      accuser.charges ??= new Allowance(charges, this.#turn.now)
      if (!accuser.charges.has(charges, this.#turn.now)) return false
    }
    const evicted = kept.size < maxAccusationsPerCharge ? undefined : this.#replaceable(kept, body.accuser)
    if (kept.size >= maxAccusationsPerCharge && evicted === undefined) return false
    if (!this.#units.accusationIsSigned(accusation, this.#init.crypto)) {
      this.#port.misbehaved(from, 'bad-signature')
      return false
    }
    accuser?.charges?.take(charges, this.#turn.now)
    if (evicted !== undefined) kept.delete(evicted)
    this.#keep(member, accusation)
    return true
  }

  /** A muted accuser gives way to a credible one: a liar must not fill the few places. */
  #replaceable(kept: ReadonlyMap<PeerId, unknown>, accuser: PeerId): PeerId | undefined {
    if (this.#isMuted(accuser)) return undefined
    return [...kept.keys()].find((other) => this.#isMuted(other))
  }

  /** What is kept is told, and more than its share makes the whole packet malformed: the own word takes a place. */
  #keep(member: Member, accusation: Signed<Accusation>): void {
    const kept = member.accusations[accusation.body.charge]
    const least = [...kept.keys()].find((accuser) => this.#isMuted(accuser)) ?? kept.keys().next().value
    if (kept.size >= maxAccusationsPerCharge && least !== undefined) kept.delete(least)
    kept.set(accusation.body.accuser, accusation)
  }

  /** The fast path: enough witnesses of refused connects, and nothing of our own against them. */
  #refusalDecides(member: Member): boolean {
    const { self } = this.#init
    const refusers = this.#refusers(member)
    const alone = this.#healthyOthers(member) === 0 && refusers.includes(self)
    if (refusers.length < this.#units.refusersNeeded(this.n) && !alone) return false
    // Silence of a life that was never heard says nothing: else two liars evict everybody from a joiner's view.
    const { neighbours } = this
    const own = refusers.includes(self) || (member.heardAt !== undefined && neighbours.wants(member.peer))
    if (!own && refusers.length < this.#units.refusersAmongStrangers(neighbours.meshed)) return false
    const silentForMs = this.#turn.now - (member.heardAt ?? Number.NEGATIVE_INFINITY)
    const connected = this.#port.isConnected(member.peer)
    if (this.#units.refusalStands({ connected, silentForMs })) return true
    // A disconnect assesses again; silence has to be waited for.
    if (!connected) this.#assessAt(member, this.#turn.now + Math.max(1, 100 - silentForMs))
    return false
  }

  #suspicionDecides(member: Member): boolean {
    const { config } = this.#init
    const n = this.n
    const witnesses = this.#witnesses(member)
    const accusers = this.#units.witnessesCounted(witnesses)
    const timeoutMs = this.#units.suspicionTimeoutMs({
      n,
      healthyOthers: this.#healthyOthers(member),
      accusers,
      credibleAccusers: witnesses.credible,
      minMs: config.suspicionMinMs,
      maxFactor: config.suspicionMaxFactor,
      isolated: this.isolated,
    })
    const due = member.statusAt + timeoutMs + member.grantedMs
    if (this.#turn.now < due) {
      this.#assessAt(member, due)
      return false
    }
    const freshUntil = (member.heardAt ?? Number.NEGATIVE_INFINITY) + this.#suspicionMinMs(n)
    const enough = accusers >= this.#units.accusersNeeded(n) && this.#turn.now >= freshUntil
    if (enough && this.#silenceDecides(member, n)) return true
    this.#assessAt(member, Math.max(freshUntil, this.#turn.now + config.probePeriodMs))
    return false
  }

  #silenceDecides(member: Member, n: number): boolean {
    const { evidenceDials, stalledMs } = this.#init.config
    return this.#units.silenceIsDeath({
      failedDials: this.#port.failedDials(member.peer),
      dialsNeeded: evidenceDials,
      stalledForMs: member.stalledAt === undefined ? undefined : this.#stalledForMs(member),
      stalledMs,
      refusers: this.#refusers(member).length,
      refusersNeeded: this.#units.refusersNeeded(n),
    })
  }

  #assessAt(member: Member, at: number): void {
    this.#agenda.scheduleAtLatest(assessKey(member.peer), at, { type: 'assess', peer: member.peer })
  }

  /** Others than self and `subject` that are alive. */
  #healthyOthers(subject: Member): number {
    return this.population.alive - (subject.status === 'alive' ? 1 : 0)
  }

  #become(member: Member, status: Member['status'], change: MemberChange = status): void {
    const before = member.status
    member.status = status
    member.stalledAt = change === 'stalled' ? this.#turn.now : undefined
    this.population.moved(member, before)
    member.statusAt = this.#turn.now
    member.since = this.#turn.wall
    this.#refreshDigest(member)
    if (member.present) {
      this.tombstones.returned(member)
    } else {
      this.tombstones.bury(member)
      this.#gone.schedule()
    }
    this.#port.changed(member, change)
  }

  #fromBase(peer: PeerId): Member | undefined {
    if (peer === this.#init.self || this.#reaped.has(peer)) return undefined
    const record = this.#init.base?.records.get(peer)
    if (record === undefined) return undefined
    const member = new Member(record, this.#turn.now, this.#turn.wall)
    this.#members.set(peer, member)
    return member
  }

  /** Rows of the gone do not count: members forget them at different times, and joiners never hear of them. */
  #refreshDigest(member: Member): void {
    if (member.present) this.#digest.set(member.peer, member.digestRow())
    else this.#digest.delete(member.peer)
  }
}

function assessKey(peer: PeerId): string {
  return `assess ${peer}`
}
