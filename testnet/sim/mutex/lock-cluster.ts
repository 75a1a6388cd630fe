import type { PeerId } from '../../../lib/protocols/core.ts'
import type { MutexEvent as HistoryEntry } from '../../../plugins/mutex/checker/history.ts'
import type { Stamp, Wish } from '../../../plugins/mutex/core/electorate/messages.ts'
import type { MutexInit } from '../../../plugins/mutex/core/init.ts'
import { mutexLimits } from '../../../plugins/mutex/core/limits.ts'
import type {
  ArbiterLock,
  Frame,
  MutexCommand,
  MutexEvent,
  MutexFailure,
  MutexRequest,
} from '../../../plugins/mutex/core/messages.ts'
import type { MutexUnits } from '../../../plugins/mutex/core/units.ts'
import type { Violation } from '../../checkers/history.ts'
import { HostClock } from '../clock.ts'
import { Disk, type DiskImage } from '../disk.ts'
import { Keys } from '../keys.ts'
import { Machine } from '../machine.ts'
import { Network } from '../network.ts'
import { Process, type Program } from '../process.ts'
import type { Random } from '../random.ts'
import { Wiring } from '../wiring.ts'
import type { World } from '../world.ts'
import { Acceptors } from './acceptors.ts'
import { Apps, type AppsPort } from './apps.ts'
import { Ballots } from './ballots.ts'
import { describeFrame } from './describe-frame.ts'
import { DiskWatch } from './disk-watch.ts'
import { Elections } from './elections.ts'
import { Handovers } from './handovers.ts'
import { Holders } from './holders.ts'
import type { Ledger } from './ledger.ts'
import { type Ending, isUp, type Life, type LockHost, type LockSubject, type Origin } from './lock-host.ts'
import type { MutexSimOptions } from './options.ts'
import { type Ask, Petitions } from './petitions.ts'
import { Reach } from './reach.ts'
import { Roster } from './roster.ts'
import { SlewedClock } from './slewed-clock.ts'
import { type LockEffect, Witness } from './witness.ts'

/** A plausible mistake: rules replaced. */
export interface MutexMutant {
  readonly name: string
  readonly mistake: string
  readonly units: Partial<MutexUnits>
}

export interface LockClusterInit {
  readonly world: World
  readonly options: MutexSimOptions
  readonly subject: LockSubject
  readonly units: Partial<MutexUnits> | undefined
}

type Wished = Extract<MutexEvent, { type: 'wished' }>

const clusterId = '6'.repeat(32)
/** Wall time at which every world begins, ms since 1970; any date would do. */
const epochMs = 1_800_000_000_000
const maxViolations = 20
/** Until a connection is closed whose other end is gone without a word, ms. */
const detectionMinMs = 800
const detectionMaxMs = 2500
/** From having stopped to the end of the process, ms. */
const endingMaxMs = 100
/** What honest peers are refused with: who asks anew when its vote ran out, or does not know yet who votes where. */
const innocent: ReadonlySet<string> = new Set(['timestamp-too-low', 'not-a-voter', 'other-electorate'])
/** How often a core looks whether a quorum answers, ms. */
const watchMs = 250
/** Frames on their way, timers that are late, ms. */
const slackMs = 200
/** Whoever is told to stop and runs has stopped by then, ms. */
const stopLimitMs = 4000

