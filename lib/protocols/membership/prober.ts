/**
 * SWIM's probe cycle, with Lifeguard's nacks and multiplier.
 *
 * A probe is judged at the end of its period, not at its time-out: in between,
 * helpers are asked, and any bytes from the subject on any path count for it.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import type { Awareness } from './awareness.ts'
import type { MembershipInit } from './init.ts'
import { type Member, maxAccusationsPerCharge } from './member.ts'
import { ProbeSchedule } from './probe-schedule.ts'
import { nackAfterMs, Relays, type RelaysPort } from './relays.ts'
import { shuffled } from './shuffled.ts'
import { scaledMinimumMs } from './suspicion.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'
import type { View } from './view.ts'

export interface ProberPort extends RelaysPort {
  connected(): Iterable<PeerId>
  /** Its connection is a new one, or about to be: what was asked on the old one says nothing. */
  isSettling(member: Member): boolean
  /** A whole probe of it has failed. */
  failed(member: Member): void
}

interface Probe {
  readonly subject: PeerId
  readonly generation: number
  readonly sentAt: number
  readonly endsAt: number
  readonly wasSuspect: boolean
  /** Who was asked for help. Most probes need none. */
  help: Help | undefined
  answered: boolean
}

interface Help {
  readonly askedAt: number
  readonly helpers: ReadonlySet<PeerId>
  readonly heardFrom: Set<PeerId>
  /** Those that have asked it, and say that it has not answered. */
  readonly deniers: Set<PeerId>
}

export class Prober {
  /** A member that is heard all the time is probed this often nevertheless. */
  static readonly measureEveryPeriods = 16
  /**
   * On rings, as in a mesh above eight (SWIM §4.3): each is probed once a period, there by whomever it
   * hits, here by one of its eight observers. The first to find it silent does so after 8/9 of a period
   * on the average, and an idle member sends one ping and one ack a period, whatever the number of members.
   */
  static readonly subjectsPerPeriod = 1
  /** Probes in a row that are believed to be answered because one helper says so and another does not. */
  static readonly maxContradictions = 3
  readonly #init: MembershipInit
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
  readonly #view: View
  readonly #awareness: Awareness
  readonly #port: ProberPort
  readonly #schedule: ProbeSchedule
  readonly #probes = new Map<number, Probe>()
  /** Who is being probed. */
  readonly #subjects = new Set<PeerId>()
  /** Subjects on the rings whose turn is yet to come. */
  #queue: PeerId[] = []
  /** For others. */
  readonly relays: Relays
  readonly #measures = new Map<number, { peer: PeerId; token: number; sentAt: number }>()
  #seq = 0
  #accuseNotBefore = Number.NEGATIVE_INFINITY

  constructor(
    init: MembershipInit,
    turn: MembershipTurn,
    agenda: Agenda<Timer>,
    view: View,
    awareness: Awareness,
    port: ProberPort,
  ) {
    this.#init = init
    this.#turn = turn
    this.#agenda = agenda
    this.#view = view
    this.#awareness = awareness
    this.#port = port
    this.#schedule = new ProbeSchedule(init.random)
    this.relays = new Relays(init, turn, agenda, view, port, () => this.nextSeq())
  }

  nextSeq(): number {
    return ++this.#seq
  }

  start(): void {
    const spread = this.#init.random() * this.#init.config.probePeriodMs
    this.#agenda.schedule('probe-round', this.#turn.now + spread, { type: 'probe-round' })
  }

