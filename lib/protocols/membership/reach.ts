/**
 * Whom to dial, and when: contacts and remembered peers to get in, members to
 * stay connected with, joiners to verify, the dead to find again.
 *
 * Who is only hinted at (relayed by somebody without contact, or read from disk)
 * is dialled and becomes a member when it answers, not before.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import { decodeKnownPeers, durableKeys, encodeKnownPeers, type KnownPeer } from './durable-state.ts'
import type { MembershipInit } from './init.ts'
import type { Member } from './member.ts'
import type { DialMode, DialOutcome, KnockOutcome, MemberRecord } from './messages.ts'
import { shuffled } from './probe-schedule.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'
import type { View } from './view.ts'

interface Hint {
  readonly peer: PeerId
  readonly generation: number
  readonly addresses: readonly string[]
  /** Read from the own disk: a peer that was a member, dialled for ever. */
  readonly remembered: boolean
  failures: number
  /** It had its turn at least once. */
  dialled: boolean
}

interface Dial {
  readonly peer: PeerId | undefined
  readonly mode: DialMode
  /** The life that was meant: an answer of a later one verifies nothing. */
  readonly generation: number
}

interface Verification {
  readonly peer: PeerId
  readonly generation: number
  readonly address: string
}

export interface ReachPort {
  isConnected(peer: PeerId): boolean
  connectionCount(): number
  /** A fresh connection to a member that is not believed alive: say so to it, and let it answer. */
  reached(member: Member): void
}

export class Reach {
  /** A hint that somebody relayed is given up after this many dials. */
  static readonly maxHintFailures = 5
  static readonly hintsPerHeal = 8
  /** Relayed hints dialled at once. Anybody can make up more, and dials of members must not wait behind them. */
  static readonly maxHintDials = 4
  static readonly redialEveryMs = 1000
  /** Its links move to a new connection when that has lasted; another one now would begin that anew. */
  static readonly settlingMs = 1500
  static readonly maxContacts = 64
  /** The lower id dials at once; the higher waits, or both would dial each other. */
  static readonly mesh = { firstMs: 50, secondMs: 1500, spreadMs: 500 } as const
  /** Addresses of one joiner that are verified; a machine has more only by accident. */
  static readonly maxVerified = 4
  readonly #init: MembershipInit
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
  readonly #view: View
  readonly #port: ReachPort
  readonly #nextRequest: () => number
  readonly #contacts = new Set<string>()
  readonly #hints = new Map<PeerId, Hint>()
  readonly #dials = new Map<number, Dial>()
  readonly #verifications = new Map<number, Verification>()
  /** Handshakes of own dials with peers whose record has not come yet. */
  readonly #handshakes = new Map<PeerId, string>()

  constructor(
    init: MembershipInit,
    turn: MembershipTurn,
    agenda: Agenda<Timer>,
    view: View,
    port: ReachPort,
    nextRequest: () => number,
  ) {
    this.#init = init
    this.#turn = turn
    this.#agenda = agenda
    this.#view = view
    this.#port = port
    this.#nextRequest = nextRequest
    for (const known of decodeKnownPeers(init.durable.get(durableKeys.peers))) {
      if (known.peer !== init.self)
        this.#hints.set(known.peer, { ...known, remembered: true, failures: 0, dialled: false })
    }
  }

  /** Anybody to ask before being alive alone. */
  get hasContacts(): boolean {
    return this.#contacts.size > 0 || this.#hints.size > 0
  }

