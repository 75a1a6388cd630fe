/**
 * Before dead: what own fresh dials say of a suspect.
 *
 * A member that is silent on an old connection may be dead, cut off, or stopped.
 * Each member that watches it dials it anew, one dial after the other, each limited
 * to a fifth of the suspicion minimum. What answers is alive, and its bytes will
 * follow. What takes the connect and says nothing is a stopped process: `stalled`,
 * and dialled no more but rarely, for its backlog fills. Only what fails so many
 * times in a row is silent for good: a single lost SYN would hide a stopped process.
 *
 * Any bytes from the subject, and a stall of the own loop, begin the count anew.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import type { MembershipInit } from './init.ts'
import type { Judge } from './judge.ts'
import type { Member } from './member.ts'
import type { DialOutcome } from './messages.ts'
import type { Finding } from './silence.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'
import type { MembershipUnits } from './units.ts'
import type { View } from './view.ts'

export interface EvidencePort {
  isConnected(peer: PeerId): boolean
  /** Asks for a fresh connection; undefined when there is no address to dial. */
  dial(member: Member, timeoutMs: number): number | undefined
  /** Asks it, and others of it, whether it is there. */
  probe(member: Member): void
}

interface Inquiry {
  readonly generation: number
  readonly openedAt: number
  /** In a row. */
  failed: number
  /** Since it was last heard: of dials that were taken and not answered, or after which no word came. */
  unanswered: number
  dial: number | undefined
  startedAt: number
  /** A handshake was completed, and no word has come since. */
  answeredAt: number | undefined
  /** Found stalled: a heal tick dials it now and then. */
  resting: boolean
  /** An own probe failed too, and this member says so when its dials agree. */
  accuses: boolean
}

export class Evidence {
  /** Dials under way at once; half a cluster may be silent. */
  static readonly maxDials = 32
  /** A new connection has spoken by then, or the process behind it does not. */
  static readonly settlingMs = 1500
  /**
   * Where few dial for many, so many agree before the subject is taken for stalled or
   * accused: most cannot see for themselves, and a refutation is told to all of them.
   */
  static readonly beforeAccusing = 2
  readonly #init: MembershipInit
  readonly #units: MembershipUnits
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
  readonly #view: View
  readonly #judge: Judge
  readonly #port: EvidencePort
  readonly #inquiries = new Map<PeerId, Inquiry>()
  /** Whose dial each is. */
  readonly #dials = new Map<number, PeerId>()
  readonly #waiting = new Set<PeerId>()

  constructor(
    init: MembershipInit,
    units: MembershipUnits,
    turn: MembershipTurn,
    agenda: Agenda<Timer>,
    view: View,
    judge: Judge,
    port: EvidencePort,
  ) {
    this.#init = init
    this.#units = units
    this.#turn = turn
    this.#agenda = agenda
    this.#view = view
    this.#judge = judge
    this.#port = port
  }

