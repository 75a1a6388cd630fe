import { PeerClock } from '../../../lib/protocols/clocks/peer-clock.ts'
import type { Crypto, PeerId } from '../../../lib/protocols/core.ts'
import { multicastCodec } from '../../../lib/protocols/multicast/codec.ts'
import { authorKeyOf, groupIdOf } from '../../../lib/protocols/multicast/dots.ts'
import type {
  DotKey,
  Envelope,
  MulticastCommand,
  MulticastEvent,
  MulticastPacket,
} from '../../../lib/protocols/multicast/messages.ts'
import { Multicast } from '../../../lib/protocols/multicast/multicast.ts'
import type { MulticastUnits } from '../../../lib/protocols/multicast/units.ts'
import { maxBulkFrameBytes } from '../../../lib/wire/limits.ts'
import type { Violation } from '../../checkers/history.ts'
import type { GroupHistory } from '../../checkers/multicast-history.ts'
import { HostClock } from '../clock.ts'
import { Disk } from '../disk.ts'
import { hash32, hashText, mixIn } from '../hash.ts'
import { Keys } from '../keys.ts'
import { Machine } from '../machine.ts'
import { Network } from '../network.ts'
import { Process, type Program } from '../process.ts'
import { Wiring } from '../wiring.ts'
import type { World } from '../world.ts'
import { Directory } from './directory.ts'
import { firstField, Gossip } from './gossip.ts'
import { type GroupHost, isHonest, isUp, type Life, type SimRequest } from './group-host.ts'
import { Observer } from './observer.ts'
import type { GroupLie, MulticastSimOptions } from './options.ts'
import { Station } from './station.ts'
import { promiseKey, TrafficWatch, type Truth } from './witness.ts'

/** A plausible mistake: rules replaced, or the host's option. */
export interface MulticastMutant {
  readonly name: string
  readonly mistake: string
  readonly units?: Partial<MulticastUnits>
  readonly messageId?: 'header'
}

/** What others want to hear of. */
export interface GroupClusterPort {
  /** Before it leaves: a forger may be faster. */
  overheard(from: Life, group: string, bytes: Uint8Array): void
  delivered(life: Life, name: string, envelope: Envelope): void
  answered(life: Life, token: number, code: string | undefined): void
}

export const clusterId = '5'.repeat(32)
/** Wall time at which every world begins, ms since 1970; any date would do. */
const worldEpochMs = 1_800_000_000_000
const maxViolations = 20
/** Membership's own record on the disk. */
const epochKey = '~epoch'
/** Between two looks at the disk: a power cut loses at most as much. */
const syncEveryMs = 1000
/** Others tell a life of a higher generation of its own after this, ms. */
const learningMs = 400

/** The members of some groups, their machines, their network; what they say is recorded. */
export class GroupCluster {
  readonly world: World
  readonly options: MulticastSimOptions
  readonly network: Network
  readonly hosts: GroupHost[] = []
  readonly violations: Violation[] = []
  readonly histories = new Map<string, GroupHistory[number][]>()
  readonly truth: Truth
  readonly gossip: Gossip
  readonly directory: Directory
  readonly wiring: Wiring
  /** Lamport times by group and dot, for who makes up envelopes. */
  readonly lamports = new Map<string, number>()
  readonly #keys: Keys
  readonly #mutant: MulticastMutant | undefined
  readonly #port: GroupClusterPort
  readonly #liars = new Set<string>()
  readonly #observers = new WeakMap<Life, Observer>()
  /** By group and peer: its last stay there. */
  readonly #stays = new Map<string, { readonly number: number; readonly entered: () => boolean }>()
  /** By group and peer: whose disk went back since it was last there. */
  readonly #forgot = new Set<string>()
  readonly #heartbeats: World['random']

