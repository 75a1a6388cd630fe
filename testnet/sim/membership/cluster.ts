import type { Core, PeerId } from '../../../lib/protocols/core.ts'
import { BaseView } from '../../../lib/protocols/membership/base-view.ts'
import { packetCodec } from '../../../lib/protocols/membership/codec.ts'
import type { MembershipInit } from '../../../lib/protocols/membership/init.ts'
import { Membership } from '../../../lib/protocols/membership/membership.ts'
import type {
  MemberRecord,
  MemberStatus,
  MembershipCommand,
  MembershipEvent,
  MembershipRequest,
  MemberView,
  Packet,
} from '../../../lib/protocols/membership/messages.ts'
import { signRecord } from '../../../lib/protocols/membership/statements.ts'
import type { MembershipUnits } from '../../../lib/protocols/membership/units.ts'
import type { HistoryEvent, ViewEvent, ViewStatus, Violation } from '../../checkers/history.ts'
import { HostClock } from '../clock.ts'
import { Disk } from '../disk.ts'
import { Keys } from '../keys.ts'
import { Machine } from '../machine.ts'
import { Network } from '../network.ts'
import { Process, type Program } from '../process.ts'
import type { World } from '../world.ts'
import { Dialler, type MemberProcess } from './dialler.ts'
import { Liar } from './liar.ts'
import { longestLifeMs, type MemberHost } from './member-host.ts'
import type { Lie, MembershipSimOptions } from './options.ts'
import { Watch } from './watch.ts'

export type MembershipCore = Core<Packet, MembershipCommand, MembershipEvent, MembershipRequest>

/** A plausible mistake: rules replaced, or the whole core wrapped. */
export interface MembershipMutant {
  readonly name: string
  readonly mistake: string
  readonly units?: Partial<MembershipUnits>
  wrap?(core: MembershipCore): MembershipCore
  /** Of the host around the core. */
  readonly host?: { readonly wakesFirst: boolean }
}

interface Strikes {
  add(peer: PeerId, reason: string): void
}

const clusterName = 'sim'
/** Wall time at which every world begins, ms since 1970; any date would do. */
const epochMs = 1_800_000_000_000
const version = '0.0.0'
const foundingGeneration = epochMs
/** As the real links do: so many offences within this time, ms, and the peer's connections are cut. */
const strikesAllowed = 3
const strikeWindowMs = 60_000
const maxViolations = 20
/** A process that was told to leave or stop is gone by then. */
const departureLimitMs = 5000
/** Until everybody who is connected has told a forgetful member what it once was, ms. */
const learningMs = 5000

/** The members, their machines and their network; what is done to them and what they say is recorded. */
export class Cluster {
  readonly world: World
  readonly network: Network
  readonly options: MembershipSimOptions
  readonly hosts: MemberHost[] = []
  readonly history: HistoryEvent[] = []
  readonly violations: Violation[] = []
  /** From when on the liars lie, ms. */
  lyingFrom = Number.POSITIVE_INFINITY
  /** Told of each change of a row in place of the history, where that would not fit the memory. */
  toldOf: ((view: ViewEvent) => void) | undefined
  readonly #mutant: MembershipMutant | undefined
  readonly #keys: Keys
  readonly #dialler: Dialler
  readonly #watches = new Map<MemberProcess, Watch>()
  readonly #lives = new Map<PeerId, number>()
  #base: BaseView | undefined

  constructor(world: World, options: MembershipSimOptions, mutant?: MembershipMutant) {
    this.world = world
    this.options = options
    this.#mutant = mutant
    this.network = new Network(world, world.random.stream('network'), options.network)
    this.#keys = new Keys(world.random.stream('keys'))
    this.#dialler = new Dialler(world, this.network)
  }

  addHost(lie?: Lie): MemberHost {
    return this.#add(this.#keys.identity(), lie)
  }

