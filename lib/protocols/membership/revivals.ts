/**
 * Others have heard that somebody is alive, this member has not: their connection
 * may be cut. It is dialled afresh, and until that has ended its silence says nothing.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import type { Dials } from './dials.ts'
import { Evidence } from './evidence.ts'
import type { MembershipInit } from './init.ts'
import type { Member } from './member.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'
import type { View } from './view.ts'

export class Revivals {
  readonly #init: MembershipInit
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
  readonly #view: View
  readonly #dials: Dials
  readonly #isConnected: (peer: PeerId) => boolean
  /** Alive by hearsay, and a dial that shall show it is under way or about to be. */
  readonly #underWay = new Set<PeerId>()

  constructor(
    init: MembershipInit,
    turn: MembershipTurn,
    agenda: Agenda<Timer>,
    view: View,
    dials: Dials,
    isConnected: (peer: PeerId) => boolean,
  ) {
    this.#init = init
    this.#turn = turn
    this.#agenda = agenda
    this.#view = view
    this.#dials = dials
    this.#isConnected = isConnected
  }

  /** The lower id dials at once; the higher waits, or both would. */
  revived(member: Member): void {
    const { probePeriodMs } = this.#init.config
    if (!this.isSilent(member)) return
    if (!this.#view.neighbours.wants(member.peer) && !this.#isConnected(member.peer)) return
    const wait = this.#init.self < member.peer ? 0 : probePeriodMs / 2
    this.#underWay.add(member.peer)
    const timer = { type: 'revived-dial', peer: member.peer } as const
    this.#agenda.schedule(`revived ${member.peer}`, this.#turn.now + wait, timer)
  }

  dial(peer: PeerId): void {
    const member = this.#view.get(peer)
    const timeoutMs = Math.min(this.#init.config.dialTimeoutMs, Evidence.settlingMs)
    const isNeeded = member?.status === 'alive' && this.isSilent(member)
    if (!isNeeded || this.#dials.reachFreshly(member, timeoutMs) === undefined) this.#underWay.delete(peer)
  }

  /** The dial has ended. */
  ended(peer: PeerId): void {
    this.#underWay.delete(peer)
  }

  /** Just reached anew, or about to be: its answers may still be on the way of the old connection. */
  isSettling({ peer, reachedAt }: Member): boolean {
    return this.#underWay.has(peer) || this.#turn.now - reachedAt < Evidence.settlingMs
  }

  /** Nothing was heard of it for a whole period. */
  isSilent({ lastHeardAt }: Member): boolean {
    return this.#turn.now - lastHeardAt >= this.#init.config.probePeriodMs
  }
}
