import { multicastDefaults } from '../../../lib/protocols/multicast/config.ts'
import type { Random } from '../random.ts'
import type { World } from '../world.ts'
import type { GroupCluster } from './group-cluster.ts'
import { type GroupHost, isHonest, isUp, type Life } from './group-host.ts'
import { GroupLiar } from './group-liar.ts'
import type { GroupFault, MulticastSimOptions } from './options.ts'
import type { Workload } from './workload.ts'

/** Between two looks at whether everybody has the same, and how long it must then stay so, ms. */
const lookEveryMs = 500
const staysMs = 1500
/** The last publications leave before the faults end, mostly; some come after. */
const talkAfterMs = 400
/** What is due leaves the log within this, ms. */
const truncationMs = 2500
const mostPeers = 66
const lookAt = 8

interface Cut {
  readonly from: readonly GroupHost[]
  readonly to: readonly GroupHost[]
}

/**
 * What befalls the members: they form and talk, faults come, all of them end, and
 * whoever still runs must come to have the same.
 */
export class Story {
  readonly #cluster: GroupCluster
  readonly #workload: Workload
  readonly #world: World
  readonly #options: MulticastSimOptions
  readonly #random: Random
  readonly #cuts = new Set<readonly Cut[]>()
  readonly #liars = new Map<Life, GroupLiar>()
  #looks = 0

  constructor(cluster: GroupCluster, workload: Workload) {
    this.#cluster = cluster
    this.#workload = workload
    this.#world = cluster.world
    this.#options = cluster.options
    this.#random = cluster.world.random.stream('story')
  }

  /** True when everybody agreed at the end. */
  tell(): boolean {
    this.#form()
    const until = this.#world.now + this.#options.faultyMs
    this.#lieUntil(until)
    while (this.#world.now < until && !this.#broken()) {
      this.#world.runUntil(
        Math.min(until, this.#world.now + this.#random.exponential(this.#options.faultEveryMs)),
      )
      if (this.#world.now < until) this.#fault(this.#random.weighted(this.#options.faults))
    }
    this.#endFaults()
    this.#world.runUntil(this.#world.now + talkAfterMs)
    this.#workload.stop()
    return this.#settle()
  }

  /** An honest envelope leaves: forgers may be faster. */
  overheard(from: Life, group: string, bytes: Uint8Array): void {
    for (const [life, liar] of this.#liars) {
      if (life.host.lie === 'forges' && life !== from) liar.forge(group, bytes)
    }
  }

  #broken(): boolean {
    return this.#cluster.violations.length > 0
  }

