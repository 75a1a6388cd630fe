/**
 * Other lives of this identity: a disk that was copied, or restored from a backup.
 * Which of two goes on depends on whether the other one runs or is a memory.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import { Allowance, type Rate } from './allowance.ts'
import type { MembershipInit } from './init.ts'
import type { MemberRecord, Signed } from './messages.ts'
import type { OwnLife } from './own-life.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'

export class OtherLives {
  /** Wall clocks, which seed generations, stay below it until 2109; nobody's bare word is taken for more. */
  static readonly plausibleGeneration = 2 ** 42
  /** Steps over a life of which nobody has proof: in a row, and then one an hour. */
  static readonly unprovenSteps: Rate = { burst: 3, perSecond: 1 / 3600 }
  static readonly maxGravediggers = 64
  readonly #init: MembershipInit
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
  readonly #own: OwnLife
  /** The own life that some member was last known to hold for alive. */
  #acknowledged: number | undefined
  /** The latest proven life of this identity of which nobody has said yet when it was heard; 0 for none. */
  #contested = 0
  /** The later lives of this identity that members have buried, by who says so. */
  readonly #buried = new Map<PeerId, number>()
  readonly #unproven = new Allowance()

  constructor(init: MembershipInit, turn: MembershipTurn, agenda: Agenda<Timer>, own: OwnLife) {
    this.#init = init
    this.#turn = turn
    this.#agenda = agenda
    this.#own = own
  }

  /**
   * Owner-signed proof of another life of this identity.
   *
   * Above the persisted generation the disk went back, and this peer must not
   * vote. Not below the own generation, it decides who goes on: a life heard a
   * moment ago is running, so this one ends; an older one is a memory, so this
   * one steps over it. Unknown age: wait for somebody who knows.
   */
  confront(record: Signed<MemberRecord>, heardAgoMs: number | undefined): void {
    const { generation } = record.body
    if (generation > this.#own.persistedGeneration) this.#own.rollBack(generation)
    if (generation < this.#own.generation) return
    if (heardAgoMs === undefined) {
      this.#contestSoon()
      this.#contested = Math.max(this.#contested, generation)
      return
    }
    if (generation > this.#own.generation && heardAgoMs < this.#init.config.identityInUseWithinMs) {
      this.#own.status = 'superseded'
      this.#agenda.clear()
      this.#turn.emit({ type: 'identity-in-use', generation, heardAgoMs })
      return
    }
    this.#stepOver(generation)
  }

  /** A member takes part with this life. */
  acknowledged(): void {
    this.#acknowledged = this.#own.generation
  }

  /**
   * `by` has buried a later life of this identity, and has no proof of it any more: it
   * takes nothing from this one. Its bare word is no reason to think that the disk went back.
   */
  buried(generation: number, by: PeerId): void {
    if (generation <= this.#own.generation || generation > OtherLives.plausibleGeneration) return
    if (this.#buried.size >= OtherLives.maxGravediggers && !this.#buried.has(by)) return
    if (!this.#unproven.has(OtherLives.unprovenSteps, this.#turn.now)) return
    this.#buried.set(by, generation)
    this.#contestSoon()
  }

  /**
   * Nobody said that the other life is running. Of a life without proof `witnesses`
   * must speak, but for who is new and not yet held for alive by anybody.
   */
  contestEnded(witnesses: number): void {
    if (this.#contested >= this.#own.generation) return this.#stepOver(this.#contested)
    const isAcknowledged = this.#acknowledged === this.#own.generation
    const claims = [...this.#buried.values()].sort((a, b) => b - a)
    const claim = claims[isAcknowledged ? witnesses - 1 : 0] ?? 0
    this.#buried.clear()
    if (claim <= this.#own.generation || !this.#unproven.take(OtherLives.unprovenSteps, this.#turn.now))
      return
    this.#stepOver(claim)
  }

  #contestSoon(): void {
    if (this.#agenda.has('contest-end')) return
    const at = this.#turn.now + 2 * this.#init.config.probePeriodMs
    this.#agenda.schedule('contest-end', at, { type: 'contest-end' })
  }

  #stepOver(generation: number): void {
    this.#agenda.cancel('contest-end')
    this.#contested = 0
    this.#buried.clear()
    // Two processes with one generation would step over each other for ever in step: draw.
    this.#own.take(generation + 1 + Math.floor(this.#init.random() * 1000))
  }
}