  /**
   * As many members at once, which know each other from the beginning: they share
   * one view, and each keeps what differs. For crowds, that could not form within
   * any patience.
   */
  found(count: number): void {
    const { config } = this.options
    const founders = Array.from({ length: count }, () => this.addHost())
    const records = founders.map((host) => signRecord(foundingRecord(host), this.#keys.crypto(host.peer)))
    this.#base = new BaseView(records, config.rings)
    const members = records.map(({ body: { peer, generation, incarnation } }) => ({
      peer,
      generation,
      incarnation,
    }))
    this.record({ at: this.world.now, type: 'formed', members })
    for (const host of founders) this.start(host, [])
  }

  /** A machine with the same identity: somebody copied the disk. */
  addClone(of: MemberHost): MemberHost {
    const clone = this.#add(of.peer, undefined)
    clone.machine.disk.restore(of.machine.disk.image())
    return clone
  }

  /** @param forgetful its disk is older than its last life */
  start(host: MemberHost, contacts: readonly string[], forgetful = false): void {
    const { world } = this
    host.livedMs = longestLifeMs(host)
    host.forgetful = forgetful
    host.machine.powerOn()
    if (host.recorded) {
      host.life = (this.#lives.get(host.peer) ?? 0) + 1
      this.#lives.set(host.peer, host.life)
      const told = this.#founds(host)
      if (!told) this.record({ at: world.now, type: 'started', peer: host.peer, life: host.life, forgetful })
    } else host.life++
    world.note(`start ${host.name} life ${host.life}`)
    const durable = host.machine.disk.image()
    const watch = new Watch({
      peer: host.peer,
      disk: host.machine.disk,
      atStart: durable,
      members: this.hosts.length,
      now: () => world.now,
      breach: (property, message) => this.breach(property, `${host.name}: ${message}`),
    })
    const program = this.#program(host, durable, watch)
    const process: MemberProcess = new Process(world, {
      peer: host.peer,
      machine: host.machine,
      life: host.life,
      random: world.random.stream(`timers ${host.name}`),
      program,
      codecEvery: this.options.codecEvery,
      wakesFirst: this.#mutant?.host?.wakesFirst ?? false,
    })
    host.process = process
    host.state = 'running'
    host.machine.run(process)
    this.#watches.set(process, watch)
    process.command({ type: 'start', contacts })
  }

  /** Whether `host` could tell `peer` of its generation. */
  knows(host: MemberHost, peer: PeerId, generation: number): boolean {
    return (host.core?.members() ?? []).some((row) => row.peer === peer && row.generation >= generation)
  }

  /** Whether everybody honest shows whoever runs alive, all alike, and nobody else. */
  agreed(): boolean {
    const running = this.hosts.filter((host) => host.recorded && host.process?.alive === true)
    const honest = running.filter((host) => host.lie === undefined && host.state === 'running')
    const rows = new Map<PeerId, string>()
    return honest.every((host) => {
      const alive = (host.core?.members() ?? []).filter(
        ({ status }) => status !== 'dead' && status !== 'left',
      )
      if (alive.length !== running.length) return false
      return alive.every(({ peer, status, generation, incarnation }) => {
        const row = `${generation}.${incarnation}`
        const first = rows.get(peer) ?? row
        rows.set(peer, first)
        return status === 'alive' && first === row
      })
    })
  }

  /** Whoever shows a member alive as it is now shows what it says of itself. */
  compareTags(): void {
    const running = this.hosts.filter((host) => host.process?.alive === true && host.state === 'running')
    for (const observer of running.filter((host) => host.lie === undefined)) {
      const rows = new Map((observer.core?.members() ?? []).map((row) => [row.peer, row]))
      for (const owner of running) {
        const row = rows.get(owner.peer)
        if (
          row?.generation !== owner.core?.generation ||
          JSON.stringify(row?.tags) === JSON.stringify(owner.tags)
        )
          continue
        const shown = JSON.stringify(row?.tags)
        this.breach(
          'tags-agree',
          `${observer.name} shows ${owner.name} with ${shown}, not ${JSON.stringify(owner.tags)}`,
        )
      }
    }
  }

  /** Between steps: does each table say what its events said? */
  compareTables(): void {
    for (const host of this.hosts) {
      const { core, process } = host
      if (core === undefined || process?.alive !== true || !process.settled) continue
      if (host.state !== 'running' || host.lie !== undefined) continue
      this.#watches.get(process)?.compare(core.members())
    }
  }

  /** Ends the process without a word. */
  end(host: MemberHost, how: 'kill' | 'power-cut'): void {
    if (host.process?.alive !== true) return
    this.world.note(`${how} ${host.name}`)
    if (host.recorded && host.state !== 'ending') {
      this.record({ at: this.world.now, type: 'killed', peer: host.peer })
    }
    host.state = 'gone'
    if (how === 'kill') return host.process.kill()
    host.machine.powerOff()
    host.process.vanish()
  }

  /** Tells it to go, with notice. */
  depart(host: MemberHost, how: 'stop' | 'leave'): void {
    const { process } = host
    if (process === undefined) return
    this.world.note(`${how} ${host.name}`)
    this.record({ at: this.world.now, type: how === 'stop' ? 'stopped' : 'left', peer: host.peer })
    host.state = 'ending'
    process.command({ type: how })
    this.world.after(departureLimitMs, () => {
      if (!process.alive) return
      this.breach('departs-in-time', `${host.name} still runs ${departureLimitMs} ms after ${how}`)
      process.kill()
      host.state = 'gone'
    })
  }

  record(event: HistoryEvent): void {
    this.history.push(event)
  }

  breach(property: string, message: string): void {
    if (this.violations.length < maxViolations) {
      this.violations.push({ property, at: this.world.now, message })
    }
  }

  #add(peer: PeerId, lie: Lie | undefined): MemberHost {
    const { world, options } = this
    const index = this.hosts.length
    const name = `m${index}`
    const random = world.random.stream(name)
    const clock = new HostClock(world, {
      driftPpm: random.between(-options.driftPpm, options.driftPpm),
      wallAtZeroMs: epochMs + random.between(-options.wallErrorMs, options.wallErrorMs),
    })
    const disk = new Disk(world, random.stream('disk'), options.disk)
    const machine = new Machine({ index, disk, clock, network: this.network })
    machine.readdress([`/ip4/10.0.${index >> 8}.${index & 255}/tcp/4001`])
    const host: MemberHost = {
      name,
      peer,
      machine,
      lie,
      recorded: true,
      tags: {},
      state: 'new',
      life: 0,
      livedMs: 0,
      forgetful: false,
      process: undefined,
      core: undefined,
    }
    this.hosts.push(host)
    return host
  }

  #program(
    host: MemberHost,
    durable: MembershipInit['durable'],
    watch: Watch,
  ): Program<Packet, MembershipCommand, MembershipEvent, MembershipRequest> {
    const random = this.world.random.stream(`core ${host.name} ${host.life}`)
    const crypto = this.#keys.crypto(host.peer)
    const membership = new Membership({
      self: host.peer,
      cluster: clusterName,
      name: this.options.oneName ? 'same' : host.name,
      tags: host.tags,
      version,
      addresses: host.machine.addresses,
      config: this.options.config,
      crypto,
      random: () => random.next(),
      durable,
      ...(this.#founds(host) ? { base: this.#base as BaseView } : {}),
      units: {
        ...this.#mutant?.units,
        ...(this.#founds(host) ? { nextGeneration: () => foundingGeneration } : {}),
      },
    })
    host.core = membership
    let core: MembershipCore = this.#mutant?.wrap?.(membership) ?? membership
    if (host.lie !== undefined) {
      core = new Liar(core, {
        lie: host.lie,
        self: host.peer,
        cluster: clusterName,
        crypto,
        random: this.world.random.stream(`liar ${host.name} ${host.life}`),
        generation: () => membership.generation,
        lying: () => this.world.now >= this.lyingFrom,
      })
    }
    const strikes = this.#strikes(host)
    return {
      core,
      codec: packetCodec,
      connected: (peer) => ({ type: 'connected', peer }),
      disconnected: (peer, closedBy) => ({ type: 'disconnected', peer, closedBy }),
      request: (request, process) => {
        watch.requested()
        this.#dialler.request(request, process, () => watch.answered())
      },
      sending: (packet) => {
        if (host.lie === undefined) watch.sending(packet)
      },
      emitted: (event, process) => this.#emitted(host, process, watch, strikes, event),
      malformed: (peer) => strikes.add(peer, 'malformed'),
    }
  }

  #emitted(
    host: MemberHost,
    process: MemberProcess,
    watch: Watch,
    strikes: Strikes,
    event: MembershipEvent,
  ): void {
    const recorded = host.recorded && host.lie === undefined
    switch (event.type) {
      case 'member':
        watch.told(event.member, event.change)
        // That a row is gone says nothing of its member.
        if (recorded && event.change !== 'reaped') {
          const view = viewEvent(this.world.now, host.peer, event.member)
          if (this.toldOf === undefined) this.record(view)
          else this.toldOf(view)
        }
        this.world.remark(() => `${host.name}: ${this.#describe(event.change, event.member)}`)
        return
      case 'joined':
        if (recorded) this.#ready(host, process, event.generation)
        return
      case 'identity-in-use':
        this.world.note(`${host.name} stops: its identity is in use`)
        this.#superseded(host)
        return process.kill()
      case 'departed':
        this.world.note(`${host.name} has departed with ${event.acknowledgements} acknowledgements`)
        host.state = 'gone'
        return process.kill()
      case 'rider':
        return
      case 'misbehaved':
        return strikes.add(event.peer, event.reason)
      case 'rolled-back':
      case 'refuted':
      case 'pong':
      case 'name-conflict':
      case 'isolated':
        this.world.remark(() => `${host.name}: ${JSON.stringify(event)}`)
        return
      default:
        event satisfies never
    }
  }

  /** It is in its first life, and was there from the beginning. */
  #founds(host: MemberHost): boolean {
    return host.life === 1 && this.#base?.records.has(host.peer) === true
  }

  /** A life on an old disk may still learn of others before its generation means anything. */
  #ready(host: MemberHost, process: MemberProcess, generation: number): void {
    if (this.#founds(host)) return
    if (!host.forgetful) {
      this.record({ at: this.world.now, type: 'ready', peer: host.peer, generation })
      return
    }
    this.world.after(learningMs, () => {
      if (!process.alive || !host.recorded || host.state === 'ending') return
      const learnt = host.core?.generation ?? generation
      this.record({ at: this.world.now, type: 'ready', peer: host.peer, generation: learnt })
    })
  }

  /** If its double goes on, which a cut may bring about, the history knows that as one more life. */
  #superseded(host: MemberHost): void {
    host.state = 'gone'
    if (!host.recorded) return
    this.record({ at: this.world.now, type: 'killed', peer: host.peer })
    const double = this.hosts.find(
      (other) => other.peer === host.peer && other.process?.alive && other !== host,
    )
    if (double === undefined) return
    host.recorded = false
    double.recorded = true
    double.life = (this.#lives.get(host.peer) ?? 0) + 1
    this.#lives.set(host.peer, double.life)
    this.record({
      at: this.world.now,
      type: 'started',
      peer: host.peer,
      life: double.life,
      forgetful: true,
    })
  }

  #isHonest(peer: PeerId): boolean {
    return this.hosts.every((host) => host.peer !== peer || host.lie === undefined)
  }

