/**
 * A small world of Electors in virtual time: their arbiters are make-believe, messages
 * may be lost, doubled and reordered, peers crash between any two effects, and disks go back.
 * After every step it checks what must hold of electorates, whatever happens.
 */
import assert from 'node:assert/strict'
import { Agenda } from '../../../../../lib/protocols/agenda.ts'
import type { Crypto, PeerId } from '../../../../../lib/protocols/core.ts'
import { isQuorum } from '../../../../../lib/protocols/quorum/quorum.ts'
import { type MutexConfig, mutexDefaults } from '../../../../../plugins/mutex/core/config.ts'
import { Elector } from '../../../../../plugins/mutex/core/electorate/elector.ts'
import { firstRecords } from '../../../../../plugins/mutex/core/electorate/founding.ts'
import type {
  Decision,
  Electorate,
  ElectorateId,
  ElectorateItem,
  ElectorateView,
  Link,
  Report,
  Stamp,
  Wish,
} from '../../../../../plugins/mutex/core/electorate/messages.ts'
import {
  type ElectorateUnits,
  standardElectorateUnits,
} from '../../../../../plugins/mutex/core/electorate/units.ts'
import type { MemberNews } from '../../../../../plugins/mutex/core/messages.ts'
import type { ArbiterPort, ArbiterState, ElectorateHost } from '../../../../../plugins/mutex/core/ports.ts'
import { decodeChain, decodeLink } from '../../../../../plugins/mutex/core/records.ts'
import { acceptBytes, electorateIdOf } from '../../../../../plugins/mutex/core/statements.ts'
import { EventQueue } from '../../../../../testnet/sim/event-queue.ts'
import { Keys } from '../../../../../testnet/sim/keys.ts'
import { Random } from '../../../../../testnet/sim/random.ts'

export const cluster = 'c0ffee00c0ffee00c0ffee00c0ffee00'

export interface WorldOptions {
  readonly seed?: number
  /** Shares of messages. */
  readonly loss?: number
  readonly doubled?: number
  readonly mostDelayMs?: number
  readonly config?: Partial<MutexConfig>
  readonly units?: Partial<ElectorateUnits>
}

type Disk = ReadonlyMap<string, Uint8Array>

interface Packet {
  readonly id: string | undefined
  readonly version: number
  readonly stamp: Stamp | undefined
  readonly items: readonly ElectorateItem[]
}

const deadAfterMs = 2000
const linkMs = 20
const cutAfterMs = 100

export class World {
  readonly random: Random
  readonly config: MutexConfig
  readonly units: ElectorateUnits
  readonly keys: Keys
  readonly peers: Member[] = []
  readonly #options: Required<Pick<WorldOptions, 'loss' | 'doubled' | 'mostDelayMs'>>
  readonly #events = new EventQueue()
  readonly #decisions = new Map<string, Decision>()
  readonly #founders = new Map<string, PeerId>()
  readonly #cuts = new Set<string>()
  readonly sent = new Map<string, number>()
  readonly blamed: string[] = []
  now = 1000
  /** Looks at each packet; false drops it. */
  passes: (from: Member, to: Member, item: ElectorateItem) => boolean = () => true

  constructor(options: WorldOptions = {}) {
    this.random = new Random(options.seed ?? 1)
    this.keys = new Keys(this.random.stream('keys'))
    this.config = { ...mutexDefaults, readyForMs: 1000, replaceAfterMs: 5000, ...options.config }
    this.units = { ...standardElectorateUnits, ...options.units }
    this.#options = { loss: 0, doubled: 0, mostDelayMs: 5, ...options }
  }

