/**
 * Whom to dial, and when: contacts and remembered peers to get in, members to
 * stay connected with, joiners to verify, the dead to find again.
 *
 * Who is only hinted at (relayed by somebody without contact, or read from disk)
 * is dialled and becomes a member when it answers, not before.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import { hash64, placeOnRing } from '../hash.ts'
import {
  decodeKnownPeers,
  durableKeys,
  encodeKnownPeers,
  type KnownPeer,
  type Tombstone,
} from './durable-state.ts'
import { Evidence } from './evidence.ts'
import type { MembershipInit } from './init.ts'
import type { Isolation } from './isolation.ts'
import type { Member } from './member.ts'
import type { DialMode, DialOutcome, KnockOutcome, MemberRecord } from './messages.ts'
import { shuffled } from './probe-schedule.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'
import type { MembershipUnits } from './units.ts'
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

interface Dial {
  readonly peer: PeerId | undefined
  readonly mode: DialMode
  /** The life that was meant: an answer of a later one verifies nothing. */
  readonly generation: number
  /** How long the connection is kept when nobody turns out to want it, ms. */
  readonly keepMs: number
}

interface Verification {
  readonly peer: PeerId
  readonly generation: number
  readonly address: string
}

export interface ReachPort {
  isConnected(peer: PeerId): boolean
  connectionCount(): number
  /** Rows are on their way from that member, or from anybody. */
  isSyncing(peer?: PeerId): boolean
  /** A fresh connection to a member that is not believed alive: say so to it, and let it answer. */
  reached(member: Member): void
  /** A dial of `peer` has ended. */
  dialled(id: number, peer: PeerId, outcome: DialOutcome): void
  /** A heal tick comes upon a suspect; `chance` is that of the dead. */
  healSuspect(member: Member, chance: number): void
}

export class Reach {
  /** A hint that somebody relayed is given up after this many dials. */
  static readonly maxHintFailures = 5
  static readonly hintsPerHeal = 8
  /** However many are gone. */
  static readonly goneDialsPerHeal = 32
  static readonly tombstoneDialsPerHeal = 16
  /** Relayed hints dialled at once. Anybody can make up more, and dials of members must not wait behind them. */
  static readonly maxHintDials = 4
  static readonly redialEveryMs = 1000
  static readonly maxContacts = 64
  /** The lower id dials at once; the higher waits, or both would dial each other. */
  static readonly mesh = { firstMs: 50, secondMs: 1500, spreadMs: 500 } as const
  /** Addresses of one joiner that are verified; a machine has more only by accident. */
  static readonly maxVerified = 4
  /** A connection of an own dial that no neighbour is at the other end of is closed after this, ms. */
  static readonly keepMs = 30_000
  /** One to somebody at random, ms: time to compare what both know. */
  static readonly keepBrieflyMs = 3000
  /** Members noted on disk where there are too many to note all. */
  static readonly rememberedOnRings = 128
  /** Whoever joins a large cluster waits so long at most for its view before it looks for its neighbours, ms. */
  static readonly catchUpMs = 10_000
  readonly #init: MembershipInit
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
  readonly #view: View
  readonly #isolation: Isolation
  readonly #units: MembershipUnits
  readonly #port: ReachPort
  readonly #nextRequest: () => number
  readonly #contacts = new Set<string>()
  readonly #hints = new Map<PeerId, Hint>()
  /** Whom to dial was noted in this life. */
  #noted = false
  readonly #dials = new Map<number, Dial>()
  readonly #verifications = new Map<number, Verification>()
  /** Alive by hearsay, and a dial that shall show it is under way or about to be. */
  readonly #reviving = new Set<PeerId>()
  /** Handshakes of own dials with peers whose record has not come yet. */
  readonly #handshakes = new Map<PeerId, string>()
  /** Connections of own dials, and until when they are kept if no neighbour is at the other end. */
  readonly #kept = new Map<PeerId, number>()
  #startedAt = 0
  #drawAt = Number.NEGATIVE_INFINITY

  constructor(
    init: MembershipInit,
    turn: MembershipTurn,
    agenda: Agenda<Timer>,
    view: View,
    isolation: Isolation,
    units: MembershipUnits,
    port: ReachPort,
    nextRequest: () => number,
  ) {
    this.#init = init
    this.#turn = turn
    this.#agenda = agenda
    this.#view = view
    this.#isolation = isolation
    this.#units = units
    this.#port = port
    this.#nextRequest = nextRequest
    for (const known of decodeKnownPeers(init.durable.get(durableKeys.peers))) {
      if (known.peer !== init.self)
        this.#hints.set(known.peer, { ...known, remembered: true, failures: 0, dialled: false })
    }
  }

