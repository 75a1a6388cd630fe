/**
 * The parts of membership, and what each tells the others. A part knows what it is
 * given here and no more; what follows from a change of a member is in one place,
 * `#memberChanged`.
 */
import { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import { Turn } from '../turn.ts'
import { Accusers } from './accusers.ts'
import { Awareness } from './awareness.ts'
import { Defence } from './defence.ts'
import { Departure } from './departure.ts'
import { Disputes } from './disputes.ts'
import { Evidence } from './evidence.ts'
import { FastPath } from './fast-path.ts'
import { Gossip } from './gossip.ts'
import { Hearing } from './hearing.ts'
import { Heartbeats } from './heartbeats.ts'
import type { MembershipInit } from './init.ts'
import { Isolation } from './isolation.ts'
import { Judge } from './judge.ts'
import { digestRow, type Member } from './member.ts'
import { Merging } from './merging.ts'
import type { Body, MemberChange, Misbehaviour, Update } from './messages.ts'
import { NameConflicts } from './name-conflicts.ts'
import { OtherLives } from './other-lives.ts'
import { OwnLife } from './own-life.ts'
import { pack } from './packing.ts'
import { Pages } from './pages.ts'
import { Prober } from './prober.ts'
import { Reach } from './reach.ts'
import { ownRow, rowOf } from './rows.ts'
import { Sync } from './sync.ts'
import type { Timer } from './timers.ts'
import { Tombstones } from './tombstones.ts'
import { Traffic } from './traffic.ts'
import type { MembershipTurn } from './turn.ts'
import { type MembershipUnits, standardUnits } from './units.ts'
import { View } from './view.ts'

export class Parts {
  readonly init: MembershipInit
  readonly units: MembershipUnits
  readonly turn: MembershipTurn = new Turn()
  readonly agenda = new Agenda<Timer>()
  readonly awareness = new Awareness()
  readonly connections = new Set<PeerId>()
  /** Connected, and not in the table. */
  readonly strangers = new Set<PeerId>()
  readonly traffic: Traffic
  readonly hearing: Hearing
  readonly names: NameConflicts
  readonly own: OwnLife
  readonly otherLives: OtherLives
  readonly defence: Defence
  readonly tombstones: Tombstones
  readonly disputes: Disputes
  readonly view: View
  readonly isolation: Isolation
  readonly accusers: Accusers
  readonly judge: Judge
  readonly merging: Merging
  readonly heartbeats: Heartbeats
  readonly gossip: Gossip
  readonly pages: Pages
  readonly sync: Sync
  readonly prober: Prober
  readonly evidence: Evidence
  readonly fastPath: FastPath
  readonly reach: Reach
  readonly departure: Departure
  #requests = 0

  constructor(init: MembershipInit) {
    const units = { ...standardUnits, ...init.units }
    this.init = init
    this.units = units
    const { turn, agenda, awareness } = this
    const isConnected = (peer: PeerId) => this.connections.has(peer)
    const connected = () => this.connections
    const connectionCount = () => this.connections.size
    const nextRequest = () => ++this.#requests
    const send = (to: PeerId, body: Body, updates?: readonly Update[]) => this.send(to, body, updates)
    this.traffic = new Traffic(init.config, isConnected)
    this.hearing = new Hearing(init, turn, this.traffic)
    const misbehaved = (peer: PeerId, reason: Misbehaviour) => this.hearing.misbehaved(peer, reason)
    this.names = new NameConflicts((name, peers) => turn.emit({ type: 'name-conflict', name, peers }))
    this.own = new OwnLife(init, units, turn, agenda, () => this.#ownRecordChanged())
    this.otherLives = new OtherLives(init, turn, agenda, this.own)
    this.defence = new Defence(init, units, turn, this.own, this.otherLives, awareness, this.hearing, {
      ask: (peer) => this.greet(peer),
      isListed: (peer) => this.view.get(peer) !== undefined,
    })
    this.tombstones = new Tombstones(init, turn, agenda)
    this.disputes = new Disputes(init, turn, this.tombstones, {
      accusation: (life) => this.accusers.accusation(life, 'suspected'),
      isMember: (peer) => peer === init.self || this.view.get(peer)?.present === true,
      isCredible: (peer) => this.accusers.isCredible(peer),
      accusersNeeded: () => units.accusersNeeded(this.view.n),
      dial: (stone) => this.reach.dials.reach(stone),
      send: (to, updates) => this.send(to, { type: 'gossip' }, updates),
    })
    this.view = new View(init, turn, agenda, this.tombstones, {
      changed: (member, change) => this.#memberChanged(member, change),
      neighboursChanged: () => this.reach.overlay.tendSoon(),
    })
    const { view } = this
    this.isolation = new Isolation(init, units, turn, view)
    this.accusers = new Accusers(init, units, turn, view, {
      ownGeneration: () => this.own.generation,
      accused: (member, accuser) => this.gossip.tell(member.peer, this.hearing.sourceOf(accuser)),
      misbehaved,
    })
    this.judge = new Judge(init, units, turn, agenda, view, this.accusers, this.isolation, {
      isConnected,
      failedDials: (peer) => this.evidence.failedDials(peer),
    })
    this.merging = new Merging(init, units, turn, view, this.accusers, this.judge, {
      knownTo: (teller, member) => this.gossip.knownTo(member.peer, teller),
      hinted: (record) => this.reach.hints.hinted(record),
      disputed: (update, from) => this.disputes.heard(update, from),
      misbehaved,
      mayIntroduce: (from, bytes) =>
        this.traffic.takesStranger(from, view.get(from)?.present === true, bytes, turn.now),
    })
    this.heartbeats = new Heartbeats(init, turn, this.own, view, send)
    this.gossip = new Gossip(init, turn, agenda, view, awareness, {
      connected,
      connectionCount,
      isConnected,
      updateOf: (subject) => this.#updateOf(subject),
      send: (to, updates) => this.send(to, { type: 'gossip' }, updates),
    })
    this.pages = new Pages(init, turn, view, { send, ownUpdate: () => this.own.update })
    this.sync = new Sync(init, turn, agenda, view, this.pages, { isConnected, send })
    this.prober = new Prober(init, turn, agenda, view, awareness, {
      isConnected,
      ping: (to, seq) => this.heartbeats.ping(to, seq),
      ack: (to, seq) => this.heartbeats.ack(to, seq),
      send,
      connected,
      dial: (member) => this.reach.dials.connectBriefly(member),
      isSettling: (member) => this.reach.revivals.isSettling(member),
      failed: (member) => this.#probeFailed(member),
    })
    this.evidence = new Evidence(init, units, turn, agenda, view, this.judge, {
      isConnected,
      dial: (member, timeoutMs) => this.reach.dials.reachFreshly(member, timeoutMs),
      probe: (member) => this.prober.probeUnlessProven(member),
    })
    this.fastPath = new FastPath(init, turn, agenda, view, this.judge, this.isolation, nextRequest)
    this.reach = new Reach(init, turn, agenda, view, this.isolation, units, {
      isConnected,
      connectionCount,
      isSyncing: (peer) => this.sync.isUnderWay(peer),
      reached: (member) => this.greet(member.peer),
      dialled: (id, peer, outcome) => this.evidence.dialled(id, peer, outcome),
      healSuspect: (member) => this.evidence.heal(member),
      nextRequest,
    })
    this.departure = new Departure(init.config, turn, agenda, {
      tell: (peer, seq) => this.send(peer, { type: 'leave', seq, record: this.own.record }),
      over: (acknowledgements) => this.#departed(acknowledgements),
    })
  }

  send(to: PeerId, body: Body, updates: readonly Update[] = []): void {
    for (const packet of pack(this.own.generation, body, updates)) this.turn.send(to, packet)
  }

  /** A ping whose answer nobody waits for: each learns what the other believes. */
  greet(peer: PeerId): void {
    this.heartbeats.ping(peer, this.prober.nextSeq())
  }

  /** It is in. */
  settle(): void {
    this.own.settle()
    this.#emitOwnRow()
  }

  #departed(acknowledgements: number): void {
    this.own.status = 'left'
    this.turn.emit({ type: 'departed', acknowledgements })
  }

  #ownRecordChanged(): void {
    this.view.setOwnRow(digestRow(this.own.record.body, 0, 0, 0))
    this.gossip.tell(this.init.self, 'self')
    if (this.own.status !== 'idle') this.#emitOwnRow()
  }

  #emitOwnRow(): void {
    this.turn.emit({ type: 'member', change: 'updated', member: ownRow(this.init, this.own) })
  }

  #memberChanged(member: Member, change: MemberChange): void {
    const { peer } = member
    this.turn.emit({ type: 'member', change, member: rowOf(member, this.connections.has(peer)) })
    if (member.present && change !== 'reaped') this.names.present(peer, member.record.body.name)
    else this.names.absent(peer)
    if (change === 'joined') this.strangers.delete(peer)
    if (change === 'reaped') {
      if (this.connections.has(peer)) this.strangers.add(peer)
      this.judge.settled(member)
      this.evidence.closed(peer)
      this.accusers.forget(peer)
      this.gossip.forget(peer)
      this.fastPath.void(peer)
      return
    }
    const source = this.hearing.sourceOf(peer)
    // A suspicion travels with its accusations, and death is for everybody to see for itself.
    const quiet = change === 'suspect' || change === 'stalled' || change === 'dead'
    // Whom a newcomer finds in the views of others is news to nobody else.
    const old = change === 'joined' && this.hearing.isView && this.reach.overlay.isNew
    if (!quiet && !old) this.gossip.tell(peer, source)
    if (member.status !== 'suspect') this.evidence.closed(peer)
    if (change === 'alive' && source !== 'author') this.reach.revivals.revived(member)
    if (change === 'joined' || change === 'restarted') {
      this.fastPath.void(peer)
      this.reach.welcome(member)
    } else if (change === 'alive' || change === 'updated') {
      this.reach.welcome(member)
    } else if (change === 'suspect') {
      // Who is told of a suspicion looks for itself at once (Lifeguard's buddy system), but for those who would have
      // to have it dialled by others: with a thousand members that were three thousand dials.
      const reaches = this.view.neighbours.watches(peer) || this.connections.has(peer)
      if (reaches) this.prober.probeUnlessProven(member)
      this.evidence.suspected(member)
    } else if (change !== 'stalled') {
      this.fastPath.void(peer)
      this.reach.hints.rememberSoon()
    }
  }

  #probeFailed(member: Member): void {
    const { neighbours } = this.view
    if (neighbours.meshed) this.judge.accuse(member, 'suspected')
    else if (neighbours.watches(member.peer)) this.evidence.examine(member)
  }

  #updateOf(subject: PeerId): Update | undefined {
    if (subject === this.init.self) return this.own.update
    const member = this.view.get(subject)
    return member === undefined ? undefined : this.view.tell(member)
  }
}
