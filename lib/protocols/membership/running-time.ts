/**
 * For how long this member has run, in all its lives, ms.
 *
 * Ages that outlive a process are counted on it: a wall clock jumps, and a
 * monotonic one ends with its machine. What a crash loses of it, and the time
 * between two lives, makes such an age only shorter than it is: nothing is
 * forgotten too early.
 */
import { decodeRunningTime, durableKeys, encodeRunningTime } from './durable-state.ts'
import type { MembershipInit } from './init.ts'
import type { MembershipTurn } from './turn.ts'

export class RunningTime {
  /** A crash loses so much of it at most, ms; days are counted. */
  static readonly noteEveryMs = 600_000
  readonly #turn: MembershipTurn
  readonly #before: number
  #startedAt = 0
  #notedAt = Number.NEGATIVE_INFINITY

  constructor(init: MembershipInit, turn: MembershipTurn) {
    this.#turn = turn
    this.#before = decodeRunningTime(init.durable.get(durableKeys.runningTime))
  }

  begin(): void {
    this.#startedAt = this.#turn.now
  }

  /** Of the step under way. */
  get now(): number {
    return this.#before + (this.#turn.now - this.#startedAt)
  }

  note(): void {
    this.#notedAt = this.#turn.now
    this.#turn.note(durableKeys.runningTime, encodeRunningTime(this.now))
  }

  noteNowAndThen(): void {
    if (this.#turn.now - this.#notedAt >= RunningTime.noteEveryMs) this.note()
  }
}