  /** Anybody to ask before being alive alone. */
  get hasContacts(): boolean {
    return this.#contacts.size > 0 || this.#hints.size > 0 || this.#view.tombstones.dialled > 0
  }

  start(contacts: readonly string[]): void {
    this.#startedAt = this.#turn.now
    this.#drawAt = this.#turn.now + this.#init.random() * this.#init.config.randomDialMs
    this.join(contacts)
    this.tendSoon()
    for (const hint of shuffled([...this.#hints.values()], this.#init.random).slice(0, 16))
      this.#dialHint(hint)
    for (const stone of this.#view.tombstones.toDial(Reach.tombstoneDialsPerHeal, () => false))
      this.dialTombstone(stone)
    this.#scheduleHeal()
  }

  join(contacts: readonly string[]): void {
    for (const contact of contacts) {
      if (this.#contacts.size < Reach.maxContacts) this.#contacts.add(contact)
      this.#dial(undefined, [contact], 'connect', 0)
    }
  }

  hinted(record: MemberRecord): void {
    const known = this.#hints.get(record.peer)
    if (known !== undefined && known.generation >= record.generation) return
    if (known === undefined && this.#hints.size >= this.#init.config.maxHints) return
    const { peer, generation, addresses } = record
    const remembered = known?.remembered ?? false
    const hereAt = this.#view.tombstones.running.now
    const hint = { peer, generation, addresses, remembered, hereAt, failures: 0, dialled: false }
    this.#hints.set(peer, hint)
    this.#dialHint(hint)
  }

  /** A member is known, or known anew: connect to it, and let it be dialled back. */
  welcome(member: Member): void {
    this.#hints.delete(member.peer)
    const handshake = this.#handshakes.get(member.peer)
    if (handshake !== undefined) {
      this.#handshakes.delete(member.peer)
      if (this.#port.isConnected(member.peer)) member.verified.add(handshake)
    }
    this.wantConnection(member)
    this.#wantDialBack(member)
    this.rememberSoon()
  }

  wantConnection(member: Member): void {
    if (member.status !== 'alive' || this.#port.isConnected(member.peer)) return
    if (!this.#view.neighbours.meshed) return
    const { firstMs, secondMs, spreadMs } = Reach.mesh
    const wait =
      this.#init.self < member.peer
        ? this.#init.random() * firstMs
        : secondMs + this.#init.random() * spreadMs
    const timer = { type: 'mesh-dial', peer: member.peer } as const
    this.#agenda.scheduleAtLatest(`mesh ${member.peer}`, this.#turn.now + wait, timer)
  }

  meshDial(peer: PeerId): void {
    const member = this.#view.get(peer)
    if (member === undefined || !member.present || this.#port.isConnected(peer)) return
    if (!this.#view.neighbours.wants(peer)) return
    this.#dial(peer, member.record.body.addresses, 'connect', member.generation)
  }

  /**
   * A connection closed that should be open: a living peer is reached again at
   * once. One that closes each connection would have both do nothing but shake
   * hands, so the next time is a second later.
   */
  redial(member: Member): void {
    if (!this.#view.neighbours.wants(member.peer)) return
    const notBefore = member.redialledAt + Reach.redialEveryMs
    if (this.#turn.now < notBefore) {
      const timer = { type: 'mesh-dial', peer: member.peer } as const
      this.#agenda.scheduleAtLatest(`mesh ${member.peer}`, notBefore, timer)
      return
    }
    member.redialledAt = this.#turn.now
    this.#dial(member.peer, member.record.body.addresses, 'connect', member.generation)
  }

  /** A fresh connection, as evidence; undefined when it names no address. */
  dialFreshly(member: Member, timeoutMs: number): number | undefined {
    const { peer, generation, record } = member
    if (record.body.addresses.length === 0) return undefined
    return this.#request(peer, record.body.addresses, this.#units.healMode(), generation, timeoutMs)
  }

  /**
   * Others have heard that it is alive, this member has not: their connection may
   * be cut. The lower id dials at once; the higher waits, or both would.
   */
  revived(member: Member): void {
    const { probePeriodMs } = this.#init.config
    if (this.#silentForMs(member) < probePeriodMs) return
    if (!this.#view.neighbours.wants(member.peer) && !this.#port.isConnected(member.peer)) return
    const wait = this.#init.self < member.peer ? 0 : probePeriodMs / 2
    this.#reviving.add(member.peer)
    const timer = { type: 'revived-dial', peer: member.peer } as const
    this.#agenda.schedule(`revived ${member.peer}`, this.#turn.now + wait, timer)
  }

  dialRevived(peer: PeerId): void {
    const member = this.#view.get(peer)
    const { probePeriodMs, dialTimeoutMs } = this.#init.config
    if (member?.status !== 'alive' || this.#silentForMs(member) < probePeriodMs) this.#reviving.delete(peer)
    else if (this.dialFreshly(member, Math.min(dialTimeoutMs, Evidence.settlingMs)) === undefined)
      this.#reviving.delete(peer)
  }

  /** Just reached anew, or about to be: its answers may still be on the way of the old connection. */
  isSettling({ peer, reachedAt }: Member): boolean {
    return this.#reviving.has(peer) || this.#turn.now - reachedAt < Evidence.settlingMs
  }

  dialBack(peer: PeerId): void {
    const member = this.#view.get(peer)
    if (member?.status !== 'alive' || member.verified.size > 0) return
    for (const address of member.record.body.addresses.slice(0, Reach.maxVerified)) {
      const id = this.#nextRequest()
      this.#verifications.set(id, { peer, generation: member.generation, address })
      this.#turn.request({ type: 'knock', id, peer, address, timeoutMs: this.#init.config.dialTimeoutMs })
    }
  }

  /** Never stop dialling who is missing: a partition is not for ever. */
  heal(): void {
    this.#scheduleHeal()
    const { neighbours, population, n } = this.#view
    const chance = Math.min(1, 3 / n)
    const gone = population
      .drawnGone(chance, this.#init.random)
      .filter(({ peer }) => this.#view.tombstones.mayAnswer(peer))
    for (const member of shuffled(gone, this.#init.random).slice(0, Reach.goneDialsPerHeal))
      this.#healMember(member, 1)
    this.#healTombstones(chance)
    for (const member of population.suspects) {
      if (neighbours.watches(member.peer) || this.#init.random() < chance) this.#healMember(member, 1)
    }
    for (const peer of neighbours.meshed ? neighbours.everybody() : []) {
      const member = this.#view.get(peer)
      if (member?.status === 'alive') this.#healMember(member, 1)
    }
    this.#forgetOldHints()
    const hints = shuffled([...this.#hints.values()], this.#init.random)
    for (const hint of hints.slice(0, Reach.hintsPerHeal)) this.#dialHint(hint)
    if (this.#port.connectionCount() > 0) return
    for (const contact of this.#contacts) this.#dial(undefined, [contact], 'connect', 0)
  }

  /** A handshake at that address, and no connection to keep: all that a verification is for. */
  knocked(id: number, outcome: KnockOutcome): void {
    const verification = this.#verifications.get(id)
    if (verification === undefined) return
    this.#verifications.delete(id)
    const member = this.#view.get(verification.peer)
    if (outcome !== 'answered' || member?.generation !== verification.generation) return
    member.verified.add(verification.address)
  }

  dialled(id: number, outcome: DialOutcome): void {
    const dial = this.#dials.get(id)
    if (dial === undefined) return
    this.#dials.delete(id)
    if (dial.peer !== undefined && dial.mode === 'replace') this.#reviving.delete(dial.peer)
    this.#dialWaitingHint()
    if (outcome.type === 'failed') {
      if (dial.peer === undefined) return
      this.#hintFailed(dial.peer)
      if (outcome.reason === 'refused' || outcome.reason === 'other-identity') this.#isolation.refused()
      this.#port.dialled(id, dial.peer, outcome)
      return
    }
    if (outcome.address === undefined) {
      this.#port.dialled(id, outcome.peer, outcome)
      return
    }
    this.#kept.set(outcome.peer, this.#turn.now + dial.keepMs)
    const member = this.#view.get(outcome.peer)
    if (member === undefined) {
      this.#port.dialled(id, outcome.peer, outcome)
      this.#rememberHandshake(outcome.peer, outcome.address)
      return
    }
    member.reachedAt = this.#turn.now
    this.#port.dialled(id, outcome.peer, outcome)
    if (member.generation === dial.generation || dial.generation === 0) member.verified.add(outcome.address)
    // It may have replaced a connection that was cut, so no `connected` comes, and nobody probes the dead.
    if (member.status !== 'alive' || this.#silentForMs(member) >= this.#init.config.probePeriodMs)
      this.#port.reached(member)
  }

  disconnected(peer: PeerId): void {
    this.#kept.delete(peer)
  }

  /** The neighbours may be others now. */
  tendSoon(): void {
    const soon = this.#turn.now + this.#init.random() * Reach.mesh.firstMs
    this.#agenda.scheduleAtLatest('tend', soon, { type: 'tend' })
  }

  /**
   * Where there are rings: connections to those whom this member watches, and now
   * and then one to somebody at random, so that parts which have lost sight of each
   * other meet. Whoever dialled a connection closes it when it wants it no longer;
   * the other side cannot know.
   */
  tend(): void {
    const { neighbours } = this.#view
    if (neighbours.meshed) return
    const { now } = this.#turn
    const { probePeriodMs } = this.#init.config
    this.#release()
    if (now >= this.#drawAt) this.#dialAtRandom()
    // Half a view shows the wrong neighbours.
    const catchingUp = this.#port.isSyncing() && now - this.#startedAt < Reach.catchUpMs
    const complete = !catchingUp && this.#dialSubjects()
    this.#agenda.schedule('tend', now + (complete ? 4 : 1) * probePeriodMs, { type: 'tend' })
  }

  /** Whether there is a connection to each already. */
  #dialSubjects(): boolean {
    let complete = true
    for (const peer of this.#view.neighbours.subjects.keys()) {
      const member = this.#view.get(peer)
      if (member !== undefined && this.#port.isConnected(peer)) {
        this.#wantDialBack(member)
      } else {
        complete = false
        this.meshDial(peer)
      }
    }
    return complete
  }

  /** For a moment: a helper that is to probe somebody. */
  dialBriefly(member: Member): void {
    const { peer, generation, record } = member
    this.#dial(peer, record.body.addresses, 'connect', generation, Reach.keepBrieflyMs)
  }

  #dialAtRandom(): void {
    const { random, config } = this.#init
    this.#drawAt = this.#turn.now + config.randomDialMs * (0.75 + 0.5 * random())
    const peer = this.#view.neighbours.draw(random)
    const member = peer === undefined ? undefined : this.#view.get(peer)
    if (member !== undefined && !this.#port.isConnected(member.peer)) this.dialBriefly(member)
  }

  #release(): void {
    const { now } = this.#turn
    for (const [peer, until] of this.#kept) {
      if (this.#view.neighbours.wants(peer) || this.#port.isSyncing(peer)) {
        this.#kept.set(peer, Math.max(until, now + Reach.keepMs))
      } else if (now >= until) {
        this.#kept.delete(peer)
        this.#turn.request({ type: 'release', peer })
      }
    }
  }

  /** In a large cluster somebody changes all the time, and a list of many is not out of date so soon. */
  rememberSoon(): void {
    if (this.#agenda.has('note-peers')) return
    // The first one at once: who ends before it is noted would find nobody again.
    const wait = this.#noted ? Math.max(1000, 100 * this.#view.n) : 0
    this.#agenda.schedule('note-peers', this.#turn.now + wait, { type: 'note-peers' })
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
    for (let i = drawn.size; i < Reach.rememberedOnRings; i++) {
      const peer = neighbours.draw(this.#init.random)
      if (peer !== undefined) drawn.add(peer)
    }
    return drawn
  }

  dialTombstone({ peer, addresses, generation }: Tombstone): void {
    this.#dial(peer, addresses, this.#units.healMode(), generation)
  }

  /** A partition may outlast the rows of those behind it. */
  #healTombstones(chance: number): void {
    const { tombstones } = this.#view
    tombstones.running.noteNowAndThen()
    const wanted = Math.floor(chance * tombstones.dialled + this.#init.random())
    const count = Math.min(wanted, Reach.tombstoneDialsPerHeal)
    const isListed = (peer: PeerId) => this.#view.get(peer) !== undefined
    for (const stone of tombstones.toDial(count, isListed)) this.dialTombstone(stone)
  }

  #forgetOldHints(): void {
    const { now } = this.#view.tombstones.running
    for (const { peer, remembered, hereAt } of this.#hints.values()) {
      if (remembered && now - hereAt >= this.#init.config.tombstoneMs) this.#hints.delete(peer)
    }
  }

  #healMember(member: Member, chance: number): void {
    const { addresses } = member.record.body
    const mayReturn = member.status === 'dead' || member.record.body.presence === 'stopping'
    if (mayReturn) {
      if (this.#init.random() < chance)
        this.#dial(member.peer, addresses, this.#units.healMode(), member.generation)
    } else if (member.status === 'suspect') {
      this.#port.healSuspect(member, chance)
    } else if (member.status === 'alive') {
      if (!this.#port.isConnected(member.peer)) this.meshDial(member.peer)
      else this.#wantDialBack(member)
    }
  }

  /** The neighbours of a member, by rendezvous hashing, verify its addresses so that observers exist. */
  #wantDialBack(member: Member): void {
    const { dialBackNeighbours, dialBackWithinMs, fastPath } = this.#init.config
    if (!fastPath || member.status !== 'alive' || member.verified.size > 0) return
    if (!this.#view.neighbours.watches(member.peer)) return
    if (this.#rankAmongNeighbours(member) >= dialBackNeighbours) return
    const key = `dial-back ${member.peer}`
    if (this.#agenda.has(key)) return
    const wait = (0.1 + 0.6 * this.#init.random()) * dialBackWithinMs
    this.#agenda.schedule(key, this.#turn.now + wait, { type: 'dial-back', peer: member.peer })
  }

  #rankAmongNeighbours(subject: Member): number {
    const { neighbours, n } = this.#view
    // On rings its observers are few enough.
    if (!neighbours.meshed || n - 1 <= this.#init.config.dialBackNeighbours) return 0
    const life = hash64(`${subject.peer} ${subject.generation}`).low
    const own = placeOnRing(hash64(this.#init.self), life)
    let rank = 0
    for (const peer of neighbours.everybody()) {
      if (peer !== subject.peer && placeOnRing(hash64(peer), life) < own) rank++
    }
    return rank
  }

  #dialHint(hint: Hint): void {
    if (this.#port.isConnected(hint.peer) || !(hint.remembered || this.#mayDialHint())) return
    hint.dialled = true
    this.#dial(hint.peer, hint.addresses, 'connect', 0)
  }

  #mayDialHint(): boolean {
    let underWay = 0
    for (const { peer } of this.#dials.values())
      if (peer !== undefined && this.#hints.get(peer)?.remembered === false) underWay++
    return underWay < Reach.maxHintDials
  }

  #dialWaitingHint(): void {
    for (const hint of this.#hints.values()) {
      if (hint.dialled || hint.remembered || this.#port.isConnected(hint.peer)) continue
      this.#dialHint(hint)
      return
    }
  }

  #hintFailed(peer: PeerId): void {
    const hint = this.#hints.get(peer)
    if (hint === undefined) return
    hint.failures++
    if (!hint.remembered && hint.failures >= Reach.maxHintFailures) this.#hints.delete(peer)
  }

  #rememberHandshake(peer: PeerId, address: string): void {
    if (this.#handshakes.size >= Reach.maxContacts) this.#handshakes.clear()
    this.#handshakes.set(peer, address)
  }

  #dial(
    peer: PeerId | undefined,
    addresses: readonly string[],
    mode: DialMode,
    generation: number,
    keepMs: number = Reach.keepMs,
  ): void {
    if (addresses.length === 0) return
    if (peer !== undefined) {
      for (const dial of this.#dials.values()) if (dial.peer === peer && dial.mode === mode) return
    }
    this.#request(peer, addresses, mode, generation, this.#init.config.dialTimeoutMs, keepMs)
  }

  #request(
    peer: PeerId | undefined,
    addresses: readonly string[],
    mode: DialMode,
    generation: number,
    timeoutMs: number,
    keepMs: number = Reach.keepMs,
  ): number {
    const id = this.#nextRequest()
    this.#dials.set(id, { peer, mode, generation, keepMs })
    this.#turn.request({ type: 'dial', id, peer, addresses, mode, timeoutMs })
    return id
  }

  #silentForMs(member: Member): number {
    return this.#turn.now - (member.heardAt ?? Number.NEGATIVE_INFINITY)
  }

  #scheduleHeal(): void {
    const { healIntervalMs } = this.#init.config
    const wait = healIntervalMs * (0.75 + 0.5 * this.#init.random())
    this.#agenda.schedule('heal', this.#turn.now + wait, { type: 'heal' })
  }
}
