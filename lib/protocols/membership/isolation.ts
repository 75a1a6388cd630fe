/** Whether this peer may be the sick one: nothing is heard from anybody while most members are suspected. */
import type { MembershipInit } from './init.ts'
import { scaledMinimumMs } from './suspicion.ts'
import type { MembershipTurn } from './turn.ts'
import type { MembershipUnits } from './units.ts'
import type { View } from './view.ts'

export class Isolation {
  readonly #init: MembershipInit
  readonly #units: MembershipUnits
  readonly #turn: MembershipTurn
  readonly #view: View
  #heardAt = Number.NEGATIVE_INFINITY
  #refusedAt = Number.NEGATIVE_INFINITY
  #told = false

  constructor(init: MembershipInit, units: MembershipUnits, turn: MembershipTurn, view: View) {
    this.#init = init
    this.#units = units
    this.#turn = turn
    this.#view = view
  }

  get holds(): boolean {
    const { now } = this.#turn
    const { n, population } = this.#view
    return this.#units.isIsolated({
      n,
      suspects: population.suspects.size,
      silentForMs: now - this.#heardAt,
      unrefusedForMs: now - this.#refusedAt,
      suspicionMinMs: scaledMinimumMs(this.#init.config.suspicionMinMs, n),
    })
  }

  /**
   * Tells when it begins, and when it is over: at the end of a step. It may begin by
   * the mere passing of time, which timers show that run as long as there are suspects.
   */
  tell(isWake: boolean): void {
    if (!this.#told && (!isWake || this.#view.population.suspects.size === 0)) return
    const { holds } = this
    if (holds === this.#told) return
    this.#told = holds
    this.#turn.emit({ type: 'isolated', isolated: holds, since: this.#turn.wall })
  }

  /** Bytes came from a member. */
  heard(): void {
    this.#heardAt = this.#turn.now
  }

  /** A connect was refused, by a machine that this one has reached. */
  refused(): void {
    this.#refusedAt = this.#turn.now
  }
}
