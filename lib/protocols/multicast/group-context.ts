import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import type { Turn } from '../turn.ts'
import type { Directory } from './directory.ts'
import type { Examiner } from './examiner.ts'
import type { HeldBudget } from './hold-back.ts'
import type { MulticastInit } from './init.ts'
import type {
  MulticastEvent,
  MulticastPacket,
  MulticastRequest,
  PacketBody,
  Refusal,
  SignedHeader,
} from './messages.ts'
import { type Timer, timerTypes } from './timers.ts'

export type MulticastTurn = Turn<MulticastPacket, MulticastEvent, MulticastRequest>

/** What the parts of one group share: who it is, the step at hand, the clock, and the others. */
export class GroupContext {
  readonly name: string
  /** 32 hexadecimal digits. */
  readonly id: string
  readonly init: MulticastInit
  readonly turn: MulticastTurn
  readonly directory: Directory
  readonly examiner: Examiner
  readonly budget: HeldBudget
  readonly #agenda: Agenda<Timer>

  constructor(
    name: string,
    id: string,
    init: MulticastInit,
    shared: {
      readonly turn: MulticastTurn
      readonly agenda: Agenda<Timer>
      readonly directory: Directory
      readonly examiner: Examiner
      readonly budget: HeldBudget
    },
  ) {
    this.name = name
    this.id = id
    this.init = init
    this.turn = shared.turn
    this.directory = shared.directory
    this.examiner = shared.examiner
    this.budget = shared.budget
    this.#agenda = shared.agenda
  }

  /** Monotonic milliseconds of this step. */
  get now(): number {
    return this.turn.now
  }

  /** Uniform in [0, 1). */
  random(): number {
    return this.init.random()
  }

  /** Any of these; undefined where there are none. */
  pick(peers: readonly PeerId[]): PeerId | undefined {
    return peers[Math.floor(this.random() * peers.length)]
  }

  /** Members of the group with an open connection. */
  reachable(): readonly PeerId[] {
    return this.directory.reachable(this.name)
  }

  send(to: PeerId, body: PacketBody): void {
    this.turn.send(to, { group: this.id, body })
  }

  /** Wakes this part at the latest then; one timer a part. */
  schedule(type: Timer['type'], at: number): void {
    this.#agenda.scheduleAtLatest(`${this.id} ${type}`, at, { type, group: this.id })
  }

  cancelAll(): void {
    for (const type of timerTypes) this.#agenda.cancel(`${this.id} ${type}`)
  }

  /** Of this cluster and group, and signed by its author. */
  isSound(header: SignedHeader): boolean {
    return this.isOurs(header) && this.examiner.verify(header)
  }

  isOurs({ header }: SignedHeader): boolean {
    return header.group === this.id && header.cluster === this.init.cluster
  }

  misbehaved(peer: PeerId, reason: Refusal): false {
    this.examiner.count(reason)
    this.turn.emit({ type: 'misbehaved', peer, reason })
    return false
  }
}
