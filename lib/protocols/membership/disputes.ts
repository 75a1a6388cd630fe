/**
 * A member speaks of a life that is buried here: one of the two is behind.
 *
 * Where the buried one may still answer it is dialled: alive, it is told what is
 * believed of it and refutes. Who goes on claiming it, and whoever claims somebody
 * that left, gets an accusation in return, for there may be nobody left to accuse:
 * then either the owner refutes it, or the stale row is judged there too. Else a
 * member that was away while the others buried somebody would keep it for ever.
 */
import type { PeerId } from '../core.ts'
import { Allowance, type Rate } from './allowance.ts'
import type { Tombstone } from './durable-state.ts'
import type { MembershipInit } from './init.ts'
import type { Accusation, Signed, Update } from './messages.ts'
import { accusationIsSigned, type Incarnation, isAbout } from './statements.ts'
import type { Tombstones } from './tombstones.ts'
import type { MembershipTurn } from './turn.ts'

export interface DisputesPort {
  /** Signed by this member: it suspects that incarnation. */
  accusation(life: Incarnation): Signed<Accusation>
  isMember(peer: PeerId): boolean
  /** A member that has not cried wolf lately. */
  isCredible(peer: PeerId): boolean
  /** For a death. */
  accusersNeeded(): number
  dial(stone: Tombstone): void
  send(to: PeerId, updates: readonly Update[]): void
}

export class Disputes {
  /** Each costs a signature here and a look at it there. */
  static readonly rate: Rate = { burst: 64, perSecond: 16 }
  static readonly maxDialled = 256
  readonly #init: MembershipInit
  readonly #turn: MembershipTurn
  readonly #tombstones: Tombstones
  readonly #port: DisputesPort
  readonly #allowance = new Allowance()
  /** Since when, ms; oldest first. */
  readonly #dialled = new Map<PeerId, number>()

  constructor(init: MembershipInit, turn: MembershipTurn, tombstones: Tombstones, port: DisputesPort) {
    this.#init = init
    this.#turn = turn
    this.#tombstones = tombstones
    this.#port = port
  }

  /** The owner itself learns from the answer to its ping; strangers are no witnesses. */
  heard(update: Update, from: PeerId): void {
    const { peer, generation, incarnation } = update.record.body
    const stone = this.#tombstones.get(peer)
    if (stone === undefined || from === peer || !this.#port.isMember(from)) return
    if (!this.#allowance.take(Disputes.rate, this.#turn.now)) return
    const sameLife = generation === stone.generation && incarnation === stone.incarnation
    if (sameLife && update.accusations.some((accusation) => this.#dismisses(accusation, stone))) {
      this.#tombstones.settle(peer)
      return
    }
    if (this.#isKnown(update)) return
    if (stone.addresses.length === 0) this.#deny(update, from)
    else if (this.#isNewClaim(peer)) this.#port.dial(stone)
    else if (this.#isLastingClaim(peer)) this.#deny(update, from)
  }

  /**
   * Who knows of the death tells the accusations too. But those of whom nobody believes
   * mean nothing there either, and with too few it goes on waiting for one more.
   */
  #isKnown({ contact, accusations }: Update): boolean {
    if (contact) return false
    const accusers = new Set(accusations.map(({ body }) => body.accuser))
    const credible = [...accusers].filter((accuser) => this.#port.isCredible(accuser))
    return accusers.has(this.#init.self) || credible.length >= this.#port.accusersNeeded()
  }

  #dismisses(accusation: Signed<Accusation>, stone: Tombstone): boolean {
    const { body } = accusation
    return (
      body.charge === 'dismissed' &&
      isAbout(body, stone, this.#init.cluster) &&
      this.#port.isMember(body.accuser) &&
      accusationIsSigned(accusation, this.#init.crypto)
    )
  }

  /** Not within the last ten heal rounds. */
  #isNewClaim(peer: PeerId): boolean {
    const { now } = this.#turn
    const since = this.#dialled.get(peer)
    if (since !== undefined && now - since < 10 * this.#init.config.healIntervalMs) return false
    this.#dialled.delete(peer)
    this.#dialled.set(peer, now)
    if (this.#dialled.size > Disputes.maxDialled) {
      const [oldest] = this.#dialled.keys()
      if (oldest !== undefined) this.#dialled.delete(oldest)
    }
    return true
  }

  /** The dial has had its time. */
  #isLastingClaim(peer: PeerId): boolean {
    const since = this.#dialled.get(peer) ?? this.#turn.now
    return this.#turn.now - since >= this.#init.config.dialTimeoutMs
  }

  #deny({ record }: Update, to: PeerId): void {
    const accusation = this.#port.accusation(record.body)
    this.#port.send(to, [{ record, accusations: [accusation], contact: false }])
  }
}