  constructor(
    world: World,
    options: MulticastSimOptions,
    port: GroupClusterPort,
    mutant: MulticastMutant | undefined,
  ) {
    this.world = world
    this.options = options
    this.#port = port
    this.#mutant = mutant
    this.#keys = new Keys(world.random.stream('keys'))
    this.#heartbeats = world.random.stream('heartbeats')
    this.network = new Network(world, world.random.stream('network'), options.network)
    const { links } = this.network
    const { hosts } = this
    this.directory = new Directory(world, links, hosts, options.membership)
    this.wiring = new Wiring(world, this.network, hosts)
    this.gossip = new Gossip({
      world,
      links,
      hosts,
      options: {
        ...options.gossip,
        ...(mutant?.messageId === undefined ? {} : { messageId: mutant.messageId }),
      },
      headerOf: firstField,
      overheard: (life, group, bytes) => port.overheard(life, group, bytes),
      hidden: (life) =>
        this.breach('true-copy', `${life.host.name} never examines a copy, because it has seen a forged one`),
    })
    this.truth = {
      hosts,
      liars: this.#liars,
      pasts: new Map(),
      promised: new Map(),
      forbidden: new Map(),
      now: () => world.now,
      record: (group, event) => this.#history(group).push(event),
      breach: (property, message) => this.breach(property, message),
    }
  }

  addHost(lie?: GroupLie): GroupHost {
    const { world, options } = this
    const index = this.hosts.length
    const name = `m${index}`
    const random = world.random.stream(name)
    const peer = this.#keys.identity()
    if (lie !== undefined) this.#liars.add(peer)
    const clock = new HostClock(world, {
      driftPpm: random.between(-options.driftPpm, options.driftPpm),
      wallAtZeroMs: worldEpochMs + random.between(-options.wallErrorMs, options.wallErrorMs),
    })
    const disk = new Disk(world, random.stream('disk'), options.disk)
    const machine = new Machine({ index, disk, clock, network: this.network })
    machine.readdress([`/ip4/10.0.${index >> 8}.${index & 255}/tcp/4001`])
    const [first, ...rest] = options.groups
    const wanted = rest.filter(() => random.chance(0.6))
    const host: GroupHost = {
      name,
      peer,
      key: authorKeyOf(peer, this.crypto(peer).sha256),
      machine,
      lie,
      silent: lie !== undefined || random.chance(options.workload.silent),
      wanted: new Set([...(first === undefined || random.chance(0.1) ? [] : [first]), ...wanted]),
      lives: 0,
      present: undefined,
      departed: false,
      recent: new Map(),
      backup: undefined,
      epochs: new Set(),
    }
    if (host.wanted.size === 0 && first !== undefined) host.wanted.add(first)
    this.hosts.push(host)
    return host
  }

  crypto(peer: PeerId): Crypto {
    return this.#keys.crypto(peer)
  }

  groupId(name: string): string {
    return groupIdOf(name, this.crypto(this.hosts[0]?.peer as PeerId).sha256)
  }

  /** @param forgetful its disk is older than its last life */
  start(host: GroupHost, forgetful = false): Life {
    const { world, options } = this
    host.lives++
    host.departed = false
    host.machine.powerOn()
    world.note(`start ${host.name} life ${host.lives}`)
    for (const name of forgetful ? options.groups : []) {
      this.truth.promised.delete(promiseKey(host, name))
      this.#forgot.add(`${name} ${host.peer}`)
    }
    const life = this.#live(host, forgetful)
    host.present = life
    host.machine.run(life.process)
    this.gossip.arrived(life)
    this.wiring.arrived(host)
    this.#takeEpoch(life)
    this.#beat(life)
    this.#sync(life)
    return life
  }

  /** Its app joins a group that it is not in. */
  join(life: Life, name: string): void {
    life.joined.add(name)
    life.process.command({ type: 'join', name })
  }

  leave(host: GroupHost, name: string): void {
    host.wanted.delete(name)
    const { present } = host
    if (present === undefined || !isUp(host)) return
    this.world.note(`${host.name} leaves ${name}`)
    present.joined.delete(name)
    present.process.command({ type: 'leave', name })
    this.world.after(0, () => {
      this.observer(present).left(name)
      if (isHonest(host)) this.#history(name).push({ at: this.world.now, type: 'left', peer: host.peer })
    })
  }

