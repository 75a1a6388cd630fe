import type { PeerId } from '../../../lib/protocols/core.ts'
import {
  decodeSelfState,
  durableKeys,
  type SelfState,
} from '../../../lib/protocols/membership/durable-state.ts'
import type { MemberView, Packet } from '../../../lib/protocols/membership/messages.ts'
import type { DiskImage } from '../disk.ts'

/**
 * What only the inside of a host shows: that counters are on its disk before
 * anybody hears of them, that they never fall, and that its events tell what its
 * table shows. Throws nothing; `breach` is told.
 */
export class Watch {
  readonly #peer: PeerId
  readonly #disk: { read(key: string): Uint8Array | undefined }
  readonly #breach: (property: string, message: string) => void
  readonly #rows = new Map<PeerId, string>()
  #bytes: Uint8Array | undefined
  #durable: SelfState
  #toldGeneration = 0
  #toldIncarnation: number

  constructor(
    peer: PeerId,
    disk: { read(key: string): Uint8Array | undefined },
    atStart: DiskImage,
    breach: (property: string, message: string) => void,
  ) {
    this.#peer = peer
    this.#disk = disk
    this.#breach = breach
    this.#bytes = atStart.get(durableKeys.self)
    this.#durable = decodeSelfState(this.#bytes)
    this.#toldIncarnation = this.#durable.incarnation
  }

  /** A packet is about to leave. */
  sending(packet: Packet): void {
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

  /** An event told of a row. */
  told(view: MemberView): void {
    this.#rows.set(view.peer, rowText(view))
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
    const bytes = this.#disk.read(durableKeys.self)
    if (bytes !== this.#bytes) {
      this.#bytes = bytes
      this.#durable = decodeSelfState(bytes)
    }
    return this.#durable
  }
}

function rowText(view: MemberView): string {
  return `${view.status} ${view.generation}.${view.incarnation}`
}