  /** Own dials of `peer` that failed in a row; undefined when it is not dialled from here. */
  failedDials(peer: PeerId): number | undefined {
    const inquiry = this.#inquiries.get(peer)
    const member = this.#view.get(peer)
    if (inquiry !== undefined || member === undefined || !this.#view.neighbours.watches(peer))
      return inquiry?.failed
    // Others watched it when it came under suspicion.
    this.suspected(member)
    return 0
  }

  /** It is suspected, by whomever. */
  suspected(member: Member): void {
    if (!this.#view.neighbours.watches(member.peer)) return
    if (this.#inquiryInto(member) !== undefined) return
    this.#open(member)
    this.#runAt(member.peer, this.#turn.now + this.#patienceMs(member))
  }

  /** An own probe has failed where few watch for many: they are told when own dials fail as well. */
  examine(member: Member): void {
    const inquiry = this.#inquiryInto(member) ?? this.#open(member)
    inquiry.accuses = true
    if (inquiry.failed >= Evidence.beforeAccusing) this.#judge.accuse(member, 'suspected')
    else this.#runAt(member.peer, this.#turn.now)
  }

  /** It is alive, gone, or in another life. */
  closed(peer: PeerId): void {
    if (!this.#inquiries.delete(peer)) return
    this.#waiting.delete(peer)
    this.#agenda.cancel(key(peer))
  }

  isOpen(peer: PeerId): boolean {
    return this.#inquiries.has(peer)
  }

  /** Bytes came from it. */
  heard(member: Member): void {
    const inquiry = this.#inquiries.get(member.peer)
    if (inquiry === undefined) return
    if (member.status === 'alive') return this.closed(member.peer)
    restart(inquiry)
    // Who talks and never refutes is dialled when it is silent for long, at a heal tick.
    if (this.#isOld(inquiry)) this.#agenda.cancel(key(member.peer))
    else this.#runAt(member.peer, this.#turn.now + this.#slotMs)
  }

  /** The last connection to it is gone: what was found through it may be no more. */
  lost(peer: PeerId): void {
    const inquiry = this.#inquiries.get(peer)
    if (inquiry === undefined || !(inquiry.resting || this.#isOld(inquiry))) return
    restart(inquiry)
    this.#runAt(peer, this.#turn.now)
  }

  /**
   * The own loop stood still: what dials seemed to show is nobody's fault. On a
   * machine where that happens all the time only what was under way is void from
   * some time on, or the dead would stay for ever.
   */
  voidAll(): void {
    for (const [peer, inquiry] of this.#inquiries) {
      if (this.#isOld(inquiry)) inquiry.dial = undefined
      else restart(inquiry)
      this.#runAt(peer, this.#turn.now)
    }
  }

  /** A heal tick: every suspect once more, and the only dials of a stalled one. */
  heal(member: Member): void {
    const inquiry = this.#inquiryInto(member)
    if (inquiry === undefined || inquiry.dial !== undefined) return
    if (this.#turn.now >= this.#notBefore(member, inquiry)) this.#dial(member, inquiry)
  }

  /** Its next dial is due. */
  run(peer: PeerId): void {
    const inquiry = this.#inquiries.get(peer)
    const member = this.#view.get(peer)
    if (inquiry === undefined || member === undefined) return
    if (inquiry.dial !== undefined || inquiry.resting || this.#isEnough(inquiry)) return
    const notBefore = this.#notBefore(member, inquiry)
    if (this.#turn.now < notBefore) this.#runAt(peer, notBefore)
    else if (inquiry.answeredAt !== undefined) this.#unanswered(member, inquiry, 2)
    else this.#dial(member, inquiry)
  }

  /** An own dial of `peer`, whoever asked for it, has ended. */
  dialled(id: number, peer: PeerId, outcome: DialOutcome): void {
    if (this.#dials.delete(id)) this.#dialWaiting()
    const inquiry = this.#inquiries.get(peer)
    const member = this.#view.get(peer)
    if (member === undefined) return
    const finding = this.#units.findingOf(outcome)
    if (inquiry === undefined) return this.#outOfTheBlue(member, finding)
    if (finding === 'answers') {
      inquiry.failed = 0
      inquiry.dial = undefined
      inquiry.resting = false
      inquiry.answeredAt = this.#turn.now
      this.#runAt(peer, this.#turn.now + Evidence.settlingMs)
    } else if (inquiry.dial === id) {
      // One that was under way when the count began anew is not asked any more.
      inquiry.dial = undefined
      if (finding === 'stalled')
        this.#unanswered(member, inquiry, member.status === 'suspect' ? 1 : Evidence.beforeAccusing)
      else if (finding === 'silent') this.#failed(member, inquiry)
      else this.#runAt(peer, inquiry.startedAt + this.#slotMs)
    }
  }

  /**
   * A member that is held for alive, by hearsay perhaps, and is not to be reached: its
   * turn to be probed may come late, and there may be nobody else who looks for it.
   */
  #outOfTheBlue(member: Member, finding: Finding): void {
    if (finding !== 'silent' && finding !== 'stalled') return
    if (member.status !== 'alive' || this.#port.isConnected(member.peer)) return
    if (this.#view.neighbours.watches(member.peer)) this.#port.probe(member)
  }

  #failed(member: Member, inquiry: Inquiry): void {
    inquiry.resting = false
    inquiry.unanswered = 0
    inquiry.failed++
    if (inquiry.accuses && inquiry.failed >= Evidence.beforeAccusing) this.#judge.accuse(member, 'suspected')
    if (this.#isEnough(inquiry)) this.#judge.assess(member)
    else this.#runAt(member.peer, inquiry.startedAt + this.#slotMs)
  }

  /** A process that shakes hands runs; its words may still be on the way of an older connection. */
  #unanswered(member: Member, inquiry: Inquiry, needed: number): void {
    inquiry.failed = 0
    inquiry.answeredAt = undefined
    inquiry.unanswered++
    if (inquiry.unanswered >= needed) this.#foundStalled(member, inquiry)
    else this.#runAt(member.peer, inquiry.startedAt + this.#slotMs)
  }

  #foundStalled(member: Member, inquiry: Inquiry): void {
    restart(inquiry)
    inquiry.resting = true
    this.#judge.stalled(member)
  }

  #open(member: Member): Inquiry {
    const inquiry = {
      generation: member.generation,
      openedAt: this.#turn.now,
      failed: 0,
      unanswered: 0,
      dial: undefined,
      startedAt: Number.NEGATIVE_INFINITY,
      answeredAt: undefined,
      resting: false,
      accuses: false,
    }
    this.#inquiries.set(member.peer, inquiry)
    member.isExamined = true
    return inquiry
  }

  /** Of the life that is known now. */
  #inquiryInto(member: Member): Inquiry | undefined {
    const inquiry = this.#inquiries.get(member.peer)
    if (inquiry === undefined || inquiry.generation === member.generation) return inquiry
    this.closed(member.peer)
    return undefined
  }

  #dial(member: Member, inquiry: Inquiry): void {
    if (this.#dials.size >= Evidence.maxDials) {
      this.#waiting.add(member.peer)
      return
    }
    inquiry.startedAt = this.#turn.now
    inquiry.answeredAt = undefined
    inquiry.dial = this.#port.dial(member, this.#slotMs)
    if (inquiry.dial === undefined) this.#failed(member, inquiry)
    else this.#dials.set(inquiry.dial, member.peer)
  }

  #dialWaiting(): void {
    for (const peer of this.#waiting) {
      if (this.#dials.size >= Evidence.maxDials) return
      this.#waiting.delete(peer)
      this.run(peer)
    }
  }

  #isEnough(inquiry: Inquiry): boolean {
    return inquiry.failed >= this.#init.config.evidenceDials
  }

  /** Older than a suspicion may become that ends in death. */
  #isOld({ openedAt }: Inquiry): boolean {
    const { suspicionMinMs, suspicionMaxFactor } = this.#init.config
    return this.#turn.now - openedAt > suspicionMinMs * suspicionMaxFactor
  }

  /** Who has just spoken, was just dialled or is about to speak on a new connection needs no other one. */
  #notBefore(member: Member, inquiry: Inquiry): number {
    return Math.max(
      member.lastHeardAt + (this.#isOld(inquiry) ? this.#init.config.suspicionMinMs : this.#slotMs),
      inquiry.startedAt + this.#slotMs,
      member.reachedAt + Evidence.settlingMs,
    )
  }

  /**
   * Handshakes are what an overloaded machine can least afford: a probe on the
   * connection that is there goes first, unless one has failed already.
   */
  #patienceMs(member: Member): number {
    if (!this.#port.isConnected(member.peer)) return 0
    if (member.accusations.suspected.has(this.#init.self)) return 0
    return member.roundTrip.timeoutMs(this.#init.config.timeoutMinMs, this.#init.config.timeoutMaxMs)
  }

  get #slotMs(): number {
    return this.#init.config.suspicionMinMs / 5
  }

  #runAt(peer: PeerId, at: number): void {
    this.#agenda.schedule(key(peer), at, { type: 'evidence', peer })
  }
}

/** What was counted, and what is under way, means nothing any more. */
function restart(inquiry: Inquiry): void {
  inquiry.failed = 0
  inquiry.unanswered = 0
  inquiry.dial = undefined
  inquiry.answeredAt = undefined
  inquiry.resting = false
}

function key(peer: PeerId): string {
  return `evidence ${peer}`
}
