/**
 * Who is alive: suspicions, and what becomes of them.
 *
 * `dead` is never adopted from anybody: each member derives it from signed
 * accusations, its own timer and its own connection. A suspicion ends only by the
 * owner's higher incarnation or generation.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import type { Accusers } from './accusers.ts'
import type { MembershipInit } from './init.ts'
import type { Isolation } from './isolation.ts'
import type { Member } from './member.ts'
import { refusalSilenceMs, scaledMinimumMs } from './suspicion.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'
import type { MembershipUnits } from './units.ts'
import type { View } from './view.ts'

export interface JudgePort {
  isConnected(peer: PeerId): boolean
  /** Own dials of it that failed in a row; undefined when it is not dialled from here. */
  failedDials(peer: PeerId): number | undefined
}

export class Judge {
  readonly #init: MembershipInit
  readonly #units: MembershipUnits
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
  readonly #view: View
  readonly #accusers: Accusers
  readonly #isolation: Isolation
  readonly #port: JudgePort

  constructor(
    init: MembershipInit,
    units: MembershipUnits,
    turn: MembershipTurn,
    agenda: Agenda<Timer>,
    view: View,
    accusers: Accusers,
    isolation: Isolation,
    port: JudgePort,
  ) {
    this.#init = init
    this.#units = units
    this.#turn = turn
    this.#agenda = agenda
    this.#view = view
    this.#accusers = accusers
    this.#isolation = isolation
    this.#port = port
  }

