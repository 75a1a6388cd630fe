/**
 * Never stop dialling who is missing: a partition is not for ever. Each tick dials
 * some of the gone, of the buried, of the hinted at, and looks after the rest.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import type { DialBacks } from './dial-backs.ts'
import { addressOf, type Dials } from './dials.ts'
import type { Hints } from './hints.ts'
import type { MembershipInit } from './init.ts'
import type { Member } from './member.ts'
import type { Overlay } from './overlay.ts'
import { shuffled } from './shuffled.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'
import type { View } from './view.ts'

export interface HealingPort {
  isConnected(peer: PeerId): boolean
  connectionCount(): number
  /** A tick comes upon a suspect. */
  healSuspect(member: Member): void
}

/** By whom the missing are reached. */
export interface HealingMeans {
  readonly dials: Dials
  readonly dialBacks: DialBacks
  readonly hints: Hints
  readonly overlay: Overlay
}

export class Healing {
  static readonly hintsPerTick = 8
  /** However many are gone. */
  static readonly goneDialsPerTick = 32
  static readonly tombstoneDialsPerTick = 16
  readonly #init: MembershipInit
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
  readonly #view: View
  readonly #means: HealingMeans
  readonly #port: HealingPort

  constructor(
    init: MembershipInit,
    turn: MembershipTurn,
    agenda: Agenda<Timer>,
    view: View,
    means: HealingMeans,
    port: HealingPort,
  ) {
    this.#init = init
    this.#turn = turn
    this.#agenda = agenda
    this.#view = view
    this.#means = means
    this.#port = port
  }

  start(): void {
    for (const stone of this.#view.tombstones.toDial(Healing.tombstoneDialsPerTick, () => false))
      this.#means.dials.reach(stone)
    this.#schedule()
  }

  tick(): void {
    this.#schedule()
    const { hints } = this.#means
    const chance = Math.min(1, 3 / this.#view.n)
    this.#healGone(chance)
    this.#healTombstones(chance)
    this.#healPresent(chance)
    hints.forgetOld()
    hints.dialSome(Healing.hintsPerTick)
    if (this.#port.connectionCount() === 0) hints.dialContacts()
  }

  #healGone(chance: number): void {
    const { population, tombstones } = this.#view
    const gone = population
      .drawnGone(chance, this.#init.random)
      .filter(({ peer }) => tombstones.mayAnswer(peer))
    for (const member of shuffled(gone, this.#init.random).slice(0, Healing.goneDialsPerTick)) {
      this.#means.dials.reach(addressOf(member))
    }
  }

  /** A partition may outlast the rows of those behind it. */
  #healTombstones(chance: number): void {
    const { tombstones } = this.#view
    tombstones.running.noteNowAndThen()
    const wanted = Math.floor(chance * tombstones.dialled + this.#init.random())
    const count = Math.min(wanted, Healing.tombstoneDialsPerTick)
    const isListed = (peer: PeerId) => this.#view.get(peer) !== undefined
    for (const stone of tombstones.toDial(count, isListed)) this.#means.dials.reach(stone)
  }

  #healPresent(chance: number): void {
    const { neighbours, population } = this.#view
    for (const member of population.suspects) {
      if (neighbours.watches(member.peer) || this.#init.random() < chance) this.#port.healSuspect(member)
    }
    for (const peer of neighbours.meshed ? neighbours.everybody() : []) {
      const member = this.#view.get(peer)
      if (member?.status !== 'alive') continue
      if (this.#port.isConnected(peer)) this.#means.dialBacks.want(member)
      else this.#means.overlay.dial(peer)
    }
  }

  #schedule(): void {
    const { healIntervalMs, probePeriodMs } = this.#init.config
    const wait = healIntervalMs * (0.75 + 0.5 * this.#init.random()) - probePeriodMs / 2
    const from = this.#turn.now + wait
    this.#agenda.scheduleLoosely('heal', from, from + probePeriodMs, { type: 'heal' })
  }
}