  /** A new peer, with its first records, started and connected to all that run. */
  add(origin: 'founder' | 'joiner' | 'expecting', expect?: number): Member {
    const member = new Member(this, this.keys.identity(), expect)
    const crypto = this.keys.crypto(member.id)
    const nonce = Array.from({ length: 32 }, () => '0123456789abcdef'[this.random.whole(0, 15)]).join('')
    member.disk = new Map(
      firstRecords({ self: member.id, cluster, crypto, nonce, config: this.config, origin }),
    )
    this.peers.push(member)
    const charter = member.disk.get('charter')
    if (charter !== undefined) this.learnCharter(charter)
    member.start()
    return member
  }

  at(delayMs: number, act: () => void): void {
    this.#events.add(this.now + delayMs, act)
  }

  run(ms: number): void {
    const until = this.now + ms
    for (let next = this.#events.next; next !== undefined && next <= until; next = this.#events.next) {
      this.now = next
      this.#events.take()?.()
    }
    this.now = until
  }

  /** Runs until `condition` holds; fails after `ms`. */
  until(condition: () => boolean, ms: number, what: string): void {
    const until = this.now + ms
    while (!condition()) {
      const next = this.#events.next
      if (next === undefined || next > until) {
        assert.fail(`${what}: not within ${ms} ms\n${this.peers.map((peer) => peer.text()).join('\n')}`)
      }
      this.now = next
      this.#events.take()?.()
    }
  }

  peer(id: PeerId): Member {
    const peer = this.peers.find((one) => one.id === id)
    if (peer === undefined) throw new Error(`no peer ${id}`)
    return peer
  }

  get running(): Member[] {
    return this.peers.filter((peer) => peer.isRunning)
  }

  /** Those of the newest version that is in force somewhere. */
  get voters(): readonly PeerId[] {
    const electorates = this.running.flatMap(({ elector }) => elector?.current ?? [])
    return electorates.sort((a, b) => b.version - a.version)[0]?.voters ?? []
  }

  /** Those who serve are a quorum of the newest version. */
  get isServing(): boolean {
    const newest = Math.max(0, ...this.running.map(({ elector }) => elector?.current?.version ?? 0))
    const serving = this.running.filter((peer) => peer.arbiter?.serving === newest)
    return isQuorum(this.voters, new Set(serving.map(({ id }) => id)))
  }

  isCut(a: Member, b: Member): boolean {
    return this.#cuts.has(pair(a, b))
  }

  /** Members of different groups no longer hear each other. */
  partition(...groups: Member[][]): void {
    for (const [i, group] of groups.entries()) {
      for (const other of groups.slice(i + 1)) {
        for (const a of group) for (const b of other) this.#cut(a, b)
      }
    }
  }