/** The peers, their machines, their network; what they do to locks is recorded. */
export class LockCluster implements Ledger, AppsPort {
  readonly world: World
  readonly options: MutexSimOptions
  readonly network: Network
  readonly hosts: LockHost[] = []
  readonly violations: Violation[] = []
  readonly history: HistoryEntry[] = []
  readonly wiring: Wiring
  readonly roster: Roster
  readonly holders: Holders
  readonly ballots: Ballots
  readonly elections: Elections
  readonly handovers: Handovers
  readonly acceptors: Acceptors
  readonly disks: DiskWatch
  readonly petitions: Petitions
  readonly reach: Reach
  readonly apps: Apps
  /** What arbiters show of their locks, when they are asked. */
  onInspected: ((host: LockHost, locks: readonly ArbiterLock[]) => void) | undefined
  /** What a frame that leaves says: types of its answers and of its items. */
  onSaid: ((life: Life, to: PeerId, cues: ReadonlySet<string>) => void) | undefined
  readonly #subject: LockSubject
  readonly #units: Partial<MutexUnits> | undefined
  readonly #keys: Keys
  readonly #wishes = new Map<number, { readonly life: Life; readonly answered: (event: Wished) => void }>()
  readonly #stops = new Map<Life, () => void>()
  /** Asked, and not yet in the history. */
  readonly #unrecorded = new Set<Ask>()
  readonly #detection: Random
  #wish = 0

  constructor({ world, options, subject, units }: LockClusterInit) {
    this.world = world
    this.options = options
    this.#subject = subject
    this.#units = units
    this.#keys = new Keys(world.random.stream('keys'))
    this.#detection = world.random.stream('detection')
    this.network = new Network(world, world.random.stream('network'), options.network)
    this.wiring = new Wiring(world, this.network, this.hosts)
    this.roster = new Roster(world, this.network.links, this.hosts, options.roster)
    this.holders = new Holders({
      world,
      ledger: this,
      wild: options.wild,
      lostWithinMs: options.config.marginMs,
    })
    this.ballots = new Ballots(this)
    this.elections = new Elections(this, this.ballots)
    this.handovers = new Handovers(this, this.ballots, this.elections)
    this.acceptors = new Acceptors(this)
    this.disks = new DiskWatch(this, this.ballots, this.elections)
    this.petitions = new Petitions(this.ballots, this.elections, this.now)
    this.reach = new Reach({
      world,
      hosts: this.hosts,
      links: this.network.links,
      elections: this.elections,
      silenceMs: this.#silenceMs,
      leaseMs: (2 * options.config.maxLeaseMs) / (1 - options.drift),
      record: (event) => this.record(event),
    })
    this.apps = new Apps(this)
  }

  readonly now = (): number => this.world.now

  addHost(origin: Origin, expect?: number): LockHost {
    const { world, options } = this
    const index = this.hosts.length
    const name = `m${index}`
    const random = world.random.stream(name)
    const { drift } = options
    const rate = 1 + drift * random.pick([-1, -1, 0, 1, 1, random.between(-1, 1)])
    const disk = new Disk(world, random.stream('disk'), options.disk)
    const hostClock = new HostClock(world, {
      driftPpm: 0,
      wallAtZeroMs: epochMs + random.between(-100_000, 100_000),
    })
    const machine = new Machine({ index, disk, clock: hostClock, network: this.network })
    machine.readdress([`/ip4/10.0.${index >> 8}.${index & 255}/tcp/4001`])
    const host: LockHost = {
      name,
      peer: this.#keys.identity(),
      machine,
      clock: new SlewedClock(world, rate),
      origin,
      expect,
      silent: index > 0 && random.chance(options.workload.silent),
      lives: 0,
      generation: 0,
      present: undefined,
      ending: undefined,
      backup: undefined,
      spoilt: false,
    }
    this.hosts.push(host)
    return host
  }

  start(host: LockHost): Life {
    const { world } = this
    host.machine.powerOn()
    if (host.lives === 0) this.#found(host)
    host.lives++
    host.generation = Math.max(host.generation + 1, host.machine.clock.instant(0).wall)
    host.ending = undefined
    world.note(`start ${host.name} life ${host.lives}`)
    const members = this.roster.atStart(host, host.generation)
    const life = this.#live(host)
    for (const { peer, ...row } of members) if (peer !== host.peer) life.rows.set(peer, row)
    host.present = life
    host.machine.run(life.process)
    life.process.command({ type: 'start', generation: host.generation, members })
    this.roster.arrived(life)
    this.wiring.arrived(host)
    this.apps.start(life)
    this.reach.look()
    return life
  }

