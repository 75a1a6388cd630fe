/**
 * Who is no member, and may be there: addresses that a person gave, peers that
 * were members before a restart, and peers that somebody named without contact.
 * Each is dialled and becomes a member when it answers, not before.
 *
 * Which peers to dial after a restart is noted on disk.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import type { Dials } from './dials.ts'
import { decodeKnownPeers, durableKeys, encodeKnownPeers, type KnownPeer } from './durable-state.ts'
import type { MembershipInit } from './init.ts'
import type { MemberRecord } from './messages.ts'
import { shuffled } from './shuffled.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'
import type { View } from './view.ts'

interface Hint {
  readonly peer: PeerId
  readonly generation: number
  readonly addresses: readonly string[]
  /** Read from the own disk: a peer that was a member, dialled for as long as a tombstone would be. */
  readonly remembered: boolean
  /** When it was last a member, on the count of `RunningTime`, ms. */
  readonly hereAt: number
  failures: number
  /** It had its turn at least once. */
  dialled: boolean
}

export class Hints {
  /** A hint that somebody relayed is given up after this many dials. */
  static readonly maxFailures = 5
  /** Relayed hints dialled at once. Anybody can make up more, and dials of members must not wait behind them. */
  static readonly maxDials = 4
  static readonly maxContacts = 64
  /** Members noted on disk where there are too many to note all. */
  static readonly rememberedOnRings = 64
  /** For each member there is, ms: between two notes where all are noted, and where few of many are. */
  static readonly noteEveryMs = { mesh: 100, rings: 500 } as const
  readonly #init: MembershipInit
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
  readonly #view: View
  readonly #dials: Dials
  readonly #isConnected: (peer: PeerId) => boolean
  readonly #contacts = new Set<string>()
  readonly #hints = new Map<PeerId, Hint>()
  /** Whom to dial was noted in this life. */
  #noted = false

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
    for (const known of decodeKnownPeers(init.durable.get(durableKeys.peers))) {
      if (known.peer !== init.self)
        this.#hints.set(known.peer, { ...known, remembered: true, failures: 0, dialled: false })
    }
  }

  /** Contacts among them. */
  get size(): number {
    return this.#contacts.size + this.#hints.size
  }

  join(contacts: readonly string[]): void {
    for (const contact of contacts) {
      if (this.#contacts.size < Hints.maxContacts) this.#contacts.add(contact)
      this.#dials.contact(contact)
    }
  }

  /** False when there are too many. */
  hinted(record: MemberRecord): boolean {
    const known = this.#hints.get(record.peer)
    if (known !== undefined && known.generation >= record.generation) return true
    if (known === undefined && this.#hints.size >= this.#init.config.maxHints) return false
    const { peer, generation, addresses } = record
    const remembered = known?.remembered ?? false
    const hereAt = this.#view.tombstones.running.now
    const hint = { peer, generation, addresses, remembered, hereAt, failures: 0, dialled: false }
    this.#hints.set(peer, hint)
    this.#dial(hint)
    return true
  }

  /** It is a member now. */
  delete(peer: PeerId): void {
    this.#hints.delete(peer)
  }

  failed(peer: PeerId): void {
    const hint = this.#hints.get(peer)
    if (hint === undefined) return
    hint.failures++
    if (!hint.remembered && hint.failures >= Hints.maxFailures) this.#hints.delete(peer)
  }

  dialContacts(): void {
    for (const contact of this.#contacts) this.#dials.contact(contact)
  }

  dialSome(most: number): void {
    for (const hint of shuffled([...this.#hints.values()], this.#init.random).slice(0, most)) this.#dial(hint)
  }

  /** A dial has ended: whoever had no turn yet may have one. */
  dialWaiting(): void {
    for (const hint of this.#hints.values()) {
      if (hint.dialled || hint.remembered || this.#isConnected(hint.peer)) continue
      this.#dial(hint)
      return
    }
  }

  forgetOld(): void {
    const { now } = this.#view.tombstones.running
    for (const { peer, remembered, hereAt } of this.#hints.values()) {
      if (remembered && now - hereAt >= this.#init.config.tombstoneMs) this.#hints.delete(peer)
    }
  }

  /** In a large cluster somebody changes all the time, and a list of many is not out of date so soon. */
  rememberSoon(): void {
    if (this.#agenda.has('note-peers')) return
    // The first one at once: who ends before it is noted would find nobody again.
    const { mesh, rings } = Hints.noteEveryMs
    const { neighbours, n } = this.#view
    const wait = this.#noted ? Math.max(1000, n * (neighbours.meshed ? mesh : rings)) : 0
    const from = this.#turn.now + wait
    this.#agenda.scheduleLoosely('note-peers', from, from + wait, { type: 'note-peers' })
  }

  /**
   * Notes who to dial after a restart: everybody who is there. Who may come back is
   * among the tombstones. No more than a note: were it a barrier, each change of the view would make every
   * answer wait for the disk, and a slow disk would look like a dead process.
   */
  remember(): void {
    this.#agenda.cancel('note-peers')
    this.#noted = true
    const peers: KnownPeer[] = []
    const hereAt = this.#view.tombstones.running.now
    for (const peer of this.#toRemember()) {
      const body = this.#view.recordOf(peer)?.body
      if (body !== undefined)
        peers.push({ peer, generation: body.generation, addresses: body.addresses, hereAt })
    }
    for (const { peer, generation, addresses, remembered, hereAt } of this.#hints.values()) {
      if (remembered) peers.push({ peer, generation, addresses, hereAt })
    }
    this.#turn.note(durableKeys.peers, encodeKnownPeers(peers.slice(0, this.#init.config.maxHints)))
  }

  /** On rings whoever was drawn: of thousands a few dozen are enough to find the others again. */
  #toRemember(): Iterable<PeerId> {
    const { neighbours } = this.#view
    if (neighbours.meshed) return neighbours.everybody()
    const drawn = new Set<PeerId>(neighbours.subjects.keys())
    for (let i = drawn.size; i < Hints.rememberedOnRings; i++) {
      const peer = neighbours.draw(this.#init.random)
      if (peer !== undefined) drawn.add(peer)
    }
    return drawn
  }

  #dial(hint: Hint): void {
    if (this.#isConnected(hint.peer) || !(hint.remembered || this.#mayDial())) return
    hint.dialled = true
    this.#dials.connect({ peer: hint.peer, addresses: hint.addresses, generation: 0 })
  }

  #mayDial(): boolean {
    let underWay = 0
    for (const { peer } of this.#dials.underWay())
      if (peer !== undefined && this.#hints.get(peer)?.remembered === false) underWay++
    return underWay < Hints.maxDials
  }
}