  #cut(a: Member, b: Member): void {
    this.#cuts.add(pair(a, b))
    this.at(cutAfterMs, () => this.settleLink(a, b))
    this.at(deadAfterMs, () => this.settleLink(a, b))
  }

  heal(): void {
    this.#cuts.clear()
    for (const a of this.peers) for (const b of this.peers) if (a !== b) this.settleLink(a, b)
  }

  /** Brings what `a` knows of `b` in line with how things are. */
  settleLink(a: Member, b: Member): void {
    if (!a.isRunning) return
    const isUp = b.isRunning && !this.isCut(a, b)
    if (isUp) {
      this.at(linkMs, () => {
        if (!a.isRunning || !b.isRunning || this.isCut(a, b)) return
        a.know({ peer: b.id, status: 'alive', generation: b.generation, connected: true })
        a.connect(b)
      })
      return
    }
    a.disconnect(b)
    this.at(deadAfterMs, () => {
      if (b.isRunning && !this.isCut(a, b)) return
      a.know({ peer: b.id, status: b.lastStatus, generation: b.generation, connected: false })
    })
  }

  deliver(from: Member, to: Member, packet: Packet): void {
    const { loss, doubled, mostDelayMs } = this.#options
    for (const item of packet.items) this.sent.set(item.type, (this.sent.get(item.type) ?? 0) + 1)
    const items = packet.items.filter((item) => this.passes(from, to, item))
    if (items.length === 0 && packet.items.length > 0) return
    const copies = this.random.chance(doubled) ? 2 : 1
    const { generation } = to
    for (let copy = 0; copy < copies; copy++) {
      if (this.random.chance(loss)) continue
      this.at(this.random.between(0.5, mostDelayMs), () => {
        if (to.generation === generation && !this.isCut(from, to)) to.receive(from, { ...packet, items })
      })
    }
  }

  /** A link was written to somebody's disk: there is one decision a version. */
  learn({ version, ballot, decision, accepts: [accept] }: Link): void {
    if (accept === undefined) throw new Error('a link without accepts')
    const { voter, signature } = accept
    const signed = ([id]: [string, PeerId]): boolean => {
      const bytes = acceptBytes(id as ElectorateId, version, ballot, decision)
      return this.keys.crypto(voter).verify(voter, bytes, signature)
    }
    const id = [...this.#founders].find(signed)?.[0]
    assert.ok(id !== undefined, 'a link of no electorate')
    const key = `${id}/${version}`
    const known = this.#decisions.get(key)
    this.#decisions.set(key, decision)
    if (known !== undefined) assert.deepEqual(decision, known, `two decisions on ${key}`)
  }

  /** Who votes in a version that was decided. */
  votersOf(id: string, version: number): readonly PeerId[] {
    if (version === 1) return [this.#founders.get(id) as PeerId]
    const decision = this.#decisions.get(`${id}/${version - 1}`)
    return decision?.type === 'voters' ? decision.voters : []
  }

  learnCharter(record: Uint8Array): void {
    const { charter } = decodeChain(record)
    this.#founders.set(electorateIdOf(charter, this.keys.crypto(charter.founder).sha256), charter.founder)
  }

  /** What must hold after each step, whoever crashes. */
  check(): void {
    this.#checkServing()
  }

  /** Never do two versions serve at once, each by a quorum. */
  #checkServing(): void {
    const quorums: string[] = []
    const byVersion = new Map<string, Set<PeerId>>()
    const voters = new Map<string, readonly PeerId[]>()
    for (const peer of this.running) {
      const { arbiter } = peer
      if (arbiter === undefined || arbiter.serving === 0) continue
      const key = `${arbiter.electorate?.id} ${arbiter.serving}`
      const set = byVersion.get(key) ?? new Set()
      byVersion.set(key, set.add(peer.id))
      voters.set(key, arbiter.electorate?.voters ?? [])
    }
    for (const [key, set] of byVersion) if (isQuorum(voters.get(key) ?? [], set)) quorums.push(key)
    const ids = new Set(quorums.map((key) => key.split(' ')[0]))
    assert.ok(quorums.length <= ids.size, `two versions serve: ${quorums.join(', ')}`)
  }
}

function pair(a: Member, b: Member): string {
  return [a.id, b.id].sort().join(' ')
}

/** One peer: its disk outlives its lives. */
export class Member {
  readonly id: PeerId
  readonly world: World
  readonly expect: number | undefined
  readonly crypto: Crypto
  disk: Disk = new Map()
  generation = 0
  isRunning = false
  elector: Elector | undefined
  arbiter: FakeArbiter | undefined
  lastStatus: MemberNews['status'] = 'dead'
  /** Dies in its next step: before anything is on disk, or after so many packets. */
  diesAfter: number | 'before-disk' | undefined
  readonly #members = new Map<PeerId, { news: MemberNews; since: number }>()
  readonly #connected = new Set<PeerId>()
  readonly wished: { token: number; outcome: string; reason: string }[] = []
  #agenda = new Agenda<() => void>()
  #records: [string, Uint8Array | undefined][] = []
  #outbox = new Map<PeerId, ElectorateItem[]>()
  #stamp: Stamp = { generation: 0, write: 0 }
  #isStamped = true
  #tokens = 0
  #wakeAt: number | undefined

