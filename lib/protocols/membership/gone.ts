/**
 * Rows of the dead and of those who left. They stay in the table for people to
 * see, for some time and in limited number; what remains then is a tombstone.
 */
import type { Agenda } from '../agenda.ts'
import type { MembershipInit } from './init.ts'
import type { Member } from './member.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'

export class Gone {
  readonly #init: MembershipInit
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
  /** In the order of going. */
  readonly #rows: ReadonlySet<Member>

  constructor(init: MembershipInit, turn: MembershipTurn, agenda: Agenda<Timer>, rows: ReadonlySet<Member>) {
    this.#init = init
    this.#turn = turn
    this.#agenda = agenda
    this.#rows = rows
  }

  get oldest(): Member | undefined {
    return this.#rows.values().next().value
  }

  /** The oldest, when it has been here for long enough or there are too many. */
  get due(): Member | undefined {
    const { oldest } = this
    if (oldest === undefined) return undefined
    const { goneMs, maxGone } = this.#init.config
    const expired = this.#turn.now - oldest.statusAt >= goneMs
    return expired || this.#rows.size > maxGone ? oldest : undefined
  }

  schedule(): void {
    const { oldest } = this
    if (oldest === undefined) return
    const { goneMs, maxGone } = this.#init.config
    // Not within this step: the row may be its subject.
    const at = this.#rows.size > maxGone ? this.#turn.now : oldest.statusAt + goneMs
    this.#agenda.scheduleAtLatest('reap', at, { type: 'reap' })
  }
}
