/**
 * Mutual exclusion by quorum, without a server: the core that wires its parts.
 *
 * ```
 *   callers ── acquire, release ──▶ requester ── asking ──▶ ┐
 *                                                           ├─ one frame a peer and turn ──▶ peers
 *   electorate ── seal, install ──▶ arbiter ── answering ─▶ ┘
 * ```
 *
 * - Maekawa 1985, A √N Algorithm for Mutual Exclusion in Decentralized Systems
 * - Lamport 1978 (the order of requests); Gray & Cheriton 1989 (leases)
 * - Lamport 2001, Paxos Made Simple, and Lamport, Malkhi & Zhou 2010 (who votes)
 *
 * The own peer is a voter and a requester like any other: what it says to itself goes
 * the same way, within the step.
 */

import { Agenda } from '../../../lib/protocols/agenda.ts'
import type { Core, Effect, Input, Instant, PeerId } from '../../../lib/protocols/core.ts'
import { isQuorum } from '../../../lib/protocols/quorum/quorum.ts'
import { Turn } from '../../../lib/protocols/turn.ts'
import { WireError } from '../../../lib/wire/errors.ts'
import { Elector } from './electorate/elector.ts'
import type { Electorate, ElectorateView, Stamp } from './electorate/messages.ts'
import type { MutexInit } from './init.ts'
import { maxAdoptedClock, mutexLimits, reachOf } from './limits.ts'
import { Arbiter } from './lock/arbiter.ts'
import { Inspection } from './lock/inspection.ts'
import type { LockContext } from './lock/lock-context.ts'
import { Requester } from './lock/requester.ts'
import { Signing } from './lock/signing.ts'
import { Testimony } from './lock/testimony.ts'
import type {
  Frame,
  MemberNews,
  MutexCommand,
  MutexEvent,
  MutexRequest,
  PeerItem,
  VoteConflict,
} from './messages.ts'
import { Outbox } from './outbox.ts'
import type { ElectorateHost } from './ports.ts'
import { decodeStamp, encodeStamp } from './records.ts'
import { type MutexUnits, standardUnits } from './units.ts'
import { weightOf } from './wire/weight.ts'

export const stampKey = 'stamp'

interface Member {
  news: MemberNews
  /** Monotonic ms of the last change of its status. */
  since: number
}

/** What is to be done at a later instant. */
type Deed = () => void

export class Mutex implements Core<Frame, MutexCommand, MutexEvent, MutexRequest> {
  readonly #init: MutexInit
  readonly #units: MutexUnits
  readonly #turn = new Turn<Frame, MutexEvent, MutexRequest>()
  readonly #agenda = new Agenda<Deed>()
  readonly #outbox = new Outbox()
  /** Peers whose frame leaves before those of others: each is a write to a socket. */
  readonly #urgent = new Set<PeerId>()
  readonly #members = new Map<PeerId, Member>()
  readonly #connected = new Set<PeerId>()
  readonly #arbiter: Arbiter
  readonly #requester: Requester
  readonly #elector: Elector
  readonly #testimony: Testimony
  readonly #inspection: Inspection
  #generation = 0
  #clock = 0
  #stamp: Stamp
  #isStamped = true
  #viewChanged = false
  #flushAsked = false
  #stepping = false
  /** It has stopped: what it wrote must stay true. */
  #isOver = false
  /** What voters said of the time since this life began; undefined once that was enough. */
  #voterClocks: Map<PeerId, number> | undefined = new Map()

