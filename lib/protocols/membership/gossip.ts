/**
 * Spreading the news.
 *
 * A member's own statements go at once to everybody it is connected with: in a
 * full mesh that is one hop, and what makes a death known in half a second.
 * Rumours carry them to those that it does not reach. Who had them from their
 * author tells them only a third as often as who had them by rumour: measured with
 * twenty members, retelling everything in full cost more than the news itself, and
 * on a busy machine the suspicions that it delayed fed each other.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import type { Awareness } from './awareness.ts'
import { Dissemination, retransmitLimit } from './dissemination.ts'
import type { MembershipInit } from './init.ts'
import type { Update } from './messages.ts'
import { sizeOfUpdate } from './packing.ts'
import { shuffled } from './shuffled.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'
import type { View } from './view.ts'

/** Where news came from. */
export type Source = 'self' | 'author' | 'rumour'

export interface GossipPort {
  /** Open connections, with members or not. */
  connected(): Iterable<PeerId>
  connectionCount(): number
  isConnected(peer: PeerId): boolean
  updateOf(subject: PeerId): Update | undefined
  send(to: PeerId, updates: readonly Update[]): void
}

export class Gossip {
  /** News in one telling, and bytes: somebody's records may be large, and all tell them. */
  static readonly updatesAtOnce = 16
  static readonly bytesAtOnce = 48 * 1024
  /** On rings: of all who are connected so many know it, from here or from others, when it is told no more. */
  static readonly shareOfWays = 5 / 8
  /** Also of those who have hardly any connections yet. */
  static readonly fewestWays = 4
  /** Own statements go to every connected member, up to this many. */
  static readonly announceToAtMost = 64
  readonly #init: MembershipInit
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
  readonly #view: View
  readonly #awareness: Awareness
  readonly #port: GossipPort
  readonly #news = new Dissemination()
  #toldAt = Number.NEGATIVE_INFINITY
  /** On rings: who comes next, until all have had their turn. */
  #queue: PeerId[] = []

  constructor(
    init: MembershipInit,
    turn: MembershipTurn,
    agenda: Agenda<Timer>,
    view: View,
    awareness: Awareness,
    port: GossipPort,
  ) {
    this.#init = init
    this.#turn = turn
    this.#agenda = agenda
    this.#view = view
    this.#awareness = awareness
    this.#port = port
  }

  tell(subject: PeerId, source: Source): void {
    const factor = source === 'author' ? 1 : this.#init.config.retransmitFactor
    const leaves = this.#port.updateOf(subject)?.record.body.presence !== 'alive'
    const limit = retransmitLimit(factor, this.#view.n)
    const { meshed } = this.#view.neighbours
    const ways = Math.ceil(this.#port.connectionCount() * Gossip.shareOfWays)
    const tellings = meshed ? limit : Math.min(limit, Math.max(Gossip.fewestWays, ways))
    this.#news.enqueue(subject, tellings, source === 'self', leaves)
    const due = source === 'self' ? this.#turn.now : this.#toldAt + this.#tickMs
    this.#agenda.scheduleAtLatest('gossip', Math.max(this.#turn.now, due), { type: 'gossip' })
  }

  /** Who tells all that is known of it need not be told (Demers et al. 1987, rumour mongering with feedback). */
  knownTo(subject: PeerId, teller: PeerId): void {
    if (!this.#view.neighbours.meshed) this.#news.told(subject, teller)
  }

  /** Its row is no longer there. */
  forget(subject: PeerId): void {
    this.#news.forget(subject)
  }

  run(): void {
    // What was to be told has been told here by others since.
    if (this.#news.size === 0) return
    this.#announce()
    if (this.#turn.now - this.#toldAt >= this.#tickMs) {
      const somebody = this.#view.neighbours.meshed ? this.#tellAtRandom() : this.#tellInTurn()
      if (!somebody) return
      this.#toldAt = this.#turn.now
    }
    if (this.#news.size === 0) return
    this.#agenda.schedule('gossip', this.#toldAt + this.#tickMs, { type: 'gossip' })
  }

  #announce(): void {
    if (!this.#news.announces) return
    const targets = this.#tellable()
    if (targets.length === 0 || targets.length > Gossip.announceToAtMost) return
    const announced = this.#news.takeAnnouncements()
    for (const peer of targets) this.#tellOne(peer, announced)
  }

  /** In a mesh whoever it hits. False where there is nobody; whoever connects compares digests first of all. */
  #tellAtRandom(): boolean {
    const { random, config } = this.#init
    const targets = shuffled(this.#tellable(), random).slice(0, config.gossipFanout)
    for (const peer of targets) this.#tellNews(peer)
    return targets.length > 0
  }

  /**
   * On rings a rumour has few ways to go, and each should be gone once: either end may go it. So it is kept who knows
   * what. When ten of sixteen neighbours do, the others hear of it from theirs: that all sixteen leave a
   * member to others has a chance of 1 in 10^7, and the digests find it.
   */
  #tellInTurn(): boolean {
    const { random, config } = this.#init
    let told = 0
    for (let tries = 2 * this.#port.connectionCount(); told < config.gossipFanout && tries > 0; tries--) {
      if (this.#queue.length === 0) this.#queue = shuffled([...this.#port.connected()], random)
      const peer = this.#queue.pop()
      // Whoever comes twice has been told by then.
      if (peer === undefined || !this.#news.isNewTo(peer) || !this.#isTellable(peer)) continue
      if (this.#tellNews(peer, peer)) told++
    }
    // Whoever is there knows it.
    if (told === 0) this.#news.clear()
    return told > 0
  }

  #tellable(): PeerId[] {
    return [...this.#port.connected()].filter((peer) => this.#isTellable(peer))
  }

  #isTellable(peer: PeerId): boolean {
    const member = this.#view.get(peer)
    return member !== undefined && member.status !== 'left' && this.#port.isConnected(peer)
  }

  #tellOne(to: PeerId, subjects: readonly string[]): void {
    const updates = subjects.flatMap((subject) => this.#newsOf(subject, to) ?? [])
    if (updates.length > 0) this.#port.send(to, updates)
  }

  /** `knowing`: all but what that one knows. */
  #tellNews(to: PeerId, knowing?: PeerId): boolean {
    const updates: Update[] = []
    let room = Gossip.bytesAtOnce
    const add = (subject: string) => {
      if (room <= 0) return false
      const update = this.#newsOf(subject, to)
      if (update !== undefined) {
        room -= sizeOfUpdate(update)
        updates.push(update)
      }
      return true
    }
    const taken = this.#news.take(Gossip.updatesAtOnce, add, knowing)
    if (updates.length > 0) this.#port.send(to, updates)
    return taken.length > 0
  }

  /** To the subject itself only what it has to answer is news. */
  #newsOf(subject: string, to: PeerId): Update | undefined {
    const update = this.#port.updateOf(subject as PeerId)
    return subject === to && update?.accusations.length === 0 ? undefined : update
  }

  /** Who has trouble talks less: else suspicions, and the talk about them, feed each other on a busy machine. */
  get #tickMs(): number {
    return this.#init.config.gossipTickMs * this.#awareness.multiplier
  }
}