  start(contacts: readonly string[]): void {
    this.join(contacts)
    for (const hint of shuffled([...this.#hints.values()], this.#init.random).slice(0, 16))
      this.#dialHint(hint)
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
    const hint = { peer, generation, addresses, remembered, failures: 0, dialled: false }
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
    this.#dial(peer, member.record.body.addresses, 'connect', member.generation)
  }

  /**
   * A connection closed that should be open: a living peer is reached again at
   * once. One that closes each connection would have both do nothing but shake
   * hands, so the next time is a second later.
   */
  redial(member: Member): void {
    const notBefore = member.redialledAt + Reach.redialEveryMs
    if (this.#turn.now < notBefore) {
      const timer = { type: 'mesh-dial', peer: member.peer } as const
      this.#agenda.scheduleAtLatest(`mesh ${member.peer}`, notBefore, timer)
      return
    }
    member.redialledAt = this.#turn.now
    this.#dial(member.peer, member.record.body.addresses, 'connect', member.generation)
  }

  /** The heal round may come too late for it. */
  suspected(member: Member): void {
    const { peer } = member
    const at = this.#turn.now + this.#init.config.suspicionMinMs / 2
    this.#agenda.schedule(`suspect ${peer}`, at, { type: 'suspect-dial', peer })
  }

  dialSuspect(peer: PeerId): void {
    const member = this.#view.get(peer)
    if (member?.status === 'suspect') this.#healMember(member, 1)
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
    const chance = Math.min(1, 3 / this.#view.n)
    for (const member of this.#view.values()) this.#healMember(member, chance)
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
    this.#dialWaitingHint()
    if (outcome.type === 'failed') {
      if (dial.peer !== undefined) this.#hintFailed(dial.peer)
      return
    }
    if (outcome.address === undefined) return
    const member = this.#view.get(outcome.peer)
    if (member === undefined) {
      this.#rememberHandshake(outcome.peer, outcome.address)
      return
    }
    member.reachedAt = this.#turn.now
    if (member.generation === dial.generation || dial.generation === 0) member.verified.add(outcome.address)
    // It may have replaced a connection that was cut, so no `connected` comes, and nobody probes the dead.
    if (member.status !== 'alive') this.#port.reached(member)
  }

  rememberSoon(): void {
    if (this.#agenda.has('note-peers')) return
    this.#agenda.schedule('note-peers', this.#turn.now + 1000, { type: 'note-peers' })
  }

  /**
   * Notes who to dial after a restart: everybody but those who left for good. No
   * more than a note: were it a barrier, each change of the view would make every
   * answer wait for the disk, and a slow disk would look like a dead process.
   */
  remember(): void {
    this.#agenda.cancel('note-peers')
    const peers: KnownPeer[] = []
    for (const { peer, generation, record } of this.#view.values()) {
      if (record.body.presence !== 'left') peers.push({ peer, generation, addresses: record.body.addresses })
    }
    for (const { peer, generation, addresses, remembered } of this.#hints.values()) {
      if (remembered) peers.push({ peer, generation, addresses })
    }
    this.#turn.note(durableKeys.peers, encodeKnownPeers(peers.slice(0, this.#init.config.maxHints)))
  }

  #healMember(member: Member, chance: number): void {
    const { addresses } = member.record.body
    const mayReturn = member.status === 'dead' || member.record.body.presence === 'stopping'
    if (mayReturn) {
      if (this.#init.random() < chance) this.#dial(member.peer, addresses, 'replace', member.generation)
    } else if (member.status === 'suspect') {
      // Who talks needs no other connection, and handshakes are what an overloaded machine can least afford.
      const silentForMs = this.#turn.now - (member.heardAt ?? Number.NEGATIVE_INFINITY)
      const settling = this.#turn.now - member.reachedAt < Reach.settlingMs
      if (silentForMs >= this.#init.config.suspicionMinMs / 2 && !settling)
        this.#dial(member.peer, addresses, 'replace', member.generation)
    } else if (member.status === 'alive') {
      if (!this.#port.isConnected(member.peer)) this.meshDial(member.peer)
      else this.#wantDialBack(member)
    }
  }

  /** The neighbours of a member, by rendezvous hashing, verify its addresses so that observers exist. */
  #wantDialBack(member: Member): void {
    const { dialBackNeighbours, dialBackWithinMs, fastPath } = this.#init.config
    if (!fastPath || member.status !== 'alive' || member.verified.size > 0) return
    if (this.#rankAmongNeighbours(member) >= dialBackNeighbours) return
    const key = `dial-back ${member.peer}`
    if (this.#agenda.has(key)) return
    const wait = (0.1 + 0.6 * this.#init.random()) * dialBackWithinMs
    this.#agenda.schedule(key, this.#turn.now + wait, { type: 'dial-back', peer: member.peer })
  }

  #rankAmongNeighbours(subject: Member): number {
    if (this.#view.n - 1 <= this.#init.config.dialBackNeighbours) return 0
    const own = this.#score(this.#init.self, subject)
    let rank = 0
    for (const member of this.#view.values()) {
      if (member !== subject && member.present && this.#score(member.peer, subject) < own) rank++
    }
    return rank
  }

  #score(peer: PeerId, subject: Member): string {
    const text = `${peer} ${subject.peer} ${subject.generation}`
    const hash = this.#init.crypto.sha256(Uint8Array.from(text, (c) => c.charCodeAt(0)))
    return String.fromCharCode(...hash.subarray(0, 8))
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

  #dial(peer: PeerId | undefined, addresses: readonly string[], mode: DialMode, generation: number): void {
    if (addresses.length === 0) return
    if (peer !== undefined) {
      for (const dial of this.#dials.values()) if (dial.peer === peer && dial.mode === mode) return
    }
    const id = this.#nextRequest()
    this.#dials.set(id, { peer, mode, generation })
    this.#turn.request({
      type: 'dial',
      id,
      peer,
      addresses,
      mode,
      timeoutMs: this.#init.config.dialTimeoutMs,
    })
  }

  #scheduleHeal(): void {
    const { healIntervalMs } = this.#init.config
    const wait = healIntervalMs * (0.75 + 0.5 * this.#init.random())
    this.#agenda.schedule('heal', this.#turn.now + wait, { type: 'heal' })
  }
}