  round(): void {
    for (const member of this.#view.neighbours.meshed ? this.#ofMesh() : this.#ofRings()) this.probe(member)
    this.#agenda.schedule('probe-round', this.#turn.now + this.#periodMs, { type: 'probe-round' })
  }

  #ofMesh(): Member[] {
    const present = [...this.#view.neighbours.everybody()].flatMap((peer) => this.#view.get(peer) ?? [])
    const candidates = present
      .filter((member) => !this.#isBeingReached(member))
      .map((member) => ({
        peer: member.peer,
        suspect: this.#isInDoubt(member),
        isJudged: this.#isJudged(member),
      }))
    return this.#schedule
      .next(candidates, this.#init.config.probeAllUpTo)
      .flatMap((peer) => this.#view.get(peer as PeerId) ?? [])
      .filter((member) => !this.#isSpared(member))
  }

  /** The next subjects in turn, and all in doubt whom this member watches and has not accused yet. */
  #ofRings(): Member[] {
    const { subjects } = this.#view.neighbours
    const chosen = new Set<Member>()
    for (const member of this.#view.population.suspects) {
      if (subjects.has(member.peer) && this.#isInDoubt(member) && !this.#isJudged(member)) chosen.add(member)
    }
    for (let tries = 0, turns = 0; turns < Prober.subjectsPerPeriod && tries < subjects.size; tries++) {
      if (this.#queue.length === 0) this.#queue = shuffled([...subjects.keys()], this.#init.random)
      const peer = this.#queue.pop()
      const member = peer === undefined || !subjects.has(peer) ? undefined : this.#view.get(peer)
      if (member === undefined || this.#isBeingReached(member)) continue
      turns++
      chosen.add(member)
    }
    return [...chosen]
  }

  /**
   * Whom a dial has shown to be stalled is judged by time alone. One that is suspect for longer than
   * a suspicion lasts talks and does not refute: that is no reason to hurry for ever.
   */
  #isInDoubt({ status, statusAt, stalledAt }: Member): boolean {
    if (status !== 'suspect' || stalledAt !== undefined) return false
    const { suspicionMinMs, suspicionMaxFactor } = this.#init.config
    const longestMs = scaledMinimumMs(suspicionMinMs, this.#view.n) * suspicionMaxFactor
    return this.#turn.now - statusAt <= longestMs
  }

  /** This member has accused it, or so many have that it would add nothing: else the first to die hide the others. */
  #isJudged({ accusations: { suspected } }: Member): boolean {
    return suspected.has(this.#init.self) || suspected.size >= maxAccusationsPerCharge
  }

  /**
   * Heard so lately that a probe would say nothing new. Where everybody probes
   * everybody, two members would else ask each other the same thing each period;
   * this halves an idle cluster's traffic, and a silent death is found at most
   * half a period later. Each side still measures its own round trips.
   */
  #isSpared(member: Member): boolean {
    const { probePeriodMs, probeAllUpTo } = this.#init.config
    if (member.status !== 'alive' || this.#view.n > probeAllUpTo) return false
    const { now } = this.#turn
    if (now - member.probedAt >= Prober.measureEveryPeriods * probePeriodMs) return false
    return this.#isProven(member)
  }

  /** Heard within half a period. */
  #isProven(member: Member): boolean {
    const silentForMs = this.#turn.now - member.lastHeardAt
    return silentForMs < this.#init.config.probePeriodMs / 2
  }

  /** Somebody else has accused it. */
  probeUnlessProven(member: Member): void {
    if (!this.#isProven(member)) this.probe(member)
  }

  /** Just heard of, and the first dial may still be under way: its silence says nothing yet. */
  #isBeingReached({ peer, lifeKnownAt, heardAt }: Member): boolean {
    // A neighbour dies, and the next one on the ring has yet to be dialled.
    const since = Math.max(lifeKnownAt, this.#view.neighbours.subjects.get(peer) ?? lifeKnownAt)
    const fresh = this.#turn.now - since < this.#init.config.dialTimeoutMs
    return fresh && (heardAt ?? since) <= since && !this.#port.isConnected(peer)
  }

  /** Starts a probe unless one is under way. */
  probe(member: Member): void {
    if (this.#subjects.has(member.peer)) return
    this.#subjects.add(member.peer)
    const { config } = this.#init
    const seq = this.nextSeq()
    member.probedAt = this.#turn.now
    this.#probes.set(seq, {
      subject: member.peer,
      generation: member.generation,
      sentAt: this.#turn.now,
      // A breath before the next round, which would find this one still open.
      endsAt: this.#turn.now + this.#periodMs - 1,
      wasSuspect: member.status === 'suspect',
      help: undefined,
      answered: false,
    })
    if (this.#port.isConnected(member.peer)) this.#port.ping(member.peer, seq)
    const clamp = member.roundTrip.timeoutMs(config.timeoutMinMs, config.timeoutMaxMs)
    // A subject that says its loop runs late is given that time.
    const lagMs = Math.min(member.loopLagMs, config.probePeriodMs / 4)
    // Without a link there is nothing to wait for: the helpers have the whole period.
    // On rings helpers have to dial: they are spared what TCP's retransmission mends.
    const patience = this.#view.neighbours.meshed ? clamp : config.timeoutMaxMs
    const timeoutMs = this.#port.isConnected(member.peer)
      ? Math.min(this.#periodMs / 2, patience * this.#awareness.multiplier + lagMs)
      : 0
    this.#agenda.schedule(seq, this.#turn.now + timeoutMs, { type: 'probe-timeout', seq })
  }

  timedOut(seq: number): void {
    const probe = this.#probes.get(seq)
    if (probe === undefined || probe.answered) return
    this.#agenda.schedule(seq, probe.endsAt, { type: 'probe-end', seq })
    const willing: Member[] = []
    for (const peer of this.#port.connected()) {
      const member = this.#view.get(peer)
      if (member?.status === 'alive' && peer !== probe.subject) willing.push(member)
    }
    const drawn = shuffled(willing, this.#init.random).slice(0, this.#init.config.indirectProbes)
    const helpers = new Set(drawn.map(({ peer }) => peer))
    probe.help = { askedAt: this.#turn.now, helpers, heardFrom: new Set(), deniers: new Set() }
    for (const helper of helpers) {
      this.#port.send(helper, { type: 'ping-request', seq, subject: probe.subject })
    }
  }

  ended(seq: number): void {
    const probe = this.#probes.get(seq)
    if (probe === undefined) return
    this.#forget(seq)
    const member = this.#view.get(probe.subject)
    if (member === undefined || !member.present || member.generation !== probe.generation) return
    if (member.lastHeardAt >= probe.sentAt) {
      member.contradicted = 0
      this.#awareness.probeSucceeded()
      return
    }
    if (probe.answered && !this.#isDisputed(member, probe)) {
      this.#awareness.probeSucceeded()
      return
    }
    if (this.#port.isSettling(member)) return
    if (!probe.wasSuspect) {
      this.#awareness.probeFailed()
      const { help } = probe
      if (help !== undefined && help.heardFrom.size < help.helpers.size) this.#awareness.nackMissed()
    }
    if (this.#turn.now >= this.#accuseNotBefore) this.#port.failed(member)
  }

  /**
   * Some helpers say that it has answered, others that it has not: so often in a row, and it
   * has to say so itself. One helper that lies could else hide any death.
   */
  #isDisputed(member: Member, { help }: Probe): boolean {
    if (help !== undefined && help.deniers.size > 0) member.contradicted++
    else member.contradicted = 0
    return member.contradicted >= Prober.maxContradictions
  }

  acked(from: PeerId, seq: number): void {
    const probe = this.#probes.get(seq)
    if (probe !== undefined) {
      this.#probeAcked(seq, probe, from)
      return
    }
    if (this.relays.acked(from, seq)) return
    const measure = this.#measures.get(seq)
    if (measure?.peer === from) this.#pong(seq, this.#turn.now - measure.sentAt)
  }

  nacked(from: PeerId, seq: number): void {
    const help = this.#probes.get(seq)?.help
    if (help?.helpers.has(from) !== true) return
    help.heardFrom.add(from)
    // Sooner it says no more than that it could not ask.
    if (this.#turn.now - help.askedAt >= nackAfterMs(this.#init.config)) help.deniers.add(from)
  }

  measure(peer: PeerId, token: number): void {
    const seq = this.nextSeq()
    this.#measures.set(seq, { peer, token, sentAt: this.#turn.now })
    this.#port.ping(peer, seq)
    const at = this.#turn.now + 4 * this.#init.config.timeoutMaxMs
    this.#agenda.schedule(seq, at, { type: 'measure-end', seq })
  }

  measureEnded(seq: number): void {
    if (this.#measures.has(seq)) this.#pong(seq, undefined)
  }

  /** The own loop stood still: what is outstanding proves nothing, and nobody is accused for a while. */
  voidOutstanding(holdAccusationsMs: number): void {
    for (const seq of [...this.#probes.keys()]) this.#forget(seq)
    this.#accuseNotBefore = Math.max(this.#accuseNotBefore, this.#turn.now + holdAccusationsMs)
  }

  get #periodMs(): number {
    return this.#init.config.probePeriodMs * this.#awareness.multiplier
  }

  /** The subject's own answer ends the probe: there is nothing more to wait for. */
  #probeAcked(seq: number, probe: Probe, from: PeerId): void {
    if (from === probe.subject) {
      if (!probe.answered) this.#view.get(from)?.roundTrip.measured(this.#turn.now - probe.sentAt)
      this.#forget(seq)
      if (this.#view.get(from)?.generation === probe.generation) this.#awareness.probeSucceeded()
    } else if (probe.help?.helpers.has(from) === true) {
      probe.help.heardFrom.add(from)
      probe.help.deniers.delete(from)
      probe.answered = true
    }
  }

  #pong(seq: number, rttMs: number | undefined): void {
    const measure = this.#measures.get(seq)
    this.#measures.delete(seq)
    this.#agenda.cancel(seq)
    if (measure !== undefined) this.#turn.emit({ type: 'pong', token: measure.token, rttMs })
  }

  #forget(seq: number): void {
    const probe = this.#probes.get(seq)
    if (probe !== undefined) this.#subjects.delete(probe.subject)
    this.#probes.delete(seq)
    this.#agenda.cancel(seq)
  }
}