  #form(): void {
    const { peers, lies, formationMs } = this.#options
    for (let i = 0; i < peers; i++) {
      const host = this.#cluster.addHost(lies[i - (peers - lies.length)])
      this.#world.after(this.#random.between(0, formationMs), () => this.#start(host))
    }
    this.#world.runUntil(formationMs + 300)
  }

  #start(host: GroupHost, forgetful = false): void {
    const life = this.#cluster.start(host, forgetful)
    for (const name of host.wanted) {
      // Some apps join at once, some when they are needed.
      const delayMs = this.#random.chance(0.7) ? 0 : this.#random.between(0, 1500)
      this.#world.after(delayMs, () => {
        if (life.process.alive && host.wanted.has(name)) this.#cluster.join(life, name)
      })
    }
    this.#workload.start(life)
    if (host.lie !== undefined) this.#liars.set(life, new GroupLiar(this.#cluster, life))
  }

  #lieUntil(until: number): void {
    this.#world.after(this.#random.between(150, 700), () => {
      if (this.#world.now >= until) return
      for (const [life, liar] of this.#liars) {
        if (life.process.alive) liar.lie()
        else this.#liars.delete(life)
      }
      this.#lieUntil(until)
    })
  }

  #fault(fault: GroupFault): void {
    switch (fault) {
      case 'kill':
        return this.#withSpare((host) =>
          this.#cluster.end(host, this.#random.chance(0.15) ? 'depart' : 'kill'),
        )
      case 'power-cut':
        return this.#withSpare((host) => this.#cluster.end(host, 'power-cut'))
      case 'restart':
        return this.#restart()
      case 'restore-backup':
      case 'wipe':
        return this.#rollBack(fault)
      case 'lose-tail':
        return this.#withSpare((host) => this.#loseTail(host))
      case 'leave-group':
        return this.#leaveGroup()
      case 'join-group':
        return this.#joinGroup()
      case 'newcomer':
        return this.#newcomer()
      case 'partition':
      case 'one-way-cut':
      case 'isolate':
        return this.#cutSome(fault)
      case 'reset-connections':
        return this.#resetConnections()
      case 'flap':
        return this.#flap()
      case 'set-wall-clock':
        return this.#setWallClock()
      case 'replay':
        return this.#withRunning((life) => this.#cluster.gossip.replay(life))
      case 'pause':
        return this.#withRunning((life) => this.#pause(life))
      case 'deny':
        return this.#withRunning((life) => this.#deny(life))
      default:
        fault satisfies never
    }
  }

  /** All faults end; most of what is down comes back. */
  #endFaults(): void {
    this.#world.note('the faults end')
    for (const cuts of [...this.#cuts]) this.#mend(cuts, true)
    for (const host of this.#cluster.hosts) {
      host.present?.process.thaw()
      if (!isUp(host) && this.#random.chance(0.7)) this.#start(host, this.#powerWasCut(host))
    }
  }

  /** Until all have the same for a while, or time is up: then the checkers say what is missing where. */
  #settle(): boolean {
    const until = this.#world.now + this.#options.quietMs
    let agreedSince: number | undefined
    while (this.#world.now < until && !this.#broken()) {
      this.#world.runUntil(this.#world.now + lookEveryMs)
      this.#look()
      if (!this.#agreed()) agreedSince = undefined
      else {
        agreedSince ??= this.#world.now
        if (this.#world.now - agreedSince >= staysMs) {
          this.#watchRetention()
          return true
        }
      }
    }
    return false
  }

  /** Where a log is short and nothing is published any more, it is empty in the end. */
  #watchRetention(): void {
    const { retentionMs, pinMs } = this.#options.config
    if (retentionMs >= multicastDefaults.retentionMs) return
    this.#world.runUntil(this.#world.now + retentionMs + pinMs + truncationMs)
    for (const host of this.#cluster.hosts.filter(isUp)) {
      for (const { name, logMessages } of host.present.core.groups()) {
        if (logMessages === 0) continue
        this.#cluster.breach('retention', `${host.name} keeps ${logMessages} messages in the log of ${name}`)
      }
    }
  }

  /** At the frontiers of some, of all in turn. */
  #look(): void {
    const running = this.#cluster.hosts.filter(isUp).filter(isHonest)
    for (let i = 0; i < Math.min(lookAt, running.length); i++) {
      const host = running[this.#looks++ % running.length]
      if (host?.present !== undefined) this.#cluster.observer(host.present).compare()
    }
  }

  #agreed(): boolean {
    if (this.#workload.unanswered().length > 0) return false
    return this.#options.groups.every((name) => {
      const texts = this.#cluster.membersOf(name).map((life) => this.#has(life, name))
      return texts.every((text) => text !== undefined && text === texts[0])
    })
  }

  /** All that it has of honest authors. */
  #has(life: Life, name: string): string | undefined {
    const witness = this.#cluster.observer(life).witnesses.get(name)
    if (witness?.entered !== true || !life.process.settled) return undefined
    const { liars } = this.#cluster.truth
    const rows: string[] = []
    for (const [entry, seq] of witness.decided) {
      if (!liars.has(entry.slice(0, entry.indexOf('#')))) rows.push(`${entry}:${seq}`)
    }
    return rows.sort().join()
  }

  #withRunning(act: (life: Life) => void): void {
    const running = this.#cluster.hosts.filter(isUp)
    if (running.length > 0) act(this.#random.pick(running).present)
  }

  /** Somebody whom the others can spare: two honest ones stay. */
  #withSpare(act: (host: GroupHost & { present: Life }) => void): void {
    const running = this.#cluster.hosts.filter(isUp).filter(isHonest)
    if (running.length > 2) act(this.#random.pick(running))
  }

  #down(): GroupHost[] {
    return this.#cluster.hosts.filter((host) => host.present !== undefined && !isUp(host))
  }

  #powerWasCut(host: GroupHost): boolean {
    return !host.machine.up
  }

  #restart(): void {
    const down = this.#down()
    if (down.length === 0) return
    const host = this.#random.pick(down)
    if (this.#random.chance(0.5)) host.backup = host.machine.disk.image()
    if (this.#random.chance(0.2)) host.machine.clock.stepWall(-this.#random.between(0, 3_600_000))
    this.#start(host, this.#powerWasCut(host))
  }

  #rollBack(fault: 'restore-backup' | 'wipe'): void {
    const down = this.#down().filter((host) => fault === 'wipe' || host.backup !== undefined)
    if (down.length === 0) return
    const host = this.#random.pick(down)
    this.#world.note(`${fault} ${host.name}`)
    host.machine.disk.restore((fault === 'wipe' ? undefined : host.backup) ?? new Map())
    if (this.#random.chance(0.5)) host.machine.clock.stepWall(-this.#random.between(60_000, 86_400_000))
    this.#start(host, true)
  }

  /** Cut off from all but perhaps one, it publishes and dies; what it said turns up later. */
  #loseTail(host: GroupHost & { present: Life }): void {
    const others = this.#random.shuffled(this.#cluster.hosts.filter((other) => other !== host))
    const confidant = this.#random.chance(0.5)
    const rest = confidant ? others.slice(1) : others
    this.#world.note(`${host.name} is heard by ${confidant ? others[0]?.name : 'nobody'}`)
    const cuts = this.#cut([host], rest, true)
    const { present } = host
    for (let i = this.#random.whole(1, 3); i > 0; i--) {
      this.#world.after(this.#random.between(0, 300), () => {
        for (const name of [...present.joined].slice(0, 1)) this.#workload.publish(present, name)
      })
    }
    this.#world.after(this.#random.between(300, 600), () => {
      if (host.present === present) this.#cluster.end(host, 'kill')
      this.#mend(cuts, true)
    })
  }

  #leaveGroup(): void {
    const running = this.#cluster.hosts.filter(isUp).filter((host) => isHonest(host) && host.wanted.size > 0)
    if (running.length <= 2) return
    const host = this.#random.pick(running)
    if (host.present.process.frozen) return
    const name = this.#random.pick([...host.wanted])
    if (this.#cluster.membersOf(name).length <= 2) return
    this.#cluster.leave(host, name)
    if (this.#random.chance(0.6)) {
      this.#world.after(this.#random.between(50, 3000), () => this.#join(host, name))
    }
  }

  #joinGroup(): void {
    const running = this.#cluster.hosts.filter(isUp).filter(isHonest)
    if (running.length === 0) return
    const host = this.#random.pick(running)
    const name = this.#options.groups.find((group) => !host.wanted.has(group))
    if (name !== undefined) this.#join(host, name)
  }

  #join(host: GroupHost, name: string): void {
    if (host.wanted.has(name) || !isUp(host) || host.present.process.frozen) return
    host.wanted.add(name)
    this.#world.note(`${host.name} joins ${name}`)
    this.#cluster.join(host.present, name)
    if (this.#random.chance(0.5)) this.#workload.publish(host.present, name)
  }

  #newcomer(): void {
    if (this.#cluster.hosts.length >= Math.min(mostPeers, this.#options.peers + 4)) return
    const host = this.#cluster.addHost()
    // A cut that is there concerns those who were there.
    this.#start(host)
  }

  #cutSome(how: 'partition' | 'one-way-cut' | 'isolate'): void {
    const hosts = this.#random.shuffled(this.#cluster.hosts)
    const size = how === 'isolate' ? 1 : this.#random.whole(1, hosts.length - 1)
    const some = hosts.slice(0, size)
    const rest =
      how === 'one-way-cut' ? hosts.slice(size, size + this.#random.whole(1, 3)) : hosts.slice(size)
    this.#world.note(`${how} ${some.map(({ name }) => name)} from ${rest.map(({ name }) => name)}`)
    const cuts = this.#cut(some, rest, how !== 'one-way-cut')
    this.#world.after(this.#random.between(300, 6000), () => this.#mend(cuts, this.#random.chance(0.7)))
  }

  #cut(some: readonly GroupHost[], rest: readonly GroupHost[], bothWays: boolean): readonly Cut[] {
    const there = { from: some, to: rest }
    const cuts = bothWays ? [there, { from: rest, to: some }] : [there]
    this.#cuts.add(cuts)
    const { links } = this.#cluster.network
    this.#each(cuts, (from, to) => {
      links.cut(from.machine.index, to.machine.index)
      this.#cluster.directory.rewired(to, from, true)
    })
    return cuts
  }

  /** @param renew connections that were cut are replaced, as membership does after a while */
  #mend(cuts: readonly Cut[], renew: boolean): void {
    if (!this.#cuts.delete(cuts)) return
    this.#world.note('mend a cut')
    this.#each(cuts, (from, to) => {
      this.#cluster.network.links.mend(from.machine.index, to.machine.index)
      this.#cluster.directory.rewired(to, from, false)
      if (renew) this.#cluster.wiring.renew(from, to)
    })
  }

  #each(cuts: readonly Cut[], act: (from: GroupHost, to: GroupHost) => void): void {
    for (const cut of cuts) for (const from of cut.from) for (const to of cut.to) act(from, to)
  }

  #resetConnections(): void {
    this.#withRunning(({ host, process }) => {
      this.#world.note(`reset connections of ${host.name}`)
      const share = this.#random.pick([0.3, 1])
      for (const peer of process.connectedPeers) {
        if (!this.#random.chance(share)) continue
        for (const end of [...process.connectionsTo(peer)]) end.reset()
      }
    })
  }

  /** The new connection is reported before the end of the old one, and put right later. */
  #flap(): void {
    this.#withRunning(({ host, process }) => {
      const peers = process.connectedPeers
      if (peers.length === 0) return
      const peer = this.#random.pick(peers)
      this.#world.note(`${host.name} is told of a connection and its end the wrong way round`)
      process.command({ type: 'connected', peer })
      process.command({ type: 'disconnected', peer })
      this.#world.after(this.#random.between(100, 1500), () => {
        if (process.connectionsTo(peer).length > 0) process.command({ type: 'connected', peer })
      })
    })
  }

  #setWallClock(): void {
    const host = this.#random.pick(this.#cluster.hosts)
    const byMs = this.#random.between(-600_000, 600_000)
    this.#world.note(`set ${host.name}'s wall clock by ${Math.round(byMs)} ms`)
    host.machine.clock.stepWall(byMs)
  }

  /** An operator keeps somebody out, and thinks better of it. */
  #deny({ host, process }: Life): void {
    const { peer, name } = this.#random.pick(this.#cluster.hosts.filter((other) => other !== host))
    this.#world.note(`${host.name} denies ${name}`)
    process.command({ type: 'deny', peer, denied: true })
    this.#world.after(this.#random.between(100, 3000), () => {
      process.command({ type: 'deny', peer, denied: false })
    })
  }

  #pause({ host, process }: Life): void {
    const forMs = this.#random.between(50, 3000)
    this.#world.note(`pause ${host.name} for ${Math.round(forMs)} ms`)
    process.freeze()
    this.#world.after(forMs, () => process.thaw())
  }
}
