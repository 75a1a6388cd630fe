/**
 * Heartbeats: what a ping or an ack says besides that this member runs. The digest
 * of the own view, what it believes of the receiver, which can so answer at once,
 * and what other protocols want carried.
 */
import type { PeerId } from '../core.ts'
import type { MembershipInit } from './init.ts'
import type { Member } from './member.ts'
import type { Belief, Body, Heartbeat, MemberRecord, Signed, Update } from './messages.ts'
import type { OwnLife } from './own-life.ts'
import { fitting } from './packing.ts'
import { ridersFor } from './riders.ts'
import type { MembershipTurn } from './turn.ts'
import type { View } from './view.ts'

export class Heartbeats {
  /** A record may have 40 KiB, and a ping has some bytes: to one peer so often at most the same again, ms. */
  static readonly tellIntervalMs = 200
  readonly #init: MembershipInit
  readonly #turn: MembershipTurn
  readonly #own: OwnLife
  readonly #view: View
  readonly #send: (to: PeerId, body: Body, updates: readonly Update[]) => void
  /** How late the own event loop was when it last woke. */
  loopLagMs = 0

  constructor(
    init: MembershipInit,
    turn: MembershipTurn,
    own: OwnLife,
    view: View,
    send: (to: PeerId, body: Body, updates: readonly Update[]) => void,
  ) {
    this.#init = init
    this.#turn = turn
    this.#own = own
    this.#view = view
    this.#send = send
  }

  ping(to: PeerId, seq: number): void {
    this.#sendHeartbeat('ping', to, seq, undefined)
  }

  /** `askingGeneration`: whose ping it answers, where it answers one. */
  ack(to: PeerId, seq: number, askingGeneration?: number): void {
    this.#sendHeartbeat('ack', to, seq, askingGeneration)
  }

  #sendHeartbeat(
    type: Heartbeat['type'],
    to: PeerId,
    seq: number,
    askingGeneration: number | undefined,
  ): void {
    const member = this.#view.get(to)
    const updates: Update[] = []
    const { generation, incarnation } = this.#own
    const known = member?.knowsGeneration === generation && member.knowsIncarnation === incarnation
    // What it departs with has no incarnation of its own, so that somebody knows it shows in nothing.
    if (!known || this.#own.presence !== 'alive') {
      updates.push(this.#own.update)
    }
    // Who pings while accused should see by whom: it answers exactly those.
    if (member !== undefined && member.status !== 'alive' && this.mayTell(member))
      updates.push(member.update())
    const otherLife = this.#otherLife(member, askingGeneration)
    const riders = ridersFor(this.#init.riders ?? [], to, this.#turn.instant)
    const body: Heartbeat = {
      type,
      seq,
      digest: this.#view.digest,
      loopLagMs: this.loopLagMs,
      belief: this.#belief(to),
      otherLife,
      riders: fitting(riders, otherLife),
    }
    this.#send(to, body, updates)
  }

  /** Proof of a life of `member` other than the one that asks, while that is news to it. */
  #otherLife(member: Member | undefined, asking: number | undefined): Signed<MemberRecord> | undefined {
    if (member === undefined || asking === undefined) return undefined
    const former = member.knowsGeneration === 0 ? member.previousLife : undefined
    const isLatest = member.generation === asking
    const proof = isLatest ? former : member.record
    const { now } = this.#turn
    const before = isLatest ? member.formerProvedAt : member.latestProvedAt
    if (proof === undefined || now - before < Heartbeats.tellIntervalMs) return undefined
    // Each for itself: two lives ask at once, and which of them ends is decided by what either hears.
    if (isLatest) member.formerProvedAt = now
    else member.latestProvedAt = now
    return proof
  }

  /** Whether it is time to tell `member` again what is believed of it; then it is told. */
  mayTell(member: Member): boolean {
    if (this.#turn.now - member.toldAt < Heartbeats.tellIntervalMs) return false
    member.toldAt = this.#turn.now
    return true
  }

  #belief(peer: PeerId): Belief {
    const member = this.#view.get(peer)
    if (member === undefined) {
      const stone = this.#view.tombstones.get(peer)
      const { generation, incarnation } = stone ?? { generation: 0, incarnation: 0 }
      // The owner of a buried life has to answer that, or its record is refused.
      return { generation, incarnation, standing: stone ? 'dead' : 'unknown', heardAgoMs: undefined }
    }
    return {
      generation: member.generation,
      incarnation: member.incarnation,
      standing: member.status,
      heardAgoMs: member.heardAt === undefined ? undefined : this.#turn.now - member.heardAt,
    }
  }
}
