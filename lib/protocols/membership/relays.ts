/**
 * Probes for others (SWIM §4.1): a member that is asked to pings the subject and
 * hands its ack on, or says at 80 % of the time-out that it is there and the
 * subject is not.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import type { MembershipInit } from './init.ts'
import type { Member } from './member.ts'
import type { Body } from './messages.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'
import type { View } from './view.ts'

export interface RelaysPort {
  ping(to: PeerId, seq: number): void
  ack(to: PeerId, seq: number): void
  send(to: PeerId, body: Body): void
  isConnected(peer: PeerId): boolean
  /** A connection to that member for a moment. */
  dial(member: Member): void
}

interface Relay {
  readonly requester: PeerId
  readonly requesterSeq: number
  readonly subject: PeerId
  /** Waits for a connection to the subject. */
  dialling: boolean
  readonly endsAt: number
}

/** A helper that was asked and has no answer by then says so: Lifeguard's 80 % of the time-out, ms. */
export function nackAfterMs({ timeoutMaxMs }: { readonly timeoutMaxMs: number }): number {
  return 0.8 * timeoutMaxMs
}

export class Relays {
  /** Under way at once; further requests are answered with a nack at once. */
  static readonly most = 256
  /** Of those, for one requester: a member holds eight probes at most, and must not take the others' help away. */
  static readonly mostEach = 16
  /** Dials for others under way at once, and of those for one requester. */
  static readonly mostDials = 4
  static readonly mostDialsEach = 2
  readonly #init: MembershipInit
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
  readonly #view: View
  readonly #port: RelaysPort
  readonly #nextSeq: () => number
  readonly #relays = new Map<number, Relay>()

  constructor(
    init: MembershipInit,
    turn: MembershipTurn,
    agenda: Agenda<Timer>,
    view: View,
    port: RelaysPort,
    nextSeq: () => number,
  ) {
    this.#init = init
    this.#turn = turn
    this.#agenda = agenda
    this.#view = view
    this.#port = port
    this.#nextSeq = nextSeq
  }

  /** Somebody asks for a probe of `subject` on its behalf. */
  begin(requester: PeerId, requesterSeq: number, subject: PeerId): void {
    const member = this.#view.get(subject)
    const dialling = !this.#port.isConnected(subject)
    const possible = member !== undefined && !(dialling && !this.#mayDialFor(requester, member))
    if (!possible || !this.#mayRelayFor(requester)) {
      this.#port.send(requester, { type: 'nack', seq: requesterSeq })
      return
    }
    const seq = this.#nextSeq()
    const endsAt = this.#turn.now + this.#init.config.probePeriodMs
    this.#relays.set(seq, { requester, requesterSeq, subject, dialling, endsAt })
    if (dialling) this.#port.dial(member)
    else this.#port.ping(subject, seq)
    const nackAt = this.#turn.now + nackAfterMs(this.#init.config)
    this.#agenda.schedule(seq, nackAt, { type: 'relay-nack', seq })
  }

  /** A connection to `peer` is there: probes for others that wait for it can go. */
  connected(peer: PeerId): void {
    for (const [seq, relay] of this.#relays) {
      if (!relay.dialling || relay.subject !== peer) continue
      relay.dialling = false
      this.#port.ping(peer, seq)
    }
  }

  /** False when that is no answer of a subject. */
  acked(from: PeerId, seq: number): boolean {
    const relay = this.#relays.get(seq)
    if (relay?.subject !== from) return false
    this.#port.ack(relay.requester, relay.requesterSeq)
    this.ended(seq)
    return true
  }

  unanswered(seq: number): void {
    const relay = this.#relays.get(seq)
    if (relay === undefined) return
    this.#agenda.schedule(seq, relay.endsAt, { type: 'relay-end', seq })
    this.#port.send(relay.requester, { type: 'nack', seq: relay.requesterSeq })
  }

  ended(seq: number): void {
    this.#relays.delete(seq)
    this.#agenda.cancel(seq)
  }

  /** On rings two who probe the same member are hardly ever connected with it both. */
  #mayDialFor(requester: PeerId, subject: Member): boolean {
    if (this.#view.neighbours.meshed || !subject.present) return false
    const dialling = [...this.#relays.values()].filter((relay) => relay.dialling)
    const own = dialling.filter((relay) => relay.requester === requester)
    return dialling.length < Relays.mostDials && own.length < Relays.mostDialsEach
  }

  #mayRelayFor(requester: PeerId): boolean {
    let own = 0
    for (const relay of this.#relays.values()) if (relay.requester === requester) own++
    return this.#relays.size < Relays.most && own < Relays.mostEach
  }
}
