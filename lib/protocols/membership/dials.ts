/**
 * Own dials: which are under way, and for how long a connection that came of one
 * is kept when nobody turns out to want it. Whoever dialled a connection closes it
 * when it wants it no longer; the other side cannot know.
 */
import type { PeerId } from '../core.ts'
import type { MembershipInit } from './init.ts'
import type { Member } from './member.ts'
import type { DialMode } from './messages.ts'
import type { MembershipTurn } from './turn.ts'
import type { MembershipUnits } from './units.ts'
import type { View } from './view.ts'

export interface Dial {
  readonly peer: PeerId | undefined
  readonly mode: DialMode
  /** The life that was meant: an answer of a later one verifies nothing. */
  readonly generation: number
  /** How long the connection is kept when nobody turns out to want it, ms. */
  readonly keepMs: number
}

export interface DialsPort {
  /** Rows are on their way from that member. */
  isSyncing(peer: PeerId): boolean
  nextRequest(): number
}

/** Whom to dial, and where; 0 as a generation: whichever life answers. */
interface Address {
  readonly peer: PeerId | undefined
  readonly addresses: readonly string[]
  readonly generation: number
}

export class Dials {
  /** A connection of an own dial that no neighbour is at the other end of is closed after this, ms. */
  static readonly keepMs = 30_000
  /** One to somebody at random, ms: time to compare what both know. */
  static readonly keepBrieflyMs = 3000
  readonly #init: MembershipInit
  readonly #units: MembershipUnits
  readonly #turn: MembershipTurn
  readonly #view: View
  readonly #port: DialsPort
  readonly #underWay = new Map<number, Dial>()
  /** Connections of own dials, and until when they are kept if no neighbour is at the other end. */
  readonly #kept = new Map<PeerId, number>()

  constructor(
    init: MembershipInit,
    units: MembershipUnits,
    turn: MembershipTurn,
    view: View,
    port: DialsPort,
  ) {
    this.#init = init
    this.#units = units
    this.#turn = turn
    this.#view = view
    this.#port = port
  }

  underWay(): Iterable<Dial> {
    return this.#underWay.values()
  }

  /** Whoever is there. */
  contact(address: string): void {
    this.#dial({ peer: undefined, addresses: [address], generation: 0 }, 'connect')
  }

  /** Unless there is a connection. */
  connect(to: Address): void {
    this.#dial(to, 'connect')
  }

  /** Who may be behind a connection that is cut. */
  reach(to: Address): void {
    this.#dial(to, this.#units.healMode())
  }

  /** For a moment: a helper that is to probe somebody, or somebody at random. */
  connectBriefly(member: Member): void {
    this.#dial(addressOf(member), 'connect', Dials.keepBrieflyMs)
  }

  /** A fresh connection, as evidence; undefined when it names no address. */
  reachFreshly(member: Member, timeoutMs: number): number | undefined {
    const to = addressOf(member)
    return to.addresses.length === 0 ? undefined : this.#request(to, this.#units.healMode(), timeoutMs)
  }

  /** That dial is no longer under way; undefined when it was none of these. */
  ended(id: number): Dial | undefined {
    const dial = this.#underWay.get(id)
    this.#underWay.delete(id)
    return dial
  }

  /** A connection with `peer` came of it. */
  connected(peer: PeerId, { keepMs }: Dial): void {
    this.#kept.set(peer, this.#turn.now + keepMs)
  }

  disconnected(peer: PeerId): void {
    this.#kept.delete(peer)
  }

  /** Lets go of connections that nobody wants. */
  release(): void {
    const { now } = this.#turn
    for (const [peer, until] of this.#kept) {
      if (now < until) continue
      if (this.#view.neighbours.wants(peer) || this.#port.isSyncing(peer)) {
        this.#kept.set(peer, now + Dials.keepMs)
      } else {
        this.#kept.delete(peer)
        this.#turn.request({ type: 'release', peer })
      }
    }
  }

  #dial(to: Address, mode: DialMode, keepMs: number = Dials.keepMs): void {
    if (to.addresses.length === 0) return
    if (to.peer !== undefined) {
      for (const dial of this.#underWay.values()) if (dial.peer === to.peer && dial.mode === mode) return
    }
    this.#request(to, mode, this.#init.config.dialTimeoutMs, keepMs)
  }

  #request(
    { peer, addresses, generation }: Address,
    mode: DialMode,
    timeoutMs: number,
    keepMs: number = Dials.keepMs,
  ): number {
    const id = this.#port.nextRequest()
    this.#underWay.set(id, { peer, mode, generation, keepMs })
    this.#turn.request({ type: 'dial', id, peer, addresses, mode, timeoutMs })
    return id
  }
}

/** Of the life that is known. */
export function addressOf({ peer, generation, record }: Member): Address {
  return { peer, addresses: record.body.addresses, generation }
}
