/**
 * Whom to dial, and when: contacts and remembered peers to get in (`hints`),
 * members to stay connected with (`overlay`), joiners to verify (`dial-backs`), who
 * is back by hearsay (`revivals`), the dead to find again (`healing`). Here is what
 * starts them, and what the end of a dial means to each.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import { DialBacks } from './dial-backs.ts'
import { type Dial, Dials } from './dials.ts'
import { Healing } from './healing.ts'
import { Hints } from './hints.ts'
import type { MembershipInit } from './init.ts'
import type { Isolation } from './isolation.ts'
import type { Member } from './member.ts'
import type { DialOutcome } from './messages.ts'
import { Overlay } from './overlay.ts'
import { Revivals } from './revivals.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'
import type { MembershipUnits } from './units.ts'
import type { View } from './view.ts'

export interface ReachPort {
  isConnected(peer: PeerId): boolean
  connectionCount(): number
  /** Rows are on their way from that member, or from anybody. */
  isSyncing(peer?: PeerId): boolean
  /** A fresh connection to a member that is not believed alive: say so to it, and let it answer. */
  reached(member: Member): void
  /** A dial of `peer` has ended. */
  dialled(id: number, peer: PeerId, outcome: DialOutcome): void
  /** A heal tick comes upon a suspect. */
  healSuspect(member: Member): void
  nextRequest(): number
}

export class Reach {
  static readonly hintsAtStart = 16
  readonly #turn: MembershipTurn
  readonly #view: View
  readonly #isolation: Isolation
  readonly #port: ReachPort
  readonly dials: Dials
  readonly hints: Hints
  readonly dialBacks: DialBacks
  readonly overlay: Overlay
  readonly revivals: Revivals
  readonly healing: Healing

  constructor(
    init: MembershipInit,
    turn: MembershipTurn,
    agenda: Agenda<Timer>,
    view: View,
    isolation: Isolation,
    units: MembershipUnits,
    port: ReachPort,
  ) {
    this.#turn = turn
    this.#view = view
    this.#isolation = isolation
    this.#port = port
    this.dials = new Dials(init, units, turn, view, port)
    this.hints = new Hints(init, turn, agenda, view, this.dials, port.isConnected)
    this.dialBacks = new DialBacks(init, turn, agenda, view, port)
    this.overlay = new Overlay(init, turn, agenda, view, this.dials, this.dialBacks, port)
    this.revivals = new Revivals(init, turn, agenda, view, this.dials, port.isConnected)
    this.healing = new Healing(init, turn, agenda, view, this, port)
  }

  /** Anybody to ask before being alive alone. */
  get hasContacts(): boolean {
    return this.hints.size > 0 || this.#view.tombstones.dialled > 0
  }

  start(contacts: readonly string[]): void {
    this.overlay.start()
    this.hints.join(contacts)
    this.overlay.tendSoon()
    this.hints.dialSome(Reach.hintsAtStart)
    this.healing.start()
  }

  /** A member is known, or known anew: connect to it, and let it be dialled back. */
  welcome(member: Member): void {
    this.hints.delete(member.peer)
    this.dialBacks.introduced(member)
    this.overlay.want(member)
    this.dialBacks.want(member)
    this.hints.rememberSoon()
  }

  dialled(id: number, outcome: DialOutcome): void {
    const dial = this.dials.ended(id)
    if (dial === undefined) return
    if (dial.peer !== undefined && dial.mode === 'replace') this.revivals.ended(dial.peer)
    this.hints.dialWaiting()
    if (outcome.type === 'failed') return this.#failed(id, dial, outcome)
    const { peer, address } = outcome
    const member = this.#view.get(peer)
    if (address !== undefined) {
      this.dials.connected(peer, dial)
      if (member !== undefined) member.reachedAt = this.#turn.now
    }
    this.#port.dialled(id, peer, outcome)
    if (address === undefined) return
    if (member === undefined) this.dialBacks.shookHands(peer, address)
    else this.#reached(member, dial, address)
  }

  #failed(id: number, { peer }: Dial, outcome: Extract<DialOutcome, { type: 'failed' }>): void {
    if (peer === undefined) return
    this.hints.failed(peer)
    if (outcome.reason === 'refused' || outcome.reason === 'other-identity') this.#isolation.refused()
    this.#port.dialled(id, peer, outcome)
  }

  #reached(member: Member, { generation }: Dial, address: string): void {
    if (member.generation === generation || generation === 0) member.verified.add(address)
    // It may have replaced a connection that was cut, so no `connected` comes, and nobody probes the dead.
    if (member.status !== 'alive' || this.revivals.isSilent(member)) this.#port.reached(member)
  }
}