  constructor(world: World, id: PeerId, expect: number | undefined) {
    this.world = world
    this.id = id
    this.expect = expect
    this.crypto = world.keys.crypto(id)
  }

  get view(): ElectorateView {
    if (this.elector === undefined) throw new Error('not running')
    return this.elector.view()
  }

  get version(): number {
    return this.elector?.current?.version ?? 0
  }

  text(): string {
    if (!this.isRunning) return `${this.id.slice(-4)} down`
    const { view } = this
    const voters = view.voters.map(({ peer, answering }) => `${peer.slice(-4)}${answering ? '' : '?'}`)
    const change = view.change === undefined ? '' : ` ${view.change.phase}`
    return `${this.id.slice(-4)} ${view.self} v${view.version} [${voters}]${change} ${JSON.stringify(this.arbiter?.state)}`
  }

  start(): void {
    const { world } = this
    this.generation = Math.max(this.generation + 1, Math.floor(world.now))
    this.isRunning = true
    this.lastStatus = 'dead'
    this.#agenda = new Agenda()
    this.#members.clear()
    this.#connected.clear()
    this.#outbox.clear()
    this.#wakeAt = undefined
    const stamp = this.disk.get('stamp')
    this.#stamp = stamp === undefined ? { generation: 0, write: 0 } : parse(stamp)
    const host = this.#host()
    this.arbiter = new FakeArbiter(this, host)
    this.elector = new Elector(withArbiter(host, this.arbiter), world.units, this.expect)
    this.step(() => this.elector?.start())
    for (const other of world.peers) {
      if (other === this) continue
      world.settleLink(this, other)
      world.settleLink(other, this)
    }
  }

  /** As after a power cut; the disk is what it is, or another image of it. */
  crash(): void {
    if (!this.isRunning) return
    this.isRunning = false
    this.elector = undefined
    this.arbiter = undefined
    this.diesAfter = undefined
    for (const other of this.world.peers) {
      if (other === this) continue
      this.world.at(cutAfterMs, () => {
        if (!this.isRunning) this.world.settleLink(other, this)
      })
    }
  }

  /** Membership says that it left for good. */
  leave(): void {
    this.lastStatus = 'left'
    this.crash()
    for (const other of this.world.running) {
      other.know({ peer: this.id, status: 'left', generation: this.generation, connected: false })
    }
  }

  wish(wish: Wish): number {
    const token = ++this.#tokens
    this.step(() => this.elector?.wish(token, wish))
    return token
  }

  recover(): number {
    const token = ++this.#tokens
    this.step(() => this.elector?.recover(token))
    return token
  }

  outcome(token: number): string | undefined {
    const answer = this.wished.find((one) => one.token === token)
    return answer === undefined ? undefined : `${answer.outcome} ${answer.reason}`.trim()
  }

