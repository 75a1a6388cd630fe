/**
 * Whom this member probes and keeps connected with: everybody, or its neighbours
 * on the rings where there are too many. In between it stays with what it has, so
 * that a cluster at the border does not turn from one to the other and back.
 */
import type { PeerId } from '../core.ts'
import type { MembershipConfig } from './config.ts'
import { Rings, type RingsBase } from './rings.ts'

export interface NeighboursPort {
  readonly turn: { readonly now: number }
  /** Members that are present, self included. */
  n(): number
  /** Somebody appeared or vanished. */
  changed(): void
}

export class Neighbours {
  /** Rings take over above the first, and give way below the second, times `meshUpTo`: 70 and 60 members. */
  static readonly border = { rings: 1.1, mesh: 0.94 } as const
  readonly #config: MembershipConfig
  readonly #port: NeighboursPort
  readonly #rings: Rings
  #meshed: boolean
  #stale = true
  /** Whom it watches, and since when. */
  #subjects: ReadonlyMap<PeerId, number> = new Map()
  #observers: ReadonlySet<PeerId> = new Set()

  constructor(self: PeerId, config: MembershipConfig, port: NeighboursPort, base?: RingsBase) {
    this.#config = config
    this.#port = port
    this.#rings = new Rings(self, config.rings, base)
    this.#meshed = (base?.size ?? 1) <= config.meshUpTo
  }

  appeared({ peer }: { readonly peer: PeerId }): void {
    this.#rings.add(peer)
    this.#stale = true
    this.#port.changed()
  }

  vanished({ peer }: { readonly peer: PeerId }): void {
    this.#rings.delete(peer)
    this.#stale = true
    this.#port.changed()
  }

  /** Everybody is connected with everybody. */
  get meshed(): boolean {
    this.#refresh()
    return this.#meshed
  }

  /** Where there is no mesh: whom it watches, and since when. */
  get subjects(): ReadonlyMap<PeerId, number> {
    this.#refresh()
    return this.#subjects
  }

  /** It probes that member all the time, and dials it when it is in doubt. */
  watches(peer: PeerId): boolean {
    return this.meshed || this.#subjects.has(peer)
  }

  /** A connection with that member is to last. */
  wants(peer: PeerId): boolean {
    return this.watches(peer) || this.#observers.has(peer)
  }

  /** Somebody present, each as likely as the other. */
  draw(random: () => number): PeerId | undefined {
    return this.#rings.draw(random)
  }

  /** All who are present. Not for what happens often. */
  everybody(): IterableIterator<PeerId> {
    return this.#rings.everybody()
  }

  #refresh(): void {
    if (!this.#stale) return
    this.#stale = false
    const { now } = this.#port.turn
    const n = this.#port.n()
    const { meshUpTo } = this.#config
    const { border } = Neighbours
    if (n > meshUpTo * border.rings) this.#meshed = false
    else if (n < meshUpTo * border.mesh) this.#meshed = true
    const former = this.#subjects
    const subjects = this.#meshed ? [] : [...this.#rings.successors()]
    this.#subjects = new Map(subjects.map((peer) => [peer, former.get(peer) ?? now]))
    this.#observers = this.#meshed ? new Set() : this.#rings.predecessors()
  }
}
