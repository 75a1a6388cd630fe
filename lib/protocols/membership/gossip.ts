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
  /**
   * On rings each telling goes another way, and half of the ways are enough: that nobody of sixteen neighbours
   * tells a member has a chance of 1 in 65,000, and the digests find it. Simulated with 600 members in churn, all
   * ways cost 1.25 packets a member and second, half of them 0.86, with as many syncs; a quarter needs six times as many.
   */
  static readonly shareOfWays = 0.5
  static readonly bytesAtOnce = 48 * 1024
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
    const tellings = meshed ? limit : Math.min(limit, ways)
    this.#news.enqueue(subject, Math.max(1, tellings), source === 'self', leaves)
    const due = source === 'self' ? this.#turn.now : this.#toldAt + this.#tickMs
    this.#agenda.scheduleAtLatest('gossip', Math.max(this.#turn.now, due), { type: 'gossip' })
  }

  /** Who tells it knows it, and need not be told (Demers et al. 1987, rumour mongering with feedback). */
  heardAgain(subject: PeerId): void {
    if (!this.#view.neighbours.meshed) this.#news.told(subject)
  }

  /** Its row is no longer there. */
  forget(subject: PeerId): void {
    this.#news.forget(subject)
  }

  run(): void {
    this.#announce()
    if (this.#turn.now - this.#toldAt >= this.#tickMs) {
      const targets = this.#view.neighbours.meshed ? this.#atRandom() : this.#inTurn()
      // Nobody to tell: whoever connects compares digests first of all.
      if (targets.length === 0) return
      this.#toldAt = this.#turn.now
      for (const peer of targets) this.#tellNews(peer)
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

  /** In a mesh whoever it hits. */
  #atRandom(): readonly PeerId[] {
    return shuffled(this.#tellable(), this.#init.random).slice(0, this.#init.config.gossipFanout)
  }

  /** On rings a rumour has only few ways to go, and each should be gone once. */
  #inTurn(): readonly PeerId[] {
    const { random, config } = this.#init
    const chosen: PeerId[] = []
    const most = 2 * this.#port.connectionCount()
    for (let tries = 0; chosen.length < config.gossipFanout && tries <= most; tries++) {
      if (this.#queue.length === 0) this.#queue = shuffled([...this.#port.connected()], random)
      const peer = this.#queue.pop()
      if (peer !== undefined && !chosen.includes(peer) && this.#isTellable(peer)) chosen.push(peer)
    }
    return chosen
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

  #tellNews(to: PeerId): void {
    const updates: Update[] = []
    let room = Gossip.bytesAtOnce
    this.#news.take(Gossip.updatesAtOnce, (subject) => {
      if (room <= 0) return false
      const update = this.#newsOf(subject, to)
      if (update !== undefined) {
        room -= sizeOfUpdate(update)
        updates.push(update)
      }
      return true
    })
    if (updates.length > 0) this.#port.send(to, updates)
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
