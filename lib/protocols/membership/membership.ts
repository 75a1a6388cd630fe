/**
 * Membership: who is in, and who is alive (SWIM, with Lifeguard's health, signed
 * suspicions and a fast path).
 *
 * - Das, Gupta & Motivala 2002, SWIM
 * - Dadgar, Phillips & Currey 2017, Lifeguard (arXiv 1707.00788)
 *
 * This file turns inputs into calls of the parts, `reception` what comes in
 * packets, and `parts` says what each part tells the others. Each is one idea in
 * its own file:
 *
 *   own-life       me: generation, incarnation, refuting
 *   other-lives    a copied disk, or one from a backup
 *   defence        what others say of me
 *   view           the others: the table and its digest
 *   merging        what is said of them
 *   accusers       who accuses whom, and who is believed
 *   judge          who is alive
 *   isolation      or am I the sick one?
 *   prober, relays the probe cycle, and probes for others
 *   evidence       own fresh dials of suspects: dead, or only stalled
 *   fast-path      refused connects as proof of a dead process
 *   reach          whom to dial, for one of five reasons, each a file
 *   heartbeats     what goes with each ping and ack
 *   gossip         spreading the news
 *   sync, pages    rows, where digests differ: asking for them, and telling them
 *   tombstones     who is gone, and does not come back by hearsay
 *   departure      going, with notice
 */
import type { Core, Effect, Input, Instant, PeerId } from '../core.ts'
import type { MembershipInit } from './init.ts'
import type { MembershipCommand, MembershipEvent, MembershipRequest, MemberView, Packet } from './messages.ts'
import { Parts } from './parts.ts'
import { Reception } from './reception.ts'
import { ownRow, rowOf } from './rows.ts'
import type { Timer } from './timers.ts'

export type { MembershipInit } from './init.ts'

export interface Health {
  /** Lifeguard's local health multiplier: 0 is well, 8 is worst. */
  readonly score: number
  /** Nothing is heard from anybody and most members are suspected: this peer may be the sick one. */
  readonly isolated: boolean
}

export class Membership implements Core<Packet, MembershipCommand, MembershipEvent, MembershipRequest> {
  readonly #parts: Parts
  readonly #reception: Reception

  constructor(init: MembershipInit) {
    this.#parts = new Parts(init)
    this.#reception = new Reception(this.#parts)
  }

  get deadline(): number | undefined {
    return this.#parts.agenda.deadline
  }

  /** Own life; 0 before `start`. */
  get generation(): number {
    return this.#parts.own.generation
  }

  /** A peer proved a later life than the disk knew: this one must not vote. */
  get rolledBack(): boolean {
    return this.#parts.own.rolledBack
  }

  /** Of the own view: who agrees with it has the same. */
  get digest(): bigint {
    return this.#parts.view.digest
  }

  /** How many of the gone are remembered, rows of the table included. */
  get tombstones(): number {
    return this.#parts.tombstones.size
  }

  /** Views, whole or in part, that were asked for or sent since the start. */
  get syncs(): number {
    return this.#parts.sync.exchanged
  }

  /** Records of strangers that were not taken in: no room, or too many from one member. */
  get refusedStrangers(): number {
    return this.#parts.merging.refused
  }

  get health(): Health {
    const { awareness, isolation } = this.#parts
    return { score: awareness.score, isolated: isolation.holds }
  }

  /** The table: self first, then by peer id. */
  members(): readonly MemberView[] {
    const { view, connections, own, init } = this.#parts
    const others = [...view.values()].sort((a, b) => (a.peer < b.peer ? -1 : 1))
    const views = others.map((member) => rowOf(member, connections.has(member.peer)))
    return own.status === 'idle' ? views : [ownRow(init, own), ...views]
  }

  step(
    input: Input<Packet, MembershipCommand>,
    now: Instant,
  ): readonly Effect<Packet, MembershipEvent, MembershipRequest>[] {
    this.#parts.turn.begin(now)
    if (input.type === 'receive') {
      this.#parts.hearing.begin(input.from, input.message.body.type === 'sync')
      this.#reception.receive(input.from, input.message)
    } else {
      this.#parts.hearing.begin(undefined, false)
      if (input.type === 'wake') this.#wake(input.lagMs)
      else this.#command(input)
    }
    this.#parts.isolation.tell(input.type === 'wake')
    return this.#parts.turn.end()
  }