  constructor(init: MutexInit) {
    this.#init = init
    this.#units = { ...standardUnits, ...init.units }
    const stamp = init.durable.get(stampKey)
    this.#stamp = stamp === undefined ? { generation: 0, write: 0 } : decodeStamp(stamp)
    const context = this.#lockContext()
    const signing = new Signing(context, (to, votes) => this.#arbiter.push(to, { type: 'signed', votes }))
    this.#testimony = new Testimony(context)
    this.#arbiter = new Arbiter(context, {
      electorate: () => this.#elector.current,
      granted: (to, statement) => signing.granted(to, statement),
      evidence: (from, grants) => {
        for (const { arbiter, signed } of grants) {
          if (signed !== undefined) this.#testify(from, arbiter, signed)
        }
      },
    })
    this.#requester = new Requester(context, {
      electorate: () => this.#elector.current,
      isDead: (peer) => this.#members.get(peer)?.news.status === 'dead',
      signed: (from, votes) => this.#testify(from, from, votes),
    })
    this.#inspection = new Inspection(context, {
      electorate: () => this.#elector.current,
      send: (to, item) => this.#send(to, item),
      own: (lock) => (this.#arbiter.state.installed > 0 ? this.#arbiter.inspect(lock) : undefined),
    })
    this.#elector = new Elector(this.#electorateHost(), this.#units, init.expect)
  }

  /** Who votes, and how this peer stands to it. */
  view(): ElectorateView {
    return this.#elector.view()
  }

  /** Monotonic ms until which nobody else can hold what was acquired under `token`; undefined when it is not held. */
  validUntil(token: number): number | undefined {
    return this.#requester.validUntil(token)
  }

  /** Voters that signed what cannot both be true, those of former lives included. */
  conflicts(): readonly VoteConflict[] {
    return this.#testimony.conflicts
  }

  get deadline(): number | undefined {
    return this.#agenda.deadline
  }

  step(input: Input<Frame, MutexCommand>, now: Instant): readonly Effect<Frame, MutexEvent, MutexRequest>[] {
    this.#turn.begin(now)
    if (this.#isOver && !isLastWord(input.type)) return this.#turn.end()
    this.#stepping = true
    if (input.type === 'receive') this.#receive(input.from, input.message)
    else if (input.type === 'wake') this.#wake(input.lagMs)
    else this.#command(input)
    this.#settle()
    if (input.type === 'receive') this.#sendUrgent()
    this.#stepping = false
    return this.#turn.end()
  }

  #wake(lagMs: number): void {
    if (lagMs > 0) this.#requester.lagged(lagMs)
    for (
      let act = this.#agenda.takeDue(this.#turn.now);
      act !== undefined;
      act = this.#agenda.takeDue(this.#turn.now)
    ) {
      act()
    }
  }

  #command(command: MutexCommand): void {
    switch (command.type) {
      case 'start':
        this.#start(command)
        return
      case 'flush':
        this.#flush()
        return
      case 'connected':
        this.#connect(command.peer)
        return
      case 'disconnected':
        this.#connected.delete(command.peer)
        this.#outbox.drop(command.peer)
        this.#arbiter.disconnected(command.peer)
        this.#requester.disconnected(command.peer)
        this.#elector.disconnected(command.peer)
        return
      case 'member':
        this.#know(command.member)
        this.#elector.member(command.member)
        return
      case 'acquire':
        this.#requester.acquire(command)
        return
      case 'release':
        this.#requester.release(command.token)
        return
      case 'inspect':
        this.#inspection.ask(command.token, command.lock)
        return
      case 'slept':
        this.#requester.slept()
        return
      case 'wish':
        this.#elector.wish(command.token, command.wish)
        return
      case 'recover':
        this.#elector.recover(command.token)
        return
      case 'stop':
        this.#stop()
        return
    }
  }

  #start({ generation, members }: Extract<MutexCommand, { type: 'start' }>): void {
    this.#generation = generation
    for (const member of members) this.#know(member)
    this.#arbiter.start()
    this.#elector.start()
    for (const peer of this.#connected) this.#elector.connected(peer)
  }

  #connect(peer: PeerId): void {
    this.#connected.add(peer)
    if (this.#generation === 0) return
    this.#elector.connected(peer)
    this.#requester.connected(peer)
  }

  #know(news: MemberNews): void {
    const known = this.#members.get(news.peer)
    const isSame = known?.news.status === news.status
    this.#members.set(news.peer, {
      news,
      since: isSame && known !== undefined ? known.since : this.#turn.now,
    })
  }

  #stop(): void {
    this.#requester.stop()
    this.#flush()
    this.#elector.stop()
    this.#arbiter.stop()
    this.#agenda.clear()
    this.#isOver = this.#units.stopsBeforeSnapshot
    this.#turn.emit({ type: 'stopped' })
  }

  // Frames.

  #receive(from: PeerId, frame: Frame): void {
    if (this.#generation === 0) return
    this.#hearClock(from, frame.clock)
    this.#elector.heard(from, frame.id, frame.version, frame.stamp)
    for (const item of frame.items) this.#item(from, item)
    const current = this.#elector.current
    if (current === undefined || frame.id !== current.id) {
      const isTalk = frame.asking !== undefined || frame.answering !== undefined
      if (isTalk && frame.id !== undefined && current !== undefined)
        this.#misbehaved(from, 'other-electorate')
      return
    }
    this.#requester.heard(from)
    if (frame.asking !== undefined) this.#arbiter.receive(from, frame.asking)
    if (frame.answering !== undefined) this.#requester.receive(from, frame.answering)
  }

  #hearClock(from: PeerId, clock: number): void {
    const { current } = this.#elector
    const reach = reachOf(this.#clock)
    if (clock > reach) this.#misbehaved(from, 'timestamp-too-far')
    this.#clock = this.#units.mergeClock(this.#clock, Math.min(clock, reach))
    if (this.#voterClocks === undefined || current?.voters.includes(from) !== true) return
    this.#voterClocks.set(from, clock)
    if (!isQuorum(current.voters, new Set([...this.#voterClocks.keys(), this.#init.self]))) return
    // Whoever begins has no measure of its own: what most voters say, however far, is the time.
    const clocks = [...this.#voterClocks.values()].sort((a, b) => a - b)
    const median = clocks[Math.floor((clocks.length - 1) / 2)] ?? 0
    this.#clock = this.#units.mergeClock(this.#clock, Math.min(median, maxAdoptedClock))
    this.#voterClocks = undefined
  }

  #item(from: PeerId, item: PeerItem): void {
    switch (item.type) {
      case 'inspect':
        if (this.#arbiter.state.installed === 0) return
        this.#send(from, { type: 'inspected', token: item.token, locks: this.#arbiter.inspect(item.lock) })
        return
      case 'inspected':
        this.#inspection.answered(from, item.token, item.locks)
        return
      case 'head':
        this.#elector.receive(from, item)
        if (item.serving > 0) this.#requester.retry(from)
        return
      default:
        this.#elector.receive(from, item)
    }
  }

  /** Statements that do not decode, or a lie, are their bringer's. */
  #testify(from: PeerId, arbiter: PeerId, votes: Parameters<Testimony['hear']>[2]) {
    try {
      return this.#testimony.hear(from, arbiter, votes).map(({ vote }) => vote)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.#misbehaved(from, 'forged-grant')
      return []
    }
  }

  #send(to: PeerId, item: PeerItem): void {
    if (!this.#connected.has(to)) return
    this.#outbox.add(to, item)
    this.#askToFlush()
  }

  #pending(peer: PeerId): void {
    this.#outbox.touch(peer)
    if (peer !== this.#init.self) this.#askToFlush()
  }

  #askToFlush(): void {
    if (this.#flushAsked) return
    this.#flushAsked = true
    this.#turn.request({ type: 'flush' })
  }

  /** Own talk ends within the step, and what it wrote is stamped; which may lead to more of both. */
  #settle(): void {
    this.#talkToSelf()
    while (!this.#isStamped) {
      this.#writeStamp()
      this.#talkToSelf()
    }
    if (!this.#viewChanged) return
    this.#viewChanged = false
    this.#turn.emit({ type: 'electorate', view: this.#elector.view() })
  }

  #writeStamp(): void {
    this.#isStamped = true
    this.#stamp = { generation: this.#generation, write: this.#stamp.write + 1 }
    this.#turn.persist(stampKey, encodeStamp(this.#stamp))
    this.#arbiter.stamped(this.#stamp)
    this.#elector.stamped()
  }

  #talkToSelf(): void {
    const { self } = this.#init
    while (this.#outbox.peers.has(self)) {
      this.#outbox.done(self)
      for (
        let asking = this.#requester.take(self);
        asking !== undefined;
        asking = this.#requester.take(self)
      ) {
        this.#arbiter.receive(self, asking)
      }
      for (let told = this.#arbiter.take(self); told !== undefined; told = this.#arbiter.take(self)) {
        this.#requester.receive(self, told)
      }
    }
  }

  /** Everything that one peer is to be told is one frame: what a release frees is granted in the same one. */
  #flush(): void {
    this.#talkToSelf()
    this.#flushAsked = false
    this.#sendUrgent()
    for (const peer of [...this.#outbox.peers]) this.#sendAll(peer)
  }

  /**
   * An answer that somebody's lock waits for goes before anything else of this turn: a window update of
   * the multiplexer alone is a write to the socket, which costs as much as the whole step.
   */
  #sendUrgent(): void {
    for (const peer of this.#urgent) this.#sendAll(peer)
    this.#urgent.clear()
  }

  #sendAll(peer: PeerId): void {
    if (this.#connected.has(peer)) while (this.#sendFrame(peer));
    this.#outbox.drop(peer)
  }

  /** As much as fits; false when nothing is left. */
  #sendFrame(peer: PeerId): boolean {
    const items = this.#outbox.take(peer)
    const isLong = items.some((item) => weightOf(item) > mutexLimits.bytesAtOnce)
    const asking = isLong ? undefined : this.#requester.take(peer)
    const answering = isLong ? undefined : this.#arbiter.take(peer)
    if (asking === undefined && answering === undefined && items.length === 0) return false
    this.#turn.send(peer, this.#frame({ asking, answering, items }))
    return true
  }

  #frame(parts: Pick<Frame, 'asking' | 'answering' | 'items'>): Frame {
    const current = this.#elector.current
    const stamp = this.#stamp.write > 0 ? this.#stamp : undefined
    return { id: current?.id, version: current?.version ?? 0, clock: this.#clock, stamp, ...parts }
  }

  // What the parts are given.

  #misbehaved(peer: PeerId, reason: Extract<MutexEvent, { type: 'misbehaved' }>['reason']): void {
    this.#turn.emit({ type: 'misbehaved', peer, reason })
  }

  #write(key: string, value: Uint8Array | undefined): void {
    this.#turn.persist(key, value)
    this.#isStamped = false
  }

  #dial(peer: PeerId): void {
    this.#turn.request({ type: 'dial', peer })
  }

  #changed(electorate: Electorate): void {
    this.#requester.turnTo(electorate)
  }

  #lockContext(): LockContext {
    const core = this
    const { self, config, crypto, durable } = this.#init
    return {
      self,
      config,
      crypto,
      durable,
      units: this.#units,
      get now() {
        return core.#turn.now
      },
      get generation() {
        return core.#generation
      },
      get clock() {
        return core.#clock
      },
      tick: () => {
        this.#clock += 1
        return this.#clock
      },
      schedule: (key, at, act) => this.#agenda.schedule(`lock ${key}`, at, act),
      scheduleAtLatest: (key, at, act) => this.#agenda.scheduleAtLatest(`lock ${key}`, at, act),
      cancel: (key) => this.#agenda.cancel(`lock ${key}`),
      isConnected: (peer) => this.#connected.has(peer),
      dial: (peer) => this.#dial(peer),
      write: (key, value) => this.#write(key, value),
      remember: (key, value) => this.#turn.persist(key, value),
      emit: (event) => this.#turn.emit(event),
      misbehaved: (peer, reason) => this.#misbehaved(peer, reason),
      pending: (peer) => this.#pending(peer),
      urgent: (peer) => {
        if (peer !== self) this.#urgent.add(peer)
        this.#pending(peer)
      },
    }
  }

  #electorateHost(): ElectorateHost {
    const core = this
    const { self, cluster, config, crypto, random, durable } = this.#init
    return {
      self,
      cluster,
      config,
      crypto,
      random,
      durable,
      get now() {
        return core.#turn.now
      },
      get generation() {
        return core.#generation
      },
      get stamp() {
        return core.#stamp
      },
      arbiter: this.#arbiter,
      send: (to, item) => this.#send(to, item),
      schedule: (key, at, act) => this.#agenda.schedule(`electorate ${key}`, at, act),
      cancel: (key) => this.#agenda.cancel(`electorate ${key}`),
      isConnected: (peer) => this.#connected.has(peer),
      connected: () => [...this.#connected],
      dial: (peer) => this.#dial(peer),
      member: (peer) => this.#members.get(peer),
      members: () => [...this.#members.values()].map(({ news }) => news),
      answers: (peer) =>
        // Who looks from outside must not make anybody send.
        this.#stepping ? this.#requester.watches(peer) : this.#requester.answers(peer),
      write: (key, value) => this.#write(key, value),
      remember: (key, value) => this.#turn.persist(key, value),
      changed: (electorate) => this.#changed(electorate),
      viewChanged: () => {
        this.#viewChanged = true
      },
      wished: (token, outcome, reason) => this.#turn.emit({ type: 'wished', token, outcome, reason }),
      misbehaved: (peer, reason) => this.#misbehaved(peer, reason),
    }
  }
}

/** Callers are answered to the end, and nothing else is. */
function isLastWord(type: string): boolean {
  return type === 'acquire' || type === 'release'
}
