/**
 * At which addresses a member can be reached: those at which an own dial has
 * completed a handshake with this life. The neighbours of a joiner dial it back
 * for that, so that observers exist when it dies.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import { hash64, placeOnRing } from '../hash.ts'
import type { MembershipInit } from './init.ts'
import type { Member } from './member.ts'
import type { KnockOutcome } from './messages.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'
import type { View } from './view.ts'

export interface DialBacksPort {
  isConnected(peer: PeerId): boolean
  nextRequest(): number
}

interface Verification {
  readonly peer: PeerId
  readonly generation: number
  readonly address: string
}

export class DialBacks {
  /** Addresses of one joiner that are verified; a machine has more only by accident. */
  static readonly maxVerified = 4
  static readonly maxHandshakes = 64
  readonly #init: MembershipInit
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
  readonly #view: View
  readonly #port: DialBacksPort
  readonly #verifications = new Map<number, Verification>()
  /** Handshakes of own dials with peers whose record has not come yet. */
  readonly #handshakes = new Map<PeerId, string>()

  constructor(
    init: MembershipInit,
    turn: MembershipTurn,
    agenda: Agenda<Timer>,
    view: View,
    port: DialBacksPort,
  ) {
    this.#init = init
    this.#turn = turn
    this.#agenda = agenda
    this.#view = view
    this.#port = port
  }

  /** An own dial completed a handshake with somebody whose record has not come yet. */
  shookHands(peer: PeerId, address: string): void {
    if (this.#handshakes.size >= DialBacks.maxHandshakes) this.#handshakes.clear()
    this.#handshakes.set(peer, address)
  }

  /** Its record has come. */
  introduced(member: Member): void {
    const address = this.#handshakes.get(member.peer)
    if (address === undefined) return
    this.#handshakes.delete(member.peer)
    if (this.#port.isConnected(member.peer)) member.verified.add(address)
  }

  /** The neighbours of a member, by rendezvous hashing, verify its addresses so that observers exist. */
  want(member: Member): void {
    const { dialBackNeighbours, dialBackWithinMs, fastPath } = this.#init.config
    if (!fastPath || member.status !== 'alive' || member.verified.size > 0) return
    if (!this.#view.neighbours.watches(member.peer)) return
    if (this.#rankAmongNeighbours(member) >= dialBackNeighbours) return
    const key = `dial-back ${member.peer}`
    if (this.#agenda.has(key)) return
    const wait = (0.1 + 0.6 * this.#init.random()) * dialBackWithinMs
    this.#agenda.schedule(key, this.#turn.now + wait, { type: 'dial-back', peer: member.peer })
  }

  dial(peer: PeerId): void {
    const member = this.#view.get(peer)
    if (member?.status !== 'alive' || member.verified.size > 0) return
    for (const address of member.record.body.addresses.slice(0, DialBacks.maxVerified)) {
      const id = this.#port.nextRequest()
      this.#verifications.set(id, { peer, generation: member.generation, address })
      this.#turn.request({ type: 'knock', id, peer, address, timeoutMs: this.#init.config.dialTimeoutMs })
    }
  }

  /** A handshake at that address, and no connection to keep: all that a verification is for. */
  knocked(id: number, outcome: KnockOutcome): void {
    const verification = this.#verifications.get(id)
    if (verification === undefined) return
    this.#verifications.delete(id)
    const member = this.#view.get(verification.peer)
    if (outcome !== 'answered' || member?.generation !== verification.generation) return
    member.verified.add(verification.address)
  }

  #rankAmongNeighbours(subject: Member): number {
    const { neighbours, n } = this.#view
    // On rings its observers are few enough.
    if (!neighbours.meshed || n - 1 <= this.#init.config.dialBackNeighbours) return 0
    const life = hash64(`${subject.peer} ${subject.generation}`).low
    const own = placeOnRing(hash64(this.#init.self), life)
    let rank = 0
    for (const peer of neighbours.everybody()) {
      if (peer !== subject.peer && placeOnRing(hash64(peer), life) < own) rank++
    }
    return rank
  }
}
