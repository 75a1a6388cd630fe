/**
 * Who accuses whom, and who of them is believed.
 *
 * Accusations are signed, and of one incarnation. Of each kind a few are kept,
 * because what is kept is told: a credible accuser takes the place of one that has
 * cried wolf, and the own word takes one in any case.
 */
import type { PeerId } from '../core.ts'
import { Allowance } from './allowance.ts'
import { Credibility } from './credibility.ts'
import type { MembershipInit } from './init.ts'
import { type Member, maxAccusationsPerCharge } from './member.ts'
import type { Accusation, Charge, Misbehaviour, Signed } from './messages.ts'
import { type Incarnation, isAbout, signAccusation } from './statements.ts'
import type { Witnesses } from './suspicion.ts'
import { chargeRate } from './traffic.ts'
import type { MembershipTurn } from './turn.ts'
import type { MembershipUnits } from './units.ts'
import type { View } from './view.ts'

export interface AccusersPort {
  ownGeneration(): number
  /** An accusation by `accuser` was kept, and should travel. */
  accused(member: Member, accuser: PeerId): void
  misbehaved(peer: PeerId, reason: Misbehaviour): void
}

export class Accusers {
  readonly #init: MembershipInit
  readonly #units: MembershipUnits
  readonly #turn: MembershipTurn
  readonly #view: View
  readonly #port: AccusersPort
  readonly #credibility = new Credibility()

  constructor(
    init: MembershipInit,
    units: MembershipUnits,
    turn: MembershipTurn,
    view: View,
    port: AccusersPort,
  ) {
    this.#init = init
    this.#units = units
    this.#turn = turn
    this.#view = view
    this.#port = port
  }

  /** Of this incarnation of `member`, by whatever charge. */
  witnesses(member: Member): Witnesses {
    const accusers = [...member.accusers()]
    const credible = accusers.filter((accuser) => !this.#isMuted(accuser))
    return { accusers: accusers.length, credible: credible.length }
  }

  /** Those who say that its machine refuses connects, and are believed. */
  refusers(member: Member): PeerId[] {
    return [...member.accusations.refused.keys()].filter((accuser) => !this.#isMuted(accuser))
  }

  /** A member that has not cried wolf lately. */
  isCredible(accuser: PeerId): boolean {
    if (accuser === this.#init.self) return true
    return this.#view.get(accuser) !== undefined && !this.#isMuted(accuser)
  }

  /** Whether there is anything for this member to say that is not said already. */
  maySay({ accusations }: Member, charge: 'suspected' | 'refused'): boolean {
    const said = accusations[charge]
    if (said.has(this.#init.self)) return false
    // Enough have said so; one more would only be one more to tell. Whom nobody believes has not said it.
    const believed = [...said.keys()].filter((accuser) => !this.#isMuted(accuser))
    return believed.length < maxAccusationsPerCharge || charge !== 'suspected'
  }

  /** Signed, and not kept. */
  accusation({ peer: subject, generation, incarnation }: Incarnation, charge: Charge): Signed<Accusation> {
    const { self: accuser, cluster, crypto } = this.#init
    const accuserGeneration = this.#port.ownGeneration()
    return signAccusation(
      { charge, cluster, subject, generation, incarnation, accuser, accuserGeneration },
      crypto,
    )
  }

  /** The own word. */
  say(member: Member, charge: Charge): void {
    this.#keep(member, this.accusation(member, charge))
    this.#view.restated(member)
    this.#port.accused(member, this.#init.self)
  }

  /** What `from` told; false when it is not kept. */
  hear(member: Member, accusation: Signed<Accusation>, from: PeerId): boolean {
    const { body } = accusation
    if (!isAbout(body, member, this.#init.cluster)) return false
    if (body.accuser === member.peer || member.status === 'left') return false
    if (body.charge === 'dismissed' && !this.#units.dismissalCounts(member)) return false
    const kept = member.accusations[body.charge]
    if (kept.has(body.accuser)) return false
    // Who is unknown here cannot witness here; the next sync brings it again.
    const accuser = this.#view.get(body.accuser)
    if (body.accuser !== this.#init.self && accuser === undefined) return false
    const charges = chargeRate(this.#view.n)
    if (accuser !== undefined) {
      accuser.charges ??= new Allowance()
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
    // Who is dead here is so by what was told already, which the others have too.
    if (member.present || body.charge === 'dismissed') this.#port.accused(member, body.accuser)
    return true
  }

  /** Its owner has answered what was said of this incarnation. */
  refuted(member: Member): void {
    const [accuser, another] = member.accusers()
    if (accuser === undefined || another !== undefined || accuser === this.#init.self) return
    this.#credibility.refutedAlone(accuser, this.#turn.now)
  }

  forget(peer: PeerId): void {
    this.#credibility.forget(peer)
  }

  #isMuted(accuser: PeerId): boolean {
    return accuser !== this.#init.self && this.#credibility.isMuted(accuser, this.#turn.now)
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
}
