/**
 * Whole views, exchanged where digests differ: on first contact, after a heal,
 * and when rumours were lost.
 */
import type { PeerId } from '../core.ts'
import type { MembershipInit } from './init.ts'
import type { Member } from './member.ts'
import type { Body, Update } from './messages.ts'
import type { MembershipTurn } from './turn.ts'
import type { View } from './view.ts'

export class Sync {
  /** A peer's request is answered at most this often, ms. */
  static readonly answerIntervalMs = 1000
  /** One member is asked for its view at most this often, ms. */
  static readonly requestIntervalMs = 1000
  readonly #init: MembershipInit
  readonly #turn: MembershipTurn
  readonly #view: View
  readonly #send: (to: PeerId, body: Body, updates: readonly Update[]) => void

  constructor(
    init: MembershipInit,
    turn: MembershipTurn,
    view: View,
    send: (to: PeerId, body: Body, updates: readonly Update[]) => void,
  ) {
    this.#init = init
    this.#turn = turn
    this.#view = view
    this.#send = send
  }

  /** A heartbeat told the digest of `member`'s view. */
  compare(member: Member, digest: bigint): void {
    if (digest === this.#view.digest) {
      member.disagreements = 0
      return
    }
    member.disagreements++
    // While rumours travel digests differ for a moment; on first contact they differ for good.
    const first = member.syncedAt === Number.NEGATIVE_INFINITY
    const due = this.#turn.now - member.syncedAt >= this.#init.config.syncIntervalMs
    if (!first && (member.disagreements < 2 || !due)) return
    member.syncedAt = this.#turn.now
    this.#sendView(member.peer, true)
  }

  /** Another protocol asks for it. A sync of a moment ago has brought what there was to bring. */
  request(member: Member): void {
    if (this.#turn.now - member.syncedAt < Sync.requestIntervalMs) return
    member.syncedAt = this.#turn.now
    this.#sendView(member.peer, true)
  }

  /** `member` has sent its view and asks for ours. */
  answer(member: Member, _buckets: ReadonlySet<number> | undefined): void {
    if (this.#turn.now - member.syncAnsweredAt < Sync.answerIntervalMs) return
    member.syncAnsweredAt = this.#turn.now
    member.syncedAt = this.#turn.now
    this.#sendView(member.peer, false)
  }

  /** `member` asks for the rows of the buckets in which the two views differ. */
  asked(member: Member, _sums: readonly bigint[]): void {
    this.answer(member, undefined)
  }

  #sendView(to: PeerId, reply: boolean): void {
    const updates: Update[] = []
    for (const member of this.#view.values()) {
      const update = member.update()
      if (member.peer !== to || update.accusations.length > 0) updates.push(update)
    }
    this.#send(to, { type: 'sync', reply, buckets: undefined, more: false }, updates)
  }
}
