import type { PeerId } from '../../../lib/protocols/core.ts'
import {
  decodeSelfState,
  durableKeys,
  type SelfState,
} from '../../../lib/protocols/membership/durable-state.ts'
import type { MemberChange, MemberView, Packet } from '../../../lib/protocols/membership/messages.ts'
import type { DiskImage } from '../disk.ts'

/**
 * For each member there is: packets that one may send a second, in two seconds
 * that follow each other (what waited behind a cut comes, and is answered, in
 * one), and requests that may be open.
 */
const packetsPerMember = 40
const requestsPerMember = 8
const windowMs = 1000

export interface WatchedDisk {
  /** Rises whenever something durable changes. */
  readonly version: number
  read(key: string): Uint8Array | undefined
}

export interface WatchInit {
  readonly peer: PeerId
  readonly disk: WatchedDisk
  readonly atStart: DiskImage
  /** How many members there are in all. */
  readonly members: number
  readonly now: () => number
  readonly breach: (property: string, message: string) => void
}

/**
 * What only the inside of a host shows: that counters are on its disk before
 * anybody hears of them, that they never fall, that its events tell what its
 * table shows, and that neither lies nor faults make it send or dial without
 * bound. Throws nothing; `breach` is told.
 */
export class Watch {
  readonly #peer: PeerId
  readonly #disk: WatchedDisk
  readonly #breach: (property: string, message: string) => void
  readonly #now: () => number
  readonly #members: number
  readonly #rows = new Map<PeerId, string>()
  #windowFrom = 0
  #packets = 0
  #wasBusy = false
  #requests = 0
  #version = -1
  #durable: SelfState
  #toldGeneration = 0
  #toldIncarnation: number

  constructor(init: WatchInit) {
    const { atStart } = init
    this.#peer = init.peer
    this.#disk = init.disk
    this.#breach = init.breach
    this.#now = init.now
    this.#members = init.members
    this.#durable = decodeSelfState(atStart.get(durableKeys.self))
    this.#toldIncarnation = this.#durable.incarnation
  }

  /** A packet is about to leave. */
  sending(packet: Packet): void {
    this.#countPacket()
    const durable = this.#read()
    if (packet.generation > durable.generation) {
      this.#breach(
        'generation-on-disk',
        `a packet of generation ${packet.generation} leaves while ${durable.generation} is on disk`,
      )
    }
    if (packet.generation < this.#toldGeneration) {
      this.#breach('own-generation', `falls from ${this.#toldGeneration} to ${packet.generation}`)
    }
    this.#toldGeneration = packet.generation
    for (const update of packet.updates) this.#ownRecord(packet.generation, update.record.body, durable)
    if (packet.body.type === 'leave') this.#ownRecord(packet.generation, packet.body.record.body, durable)
  }

  /** A dial or a knock begins. */
  requested(): void {
    this.#requests++
    if (this.#requests === requestsPerMember * this.#members) {
      this.#breach('bounded-requests', `${this.#requests} dials and knocks are open at once`)
    }
  }

  /** It was answered. */
  answered(): void {
    this.#requests--
  }

  /** An event told of a row. */
  told(view: MemberView, change?: MemberChange): void {
    if (change === 'reaped') this.#rows.delete(view.peer)
    else this.#rows.set(view.peer, rowText(view))
  }

  /** The table as the control API would show it now: the events must have told all of it. */
  compare(table: readonly MemberView[]): void {
    for (const view of table) {
      const told = this.#rows.get(view.peer)
      if (view.self || told === rowText(view)) continue
      this.#breach('events-tell-the-table', `${view.peer} is ${rowText(view)}, told was ${told ?? 'nothing'}`)
    }
    const shown = new Set(table.map((view) => view.peer))
    for (const [peer, told] of this.#rows) {
      if (shown.has(peer)) continue
      this.#breach('events-tell-the-table', `${peer} is not in the table, told was ${told}`)
    }
  }

  #countPacket(): void {
    const limit = packetsPerMember * this.#members
    const sinceMs = this.#now() - this.#windowFrom
    if (sinceMs >= windowMs) {
      this.#wasBusy = sinceMs < 2 * windowMs && this.#packets >= limit
      this.#windowFrom = this.#now()
      this.#packets = 0
    }
    this.#packets++
    if (this.#packets === limit && this.#wasBusy) {
      this.#breach('bounded-traffic', `${limit} packets and more a second, for two seconds`)
    }
  }

  #ownRecord(
    generation: number,
    record: { readonly peer: PeerId; readonly generation: number; readonly incarnation: number },
    durable: SelfState,
  ): void {
    if (record.peer !== this.#peer || record.generation !== generation) return
    if (record.incarnation > durable.incarnation) {
      this.#breach(
        'incarnation-on-disk',
        `incarnation ${record.incarnation} is told while ${durable.incarnation} is on disk`,
      )
    }
    if (record.incarnation < this.#toldIncarnation) {
      this.#breach(
        'own-incarnation',
        `falls from ${this.#toldIncarnation} to ${record.incarnation} in generation ${generation}`,
      )
    }
    this.#toldIncarnation = Math.max(this.#toldIncarnation, record.incarnation)
  }

  #read(): SelfState {
    const { version } = this.#disk
    if (version !== this.#version) {
      this.#version = version
      this.#durable = decodeSelfState(this.#disk.read(durableKeys.self))
    }
    return this.#durable
  }
}

function rowText(view: MemberView): string {
  return `${view.status} ${view.generation}.${view.incarnation}`
}