  #command(command: MembershipCommand): void {
    const { reach, own, judge, prober, fastPath } = this.#parts
    switch (command.type) {
      case 'start':
        this.#start(command.contacts)
        break
      case 'join':
        reach.hints.join(command.contacts)
        break
      case 'readdress':
        own.readdress(command.addresses)
        break
      case 'regroup':
        own.regroup(command.groups)
        break
      case 'retag':
        own.retag(command.tags)
        break
      case 'dismiss':
        judge.dismiss(command.peer)
        break
      case 'sync':
        this.#requestSync(command.peer)
        break
      case 'renew':
        own.renew()
        break
      case 'leave':
        this.#depart('left')
        break
      case 'stop':
        this.#depart('stopping')
        break
      case 'measure':
        prober.measure(command.peer, command.token)
        break
      case 'connected':
        this.#connected(command.peer)
        break
      case 'disconnected':
        this.#disconnected(command.peer, command.closedBy)
        break
      case 'dialled':
        // What was under way when it left is not gone on with.
        if (own.running) reach.dialled(command.id, command.outcome)
        break
      case 'knocked':
        if (!own.running) break
        fastPath.knocked(command.id, command.outcome)
        reach.dialBacks.knocked(command.id, command.outcome)
        break
    }
  }

  #start(contacts: readonly string[]): void {
    const { own, tombstones, names, init, reach, prober, turn, agenda } = this.#parts
    if (own.status !== 'idle') throw new Error('started twice')
    tombstones.running.begin()
    own.begin()
    names.present(init.self, init.name)
    reach.start(contacts)
    prober.start()
    if (reach.hasContacts) {
      const at = turn.now + init.config.joinWaitMs
      agenda.schedule('join-wait', at, { type: 'join-wait' })
    } else {
      this.#parts.settle()
    }
  }

  #connected(peer: PeerId): void {
    const { connections, strangers, view, fastPath, own, prober, init } = this.#parts
    connections.add(peer)
    if (view.get(peer) === undefined) strangers.add(peer)
    fastPath.void(peer)
    // One ping and its answer tell both of both. Who joins waits for an answer to its own.
    if (own.status === 'joining' || (own.running && init.self < peer)) this.#parts.greet(peer)
    prober.relays.connected(peer)
  }

  #requestSync(peer: PeerId): void {
    const { view, connections, own, sync } = this.#parts
    const member = view.get(peer)
    if (member !== undefined && connections.has(peer) && own.running) sync.request(member)
  }

  /** A first packet may have been lost: who is connected and still unknown is asked again. */
  #greetStrangers(): void {
    for (const peer of this.#parts.strangers) this.#parts.greet(peer)
  }

  #disconnected(peer: PeerId, closedBy: 'remote' | 'local'): void {
    const { connections, strangers, traffic, turn, view, departure, reach, sync, own, fastPath } = this.#parts
    const { evidence, judge } = this.#parts
    connections.delete(peer)
    strangers.delete(peer)
    traffic.disconnected(peer, turn.now)
    const member = view.get(peer)
    departure.lost(peer)
    reach.dials.disconnected(peer)
    sync.disconnected(peer)
    if (member === undefined || !member.present || own.status === 'leaving' || !own.running) return
    // The next connection may be to another life: it has to hear all again.
    member.knowsGeneration = 0
    reach.overlay.redial(member)
    // Who only wanted to compare views closes when it has.
    if (closedBy === 'remote' && view.neighbours.wants(peer)) fastPath.open(member)
    evidence.lost(peer)
    judge.assess(member)
  }

  #wake(lagMs: number): void {
    const { heartbeats, init, units, prober, fastPath, evidence, judge, own, agenda, turn } = this.#parts
    heartbeats.loopLagMs = lagMs
    const { config } = init
    const lag = units.lagOf(lagMs, config)
    if (lag !== 'none') {
      prober.voidOutstanding(lag === 'away' ? config.suspicionMinMs : 0)
      fastPath.voidAll()
      evidence.voidAll()
      judge.grant(lagMs)
      if (lag === 'away') own.reassert()
    }
    for (;;) {
      const timer = agenda.takeDue(turn.now)
      if (timer === undefined) return
      this.#fired(timer)
    }
  }

  #fired(timer: Timer): void {
    const {
      prober,
      gossip,
      view,
      judge,
      fastPath,
      own,
      otherLives,
      reach,
      evidence,
      tombstones,
      sync,
      departure,
    } = this.#parts
    switch (timer.type) {
      case 'probe-round':
        prober.round()
        this.#greetStrangers()
        break
      case 'probe-timeout':
        prober.timedOut(timer.seq)
        break
      case 'probe-end':
        prober.ended(timer.seq)
        break
      case 'relay-nack':
        prober.relays.unanswered(timer.seq)
        break
      case 'relay-end':
        prober.relays.ended(timer.seq)
        break
      case 'measure-end':
        prober.measureEnded(timer.seq)
        break
      case 'gossip':
        gossip.run()
        break
      case 'assess': {
        const member = view.get(timer.peer)
        if (member !== undefined) judge.judge(member)
        break
      }
      case 'knock':
        fastPath.knock(timer.peer)
        break
      case 'refute':
        own.refuteNow()
        break
      case 'own-change':
        own.tellChange()
        break
      case 'contest-end':
        otherLives.contestEnded(this.#parts.units.accusersNeeded(view.n))
        break
      case 'join-wait':
        this.#parts.settle()
        break
      case 'mesh-dial':
        reach.overlay.dial(timer.peer)
        break
      case 'evidence':
        evidence.run(timer.peer)
        break
      case 'revived-dial':
        reach.revivals.dial(timer.peer)
        break
      case 'dial-back':
        reach.dialBacks.dial(timer.peer)
        break
      case 'tend':
        reach.overlay.tend()
        break
      case 'heal':
        reach.healing.tick()
        break
      case 'reap':
        view.reap()
        break
      case 'note-tombstones':
        tombstones.note()
        break
      case 'sync-on':
        sync.goOn(timer.peer)
        break
      case 'note-peers':
        reach.hints.remember()
        break
      case 'leave-again':
        departure.again()
        break
      case 'linger-end':
        departure.lingered()
        break
      case 'leave-wait':
        departure.end()
        break
    }
  }

  #depart(presence: 'left' | 'stopping'): void {
    const { own, turn, agenda, fastPath, reach, tombstones, connections, view, departure, prober } =
      this.#parts
    if (own.status === 'leaving') return
    if (!own.running) {
      turn.emit({ type: 'departed', acknowledgements: 0 })
      return
    }
    agenda.clear()
    fastPath.voidAll()
    reach.hints.remember()
    tombstones.running.note()
    tombstones.note()
    own.depart(presence)
    const told = [...connections].filter((peer) => view.get(peer)?.present)
    departure.begin(told, prober.nextSeq())
  }
}
