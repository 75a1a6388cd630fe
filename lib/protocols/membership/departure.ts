import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import type { MembershipConfig } from './config.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'

/**
 * Going, with notice: over when enough of those who were told have acknowledged,
 * or the wait is. One that acknowledges twice counts once; one that closes its
 * connection is no longer waited for.
 */
export class Departure {
  readonly #over: (acknowledgements: number) => void
  readonly #awaited: Set<PeerId>
  readonly #needed: number
  #acknowledgements = 0
  #ended = false

  constructor(
    config: MembershipConfig,
    turn: MembershipTurn,
    agenda: Agenda<Timer>,
    told: readonly PeerId[],
    over: (acknowledgements: number) => void,
  ) {
    this.#over = over
    this.#awaited = new Set(told)
    this.#needed = Math.min(config.leaveAcks, told.length)
    if (this.#needed === 0) this.end()
    else agenda.schedule('leave-wait', turn.now + config.leaveWaitMs, { type: 'leave-wait' })
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

  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#over(this.#acknowledgements)
  }
}
