/**
 * The connections that are to last: in a mesh with everybody, on rings with those
 * whom this member watches. Now and then also one to somebody at random, so that
 * parts which have lost sight of each other meet.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import type { DialBacks } from './dial-backs.ts'
import { addressOf, type Dials } from './dials.ts'
import type { MembershipInit } from './init.ts'
import type { Member } from './member.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'
import type { View } from './view.ts'

export interface OverlayPort {
  isConnected(peer: PeerId): boolean
  /** Rows are on their way from anybody. */
  isSyncing(): boolean
}

export class Overlay {
  static readonly redialEveryMs = 1000
  /**
   * The lower id dials first; the higher waits, or both would dial each other. What comes to a newcomer is spread over
   * time: a handshake is tens of milliseconds of work for a process that has just started, and with twelve at once
   * it was a second later that it said to anybody that it is there.
   */
  static readonly mesh = { perMemberMs: 50, secondMs: 1500, spreadMs: 500 } as const
  /** After a birth or a death: several come at once, ms. */
  static readonly tendWithinMs = 50
  /** Whoever joins a large cluster waits so long at most for its view before it looks for its neighbours, ms. */
  static readonly catchUpMs = 10_000
  readonly #init: MembershipInit
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
  readonly #view: View
  readonly #dials: Dials
  readonly #dialBacks: DialBacks
  readonly #port: OverlayPort
  #startedAt = 0
  #drawAt = Number.NEGATIVE_INFINITY
  /** Each subject was connected, at an address that was verified, and no connection has closed since. */
  #settled = false

  constructor(
    init: MembershipInit,
    turn: MembershipTurn,
    agenda: Agenda<Timer>,
    view: View,
    dials: Dials,
    dialBacks: DialBacks,
    port: OverlayPort,
  ) {
    this.#init = init
    this.#turn = turn
    this.#agenda = agenda
    this.#view = view
    this.#dials = dials
    this.#dialBacks = dialBacks
    this.#port = port
  }

  start(): void {
    this.#startedAt = this.#turn.now
    this.#drawAt = this.#turn.now + this.#init.random() * this.#init.config.randomDialMs
  }

  /** It has started a moment ago, and learns who is there. */
  get isNew(): boolean {
    return this.#turn.now - this.#startedAt < Overlay.catchUpMs
  }

  /** In a mesh, where one is missing. */
  want(member: Member): void {
    if (member.status !== 'alive' || this.#port.isConnected(member.peer)) return
    if (!this.#view.neighbours.meshed) return
    const { perMemberMs, secondMs, spreadMs } = Overlay.mesh
    const { random, self } = this.#init
    const firstMs = perMemberMs * this.#view.n
    const wait = self < member.peer ? random() * firstMs : firstMs + secondMs + random() * spreadMs
    this.#dialAt(member.peer, this.#turn.now + wait)
  }

  dial(peer: PeerId): void {
    const member = this.#view.get(peer)
    if (member === undefined || !member.present || this.#port.isConnected(peer)) return
    if (this.#view.neighbours.wants(peer)) this.#dials.connect(addressOf(member))
  }

  /**
   * A connection closed that should be open: a living peer is reached again at
   * once. One that closes each connection would have both do nothing but shake
   * hands, so the next time is a second later.
   */
  redial(member: Member): void {
    if (!this.#view.neighbours.wants(member.peer)) return
    this.#settled = false
    const notBefore = member.redialledAt + Overlay.redialEveryMs
    if (this.#turn.now < notBefore) {
      this.#dialAt(member.peer, notBefore)
      return
    }
    member.redialledAt = this.#turn.now
    this.#dials.connect(addressOf(member))
  }

  /** The neighbours may be others now. */
  tendSoon(): void {
    this.#settled = false
    const soon = this.#turn.now + this.#init.random() * Overlay.tendWithinMs
    this.#agenda.scheduleAtLatest('tend', soon, { type: 'tend' })
  }

  /** Where there are rings: connects with the subjects, and lets go of whom nobody wants. */
  tend(): void {
    const { neighbours } = this.#view
    if (neighbours.meshed) return
    const { now } = this.#turn
    const { probePeriodMs } = this.#init.config
    this.#dials.release()
    if (now >= this.#drawAt) this.#dialAtRandom()
    // Half a view shows the wrong neighbours.
    const catchingUp = this.#port.isSyncing() && this.isNew
    const complete = this.#settled || (!catchingUp && this.#dialSubjects())
    // With a round of probes, of which there is one in any such time.
    const from = now + (complete ? 3.5 : 0.5) * probePeriodMs
    this.#agenda.scheduleLoosely('tend', from, from + probePeriodMs, { type: 'tend' })
  }

  /** Whether there is a connection to each already. */
  #dialSubjects(): boolean {
    let [complete, verified] = [true, true]
    for (const peer of this.#view.neighbours.subjects.keys()) {
      const member = this.#view.get(peer)
      if (member !== undefined && this.#port.isConnected(peer)) {
        this.#dialBacks.want(member)
        if (member.verified.size === 0) verified = false
      } else {
        complete = false
        this.dial(peer)
      }
    }
    this.#settled = complete && verified
    return complete
  }

  #dialAtRandom(): void {
    const { random, config } = this.#init
    this.#drawAt = this.#turn.now + config.randomDialMs * (0.75 + 0.5 * random())
    const peer = this.#view.neighbours.draw(random)
    const member = peer === undefined ? undefined : this.#view.get(peer)
    if (member !== undefined && !this.#port.isConnected(member.peer)) this.#dials.connectBriefly(member)
  }

  #dialAt(peer: PeerId, at: number): void {
    this.#agenda.scheduleAtLatest(`mesh ${peer}`, at, { type: 'mesh-dial', peer })
  }
}
