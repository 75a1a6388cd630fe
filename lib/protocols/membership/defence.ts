/**
 * What others say of this member itself: accusations, which it refutes, and other
 * lives of its identity, which it has to confront.
 */
import type { PeerId } from '../core.ts'
import type { Awareness } from './awareness.ts'
import type { Hearing } from './hearing.ts'
import type { MembershipInit } from './init.ts'
import type { MemberRecord, Signed, Update } from './messages.ts'
import type { OwnLife } from './own-life.ts'
import { recordIsSigned } from './statements.ts'
import type { MembershipTurn } from './turn.ts'
import type { MembershipUnits } from './units.ts'

export class Defence {
  /** Who tells of another life is asked about it at most this often, ms. */
  static readonly askIntervalMs = 200
  readonly #init: MembershipInit
  readonly #units: MembershipUnits
  readonly #turn: MembershipTurn
  readonly #own: OwnLife
  readonly #awareness: Awareness
  readonly #hearing: Hearing
  readonly #ask: (peer: PeerId) => void
  #askedAt = Number.NEGATIVE_INFINITY

  /** `ask`: pings a peer; its answer says what it knows of this identity. */
  constructor(
    init: MembershipInit,
    units: MembershipUnits,
    turn: MembershipTurn,
    own: OwnLife,
    awareness: Awareness,
    hearing: Hearing,
    ask: (peer: PeerId) => void,
  ) {
    this.#init = init
    this.#units = units
    this.#turn = turn
    this.#own = own
    this.#awareness = awareness
    this.#hearing = hearing
    this.#ask = ask
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
    if (incarnation < this.#own.incarnation || accused.length === 0) return
    if (accused.some((accusation) => this.#isProvenAccusation(accusation, from))) this.refute(incarnation)
  }

  /** `from` shows a record of this identity; undefined: it did not say how long ago that life was heard. */
  confront(record: Signed<MemberRecord>, heardAgoMs: number | undefined, from: PeerId): void {
    const { self, cluster, crypto } = this.#init
    if (record.body.peer !== self || record.body.cluster !== cluster) return
    if (!this.#own.isForeign(record)) return
    if (recordIsSigned(record, crypto)) this.#own.confront(record, heardAgoMs)
    else this.#hearing.misbehaved(from, 'bad-signature')
  }

  /** Somebody accuses this incarnation. */
  refute(incarnation: number): void {
    if (!this.#own.refute(incarnation)) return
    this.#awareness.refuted(this.#turn.now, this.#init.config.probePeriodMs)
  }

  /** The ack says how long ago the other life was heard; it brings the same record, so not at once again. */
  #askAboutOtherLife(peer: PeerId): void {
    if (this.#turn.now - this.#askedAt < Defence.askIntervalMs) return
    this.#askedAt = this.#turn.now
    this.#ask(peer)
  }

  #isProvenAccusation(accusation: Update['accusations'][number], from: PeerId): boolean {
    const { cluster, crypto } = this.#init
    if (accusation.body.cluster !== cluster || accusation.body.subject !== this.#init.self) return false
    if (this.#units.accusationIsSigned(accusation, crypto)) return true
    this.#hearing.misbehaved(from, 'bad-signature')
    return false
  }
}
