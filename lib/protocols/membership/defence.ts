/**
 * What others say of this member itself: accusations, which it refutes, and other
 * lives of its identity, which it has to confront.
 */
import type { PeerId } from '../core.ts'
import type { Awareness } from './awareness.ts'
import type { Hearing } from './hearing.ts'
import type { MembershipInit } from './init.ts'
import type { Member } from './member.ts'
import type { Accusation, Belief, MemberRecord, Signed, Update } from './messages.ts'
import type { OtherLives } from './other-lives.ts'
import type { OwnLife } from './own-life.ts'
import { recordIsSigned } from './statements.ts'
import type { MembershipTurn } from './turn.ts'
import type { MembershipUnits } from './units.ts'

export interface DefencePort {
  /** Pings a peer; its answer says what it knows of this identity. */
  ask(peer: PeerId): void
  /** It has a row in the table. */
  isListed(peer: PeerId): boolean
}

export class Defence {
  /** Who tells of another life is asked about it at most this often, ms. */
  static readonly askIntervalMs = 200
  readonly #init: MembershipInit
  readonly #units: MembershipUnits
  readonly #turn: MembershipTurn
  readonly #own: OwnLife
  readonly #others: OtherLives
  readonly #awareness: Awareness
  readonly #hearing: Hearing
  readonly #port: DefencePort
  #askedAt = Number.NEGATIVE_INFINITY

  constructor(
    init: MembershipInit,
    units: MembershipUnits,
    turn: MembershipTurn,
    own: OwnLife,
    others: OtherLives,
    awareness: Awareness,
    hearing: Hearing,
    port: DefencePort,
  ) {
    this.#init = init
    this.#units = units
    this.#turn = turn
    this.#own = own
    this.#others = others
    this.#awareness = awareness
    this.#hearing = hearing
    this.#port = port
  }

  merge(update: Update, from: PeerId): void {
    const { generation, incarnation } = update.record.body
    if (generation < this.#own.generation) return
    if (this.#own.isForeign(update.record)) {
      this.confront(update.record, undefined, from)
      if (this.#own.running) this.#askAboutOtherLife(from)
      return
    }
    const accused = update.accusations.filter(
      ({ body }) => body.generation === generation && body.incarnation === incarnation,
    )
    if (incarnation < this.#own.incarnation || this.#own.isAnswering(incarnation)) return
    if (!accused.some((accusation) => this.#isProvenAccusation(accusation, from))) return
    if (this.#own.refute(incarnation))
      this.#awareness.refuted(this.#turn.now, this.#init.config.probePeriodMs)
  }

  /** `from` shows a record of this identity; undefined: it did not say how long ago that life was heard. */
  confront(record: Signed<MemberRecord>, heardAgoMs: number | undefined, from: PeerId): void {
    const { self, cluster, crypto } = this.#init
    if (record.body.peer !== self || record.body.cluster !== cluster) return
    if (!this.#own.isForeign(record)) return
    if (recordIsSigned(record, crypto)) this.#others.confront(record, heardAgoMs)
    else this.#hearing.misbehaved(from, 'bad-signature')
  }

  /**
   * What `from`, a member unless undefined, says in a heartbeat of this identity. Bare words
   * are answered, for that costs little; only who signs them makes this member doubt itself.
   */
  believed({ generation, incarnation, standing }: Belief, from: Member | undefined): void {
    const doubted = standing === 'suspect' || standing === 'dead' || standing === 'left'
    if (generation === this.#own.generation) {
      if (from !== undefined) this.#others.acknowledged()
      if (doubted) this.#own.refute(incarnation)
    } else if (standing === 'dead' && from !== undefined) {
      this.#others.buried(generation, from.peer)
    }
  }

  /** The ack says how long ago the other life was heard; it brings the same record, so not at once again. */
  #askAboutOtherLife(peer: PeerId): void {
    if (this.#turn.now - this.#askedAt < Defence.askIntervalMs) return
    this.#askedAt = this.#turn.now
    this.#port.ask(peer)
  }

  #isProvenAccusation(accusation: Signed<Accusation>, from: PeerId): boolean {
    const { cluster, crypto } = this.#init
    const { accuser, subject } = accusation.body
    if (accusation.body.cluster !== cluster || subject !== this.#init.self) return false
    // Anybody can make up names. Who relays it because it believes it says so with its next heartbeat.
    if (accuser !== from && !this.#port.isListed(accuser)) return false
    if (this.#units.accusationIsSigned(accusation, crypto)) return true
    this.#hearing.misbehaved(from, 'bad-signature')
    return false
  }
}