  connect(other: Member): void {
    if (this.#connected.has(other.id)) return
    this.#connected.add(other.id)
    this.step(() => this.elector?.connected(other.id))
  }

  disconnect(other: Member): void {
    if (!this.#connected.delete(other.id)) return
    this.step(() => this.elector?.disconnected(other.id))
  }

  know(news: MemberNews): void {
    if (!this.isRunning) return
    const known = this.#members.get(news.peer)
    if (known?.news.status === news.status && known.news.generation === news.generation) return
    const since = known?.news.status === news.status ? known.since : this.world.now
    this.#members.set(news.peer, { news, since })
    this.step(() => this.elector?.member(news))
  }

  receive(from: Member, { id, version, stamp, items }: Packet): void {
    this.step(() => {
      this.elector?.heard(from.id, id, version, stamp)
      for (const item of items) this.elector?.receive(from.id, item)
    })
  }

  step(act: () => void): void {
    if (!this.isRunning) return
    act()
    for (let i = 0; !this.#isStamped; i++) {
      assert.ok(i < 100, 'writes that never end')
      this.#isStamped = true
      this.#stamp = { generation: this.generation, write: this.#stamp.write + 1 }
      this.#records.push(['stamp', bytes(this.#stamp)])
      this.elector?.stamped()
    }
    this.#carryOut()
    if (!this.isRunning) return
    this.#sleep()
    this.world.check()
  }

  #carryOut(): void {
    const records = this.#records
    this.#records = []
    const { diesAfter } = this
    if (diesAfter === 'before-disk') return this.crash()
    if (records.length > 0) {
      const disk = new Map(this.disk)
      for (const [key, value] of records) {
        if (value === undefined) disk.delete(key)
        else disk.set(key, value)
        if (value !== undefined && key === 'charter') this.world.learnCharter(value)
        if (value !== undefined && key.startsWith('link/')) this.world.learn(decodeLink(value))
      }
      this.disk = disk
    }
    let left = diesAfter ?? Number.POSITIVE_INFINITY
    const outbox = [...this.#outbox]
    this.#outbox.clear()
    const current = this.elector?.current
    for (const [to, items] of outbox) {
      if (left-- <= 0) break
      const packet = { id: current?.id, version: current?.version ?? 0, stamp: this.#stamp, items }
      this.world.deliver(this, this.world.peer(to), packet)
    }
    if (diesAfter !== undefined) this.crash()
  }

  #sleep(): void {
    const at = this.#agenda.deadline
    if (at === undefined || (this.#wakeAt !== undefined && this.#wakeAt <= at)) return
    this.#wakeAt = at
    const { generation } = this
    this.world.at(Math.max(0, at - this.world.now), () => {
      if (!this.isRunning || this.generation !== generation) return
      this.#wakeAt = undefined
      this.step(() => {
        for (let act = this.#agenda.takeDue(this.world.now); act; act = this.#agenda.takeDue(this.world.now))
          act()
      })
    })
  }

  #host(): Omit<ElectorateHost, 'arbiter'> {
    const member = this
    const { world } = this
    return {
      self: this.id,
      cluster,
      config: world.config,
      crypto: this.crypto,
      random: () => world.random.next(),
      get now() {
        return world.now
      },
      generation: this.generation,
      send: (to, item) => {
        if (!this.#connected.has(to)) return
        const items = this.#outbox.get(to)
        if (items === undefined) this.#outbox.set(to, [item])
        else items.push(item)
      },
      schedule: (key, at, act) => this.#agenda.schedule(key, at, act),
      cancel: (key) => this.#agenda.cancel(key),
      isConnected: (peer) => this.#connected.has(peer),
      connected: () => [...this.#connected],
      dial: () => {},
      member: (peer) => this.#members.get(peer),
      members: () => [...this.#members.values()].map(({ news }) => news),
      answers: (peer) => this.#connected.has(peer) && this.#members.get(peer)?.news.status !== 'dead',
      write: (key, value) => {
        this.#records.push([key, value])
        this.#isStamped = false
      },
      remember: (key, value) => {
        this.#records.push([key, value])
      },
      durable: this.disk,
      get stamp() {
        return member.#stamp
      },
      changed: () => {},
      viewChanged: () => {},
      wished: (token, outcome, reason) => this.wished.push({ token, outcome, reason }),
      misbehaved: (peer, reason) => world.blamed.push(`${peer.slice(-4)} ${reason}`),
    }
  }
}

/** Spreading would read the getters once; this keeps them. */
function withArbiter(host: Omit<ElectorateHost, 'arbiter'>, arbiter: ArbiterPort): ElectorateHost {
  return Object.assign(Object.create(host) as ElectorateHost, { arbiter })
}

interface FakeRecord {
  installed: number
  sealed: number
  granted: boolean
  void: ArbiterState['void']
  electorate: Electorate | undefined
  floor: number
  marks: readonly string[]
}

/** An arbiter that grants nothing: its reports bear marks of who reported what, for the world to check. */
export class FakeArbiter implements ArbiterPort {
  readonly #member: Member
  readonly #host: Omit<ElectorateHost, 'arbiter'>
  #record: FakeRecord
  #serving = false
  acknowledgedAt: Stamp = { generation: 0, write: 0 }
  /** Of what was installed last. */
  unknownForMs = 0

  constructor(member: Member, host: Omit<ElectorateHost, 'arbiter'>) {
    this.#member = member
    this.#host = host
    const stored = member.disk.get('arbiter')
    this.#record =
      stored === undefined
        ? {
            installed: 0,
            sealed: 0,
            granted: false,
            void: undefined,
            electorate: undefined,
            floor: 0,
            marks: [],
          }
        : parse(stored)
  }

  get state(): ArbiterState {
    const { installed, sealed, granted, void: reason } = this.#record
    return { installed, sealed, serving: this.#serving, granted, void: reason, abstainsForMs: 0 }
  }

  get electorate(): Electorate | undefined {
    return this.#record.electorate
  }

  /** The version that it serves; 0 for none. */
  get serving(): number {
    return this.#serving ? this.#record.installed : 0
  }

  get floor(): number {
    return this.#record.floor
  }

  /** As a grant would: on disk before it leaves. */
  grant(): void {
    this.#member.step(() => {
      if (this.#serving) this.#change({ granted: true, floor: this.#record.floor + 1 })
    })
  }

  report(): Report {
    const { installed, floor, marks } = this.#record
    const names = [...new Set([...marks, `${installed}/${this.#member.id}`])]
    return {
      floor,
      grants: names.map((lock) => ({
        lock,
        request: { peer: this.#member.id, generation: 1, counter: 1 },
        remainingMs: 1000,
      })),
      unknownForMs: 0,
      longestLeaseMs: 0,
    }
  }

  seal(): void {
    assert.ok(this.#record.installed > 0, 'seals what it has not installed')
    this.#serving = false
    this.#change({ sealed: this.#record.installed })
  }

  install(electorate: Electorate, reports: readonly Report[]): void {
    const marks = reports.flatMap(({ grants }) => grants.map(({ lock }) => lock))
    this.#serving = false
    this.unknownForMs = Math.max(0, ...reports.map((report) => report.unknownForMs))
    this.#change({
      installed: electorate.version,
      sealed: 0,
      granted: this.#record.granted || electorate.version > 1,
      void: undefined,
      electorate,
      floor: Math.max(this.#record.floor, ...reports.map(({ floor }) => floor)),
      marks: marks.filter((mark) => Number(mark.split('/')[0]) >= electorate.version - 2),
    })
    this.#checkMarks(electorate)
  }

  /** Reports of a quorum of the version before are in what was installed. */
  #checkMarks({ version, id }: Electorate): void {
    if (version === 1) return
    const before = this.#record.marks
      .map((mark) => mark.split('/'))
      .filter(([of]) => Number(of) === version - 1)
      .map(([, peer]) => peer as PeerId)
    const voters = this.#member.world.votersOf(id, version - 1)
    assert.ok(isQuorum(voters, new Set(before)), `version ${version} without reports of a quorum`)
  }

  serve(): void {
    assert.equal(this.#record.void, undefined, 'a void voter serves')
    this.#serving = true
  }

  acknowledged(stamp: Stamp): void {
    this.acknowledgedAt = stamp
  }

  void(reason: 'lost' | 'rolled-back'): void {
    this.#serving = false
    this.#change({ void: reason })
  }

  recover(): void {
    this.#change({ void: undefined, granted: true, floor: this.#record.floor + 2 ** 32 })
  }

  #change(changes: Partial<FakeRecord>): void {
    this.#record = { ...this.#record, ...changes }
    this.#host.write('arbiter', bytes(this.#record))
  }
}

function bytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

function parse<T>(stored: Uint8Array): T {
  return JSON.parse(new TextDecoder().decode(stored)) as T
}
