import type { DiskImage } from '../disk.ts'
import type { Random } from '../random.ts'
import type { World } from '../world.ts'
import type { Cluster } from './cluster.ts'
import { longestLifeMs, type MemberHost, takesPart } from './member-host.ts'
import type { Fault, MembershipSimOptions } from './options.ts'
import { Partitions } from './partitions.ts'

const formationLimitMs = 10_000
/** Between two looks at whether everybody agrees, and how long agreement is watched for flapping, ms. */
const lookEveryMs = 500
const watchAgreementMs = 5000
/** A start that is not disturbed is over by then. */
const settlingMs = 2000
/** A life of this length has written down whom it met. */
const settledLifeMs = 5000

interface Contest {
  readonly older: MemberHost
  readonly newer: MemberHost
}

/** Exactly one goes on. */
function isSettled({ older, newer }: Contest): boolean {
  return (older.process?.alive === true) !== (newer.process?.alive === true)
}

/**
 * What befalls a cluster: it forms, then faults come (safety), then all of them
 * end and whoever still runs must agree (liveness).
 *
 * Each fault is only done where the promises judged afterwards still hold: see
 * `spare`.
 */
export class Story {
  readonly #cluster: Cluster
  readonly #world: World
  readonly #options: MembershipSimOptions
  readonly #random: Random
  readonly #partitions: Partitions
  /** Stands still, and the history says so. */
  readonly #excused = new Set<MemberHost>()
  /** Whose disk went back, and the generation that it had by then. */
  readonly #forgotten = new Map<MemberHost, number>()
  readonly #backups = new Map<MemberHost, DiskImage>()
  /** Two lives of one identity that have yet to settle which goes on. */
  readonly #contests: Contest[] = []
  #mover: MemberHost | undefined
  #nextAddress = 0

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#world = cluster.world
    this.#options = cluster.options
    this.#random = cluster.world.random.stream('story')
    this.#partitions = new Partitions(cluster)
  }

  tell(): void {
    this.#form()
    this.#cluster.lyingFrom = this.#world.now
    const safetyUntil = this.#world.now + this.#options.safetyMs
    while (this.#world.now < safetyUntil && !this.#broken()) {
      const pauseMs = this.#random.exponential(this.#options.faultEveryMs)
      this.#world.runUntil(Math.min(safetyUntil, this.#world.now + pauseMs))
      this.#cluster.compareTables()
      if (this.#world.now < safetyUntil) this.#fault(this.#random.weighted(this.#options.faults))
    }
    this.#endFaults()
    this.#runUntilAgreed(this.#options.livenessMs)
    this.#world.runUntil(this.#world.now + watchAgreementMs)
    this.#settleContests()
    this.#cluster.compareTables()
    this.#cluster.compareTags()
    this.#cluster.record({ at: this.#world.now, type: 'end' })
  }

  #broken(): boolean {
    return this.#cluster.violations.length > 0
  }

  #form(): void {
    const { peers, lies, formationMs, everybodyIsSeed } = this.#options
    for (let i = 0; i < peers; i++) this.#cluster.addHost(lies[i - (peers - lies.length)])
    const addresses = this.#cluster.hosts.map((host) => host.machine.addresses[0] as string)
    for (const [i, host] of this.#cluster.hosts.entries()) {
      const contacts = everybodyIsSeed
        ? addresses.filter((_, j) => j !== i)
        : i === 0
          ? []
          : [addresses[0] as string]
      this.#world.after(this.#random.between(0, formationMs), () => this.#cluster.start(host, contacts))
    }
    this.#world.runUntil(formationMs)
    this.#runUntilAgreed(formationLimitMs)
  }

  /** Stops early: the checkers judge whether it took too long. */
  #runUntilAgreed(atMostMs: number): void {
    const until = this.#world.now + atMostMs
    do this.#world.runUntil(Math.min(until, this.#world.now + lookEveryMs))
    while (this.#world.now < until && !(this.#cluster.agreed() && this.#contests.every(isSettled)))
  }

  #fault(fault: Fault): void {
    switch (fault) {
      case 'kill':
      case 'power-cut':
        return this.#withSpare((host) => this.#cluster.end(host, fault))
      case 'stop':
      case 'leave':
        return this.#withSpare((host) => this.#cluster.depart(host, fault))
      case 'restart':
        return this.#restart()
      case 'restore-backup':
      case 'wipe':
        return this.#rollBack(fault)
      case 'clone':
        return this.#withSpare((host) => this.#clone(host))
      case 'pause':
        return this.#withSpare((host) => this.#pause(host))
      case 'suspend':
        return this.#withSpare((host) => this.#freeze(host, this.#random.between(1000, 25_000), 'machine'))
      case 'kill-stopped':
        return this.#withSpare((host) => this.#killStopped(host))
      case 'stall':
        return this.#stall()
      case 'partition':
      case 'one-way-cut':
      case 'isolate':
        return this.#partitions.cut(fault, this.#random)
      case 'flip-flop':
        return this.#partitions.flipFlop(this.#random)
      case 'reset-connections':
        return this.#resetConnections(this.#random.pick(this.#cluster.hosts), this.#random.pick([0.2, 1]))
      case 'set-wall-clock':
        return this.#setWallClock()
      case 'readdress':
        return this.#readdress()
      case 'join-again':
        return this.#joinAgain()
      case 'retag':
        return this.#retag()
      case 'dismiss':
        return this.#dismiss()
      default:
        fault satisfies never
    }
  }

  /** All faults end; what is down stays down or comes back; liars go on lying. */
  #endFaults(): void {
    this.#world.note('the faults end')
    this.#partitions.mendAll()
    for (const host of this.#cluster.hosts) if (host.state === 'frozen') this.#thaw(host)
    const gone = this.#gone().filter(() => this.#random.chance(0.5))
    for (const host of gone.filter((one) => this.#forgotten.has(one))) this.#start(host)
    // They must not hear first of somebody who starts beside them and knows as little.
    this.#world.runUntil(this.#world.now + settlingMs)
    for (const host of gone.filter((one) => !this.#forgotten.has(one))) this.#start(host)
  }

  /** Somebody who may be lost without asking more of the others than was promised. */
  #withSpare(act: (host: MemberHost) => void): void {
    const candidates = this.#free()
    // Four members need two accusers for a verdict, and one liar must not find itself among three.
    const needed = this.#options.lies.length > 0 ? 6 : this.#options.peers >= 4 ? 3 : 1
    if (candidates.length > needed) act(this.#random.pick(candidates))
  }

  /** Takes part, and is nobody's double. */
  #free(): MemberHost[] {
    const contested = new Set(this.#contests.flatMap(({ older, newer }) => [older, newer]))
    return this.#cluster.hosts.filter((host) => takesPart(host) && !contested.has(host))
  }

  #gone(): MemberHost[] {
    const running = new Set(
      this.#cluster.hosts.filter((host) => host.process?.alive === true).map((host) => host.peer),
    )
    return this.#cluster.hosts.filter(
      (host) => host.state === 'gone' && host.recorded && !running.has(host.peer),
    )
  }

  #start(host: MemberHost): void {
    const free = this.#free()
    const contacts = free.map((other) => other.machine.addresses[0] as string)
    const forgotten = this.#forgotten.get(host)
    if (forgotten !== undefined) {
      // Who has forgotten its lives must be told of them: if nobody can, nobody could know.
      const everybodyKnows = free.every((other) => this.#cluster.knows(other, host.peer, forgotten))
      const mayStart = this.#partitions.whole && contacts.length > 1 && everybodyKnows
      if (mayStart) this.#cluster.start(host, contacts, true)
      return
    }
    // Mostly from the persisted peers alone, as `p2pd` without flags does; they are written after a while.
    const mustBeTold = longestLifeMs(host) < settledLifeMs
    const flags = (mustBeTold || this.#random.chance(0.3)) && contacts.length > 0
    this.#cluster.start(host, flags ? [this.#random.pick(contacts)] : [])
  }

  #restart(): void {
    const gone = this.#gone()
    if (gone.length === 0) return
    const host = this.#random.pick(gone)
    this.#backups.set(host, host.machine.disk.image())
    if (this.#random.chance(0.2)) this.#move(host)
    // A machine that boots before its clock is set: the disk must count, not the clock.
    if (this.#random.chance(0.2)) host.machine.clock.stepWall(-this.#random.between(0, 3_600_000))
    this.#start(host)
  }

  #rollBack(fault: 'restore-backup' | 'wipe'): void {
    const gone = this.#gone().filter((host) => fault === 'wipe' || this.#backups.has(host))
    if (gone.length === 0) return
    const host = this.#random.pick(gone)
    this.#world.note(`${fault} ${host.name}`)
    this.#forgotten.set(host, Math.max(this.#forgotten.get(host) ?? 0, host.core?.generation ?? 0))
    host.machine.disk.restore((fault === 'wipe' ? undefined : this.#backups.get(host)) ?? new Map())
    // With a clock that went back too, only the others know of the later lives.
    if (this.#random.chance(0.5)) host.machine.clock.stepWall(-this.#random.between(60_000, 86_400_000))
    this.#start(host)
  }

  /**
   * Only where the two can hear of each other: with everybody in reach, where
   * everybody was written down, and among enough others, for who is connected to
   * both answers only one of them.
   */
  #clone(host: MemberHost): void {
    const { process } = host
    const found = this.#partitions.whole && this.#mover === undefined && this.#options.peers >= 4
    if (process === undefined || !found || this.#world.now - process.bornAt < settledLifeMs) return
    this.#world.note(`clone ${host.name}`)
    const clone = this.#cluster.addClone(host)
    // The later start has the higher generation, so the older life is the one to end.
    host.recorded = false
    this.#contests.push({ older: host, newer: clone })
    const contacts = this.#free().map((other) => other.machine.addresses[0] as string)
    this.#cluster.start(clone, contacts, true)
  }

  #settleContests(): void {
    for (const contest of this.#contests) {
      if (isSettled(contest)) continue
      const { older, newer } = contest
      this.#cluster.breach('one-life', `not exactly one of ${older.name} and ${newer.name} runs`)
    }
  }

  #pause(host: MemberHost): void {
    this.#freeze(host, this.#random.between(3000, 25_000), 'process')
  }

  /** Shorter than any suspicion lasts: nobody is excused for calling it dead. */
  #stall(): void {
    const candidates = this.#free()
    const { suspicionMinMs, probePeriodMs } = this.#options.config
    // A failed probe takes a good part of a period before the suspicion even begins; a liar's takes nothing,
    // and one that loss or a cut began may be open already.
    const { lies, network } = this.#options
    const clear = lies.length === 0 && network.loss === 0 && this.#partitions.untouched
    const longestMs = clear ? suspicionMinMs + 0.4 * probePeriodMs : 0.7 * suspicionMinMs
    for (const host of this.#random.shuffled(candidates).slice(0, this.#random.whole(1, 2))) {
      this.#freeze(host, this.#random.between(0.1 * longestMs, longestMs), 'stall')
      // Then it cannot connect again either, and a liar's refusal stands beside nothing but its silence.
      const resets = this.#options.faults['reset-connections'] > 0
      if (resets && this.#random.chance(0.4)) this.#resetConnections(host, 1)
    }
  }

  /** Stopped first, so that the kernel has taken connects that nobody will answer. */
  #killStopped(host: MemberHost): void {
    const { process } = host
    this.#freeze(host, Number.POSITIVE_INFINITY, 'process')
    this.#world.after(this.#random.between(200, 8000), () => {
      if (host.process !== process || host.state !== 'frozen') return
      this.#excused.delete(host)
      this.#cluster.end(host, 'kill')
    })
  }

  /** What stands still, and whether the history says so: a stall is nobody's excuse. */
  #freeze(host: MemberHost, forMs: number, what: 'process' | 'machine' | 'stall'): void {
    const { process } = host
    if (process === undefined) return
    this.#world.note(`${what} ${host.name} stands still for ${Math.round(forMs)} ms`)
    if (what !== 'stall') {
      this.#excused.add(host)
      const machine = what === 'machine'
      this.#cluster.record({ at: this.#world.now, type: 'paused', peer: host.peer, machine })
    }
    host.state = 'frozen'
    if (what === 'machine') host.machine.suspend()
    else process.freeze()
    if (!Number.isFinite(forMs)) return
    this.#world.after(forMs, () => {
      if (host.process === process && host.state === 'frozen') this.#thaw(host)
    })
  }

  #thaw(host: MemberHost): void {
    this.#world.note(`resume ${host.name}`)
    host.state = 'running'
    if (this.#excused.delete(host)) {
      this.#cluster.record({ at: this.#world.now, type: 'resumed', peer: host.peer })
    }
    // Wakes its process, too.
    host.machine.resume()
  }

  #resetConnections(host: MemberHost, share: number): void {
    if (host.process?.alive !== true) return
    this.#world.note(`reset connections of ${host.name}`)
    for (const peer of host.process.connectedPeers) {
      if (!this.#random.chance(share)) continue
      for (const end of [...host.process.connectionsTo(peer)]) end.reset()
    }
  }

  #setWallClock(): void {
    const host = this.#random.pick(this.#cluster.hosts)
    const byMs = this.#random.between(-600_000, 600_000)
    this.#world.note(`set ${host.name}'s wall clock by ${Math.round(byMs)} ms`)
    host.machine.clock.stepWall(byMs)
  }

  #readdress(): void {
    const candidates = this.#free()
    if (candidates.length === 0) return
    const host = this.#random.pick(candidates)
    this.#move(host)
    host.process?.command({ type: 'readdress', addresses: host.machine.addresses })
  }

  /** Only ever the same host: two that move while they are apart cannot find each other again. */
  #move(host: MemberHost): void {
    if (!this.#contests.every(isSettled)) return
    this.#mover ??= host
    if (this.#mover !== host) return
    this.#world.note(`${host.name} changes its address`)
    host.machine.readdress([`/ip4/10.1.0.1/tcp/${10_000 + this.#nextAddress++}`])
  }

  #retag(): void {
    const candidates = this.#free()
    if (candidates.length === 0) return
    const host = this.#random.pick(candidates)
    host.tags = { role: this.#random.pick(['a', 'b']), turn: `${Math.round(this.#world.now)}` }
    this.#world.note(`retag ${host.name}`)
    host.process?.command({ type: 'retag', tags: host.tags })
  }

  /** A person looks at one member's table and does not expect a dead one back. */
  #dismiss(): void {
    const dead = this.#free().flatMap((host) =>
      (host.core?.members() ?? []).filter((row) => row.status === 'dead').map((row) => ({ host, row })),
    )
    if (dead.length === 0) return
    const { host, row } = this.#random.pick(dead)
    this.#world.note(`${host.name} dismisses ${this.#cluster.nameOf(row.peer)}`)
    const { peer, generation } = row
    this.#cluster.record({ at: this.#world.now, type: 'dismissed', peer, generation })
    host.process?.command({ type: 'dismiss', peer })
  }

  #joinAgain(): void {
    const candidates = this.#free()
    if (candidates.length === 0) return
    const to = this.#random.pick(this.#cluster.hosts)
    this.#random.pick(candidates).process?.command({ type: 'join', contacts: to.machine.addresses })
  }
}
