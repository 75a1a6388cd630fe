/**
 * Membership: who is in, and who is alive (SWIM, with Lifeguard's health, signed
 * suspicions and a fast path).
 *
 * - Das, Gupta & Motivala 2002, SWIM
 * - Dadgar, Phillips & Currey 2017, Lifeguard (arXiv 1707.00788)
 *
 * This file wires the parts and turns inputs into their calls; each part is one
 * idea in its own file:
 *
 *   own-life       me: generation, incarnation, refuting, other lives of me
 *   view           the others: the table and its digest
 *   merging        what is said of them
 *   accusers       who accuses whom, and who is believed
 *   judge          who is alive
 *   prober         the probe cycle and its helpers
 *   evidence       own fresh dials of suspects: dead, or only stalled
 *   fast-path      refused connects as proof of a dead process
 *   reach          whom to dial
 *   gossip         spreading the news
 *   sync, pages    rows, where digests differ: asking for them, and telling them
 *   tombstones     who is gone, and does not come back by hearsay
 *   departure      going, with notice
 */
import { Agenda } from '../agenda.ts'
import type { Core, Effect, Input, Instant, PeerId } from '../core.ts'
import { Turn } from '../turn.ts'
import { Accusers } from './accusers.ts'
import { Awareness } from './awareness.ts'
import { Departure } from './departure.ts'
import { Disputes } from './disputes.ts'
import { Evidence } from './evidence.ts'
import { FastPath } from './fast-path.ts'
import { Gossip, type Source } from './gossip.ts'
import type { MembershipInit } from './init.ts'
import { Isolation } from './isolation.ts'
import { Judge } from './judge.ts'
import { digestRow, type Member } from './member.ts'
import { Merging } from './merging.ts'
import type {
  Belief,
  Body,
  DialOutcome,
  Heartbeat,
  MemberChange,
  MemberRecord,
  MembershipCommand,
  MembershipEvent,
  MembershipRequest,
  MemberView,
  Misbehaviour,
  Packet,
  Signed,
  Update,
} from './messages.ts'
import { NameConflicts } from './name-conflicts.ts'
import { OwnLife } from './own-life.ts'
import { fitting, pack } from './packing.ts'
import { Pages } from './pages.ts'
import { Prober } from './prober.ts'
import { Reach } from './reach.ts'
import { ridersFor } from './riders.ts'
import { ownRow, rowOf } from './rows.ts'
import { recordIsSigned } from './statements.ts'
import { Sync } from './sync.ts'
import type { Timer } from './timers.ts'
import { Tombstones } from './tombstones.ts'
import { Traffic } from './traffic.ts'
import type { MembershipTurn } from './turn.ts'
import { type MembershipUnits, standardUnits } from './units.ts'
import { View } from './view.ts'

export type { MembershipInit } from './init.ts'

export interface Health {
  /** Lifeguard's local health multiplier: 0 is well, 8 is worst. */
  readonly score: number
  /** Nothing is heard from anybody and most members are suspected: this peer may be the sick one. */
  readonly isolated: boolean
}

/** A suspect that talks is told so at most this often, ms. */
const tellIntervalMs = 200

export class Membership implements Core<Packet, MembershipCommand, MembershipEvent, MembershipRequest> {
  readonly #init: MembershipInit
  readonly #units: MembershipUnits
  readonly #turn: MembershipTurn = new Turn()
  readonly #agenda = new Agenda<Timer>()
  readonly #awareness = new Awareness()
  readonly #connections = new Set<PeerId>()
  readonly #own: OwnLife
  readonly #tombstones: Tombstones
  readonly #traffic: Traffic
  readonly #names: NameConflicts
  readonly #disputes: Disputes
  readonly #view: View
  readonly #isolation: Isolation
  readonly #accusers: Accusers
  readonly #judge: Judge
  readonly #merging: Merging
  readonly #gossip: Gossip
  readonly #pages: Pages
  readonly #sync: Sync
  readonly #prober: Prober
  readonly #fastPath: FastPath
  readonly #evidence: Evidence
  readonly #reach: Reach
  #requests = 0
  #askedAt = Number.NEGATIVE_INFINITY
  #loopLagMs = 0
  /** Whose packet is at hand. */
  #speaker: PeerId | undefined
  /** The packet at hand broke the rules; the rest of it is dropped. */
  #spoilt = false
  #departure: Departure | undefined
  /** It has left, and still says so to whoever asks. */
  #lingers = false