  /** Ends the process without a word, or, after `stop`, when it has said all. */
  end(host: LockHost, how: 'kill' | 'power-cut' | Exclude<Ending, 'killed'>): void {
    if (!isUp(host)) return
    const { present } = host
    this.world.note(`${how} ${host.name}`)
    host.ending = how === 'stopped' || how === 'left' ? how : 'killed'
    this.holders.ended(present)
    this.apps.died(present)
    this.ballots.ended(present)
    this.#stops.delete(present)
    for (const [token, { life }] of this.#wishes) if (life === present) this.#wishes.delete(token)
    this.record({ at: this.world.now, type: 'gone', peer: host.peer, life: present.number })
    if (how === 'power-cut') {
      host.machine.powerOff()
      present.process.vanish()
    } else present.process.kill()
    this.reach.look()
    this.#closeHalfOpen(host)
  }

  /** Membership notices that nobody is there any more, also where no word of it came, and closes what is open. */
  #closeHalfOpen({ peer }: LockHost): void {
    this.world.after(this.#detection.between(detectionMinMs, detectionMaxMs), () => {
      for (const other of this.hosts) {
        for (const end of other.present?.process.connectionsTo(peer) ?? []) {
          if (end.other.state === 'closed') end.arrived({ type: 'reset' })
        }
      }
    })
  }

  /** As SIGTERM does, or `p2pd leave` in the end. */
  stop(host: LockHost, how: 'stopped' | 'left', then: () => void): void {
    if (!isUp(host) || host.present.stopping) return
    const { present } = host
    this.world.note(`${how === 'left' ? 'depart' : 'stop'} ${host.name}`)
    present.stopping = true
    this.#stops.set(present, () => {
      this.end(host, how)
      then()
    })
    present.process.command({ type: 'stop' })
    this.#expectStop(present)
  }

  /** `answered` is not told when the peer dies before. */
  wish(life: Life, wish: Wish | 'recover', answered: (event: Wished) => void): void {
    const token = ++this.#wish
    this.#wishes.set(token, { life, answered })
    this.world.note(`${life.host.name} wishes ${wish === 'recover' ? wish : `${wish.type} ${wish.peer}`}`)
    life.process.command(wish === 'recover' ? { type: 'recover', token } : { type: 'wish', token, wish })
  }

  /** Who asked for something and was not answered. */
  get unanswered(): readonly Life[] {
    return [...this.#wishes.values()].map(({ life }) => life)
  }

  record(event: HistoryEntry): void {
    this.history.push(event)
  }

  breach(property: string, message: string): void {
    this.world.remark(() => `BREACH ${property}: ${this.withNames(message)}`)
    if (this.violations.length < maxViolations) {
      this.violations.push({ property, at: this.world.now, message })
    }
  }

  withNames(text: string): string {
    return this.hosts.reduce((named, host) => named.replaceAll(host.peer, host.name), text)
  }

  // What the apps tell.

  asked(ask: Ask): void {
    this.petitions.asked(ask)
    this.#unrecorded.add(ask)
    this.#expectNoQuorum(ask)
  }

  /** Whoever waits and cannot be answered by a quorum is told so. */
  #expectNoQuorum(ask: Ask): void {
    const { life } = ask
    const { pingMs, silenceMs } = this.options.config
    const withinMs = (silenceMs + pingMs) / (1 - this.options.drift) + watchMs + slackMs
    this.world.after(withinMs, () => {
      if (!this.apps.isWaiting(ask)) return
      // Who was idle or stopped has to find out first that nobody answers.
      const ownMs = Math.max(ask.at, life.stoppedAt) + this.#silenceMs
      const from = Math.max(ownMs, this.reach.outageOf(life.host) ?? this.world.now)
      if (this.world.now - from < withinMs) return this.#expectNoQuorum(ask)
      this.breach('no-quorum-in-time', `${life.host.name} waits for ${ask.lock} and no quorum can answer`)
    })
  }

  /** After such a silence a voter does not answer, true ms. */
  get #silenceMs(): number {
    return this.options.config.silenceMs / (1 - this.options.drift) + watchMs
  }

  entered(ask: Ask, fencingToken: number, version: number): string {
    const { life, token } = ask
    const { id } = life.core.view()
    const lock = this.lockName(ask)
    this.world.note(`${life.host.name} enters ${lock} with token ${fencingToken} (version ${version})`)
    this.#recordAsked(ask)
    this.holders.entered(life, token, lock, fencingToken, token)
    this.record({ at: this.world.now, type: 'answered', request: token, outcome: 'entered' })
    if (id !== undefined) this.elections.entered(id)
    const voters = this.elections.votersOf(id, version) ?? []
    this.ballots.judgeEntry(life, ask.lock, version, fencingToken, voters)
    return lock
  }

  /** Of the lock state on that disk. */
  stampOf(disk: DiskImage): Stamp | undefined {
    return this.#subject.stampOf(disk)
  }

  failed(ask: Ask, { type }: MutexFailure): void {
    this.#recordAsked(ask)
    const outcome =
      type === 'no-quorum' || type === 'held' ? type : ask.life.stopping ? 'cancelled' : 'failed'
    this.record({ at: this.world.now, type: 'answered', request: ask.token, outcome })
    this.over(ask)
  }

  over(ask: Ask): void {
    if (this.#unrecorded.has(ask)) {
      // It got the lock when it was too late to enter.
      this.#recordAsked(ask)
      this.record({ at: this.world.now, type: 'answered', request: ask.token, outcome: 'held' })
    }
    this.petitions.closed(ask)
  }

  abandoned(ask: Ask): void {
    if (this.#unrecorded.has(ask)) this.#recordAsked(ask)
    this.petitions.closed(ask)
  }

  /** Where there may be several electorates. */
  lockName({ life, lock }: Ask): string {
    return `${life.core.view().id?.slice(0, 6) ?? 'none'}/${lock}`
  }

  #recordAsked(ask: Ask): void {
    if (!this.#unrecorded.delete(ask)) return
    const { life, token, caller, at, queuedAt, alone } = ask
    const { peer } = life.host
    const lock = this.lockName(ask)
    this.record({ at, type: 'asked', lock, peer, life: life.number, request: token, caller })
    if (queuedAt !== undefined && alone) this.record({ at: queuedAt, type: 'queued', request: token })
  }

  #init(host: LockHost, durable: DiskImage): MutexInit {
    const random = this.world.random.stream(`core ${host.name} ${host.lives}`)
    return {
      self: host.peer,
      cluster: clusterId,
      config: this.options.config,
      crypto: this.#keys.crypto(host.peer),
      random: () => random.next(),
      durable,
      ...(host.expect === undefined ? {} : { expect: host.expect }),
      ...(this.#units === undefined ? {} : { units: this.#units }),
    }
  }

  /** What is written before the identity is. */
  #found(host: LockHost): void {
    host.machine.disk.restore(this.#subject.firstRecords(this.#init(host, new Map()), host.origin))
  }

  #live(host: LockHost): Life {
    const { world } = this
    const durable = host.machine.disk.image()
    const core = this.#subject.core(this.#init(host, durable))
    const witness = new Witness(() => life, {
      received: (to, from, frame) => {
        this.ballots.received(to, from, frame)
        this.handovers.received(to, from, frame)
        this.disks.received(to, from, frame)
      },
      decided: (from, effects) => {
        for (const effect of effects) this.#decided(from, effect)
        this.holders.stepped(from)
      },
    })
    const process = new Process(world, {
      peer: host.peer,
      machine: host.machine,
      life: host.lives,
      random: world.random.stream(`timers ${host.name} ${host.lives}`),
      program: this.#program(() => life, witness),
      frameLimit: mutexLimits.frameBytes,
    })
    const life: Life = {
      host,
      number: host.lives,
      index: host.machine.index,
      generation: host.generation,
      base: this.stampOf(durable),
      process,
      core,
      clockAtBirth: host.clock.now,
      rows: new Map(),
      stopping: false,
      stoppedAt: Number.NEGATIVE_INFINITY,
    }
    return life
  }

  #decided(life: Life, effect: LockEffect): void {
    if (effect.type === 'send') {
      this.ballots.decided(life, effect.to, effect.message)
      this.petitions.decided(life, effect.to, effect.message)
    } else if (effect.type === 'emit' && effect.event.type === 'lost') {
      this.holders.told(life, effect.event.token)
    }
  }

  #program(life: () => Life, core: Witness): Program<Frame, MutexCommand, MutexEvent, MutexRequest> {
    return {
      core,
      codec: this.#subject.codec,
      connected: (peer) => ({ type: 'connected', peer }),
      disconnected: (peer) => {
        this.wiring.lost(life().process)
        return { type: 'disconnected', peer }
      },
      request: (request) => {
        if (request.type === 'flush') life().process.command({ type: 'flush' })
        else this.wiring.wanted(life().process, request.peer)
      },
      sending: (frame, to) => this.#sending(life(), to, frame),
      emitted: (event) => this.#emitted(life(), event),
      malformed: (peer) => this.breach('well-formed', `${peer} sends what does not decode`),
    }
  }

  #sending(life: Life, to: PeerId, frame: Frame): void {
    this.world.remark(() => this.withNames(`${life.host.name} to ${to}: ${describeFrame(frame)}`))
    this.ballots.sent(frame)
    this.elections.sent(life, to, frame)
    this.handovers.sent(life, to, frame)
    this.acceptors.sent(life, frame)
    this.disks.sent(life, to, frame)
    for (const item of frame.items) {
      if (item.type === 'inspected') this.onInspected?.(life.host, item.locks)
    }
    const said = [...(frame.answering?.items ?? []), ...frame.items]
    this.onSaid?.(life, to, new Set(said.map(({ type }) => type)))
  }

  #emitted(life: Life, event: MutexEvent): void {
    if (!life.process.alive) return
    this.world.remark(() => this.withNames(`${life.host.name}: ${JSON.stringify(event)}`))
    if (event.type === 'electorate') {
      this.elections.viewed(life, event.view)
      this.reach.look()
    } else if (event.type === 'stopped') this.#stopped(life)
    else if (event.type === 'wished') this.#wished(life, event)
    else if (event.type === 'conflict') this.#accused(life, event.conflict.arbiter, 'conflicting votes')
    else if (event.type === 'misbehaved') this.#accused(life, event.peer, event.reason)
    this.apps.emitted(life, event)
  }

  #accused(life: Life, peer: PeerId, what: string): void {
    if (innocent.has(what)) return
    this.breach('honest-accused', `${life.host.name} says that ${peer} broke the protocol: ${what}`)
  }

  #wished(life: Life, event: Wished): void {
    const wish = this.#wishes.get(event.token)
    if (wish === undefined) {
      return this.breach('answered-once', `${life.host.name} answers a wish that nobody has`)
    }
    this.#wishes.delete(event.token)
    wish.answered(event)
  }

  #stopped(life: Life): void {
    const stopped = this.#stops.get(life)
    if (stopped === undefined) return this.breach('answered-once', `${life.host.name} stops unasked`)
    // A process takes a while to end, and links stay open until then.
    this.world.after(this.#detection.between(0, endingMaxMs), stopped)
  }

  #expectStop(life: Life): void {
    this.world.after(stopLimitMs, () => {
      if (!life.process.alive) return
      if (life.process.frozen || this.world.now - life.stoppedAt < stopLimitMs) this.#expectStop(life)
      else this.breach('stops', `${life.host.name} does not stop`)
    })
  }
}