  end(host: GroupHost, how: 'kill' | 'power-cut' | 'depart'): void {
    if (!isUp(host)) return
    const { world } = this
    const { present } = host
    world.note(`${how} ${host.name}`)
    host.departed = how === 'depart'
    this.observer(present).ended()
    if (how === 'power-cut') this.#lose(host)
    else present.process.kill()
    if (isHonest(host)) {
      for (const name of this.observer(present).witnesses.keys()) {
        this.#history(name).push({ at: world.now, type: 'killed', peer: host.peer })
      }
    }
    this.gossip.gone(present)
    this.directory.ended(host)
  }

  observer(life: Life): Observer {
    const observer = this.#observers.get(life)
    if (observer === undefined) throw new Error(`nobody observes ${life.host.name}`)
    return observer
  }

  /** Everybody whose app wants to be in the group and who runs, honest ones only. */
  membersOf(name: string): Life[] {
    return this.hosts.flatMap((host) =>
      isHonest(host) && host.wanted.has(name) && isUp(host) ? [host.present] : [],
    )
  }

  breach(property: string, message: string): void {
    if (this.violations.length < maxViolations) {
      this.violations.push({ property, at: this.world.now, message })
    }
  }

  /** The text with the members' short names for their ids. */
  withNames(text: string): string {
    return this.hosts.reduce(
      (named, host) => named.replaceAll(host.peer, host.name).replaceAll(host.key, host.name),
      text,
    )
  }

  #live(host: GroupHost, forgetful: boolean): Life {
    const { world, options } = this
    const number = host.lives
    const random = world.random.stream(`core ${host.name} ${number}`)
    const crypto = this.crypto(host.peer)
    const durable = new Map(host.machine.disk.image())
    durable.delete(epochKey)
    const core = new Multicast({
      self: host.peer,
      cluster: clusterId,
      config: options.config,
      crypto,
      random: () => random.next(),
      durable,
      clock: new PeerClock(durable.get('clock')),
      ...(this.#mutant?.units === undefined ? {} : { units: this.#mutant.units }),
    })
    const observer = new Observer(core, {
      truth: this.truth,
      life: () => life,
      stay: (group) => this.#stay(life, group),
    })
    const traffic = new TrafficWatch()
    const process = new Process(world, {
      peer: host.peer,
      machine: host.machine,
      life: number,
      random: world.random.stream(`timers ${host.name} ${number}`),
      program: this.#program(() => life, observer, traffic, crypto),
      frameLimit: maxBulkFrameBytes,
    })
    const life: Life = {
      host,
      number,
      index: host.machine.index,
      process,
      core,
      station: new Station(),
      forgetful,
      epoch: 0,
      groups: [],
      joined: new Set(),
      unknownAuthor: () => this.directory.exchange(life),
    }
    this.#observers.set(life, observer)
    return life
  }

