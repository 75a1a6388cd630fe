/**
 * Going, with notice: over when enough of those who were told have acknowledged,
 * or the wait is. One that acknowledges twice counts once; one that closes its
 * connection is no longer waited for. Who has not acknowledged is told again.
 *
 * The process may end then, for the news travels without it. As long as it does
 * not, it goes on for a while to tell and to answer.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import type { MembershipConfig } from './config.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'

export interface DeparturePort {
  /** Tells `peer` of it, once more. */
  tell(peer: PeerId, seq: number): void
  /** Enough have acknowledged it, or the wait is over: the process may end. */
  over(acknowledgements: number): void
}

export class Departure {
  /** How often within the wait it is told. */
  static readonly tellings = 4
  static readonly lingerMs = 2000
  readonly #config: MembershipConfig
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
  readonly #port: DeparturePort
  readonly #awaited = new Set<PeerId>()
  #needed = 0
  #seq = 0
  #acknowledgements = 0
  #over = false
  #lingers = false

  constructor(config: MembershipConfig, turn: MembershipTurn, agenda: Agenda<Timer>, port: DeparturePort) {
    this.#config = config
    this.#turn = turn
    this.#agenda = agenda
    this.#port = port
  }

  /** It has left, and still says so to whoever asks. */
  get lingers(): boolean {
    return this.#lingers
  }

  /** `seq`: what they acknowledge. */
  begin(told: readonly PeerId[], seq: number): void {
    this.#seq = seq
    const { leaveAcks, leaveWaitMs } = this.#config
    for (const peer of told) this.#awaited.add(peer)
    this.#needed = Math.min(leaveAcks, told.length)
    for (const peer of told) this.#port.tell(peer, this.#seq)
    if (this.#needed === 0) {
      this.end()
    } else {
      this.#agenda.schedule('leave-wait', this.#turn.now + leaveWaitMs, { type: 'leave-wait' })
      this.#againLater()
    }
  }

  acknowledged(by: PeerId): void {
    if (!this.#awaited.delete(by)) return
    this.#acknowledgements++
    if (this.#acknowledgements >= this.#needed) this.end()
  }

  /** Can no longer acknowledge. */
  lost(peer: PeerId): void {
    if (this.#awaited.delete(peer) && this.#awaited.size === 0) this.end()
  }

  again(): void {
    for (const peer of this.#awaited) this.#port.tell(peer, this.#seq)
    if (this.#awaited.size > 0) this.#againLater()
  }

  end(): void {
    if (this.#over) return
    this.#over = true
    this.#lingers = true
    this.#agenda.clear()
    this.#port.over(this.#acknowledgements)
    if (this.#awaited.size > 0) this.#againLater()
    this.#agenda.schedule('linger-end', this.#turn.now + Departure.lingerMs, { type: 'linger-end' })
  }

  lingered(): void {
    this.#agenda.clear()
    this.#lingers = false
  }

  #againLater(): void {
    const at = this.#turn.now + this.#config.leaveWaitMs / Departure.tellings
    this.#agenda.schedule('leave-again', at, { type: 'leave-again' })
  }
}
