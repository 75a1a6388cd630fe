import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import type { MembershipConfig } from './config.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'

export interface DeparturePort {
  /** Tells `peer` of it, once more. */
  tell(peer: PeerId): void
  /** Enough have acknowledged it, or the wait is over: the process may end. */
  over(acknowledgements: number): void
  /** Nothing is answered any more. */
  silent(): void
}

/**
 * Going, with notice: over when enough of those who were told have acknowledged,
 * or the wait is. One that acknowledges twice counts once; one that closes its
 * connection is no longer waited for. Who has not acknowledged is told again.
 *
 * The process may end then, for the news travels without it. As long as it does
 * not, it goes on for a while to tell and to answer.
 */
export class Departure {
  /** How often within the wait it is told. */
  static readonly tellings = 4
  static readonly lingerMs = 2000
  readonly #config: MembershipConfig
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
  readonly #port: DeparturePort
  readonly #awaited: Set<PeerId>
  readonly #needed: number
  #acknowledgements = 0
  #over = false

  constructor(
    config: MembershipConfig,
    turn: MembershipTurn,
    agenda: Agenda<Timer>,
    told: readonly PeerId[],
    port: DeparturePort,
  ) {
    this.#config = config
    this.#turn = turn
    this.#agenda = agenda
    this.#port = port
    this.#awaited = new Set(told)
    this.#needed = Math.min(config.leaveAcks, told.length)
    for (const peer of told) port.tell(peer)
    if (this.#needed === 0) {
      this.end()
    } else {
      agenda.schedule('leave-wait', turn.now + config.leaveWaitMs, { type: 'leave-wait' })
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
    for (const peer of this.#awaited) this.#port.tell(peer)
    if (this.#awaited.size > 0) this.#againLater()
  }

  end(): void {
    if (this.#over) return
    this.#over = true
    this.#agenda.clear()
    this.#port.over(this.#acknowledgements)
    if (this.#awaited.size > 0) this.#againLater()
    this.#agenda.schedule('linger-end', this.#turn.now + Departure.lingerMs, { type: 'linger-end' })
  }

  lingered(): void {
    this.#agenda.clear()
    this.#port.silent()
  }

  #againLater(): void {
    const at = this.#turn.now + this.#config.leaveWaitMs / Departure.tellings
    this.#agenda.schedule('leave-again', at, { type: 'leave-again' })
  }
}