  #program(
    life: () => Life,
    observer: Observer,
    traffic: TrafficWatch,
    crypto: Crypto,
  ): Program<MulticastPacket, MulticastCommand, MulticastEvent, SimRequest> {
    return {
      core: observer,
      codec: multicastCodec(crypto),
      connected: (peer) => ({ type: 'connected', peer }),
      disconnected: (peer) => {
        this.wiring.lost(life().process)
        return { type: 'disconnected', peer }
      },
      request: (request) => this.#request(life(), request),
      sending: (packet, to) => {
        this.world.remark(() => this.withNames(`${life().host.name} to ${to}: ${brief(packet)}`))
        if (!isHonest(life().host) || !traffic.counts(this.world.now, this.hosts.length)) return
        this.breach('bounded-traffic', `${life().host.name} sends without bound`)
      },
      emitted: (event) => this.#emitted(life(), observer, event),
      malformed: (peer) => this.breach('well-formed', `${this.withNames(peer)} sends what does not decode`),
      hash: hashOf,
    }
  }

  #request(life: Life, request: SimRequest): void {
    switch (request.type) {
      case 'mark':
        if (isHonest(life.host)) request.passed()
        return
      case 'gossip':
        return this.gossip.publish(life, request.group, request.bytes)
      case 'subscribe':
        return this.gossip.subscribe(life, request.group)
      case 'unsubscribe':
        return this.gossip.unsubscribe(life, request.group)
      case 'regroup':
        life.groups = request.groups
        return this.directory.changed(life.host)
      case 'sync-members':
        return this.directory.exchange(life)
      case 'renew-epoch':
        return this.#takeEpoch(life)
      default:
        request satisfies never
    }
  }

  #emitted(life: Life, observer: Observer, event: MulticastEvent): void {
    if (isHonest(life.host)) observer.emitted(event)
    if (event.type !== 'delivered' && event.type !== 'published') {
      this.world.remark(() => this.withNames(`${life.host.name}: ${JSON.stringify(event)}`))
    }
    if (event.type === 'delivered') {
      this.#rememberLamport(event.name, event.envelope)
      this.world.remark(() => this.withNames(`${life.host.name} delivers ${describe(event.envelope)}`))
      this.#port.delivered(life, event.name, event.envelope)
    } else if (event.type === 'published') this.#port.answered(life, event.token, undefined)
    else if (event.type === 'refused') this.#port.answered(life, event.token, event.code)
    else if (event.type === 'misbehaved' && !this.#liars.has(event.peer) && isHonest(life.host)) {
      const accused = this.withNames(event.peer)
      this.breach(
        'honest-accused',
        `${life.host.name} says that ${accused} broke the protocol: ${event.reason}`,
      )
    }
  }

  #rememberLamport(name: string, envelope: Envelope): void {
    this.lamports.set(`${name} ${envelope.entry}:${envelope.last}`, envelope.lastLamport)
  }

  #stay(life: Life, group: string): number {
    const key = `${group} ${life.host.peer}`
    const { number, entered } = this.#stays.get(key) ?? { number: 0, entered: () => true }
    const stay = number + 1
    const inGroup = (): boolean => this.observer(life).witnesses.get(group)?.entered === true
    if (isHonest(life.host)) {
      const { peer } = life.host
      // Who was killed while it joined has nothing on its disk that it could return with.
      const forgetful = this.#forgot.delete(key) || life.forgetful || !entered()
      this.#history(group).push({ at: this.world.now, type: 'started', peer, life: stay, forgetful })
    }
    this.#stays.set(key, { number: stay, entered: inGroup })
    return stay
  }

  #history(group: string): GroupHistory[number][] {
    const history = this.histories.get(group) ?? []
    this.histories.set(group, history)
    return history
  }

  /** As membership gives them: above what the disk says and the wall clock shows, and on the disk first. */
  #takeEpoch(life: Life): void {
    const { host, process } = life
    const { disk } = host.machine
    const persisted = decodeEpoch(disk.read(epochKey))
    this.#writeEpoch(life, Math.max(persisted + 1, Math.floor(process.now.wall)))
    const highest = Math.max(0, ...host.epochs)
    // Others remember a higher one: then another is taken, a little later.
    if (life.epoch === 0 && highest > persisted && highest > process.now.wall) {
      this.world.after(learningMs, () => {
        if (process.alive) this.#writeEpoch(life, highest + 1)
      })
    }
  }

  #writeEpoch(life: Life, wanted: number): void {
    const { host, process } = life
    let epoch = wanted
    while (host.epochs.has(epoch)) epoch++
    host.epochs.add(epoch)
    host.machine.disk.write(epochKey, encodeEpoch(epoch), () =>
      process.schedule(() => {
        const first = life.epoch === 0
        life.epoch = epoch
        process.command({ type: 'epoch', epoch })
        if (!first) return
        this.directory.arrived(life)
        this.directory.changed(host)
      }),
    )
  }

  /** Tails ride on a heartbeat and on its answer. */
  #beat(life: Life): void {
    const { heartbeatMs, heartbeatLoss } = this.options.membership
    const random = this.#heartbeats
    this.world.after(random.between(0.8, 1.2) * heartbeatMs, () => {
      if (!life.process.alive) return
      this.#beat(life)
      const others = this.hosts.filter((host) => host !== life.host && this.directory.knows(life, host.peer))
      if (others.length === 0) return
      const other = random.pick(others).present
      if (other === undefined || life.epoch === 0) return
      if (!random.chance(heartbeatLoss)) this.#tell(life, other)
      if (!random.chance(heartbeatLoss)) this.#tell(other, life)
    })
  }

  #tell(from: Life, to: Life): void {
    if (!from.process.alive || from.epoch === 0) return
    const tails = from.core.tailNews(to.host.peer, this.world.now)
    if (tails.length === 0) return
    const { links } = this.network
    this.world.after(links.segmentDelay(links.direction(from.index, to.index)), () => {
      if (links.isCut(from.index, to.index)) return
      to.process.schedule(() => to.process.command({ type: 'tails', from: from.host.peer, tails }))
    })
  }

  /** Now and then the system flushes: what a power cut leaves. */
  #sync(life: Life): void {
    if (!life.process.alive) return
    life.host.recent = life.host.machine.disk.image()
    this.world.after(syncEveryMs, () => this.#sync(life))
  }

  /** What was written and not flushed is lost with the power, but not the generation, which is flushed at once. */
  #lose(host: GroupHost & { present: Life }): void {
    const { disk } = host.machine
    host.machine.powerOff()
    host.present.process.vanish()
    const epoch = disk.read(epochKey)
    const image = new Map(host.recent)
    if (epoch !== undefined) image.set(epochKey, epoch)
    disk.restore(image)
  }
}