  #strikes(host: MemberHost): Strikes {
    const struck = new Map<PeerId, number[]>()
    const add = (peer: PeerId, reason: string): void => {
      // Datagrams overtake each other and break: nobody's fault, and real links do not.
      if (this.options.network.transport === 'datagram') return
      const recent = (struck.get(peer) ?? []).filter((at) => this.world.now - at < strikeWindowMs)
      struck.set(peer, recent)
      if (recent.push(this.world.now) < strikesAllowed) return
      struck.delete(peer)
      this.world.remark(() => `${host.name} cuts ${this.nameOf(peer)} off: ${reason}`)
      if (this.#isHonest(peer)) {
        this.breach('honest-cut-off', `${host.name} cuts ${this.nameOf(peer)} off, who is honest: ${reason}`)
      }
      for (const end of host.process?.connectionsTo(peer) ?? []) end.close()
    }
    return { add }
  }

  /** The text with the members' short names for their ids. */
  withNames(text: string): string {
    return this.hosts.reduce((named, host) => named.replaceAll(host.peer, host.name), text)
  }

  nameOf(peer: string): string {
    return this.hosts.find((host) => host.peer === peer)?.name ?? peer
  }

  #describe(change: string, view: MemberView): string {
    const by =
      view.accusers.length === 0 ? '' : ` accused by ${view.accusers.map((p) => this.nameOf(p)).join(' ')}`
    return `${this.nameOf(view.peer)} ${change}: ${view.status} ${view.generation}.${view.incarnation}${by}`
  }
}

/** What the core of a founder says of itself as soon as it starts. */
function foundingRecord({ peer, name, machine, tags }: MemberHost): MemberRecord {
  return {
    cluster: clusterName,
    peer,
    generation: foundingGeneration,
    incarnation: 0,
    presence: 'alive',
    addresses: machine.addresses,
    name,
    version,
    groups: [],
    tags,
  }
}

const shownAs = {
  joining: 'alive',
  alive: 'alive',
  suspect: 'suspect',
  stalled: 'suspect',
  dead: 'dead',
  leaving: 'left',
  left: 'left',
} as const satisfies Record<MemberStatus, ViewStatus>

function viewEvent(at: number, observer: PeerId, view: MemberView): ViewEvent {
  return {
    at,
    type: 'view',
    observer,
    subject: view.peer,
    status: shownAs[view.status],
    generation: view.generation,
    incarnation: view.incarnation,
    ...(view.status === 'stalled' ? { stalled: true } : {}),
  }
}