  constructor(init: MembershipInit) {
    this.#init = init
    const units = { ...standardUnits, ...init.units }
    this.#units = units
    const turn = this.#turn
    const agenda = this.#agenda
    const nextRequest = () => ++this.#requests
    const isConnected = (peer: PeerId) => this.#connections.has(peer)
    const connected = () => this.#connections
    const connectionCount = () => this.#connections.size
    this.#names = new NameConflicts((name, peers) => turn.emit({ type: 'name-conflict', name, peers }))
    this.#traffic = new Traffic(init.config, isConnected)
    this.#own = new OwnLife(init, units, turn, agenda, () => this.#ownRecordChanged())
    const tombstones = new Tombstones(init, turn, agenda)
    this.#tombstones = tombstones
    this.#disputes = new Disputes(init, turn, tombstones, {
      ownGeneration: () => this.#own.generation,
      isMember: (peer) => peer === init.self || this.#view.get(peer)?.present === true,
      dial: (stone) => this.#reach.dials.reach(stone),
      send: (to, updates) => this.#send(to, { type: 'gossip' }, updates),
    })
    this.#view = new View(init, turn, agenda, tombstones, {
      changed: (member, change) => this.#memberChanged(member, change),
      neighboursChanged: () => this.#reach.overlay.tendSoon(),
    })
    this.#isolation = new Isolation(init, units, turn, this.#view)
    this.#accusers = new Accusers(init, units, turn, this.#view, {
      ownGeneration: () => this.#own.generation,
      accused: (member, accuser) => this.#gossip.tell(member.peer, this.#sourceOf(accuser)),
      misbehaved: (peer, reason) => this.#misbehaved(peer, reason),
    })
    this.#judge = new Judge(init, units, turn, agenda, this.#view, this.#accusers, this.#isolation, {
      isConnected,
      failedDials: (peer) => this.#evidence.failedDials(peer),
    })
    this.#merging = new Merging(init, units, turn, this.#view, this.#accusers, this.#judge, {
      heardAgain: (member) => this.#gossip.heardAgain(member.peer),
      hinted: (record) => this.#reach.hints.hinted(record),
      disputed: (update, from) => this.#disputes.heard(update, from),
      misbehaved: (peer, reason) => this.#misbehaved(peer, reason),
      mayIntroduce: (from) => this.#mayIntroduce(from),
    })
    this.#gossip = new Gossip(init, turn, agenda, this.#view, this.#awareness, {
      connected,
      connectionCount,
      updateOf: (subject) => this.#updateOf(subject),
      send: (to, updates) => this.#send(to, { type: 'gossip' }, updates),
    })
    this.#pages = new Pages(init, turn, this.#view, {
      send: (to, body, updates) => this.#send(to, body, updates),
      ownUpdate: () => ({ record: this.#own.record, accusations: [], contact: true }),
    })
    this.#sync = new Sync(init, turn, agenda, this.#view, this.#pages, {
      isConnected,
      send: (to, body, updates) => this.#send(to, body, updates),
    })
    this.#prober = new Prober(init, turn, agenda, this.#view, this.#awareness, {
      isConnected,
      ping: (to, seq) => this.#sendHeartbeat('ping', to, seq),
      ack: (to, seq) => this.#sendHeartbeat('ack', to, seq),
      send: (to, body) => this.#send(to, body),
      connected,
      dial: (member) => this.#reach.dials.connectBriefly(member),
      isSettling: (member) => this.#reach.revivals.isSettling(member),
      failed: (member) => this.#probeFailed(member),
    })
    this.#evidence = new Evidence(init, units, turn, agenda, this.#view, this.#judge, {
      isConnected,
      dial: (member, timeoutMs) => this.#reach.dials.reachFreshly(member, timeoutMs),
    })
    this.#fastPath = new FastPath(init, turn, agenda, this.#view, this.#judge, this.#isolation, nextRequest)
    const reachPort = {
      isConnected,
      connectionCount,
      isSyncing: (peer?: PeerId) => this.#sync.isUnderWay(peer),
      reached: (member: Member) => this.#sendHeartbeat('ping', member.peer, this.#prober.nextSeq()),
      dialled: (id: number, peer: PeerId, outcome: DialOutcome) => this.#evidence.dialled(id, peer, outcome),
      healSuspect: (member: Member) => this.#evidence.heal(member, 1),
      nextRequest,
    }
    this.#reach = new Reach(init, turn, agenda, this.#view, this.#isolation, units, reachPort)
  }

  get deadline(): number | undefined {
    return this.#agenda.deadline
  }

  /** Own life; 0 before `start`. */
  get generation(): number {
    return this.#own.generation
  }

  /** A peer proved a later life than the disk knew: this one must not vote. */
  get rolledBack(): boolean {
    return this.#own.rolledBack
  }

  /** Of the own view: who agrees with it has the same. */
  get digest(): bigint {
    return this.#view.digest
  }

  /** How many of the gone are remembered, rows of the table included. */
  get tombstones(): number {
    return this.#tombstones.size
  }

  /** Views, whole or in part, that were asked for or sent since the start. */
  get syncs(): number {
    return this.#sync.exchanged
  }

  get health(): Health {
    return { score: this.#awareness.score, isolated: this.#isolation.holds }
  }

  /** The table: self first, then by peer id. */
  members(): readonly MemberView[] {
    const others = [...this.#view.values()].sort((a, b) => (a.peer < b.peer ? -1 : 1))
    const views = others.map((member) => rowOf(member, this.#connections.has(member.peer)))
    return this.#own.status === 'idle' ? views : [ownRow(this.#init, this.#own), ...views]
  }

  step(
    input: Input<Packet, MembershipCommand>,
    now: Instant,
  ): readonly Effect<Packet, MembershipEvent, MembershipRequest>[] {
    this.#turn.begin(now)
    this.#speaker = input.type === 'receive' ? input.from : undefined
    if (input.type === 'wake') this.#wake(input.lagMs)
    else if (input.type === 'receive') this.#receive(input.from, input.message)
    else this.#command(input)
    return this.#turn.end()
  }

  // Inputs

  #command(command: MembershipCommand): void {
    switch (command.type) {
      case 'start':
        this.#start(command.contacts)
        break
      case 'join':
        this.#reach.hints.join(command.contacts)
        break
      case 'readdress':
        this.#own.readdress(command.addresses)
        break
      case 'regroup':
        this.#own.regroup(command.groups)
        break
      case 'retag':
        this.#own.retag(command.tags)
        break
      case 'dismiss':
        this.#judge.dismiss(command.peer)
        break
      case 'sync':
        this.#requestSync(command.peer)
        break
      case 'renew':
        this.#own.renew()
        break
      case 'leave':
        this.#depart('left')
        break
      case 'stop':
        this.#depart('stopping')
        break
      case 'measure':
        this.#prober.measure(command.peer, command.token)
        break
      case 'connected':
        this.#connected(command.peer)
        break
      case 'disconnected':
        this.#disconnected(command.peer, command.closedBy)
        break
      case 'dialled':
        // What was under way when it left is not gone on with.
        if (this.#own.running) this.#reach.dialled(command.id, command.outcome)
        break
      case 'knocked':
        if (!this.#own.running) break
        this.#fastPath.knocked(command.id, command.outcome)
        this.#reach.dialBacks.knocked(command.id, command.outcome)
        break
    }
  }

  #start(contacts: readonly string[]): void {
    if (this.#own.status !== 'idle') throw new Error('started twice')
    this.#tombstones.running.begin()
    this.#own.begin()
    this.#names.present(this.#init.self, this.#init.name)
    this.#reach.start(contacts)
    this.#prober.start()
    if (this.#reach.hasContacts) {
      const at = this.#turn.now + this.#init.config.joinWaitMs
      this.#agenda.schedule('join-wait', at, { type: 'join-wait' })
    } else {
      this.#settle()
    }
  }

  #settle(): void {
    this.#own.settle()
    this.#turn.emit({ type: 'member', change: 'updated', member: ownRow(this.#init, this.#own) })
  }

  #connected(peer: PeerId): void {
    this.#connections.add(peer)
    this.#fastPath.void(peer)
    if (this.#own.running) this.#sendHeartbeat('ping', peer, this.#prober.nextSeq())
    this.#prober.connected(peer)
  }

  #requestSync(peer: PeerId): void {
    const member = this.#view.get(peer)
    if (member !== undefined && this.#connections.has(peer) && this.#own.running) this.#sync.request(member)
  }

  /** A first packet may have been lost: who is connected and still unknown is asked again. */
  #greetStrangers(): void {
    for (const peer of this.#connections) {
      if (this.#view.get(peer) === undefined) this.#sendHeartbeat('ping', peer, this.#prober.nextSeq())
    }
  }

  #disconnected(peer: PeerId, closedBy: 'remote' | 'local'): void {
    this.#connections.delete(peer)
    this.#traffic.disconnected(peer, this.#turn.now)
    const member = this.#view.get(peer)
    this.#departure?.lost(peer)
    this.#reach.dials.disconnected(peer)
    this.#sync.disconnected(peer)
    if (member === undefined || !member.present || this.#own.status === 'leaving' || !this.#own.running)
      return
    // The next connection may be to another life: it has to hear all again.
    member.knowsGeneration = 0
    this.#reach.overlay.redial(member)
    // Who only wanted to compare views closes when it has.
    if (closedBy === 'remote' && this.#view.neighbours.wants(peer)) this.#fastPath.open(member)
    this.#evidence.lost(peer)
    this.#judge.assess(member)
  }

  #receive(from: PeerId, packet: Packet): void {
    if (from === this.#init.self) return
    if (this.#lingers) return this.#answerOnLeaving(from, packet)
    if (!this.#own.running) return
    this.#spoilt = false
    if (!this.#traffic.takesPacket(from, this.#turn.now)) return this.#misbehaved(from, 'flooding')
    for (const update of packet.updates) {
      this.#merge(update, from)
      this.#sync.merged(from, update)
      // A second bad signature proves no more than the first, and costs as much to look at.
      // Merging may also have shown another life of this identity, which ends this one.
      if (this.#spoilt || !this.#own.running) return
    }
    const member = this.#view.get(from)
    const current = member?.generation === packet.generation ? member : undefined
    if (current !== undefined) {
      current.heard(this.#turn.now)
      this.#isolation.heard()
      this.#evidence.heard(current)
      this.#fastPath.void(from)
    }
    this.#receiveBody(from, packet, current)
    if (this.#own.running && member !== undefined && packet.body.type !== 'ping') {
      this.#tellWhatIsBelieved(member, packet.generation)
    }
  }

  /** Of what is said to it nothing matters any more, but for who has heard of it. */
  #answerOnLeaving(from: PeerId, { body, generation }: Packet): void {
    if (!this.#traffic.takesPacket(from, this.#turn.now)) return
    if (body.type === 'leave-ack') this.#departure?.acknowledged(from)
    else if (body.type === 'ping' && this.#traffic.takesPing(from, this.#turn.now))
      this.#sendHeartbeat('ack', from, body.seq, generation)
  }

  #receiveBody(from: PeerId, packet: Packet, current: Member | undefined): void {
    const { body } = packet
    switch (body.type) {
      case 'ping': {
        const order = current?.takeSeq(body.seq) ?? 'new'
        if (order === 'replayed') this.#misbehaved(from, 'replayed')
        if (order !== 'new') break
        // Nobody is blamed for it: at the other end people may measure round trips in a loop.
        if (!this.#traffic.takesPing(from, this.#turn.now)) break
        this.#sendHeartbeat('ack', from, body.seq, packet.generation)
        this.#heartbeat(from, body, current)
        break
      }
      case 'ack':
        if (current !== undefined) this.#prober.acked(from, body.seq)
        this.#heartbeat(from, body, current)
        break
      case 'ping-request':
        this.#prober.relay(from, body.seq, body.subject)
        break
      case 'nack':
        this.#prober.nacked(from, body.seq)
        break
      case 'gossip':
        break
      case 'buckets':
        if (current !== undefined) this.#pages.asked(current, body.sums)
        break
      case 'sync':
        if (current === undefined) break
        if (body.reply) this.#sync.answer(current, body.buckets)
        this.#sync.received(current, body)
        break
      case 'leave':
        this.#merge({ record: body.record, accusations: [], contact: true }, from)
        this.#send(from, { type: 'leave-ack', seq: body.seq })
        break
      case 'leave-ack':
        this.#departure?.acknowledged(from)
        break
    }
  }

  #heartbeat(from: PeerId, heartbeat: Heartbeat, current: Member | undefined): void {
    const { belief, otherLife } = heartbeat
    if (otherLife !== undefined) {
      const known = otherLife.body.generation === belief.generation
      this.#confront(otherLife, known ? belief.heardAgoMs : undefined, from)
      if (!this.#own.running) return
    }
    const mine = belief.generation === this.#own.generation
    if (mine && (belief.standing === 'suspect' || belief.standing === 'dead' || belief.standing === 'left')) {
      this.#refute(belief.incarnation)
    }
    if (current !== undefined) {
      current.loopLagMs = heartbeat.loopLagMs
      current.knowsGeneration = belief.generation
      current.knowsIncarnation = belief.incarnation
      if (current.status !== 'alive' || (mine && belief.standing !== 'alive')) this.#sync.disputed(current)
      this.#sync.compare(current, heartbeat.digest)
      for (const { kind, body } of heartbeat.riders) {
        this.#turn.emit({ type: 'rider', from, generation: current.generation, kind, body })
      }
    }
    if (this.#own.status === 'joining' && heartbeat.type === 'ack' && mine) this.#settle()
  }

  #wake(lagMs: number): void {
    this.#loopLagMs = lagMs
    const { config } = this.#init
    const lag = this.#units.lagOf(lagMs, config)
    if (lag !== 'none') {
      this.#prober.voidOutstanding(lag === 'away' ? config.suspicionMinMs : 0)
      this.#fastPath.voidAll()
      this.#evidence.voidAll()
      this.#judge.grant(lagMs)
      if (lag === 'away') this.#own.reassert()
    }
    for (;;) {
      const timer = this.#agenda.takeDue(this.#turn.now)
      if (timer === undefined) return
      this.#fired(timer)
    }
  }

  #fired(timer: Timer): void {
    switch (timer.type) {
      case 'probe-round':
        this.#prober.round()
        this.#greetStrangers()
        break
      case 'probe-timeout':
        this.#prober.timedOut(timer.seq)
        break
      case 'probe-end':
        this.#prober.ended(timer.seq)
        break
      case 'relay-nack':
        this.#prober.relayUnanswered(timer.seq)
        break
      case 'relay-end':
        this.#prober.relayEnded(timer.seq)
        break
      case 'measure-end':
        this.#prober.measureEnded(timer.seq)
        break
      case 'gossip':
        this.#gossip.run()
        break
      case 'assess': {
        const member = this.#view.get(timer.peer)
        if (member !== undefined) this.#judge.judge(member)
        break
      }
      case 'knock':
        this.#fastPath.knock(timer.peer)
        break
      case 'refute':
        this.#own.refuteNow()
        break
      case 'own-change':
        this.#own.tellChange()
        break
      case 'contest-end':
        this.#own.contestEnded()
        break
      case 'join-wait':
        this.#settle()
        break
      case 'mesh-dial':
        this.#reach.overlay.dial(timer.peer)
        break
      case 'evidence':
        this.#evidence.run(timer.peer)
        break
      case 'revived-dial':
        this.#reach.revivals.dial(timer.peer)
        break
      case 'dial-back':
        this.#reach.dialBacks.dial(timer.peer)
        break
      case 'tend':
        this.#reach.overlay.tend()
        break
      case 'heal':
        this.#reach.healing.tick()
        break
      case 'reap':
        this.#view.reap()
        break
      case 'note-tombstones':
        this.#tombstones.note()
        break
      case 'sync-on':
        this.#sync.goOn(timer.peer)
        break
      case 'note-peers':
        this.#reach.hints.remember()
        break
      case 'leave-again':
        this.#departure?.again()
        break
      case 'linger-end':
        this.#departure?.lingered()
        break
      case 'leave-wait':
        this.#departure?.end()
        break
    }
  }

  // What is said of whom

  #merge(update: Update, from: PeerId): void {
    if (update.record.body.peer === this.#init.self) this.#mergeAboutSelf(update, from)
    else this.#merging.merge(update, from)
  }

  #mergeAboutSelf(update: Update, from: PeerId): void {
    const { generation, incarnation } = update.record.body
    if (generation < this.#own.generation) return
    if (this.#own.isForeign(update.record)) {
      this.#confront(update.record, undefined, from)
      if (this.#own.running) this.#askAboutOtherLife(from)
      return
    }
    const accused = update.accusations.filter(
      ({ body }) => body.generation === generation && body.incarnation === incarnation,
    )
    if (incarnation < this.#own.incarnation || accused.length === 0) return
    if (accused.some((accusation) => this.#isProvenAccusation(accusation, from))) this.#refute(incarnation)
  }

  /** The ack says how long ago the other life was heard; it brings the same record, so not at once again. */
  #askAboutOtherLife(peer: PeerId): void {
    if (this.#turn.now - this.#askedAt < tellIntervalMs) return
    this.#askedAt = this.#turn.now
    this.#sendHeartbeat('ping', peer, this.#prober.nextSeq())
  }

  #isProvenAccusation(accusation: Update['accusations'][number], from: PeerId): boolean {
    const { cluster, crypto } = this.#init
    if (accusation.body.cluster !== cluster || accusation.body.subject !== this.#init.self) return false
    if (this.#units.accusationIsSigned(accusation, crypto)) return true
    this.#misbehaved(from, 'bad-signature')
    return false
  }

  #mayIntroduce(from: PeerId): boolean {
    const isMember = this.#view.get(from)?.present === true
    return this.#traffic.takesStranger(from, isMember, this.#turn.now)
  }

  #misbehaved(peer: PeerId, reason: Misbehaviour): void {
    this.#spoilt = true
    if (reason === 'flooding' && !this.#traffic.mayBlame(peer, this.#turn.now)) return
    this.#turn.emit({ type: 'misbehaved', peer, reason })
  }

  #confront(record: Signed<MemberRecord>, heardAgoMs: number | undefined, from: PeerId): void {
    const { self, cluster, crypto } = this.#init
    if (record.body.peer !== self || record.body.cluster !== cluster) return
    if (!this.#own.isForeign(record)) return
    if (recordIsSigned(record, crypto)) this.#own.confront(record, heardAgoMs)
    else this.#misbehaved(from, 'bad-signature')
  }

  #refute(incarnation: number): void {
    if (!this.#own.refute(incarnation)) return
    this.#awareness.refuted(this.#turn.now, this.#init.config.probePeriodMs)
  }

  #ownRecordChanged(): void {
    this.#view.setOwnRow(digestRow(this.#own.record.body, 0, 0, 0))
    this.#gossip.tell(this.#init.self, 'self')
    if (this.#own.status !== 'idle') {
      this.#turn.emit({ type: 'member', change: 'updated', member: ownRow(this.#init, this.#own) })
    }
  }

  #memberChanged(member: Member, change: MemberChange): void {
    this.#turn.emit({ type: 'member', change, member: rowOf(member, this.#connections.has(member.peer)) })
    if (member.present) this.#names.present(member.peer, member.record.body.name)
    else this.#names.absent(member.peer)
    if (change === 'reaped') {
      this.#judge.settled(member)
      this.#accusers.forget(member.peer)
      this.#gossip.forget(member.peer)
      this.#fastPath.void(member.peer)
      return
    }
    // A suspicion travels with its accusations, and death is for everybody to see for itself.
    const quiet = change === 'suspect' || change === 'stalled' || change === 'dead'
    if (!quiet) this.#gossip.tell(member.peer, this.#sourceOf(member.peer))
    if (member.status !== 'suspect') this.#evidence.closed(member.peer)
    if (change === 'alive' && this.#speaker !== member.peer) this.#reach.revivals.revived(member)
    if (change === 'joined' || change === 'restarted') {
      this.#fastPath.void(member.peer)
      this.#reach.welcome(member)
    } else if (change === 'alive' || change === 'updated') {
      this.#reach.welcome(member)
    } else if (change === 'suspect') {
      // Who is told of a suspicion looks for itself at once (Lifeguard's buddy system), on a link if it can.
      this.#prober.probeUnlessProven(member)
      this.#evidence.suspected(member)
    } else if (change !== 'stalled') {
      this.#fastPath.void(member.peer)
      this.#reach.hints.rememberSoon()
    }
  }

  #probeFailed(member: Member): void {
    const { neighbours } = this.#view
    if (neighbours.meshed) this.#judge.accuse(member, 'suspected')
    else if (neighbours.watches(member.peer)) this.#evidence.examine(member)
  }

  /** Contact with somebody who is not believed alive asks for a higher incarnation. */
  #tellWhatIsBelieved(member: Member, itsGeneration: number): void {
    const stale = itsGeneration < member.generation
    if (!stale && (member.status === 'alive' || itsGeneration > member.generation)) return
    if (this.#turn.now - member.toldAt < tellIntervalMs) return
    member.toldAt = this.#turn.now
    this.#send(member.peer, { type: 'gossip' }, [member.update()])
  }

  #updateOf(subject: PeerId): Update | undefined {
    const member = subject === this.#init.self ? undefined : this.#view.get(subject)
    if (subject !== this.#init.self) return member === undefined ? undefined : this.#view.tell(member)
    return { record: this.#own.record, accusations: [], contact: true }
  }

  /** Whether what `author` signed came from itself. */
  #sourceOf(author: PeerId): Source {
    if (author === this.#init.self) return 'self'
    return author === this.#speaker ? 'author' : 'rumour'
  }

  // Departure

  #depart(presence: 'left' | 'stopping'): void {
    if (this.#own.status === 'leaving') return
    if (!this.#own.running) {
      this.#turn.emit({ type: 'departed', acknowledgements: 0 })
      return
    }
    this.#agenda.clear()
    this.#fastPath.voidAll()
    this.#reach.hints.remember()
    this.#tombstones.running.note()
    this.#tombstones.note()
    this.#own.depart(presence)
    const told = [...this.#connections].filter((peer) => this.#view.get(peer)?.present)
    const seq = this.#prober.nextSeq()
    this.#departure = new Departure(this.#init.config, this.#turn, this.#agenda, told, {
      tell: (peer) => this.#send(peer, { type: 'leave', seq, record: this.#own.record }),
      over: (acknowledgements) => {
        this.#own.status = 'left'
        this.#lingers = true
        this.#turn.emit({ type: 'departed', acknowledgements })
      },
      silent: () => {
        this.#lingers = false
      },
    })
  }

  // Sending

  #sendHeartbeat(type: Heartbeat['type'], to: PeerId, seq: number, askingGeneration?: number): void {
    const member = this.#view.get(to)
    const updates: Update[] = []
    const { generation, incarnation } = this.#own
    const known = member?.knowsGeneration === generation && member.knowsIncarnation === incarnation
    // What it departs with has no incarnation of its own, so that somebody knows it shows in nothing.
    if (!known || this.#own.presence !== 'alive') {
      updates.push({ record: this.#own.record, accusations: [], contact: true })
    }
    // Who pings while accused should see by whom: it answers exactly those.
    if (member !== undefined && member.status !== 'alive') updates.push(member.update())
    const otherLife = this.#otherLife(member, askingGeneration)
    const riders = ridersFor(this.#init.riders ?? [], to, this.#turn.instant)
    const body: Heartbeat = {
      type,
      seq,
      digest: this.#view.digest,
      loopLagMs: this.#loopLagMs,
      belief: this.#belief(to),
      otherLife,
      riders: fitting(riders, otherLife),
    }
    this.#send(to, body, updates)
  }

  /** Proof of a life of `member` other than the one that asks, while that is news to it. */
  #otherLife(member: Member | undefined, asking: number | undefined): Signed<MemberRecord> | undefined {
    if (member === undefined || asking === undefined) return undefined
    if (member.generation !== asking) return member.record
    return member.knowsGeneration === 0 ? member.previousLife : undefined
  }

  #belief(peer: PeerId): Belief {
    const member = this.#view.get(peer)
    if (member === undefined) {
      const stone = this.#tombstones.get(peer)
      const { generation, incarnation } = stone ?? { generation: 0, incarnation: 0 }
      // The owner of a buried life has to answer that, or its record is refused.
      return { generation, incarnation, standing: stone ? 'dead' : 'unknown', heardAgoMs: undefined }
    }
    return {
      generation: member.generation,
      incarnation: member.incarnation,
      standing: member.status,
      heardAgoMs: member.heardAt === undefined ? undefined : this.#turn.now - member.heardAt,
    }
  }

  #send(to: PeerId, body: Body, updates: readonly Update[] = []): void {
    for (const packet of pack(this.#own.generation, body, updates)) this.#turn.send(to, packet)
  }
}