function hashOf(said: MulticastCommand | MulticastEvent | SimRequest): number | undefined {
  switch (said.type) {
    case 'gossiped':
      return hashText(said.envelope.hash, hashText(said.from))
    case 'publish':
      return hash32(said.payload, said.token)
    case 'delivered':
      return mixIn(hashText(said.envelope.hash), said.index)
    case 'published':
      return mixIn(hashText(said.envelope.hash), said.token)
    case 'gossip':
      return hash32(said.bytes)
    case 'mark':
      return 1
    default:
      return undefined
  }
}

function describe({ header, last }: Envelope): string {
  const { author, epoch, seq, lamport, dependencies } = header
  const names = dependencies.map((dot) => `${dot.author}#${dot.epoch % 1_000_000}:${dot.seq}`)
  const range = last === seq ? `${seq}` : `${seq}-${last}`
  return `${author}#${epoch % 1_000_000}:${range} lamport ${lamport} after [${names.join(' ')}]`
}

/** A frame of the repair link, for people. */
function brief({ body }: MulticastPacket): string {
  const { type } = body
  switch (body.type) {
    case 'pull':
      return `${type} ${body.id} ${body.ranges.map((r) => `${r.author}#${r.epoch % 1_000_000}:${r.from}-${r.to}`).join(' ')}`
    case 'supply': {
      const envelopes = body.envelopes.map((e) => `${e.authorKey}#${e.header.epoch % 1_000_000}:${e.last}`)
      return `${type} ${body.id} [${envelopes.join(' ')}] floors [${body.floors.map(named).join(' ')}] has [${body.delivered.map(named).join(' ')}] ${body.headers.length} headers`
    }
    case 'vector':
      return `${type} ${body.entries.map(named).join(' ')}`
    case 'inquiry':
      return `${type} ${body.id} ${body.dots.map(named).join(' ')}`
    case 'baseline':
      return body.none
        ? `${type} none`
        : `${type} ${body.id} base [${body.entries.map((e) => `${e.authorKey}#${e.header.epoch % 1_000_000}:${e.last}`).join(' ')}] frontier [${body.frontier.map(named).join(' ')}] has [${body.delivered.map(named).join(' ')}]`
    case 'summary':
      return `${type} ${body.digest.slice(0, 6)}`
    case 'push':
      return `${type} ${body.envelope.authorKey}#${body.envelope.header.epoch % 1_000_000}:${body.envelope.last}`
    case 'baseline-request':
      return `${type} ${body.id} ${body.done ? 'done' : ''}`
    case 'proofs':
      return `${type} ${body.proofs.length}`
    default:
      return body satisfies never
  }
}

function named({ author, epoch, seq }: DotKey): string {
  return `${author}#${epoch % 1_000_000}:${seq}`
}

function encodeEpoch(epoch: number): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setFloat64(0, epoch)
  return bytes
}

function decodeEpoch(bytes: Uint8Array | undefined): number {
  return bytes === undefined ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0)
}