  /** Signs an accusation of its own, once an incarnation and charge. */
  accuse(member: Member, charge: 'suspected' | 'refused'): void {
    if (!member.present || !this.#accusers.maySay(member, charge)) return
    this.#accusers.say(member, charge)
    this.assess(member)
  }

  /** A person does not expect it back. Only of the dead, and only until it says otherwise. */
  dismiss(peer: PeerId): void {
    const member = this.#view.get(peer)
    if (member?.status !== 'dead') return
    this.#accusers.say(member, 'dismissed')
    this.buryDismissed(member)
  }

  /**
   * An own dial was taken, and nobody spoke: a stopped process. Local knowledge,
   * so in what is told, and in the digest, it is a suspect like others.
   */
  stalled(member: Member): void {
    if (!member.present || member.stalledAt !== undefined) return
    if (member.status === 'alive') {
      this.#view.become(member, 'suspect', 'stalled')
    } else {
      member.stalledAt = this.#turn.now
      member.since = this.#turn.wall
      this.#view.changed(member, 'stalled')
    }
    this.assess(member)
  }

  /**
   * Looks at one member anew, after an accusation or a disconnect. A verdict is
   * left to the timer: input that waits behind this one, after an own stall, may
   * be the refutation.
   */
  assess(member: Member): void {
    if (!member.present) return
    if (member.status === 'alive') {
      if (!this.#units.witnessesOpen(this.#accusers.witnesses(member))) return
      this.#view.become(member, 'suspect')
    }
    this.#assessAt(member, this.#turn.now)
  }

  /** Its time has come: dead, or when to look again. */
  judge(member: Member): void {
    if (member.status !== 'suspect') return
    // Those who watch it kept it to themselves that it does not answer; long enough now.
    if (this.#stalledForMs(member) >= this.#init.config.stalledMs) this.accuse(member, 'suspected')
    if (this.#refusalDecides(member) || this.#suspicionDecides(member)) {
      this.settled(member)
      this.#view.become(member, 'dead')
      this.buryDismissed(member)
    }
  }

  /** What was to be judged is decided, by whomever. */
  settled({ peer }: Member): void {
    this.#agenda.cancel(assessKey(peer))
  }

  /** An own stall of `lagMs` is nobody's fault: a suspicion lasts longer by as much of it as it was open. */
  grant(lagMs: number): void {
    const { now } = this.#turn
    for (const member of this.#view.population.suspects) {
      member.grantedMs += Math.min(lagMs, now - member.statusAt)
      // It may have spoken meanwhile; what it said comes after the timers.
      if (member.stalledAt !== undefined) member.stalledAt = Math.min(now, member.stalledAt + lagMs)
      this.assess(member)
    }
  }

  /** Death is for everybody to see for itself; that it is final may be said by anybody who is in. */
  buryDismissed(member: Member): void {
    if (member.accusations.dismissed.size === 0 || member.status === 'left') return
    if (this.#units.dismissalBuries(member.status)) this.#view.become(member, 'left')
  }

  /** The fast path: enough witnesses of refused connects, and nothing of our own against them. */
  #refusalDecides(member: Member): boolean {
    const { self } = this.#init
    const refusers = this.#accusers.refusers(member)
    const alone = this.#healthyOthers(member) === 0 && refusers.includes(self)
    if (refusers.length < this.#units.refusersNeeded(this.#view.n) && !alone) return false
    // Silence of a life that was never heard says nothing: else two liars evict everybody from a joiner's view.
    const { neighbours } = this.#view
    const own = refusers.includes(self) || (member.heardAt !== undefined && neighbours.wants(member.peer))
    if (!own && refusers.length < this.#units.refusersAmongStrangers(neighbours.meshed)) return false
    const silentForMs = this.#turn.now - member.lastHeardAt
    const connected = this.#port.isConnected(member.peer)
    if (this.#units.refusalStands({ connected, silentForMs })) return true
    // A disconnect assesses again; silence has to be waited for.
    if (!connected) this.#assessAt(member, this.#turn.now + Math.max(1, refusalSilenceMs - silentForMs))
    return false
  }

  #suspicionDecides(member: Member): boolean {
    const { config } = this.#init
    const n = this.#view.n
    const witnesses = this.#accusers.witnesses(member)
    const accusers = this.#units.witnessesCounted(witnesses)
    const timeoutMs = this.#units.suspicionTimeoutMs({
      n,
      healthyOthers: this.#healthyOthers(member),
      accusers,
      credibleAccusers: witnesses.credible,
      minMs: config.suspicionMinMs,
      maxFactor: config.suspicionMaxFactor,
      isolated: this.#isolation.holds,
    })
    const due = member.statusAt + timeoutMs + member.grantedMs
    if (this.#turn.now < due) {
      this.#assessAt(member, due)
      return false
    }
    const freshUntil = member.lastHeardAt + scaledMinimumMs(config.suspicionMinMs, n)
    const enough = accusers >= this.#units.accusersNeeded(n) && this.#turn.now >= freshUntil
    if (enough && this.#silenceDecides(member, n)) return true
    this.#assessAt(member, Math.max(freshUntil, this.#turn.now + config.probePeriodMs))
    return false
  }

  #silenceDecides(member: Member, n: number): boolean {
    const { evidenceDials, stalledMs } = this.#init.config
    return this.#units.silenceIsDeath({
      failedDials: this.#port.failedDials(member.peer),
      dialsNeeded: evidenceDials,
      stalledForMs: member.stalledAt === undefined ? undefined : this.#stalledForMs(member),
      stalledMs,
      refusers: this.#accusers.refusers(member).length,
      refusersNeeded: this.#units.refusersNeeded(n),
    })
  }

  /** Since it was found so, or last heard after that; negative infinity when it is not stalled. */
  #stalledForMs({ stalledAt, heardAt }: Member): number {
    return (
      this.#turn.now -
      (stalledAt === undefined ? Number.POSITIVE_INFINITY : Math.max(stalledAt, heardAt ?? stalledAt))
    )
  }

  #assessAt(member: Member, at: number): void {
    this.#agenda.scheduleAtLatest(assessKey(member.peer), at, { type: 'assess', peer: member.peer })
  }

  /** Others than self and `subject` that are alive. */
  #healthyOthers(subject: Member): number {
    return this.#view.population.alive - (subject.status === 'alive' ? 1 : 0)
  }
}

function assessKey(peer: PeerId): string {
  return `assess ${peer}`
}
