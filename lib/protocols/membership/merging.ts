/**
 * Merging what is said of the others.
 *
 * Records are signed by their owners and merge by precedence. A stranger is listed
 * when it says itself that it is alive, or when a member does that has been in
 * contact with that life; else it is a hint, worth a dial and no more.
 */
import type { PeerId } from '../core.ts'
import type { Accusers } from './accusers.ts'
import { Allowance } from './allowance.ts'
import type { MembershipInit } from './init.ts'
import type { Judge } from './judge.ts'
import { type Member, sameDetails } from './member.ts'
import type { MemberRecord, Misbehaviour, Signed, Update } from './messages.ts'
import { recordIsSigned } from './statements.ts'
import { costOf, raiseRate } from './traffic.ts'
import type { MembershipTurn } from './turn.ts'
import type { MembershipUnits } from './units.ts'
import type { View } from './view.ts'

export interface MergingPort {
  /** All that is known of it here `teller` knows too. */
  knownTo(teller: PeerId, member: Member): void
  /** Somebody unknown is said to be alive: worth a dial, no more. False when too many are. */
  hinted(record: MemberRecord): boolean
  /** `from` speaks of a life whose tombstone is here. */
  disputed(update: Update, from: PeerId): void
  misbehaved(peer: PeerId, reason: Misbehaviour): void
  /** Whether `from` has not named more strangers than it may. */
  mayIntroduce(from: PeerId, bytes: number): boolean
}

export class Merging {
  readonly #init: MembershipInit
  readonly #units: MembershipUnits
  readonly #turn: MembershipTurn
  readonly #view: View
  readonly #accusers: Accusers
  readonly #judge: Judge
  readonly #port: MergingPort
  #refused = 0

  constructor(
    init: MembershipInit,
    units: MembershipUnits,
    turn: MembershipTurn,
    view: View,
    accusers: Accusers,
    judge: Judge,
    port: MergingPort,
  ) {
    this.#init = init
    this.#units = units
    this.#turn = turn
    this.#view = view
    this.#accusers = accusers
    this.#judge = judge
    this.#port = port
  }

  /** Records of strangers for whom there was no room, or of whom one member named too many. */
  get refused(): number {
    return this.#refused
  }

  /** `from` says so of somebody else, or of itself. */
  merge(update: Update, from: PeerId): void {
    const record = update.record.body
    const known = this.#view.get(record.peer)
    if (record.cluster !== this.#init.cluster) {
      this.#port.misbehaved(from, 'other-cluster')
      return
    }
    if (known === undefined) this.#mergeUnknown(update, from)
    else if (!this.#mergeRecord(known, update.record, from)) return
    const member = this.#view.get(record.peer)
    if (member === undefined) return
    if (update.contact || from === member.peer) member.vouched = true
    let added = false
    for (const accusation of update.accusations) {
      if (this.#accusers.hear(member, accusation, from)) added = true
    }
    if (update.accusations.length >= member.accusationCount) this.#port.knownTo(from, member)
    if (added) {
      this.#view.restated(member)
      this.#judge.assess(member)
      this.#judge.buryDismissed(member)
    }
  }

  #mergeUnknown(update: Update, from: PeerId): void {
    const { record } = update
    // `left` and `dead` of somebody unknown are nothing to us.
    if (record.body.presence !== 'alive') return
    const stone = this.#view.tombstones.get(record.body.peer)
    if (stone !== undefined && !this.#units.outlives(record.body, stone)) {
      this.#port.disputed(update, from)
      return
    }
    const own = from === record.body.peer
    // Dead where it is told of, or about to be: those who knew it look for it.
    if (!own && !update.contact && update.accusations.length > 0) return
    if (!this.#port.mayIntroduce(from, record.bytes.length)) {
      this.#refused++
      return
    }
    if (!recordIsSigned(record, this.#init.crypto)) {
      this.#port.misbehaved(from, 'bad-signature')
      return
    }
    // First-hand only: a member that somebody once relayed would come back for ever.
    const confirmed = update.contact && this.#view.get(from)?.present === true
    if (!own && !confirmed) {
      if (!this.#port.hinted(record.body)) this.#refused++
      return
    }
    if (this.#view.makePlace(record.bytes.length, own)) {
      this.#view.add(record)
      return
    }
    this.#refused++
    // Who relays it may have room, and had no way of knowing that this view has none.
    if (own) this.#port.misbehaved(from, 'too-many-members')
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
    member.raises ??= new Allowance()
    if (!member.raises.has(raises, this.#turn.now)) {
      // Not of a rumour: it may be somebody else's haste. What is missed comes with a later heartbeat.
      if (from === member.peer) this.#port.misbehaved(from, 'flooding')
      return false
    }
    if (!recordIsSigned(record, this.#init.crypto)) {
      this.#port.misbehaved(from, 'bad-signature')
      return false
    }
    member.raises.take(raises, this.#turn.now, costOf(record.bytes.length))
    const growth = record.bytes.length - member.record.bytes.length
    if (!this.#view.makeRoom(growth, member)) {
      if (from === member.peer) this.#port.misbehaved(from, 'too-many-members')
      return false
    }
    const restarted = generation !== member.generation
    // Who says something new of itself raises its incarnation too, and may not even have heard the accusation.
    const reshaped = !sameDetails(record.body, member.record.body)
    if (!restarted && !reshaped && presence === 'alive') this.#accusers.refuted(member)
    const before = member.status
    this.#view.replaceRecord(member, record)
    this.#judge.settled(member)
    if (offered.status === 'left') this.#view.become(member, 'left')
    else if (before !== 'alive') this.#view.become(member, 'alive', restarted ? 'restarted' : 'alive')
    else this.#view.changed(member, restarted ? 'restarted' : 'updated')
    return true
  }
}
