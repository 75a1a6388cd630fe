import type { PeerId } from '../../../lib/protocols/core.ts'
import type { DiskImage } from '../disk.ts'
import type { Random } from '../random.ts'
import type { World } from '../world.ts'
import { Cuts } from './cuts.ts'
import { isMajority } from './ledger.ts'
import type { LockCluster } from './lock-cluster.ts'
import { isAwake, isUp, type Life, type LockHost, type RunningHost } from './lock-host.ts'
import type { Ambush, LockFault, MutexSimOptions } from './options.ts'

/** While somebody whose disk went back finds out, nothing else is done, ms. */
const carefulMs = 900
/** Likewise, where a person has to help, ms. */
const recoveryMs = 3000

/** What is done to the peers. Each deed is only done where what is judged afterwards was promised. */
export class Deeds {
  readonly cuts: Cuts
  readonly #cluster: LockCluster
  readonly #world: World
  readonly #options: MutexSimOptions
  readonly #random: Random
  readonly #departed = new Set<LockHost>()
  /** Of machines that sleep: how their clocks ran before. */
  readonly #awakeRates = new Map<LockHost, number>()
  readonly #traps: Ambush[] = []
  /** When a person had it go on. */
  readonly #recoveredAt = new Map<LockHost, number>()
  #carefulUntil = 0

  constructor(cluster: LockCluster) {
    this.#cluster = cluster
    this.#world = cluster.world
    this.#options = cluster.options
    this.#random = cluster.world.random.stream('deeds')
    this.cuts = new Cuts(cluster, this.#random)
  }

  do(fault: LockFault): void {
    if (this.over) return
    switch (fault) {
      case 'kill':
      case 'power-cut':
        return this.#with(isUp, (host) => this.#cluster.end(host, fault))
      case 'kill-holder':
        return this.#withHolder((host) => this.#cluster.end(host, 'kill'))
      case 'kill-voter':
        return this.#with(isVoter, (host) => this.#cluster.end(host, 'kill'))
      case 'stop':
        return this.#with(isAwake, (host) => this.#stop(host))
      case 'restart':
        return this.#withDown((host) => this.#restart(host))
      case 'restart-at-once':
        return this.#with(isVoter, (host) => {
          this.#cluster.end(host, 'kill')
          this.#world.after(this.#random.between(1, 200), () => this.#restart(host))
        })
      case 'wipe':
      case 'roll-back':
        return this.#spoil(fault)
      case 'partition':
      case 'one-way-cut':
      case 'isolate':
        return this.cuts.cutSome(fault, this.#random.between(100, 2500))
      case 'reset-connections':
        return this.#with(isUp, (host) => this.resetConnections(host))
      case 'pause':
        return this.#with(isAwake, (host) => this.#pause(host))
      case 'suspend':
        return this.#with(isAwake, (host) => this.#suspend(host))
      case 'slew':
        return this.#slew(this.#random.pick(this.#cluster.hosts))
      case 'slander':
        return this.#with(isAwake, (host) => this.#slander(host))
      case 'newcomer':
        return this.#newcomer()
      case 'leave':
        return this.#with(isAwake, (host) => this.#leave(host))
      case 'rival-wishes':
        for (const host of this.#cluster.hosts.filter(isAwake))
          if (this.#random.chance(0.5)) this.wishAny(host)
        return
      case 'add-voter':
      case 'remove-voter':
        return this.#with(isAwake, (host) =>
          this.wish(host, fault === 'add-voter' ? 'add' : 'remove', this.#whomToMove()),
        )
      default:
        fault satisfies never
    }
  }

  /** Something has just been said: to say it, or to be told, may be unlucky. */
  said(life: Life, to: PeerId, cues: ReadonlySet<string>): void {
    if (this.#world.now < this.#carefulUntil) return
    for (const ambush of this.#options.ambushes) if (cues.has(ambush.cue)) this.#strike(ambush, life, to)
    const trap = this.#traps.findIndex(({ cue }) => cues.has(cue))
    if (trap >= 0) for (const ambush of this.#traps.splice(trap, 1)) this.#strike(ambush, life, to)
  }

  /** The next who says that is unlucky. */
  layTrap(ambush: Ambush): void {
    this.#traps.push(ambush)
  }

  #strike({ crash, isolate, reset }: Ambush, { host }: Life, to: PeerId): void {
    if (this.#random.chance(crash)) this.#world.after(this.#random.between(0, 3), () => this.crash(host))
    const told = this.#cluster.hosts.find(({ peer }) => peer === to)
    if (told === undefined) return
    if (this.#random.chance(reset)) this.#world.after(0, () => this.#cluster.wiring.renew(host, told))
    // Not before it has heard what was said.
    if (this.#random.chance(isolate)) {
      this.#world.after(this.#random.between(1, 30), () => this.isolate(told))
    }
  }

  /** It dies, and is back at once. */
  crash(host: LockHost): void {
    if (this.over) return
    this.#cluster.end(host, 'kill')
    this.#world.after(this.#random.between(1, 30), () => this.#restart(host))
  }

  isolate(host: LockHost): void {
    if (this.over) return
    const rest = this.#cluster.hosts.filter((other) => other !== host)
    this.cuts.cut('isolate', [host], rest, this.#random.between(300, 2500))
  }

  /** A clean stop, and a start so much later. */
  stopFor(host: RunningHost, ms: number): void {
    this.#cluster.stop(host, 'stopped', () => this.#world.after(ms, () => this.#restart(host)))
  }

  /** Nothing may be done now, or any more. */
  get over(): boolean {
    return this.#world.now < this.#carefulUntil
  }

  /** All faults end. Whoever is needed, and most others, come back. */
  end(): void {
    this.#world.note('the faults end')
    this.#carefulUntil = Number.POSITIVE_INFINITY
    this.#cluster.apps.spare()
    this.#cluster.roster.endSlander()
    this.cuts.mendAll()
    for (const host of this.#cluster.hosts) {
      if (host.present?.process.frozen === true) this.#wake(host)
      if (host.present === undefined || isUp(host) || this.#departed.has(host)) continue
      if (!this.#canSpare(host) || this.#random.chance(0.7)) this.#restart(host)
    }
    this.#cluster.reach.look()
  }

  /** Gave up its membership for good. */
  hasDeparted(host: LockHost): boolean {
    return this.#departed.has(host)
  }

  /** Every version that counts, or is to, has a quorum without it and all who are down. */
  #canSpare(host: LockHost): boolean {
    const { elections, hosts } = this.#cluster
    const able = hosts.filter((other) => other !== host && isUp(other) && !other.spoilt)
    const peers = new Set(able.map(({ peer }) => peer))
    return elections.ids.every(({ id }) => elections.open(id).every((voters) => isMajority(voters, peers)))
  }

  #with<H extends LockHost>(is: (host: LockHost) => host is H, act: (host: H) => void): void {
    const some = this.#cluster.hosts.filter(is)
    if (some.length > 0) act(this.#random.pick(some))
  }

  #withHolder(act: (host: LockHost) => void): void {
    const { holding } = this.#cluster.holders
    if (holding.length > 0) act(this.#random.pick(holding).host)
  }

  #withDown(act: (host: LockHost) => void): void {
    const down = this.#cluster.hosts.filter(
      (host) => host.present !== undefined && !isUp(host) && !this.#departed.has(host),
    )
    if (down.length > 0) act(this.#random.pick(down))
  }

  #restart(host: LockHost): void {
    if (isUp(host) || this.#departed.has(host)) return
    this.#wake(host)
    if (this.#random.chance(0.5)) host.backup = host.machine.disk.image()
    this.#cluster.start(host)
  }

  #stop(host: RunningHost): void {
    const soon = this.#random.chance(0.6)
    this.#cluster.stop(host, 'stopped', () => {
      if (soon) this.#world.after(this.#random.between(1, 500), () => this.#restart(host))
    })
  }

  /** Its disk is lost, or put back from a copy. No more at once than a quorum can spare. */
  #spoil(fault: 'wipe' | 'roll-back'): void {
    const { hosts, elections } = this.#cluster
    const able = hosts.filter((host) => host.lives > 0 && (fault === 'wipe' || host.backup !== undefined))
    // Whoever waits to found together is waited for.
    if (able.length === 0 || !this.cuts.none || elections.ids.length === 0) return
    const host = this.#random.pick(able)
    if (this.#departed.has(host)) return
    const bad = new Set(
      hosts.filter((other) => other === host || !isAwake(other) || other.spoilt).map(({ peer }) => peer),
    )
    const tooMany = elections.ids.some(({ id }) =>
      elections
        .open(id)
        .some((voters) => 2 * voters.filter((voter) => bad.has(voter)).length >= voters.length),
    )
    if (tooMany) return
    this.#cluster.end(host, 'kill')
    this.#world.note(`${fault} ${host.name}`)
    host.spoilt = true
    this.#wake(host)
    host.machine.disk.restore((fault === 'wipe' ? undefined : host.backup) ?? new Map())
    this.#cluster.start(host)
    this.#carefulUntil = this.#world.now + carefulMs
  }

  /**
   * Only where somebody who knows better is there to say so, and from no copy that a person has stepped
   * over already: else a token may come again, as documented.
   */
  restoreSole(host: LockHost, copy: DiskImage, takenAt: number): void {
    const { hosts, elections, options, disks } = this.#cluster
    if ((this.#recoveredAt.get(host) ?? 0) > takenAt) return
    if (!disks.isOutdated(host, this.#cluster.stampOf(copy))) return
    const others = hosts.filter((other) => other !== host && other.lives > 0 && !this.#departed.has(other))
    const isSole = elections.ids.every(({ id }) =>
      elections.open(id).every((voters) => voters.length === 1 && voters[0] === host.peer),
    )
    if (this.over || !isSole || !this.cuts.none || options.network.loss > 0) return
    if (others.length === 0 || !others.every(isAwake) || !isUp(host)) return
    this.#cluster.end(host, 'kill')
    this.#world.note(`restore ${host.name} from a copy`)
    this.#wake(host)
    host.machine.disk.restore(copy)
    this.#cluster.start(host)
    this.#carefulUntil = this.#world.now + recoveryMs
    this.#world.after(this.#random.between(0.7, 0.9) * recoveryMs, () => this.#recover(host))
  }

  #recover(host: LockHost): void {
    if (!isAwake(host)) return
    const { disks } = this.#cluster
    if (host.present.core.view().void === undefined) {
      if (disks.knowing(host.present).size === 0) return
      return this.#cluster.breach('no-old-disk', `${host.name} goes on with a disk that went back`)
    }
    const { present } = host
    this.#cluster.wish(present, 'recover', ({ outcome, reason }) => {
      if (outcome === 'done') {
        disks.recovered(present)
        this.#recoveredAt.set(host, this.#world.now)
      } else {
        this.#cluster.breach('recovers', `${host.name} is not recovered: ${reason}`)
      }
    })
  }

  resetConnections({ name, present: { process } }: RunningHost): void {
    this.#world.note(`reset connections of ${name}`)
    const share = this.#random.pick([0.3, 1])
    for (const peer of process.connectedPeers) {
      if (!this.#random.chance(share)) continue
      for (const end of [...process.connectionsTo(peer)]) end.reset()
    }
  }

  #pause(host: RunningHost): void {
    const forMs = this.#random.between(20, 1.5 * this.#options.config.maxLeaseMs)
    this.#world.note(`pause ${host.name} for ${Math.round(forMs)} ms`)
    host.present.process.freeze()
    this.#wakeLater(host, forMs)
  }

  /** The machine sleeps: its clock stands still, and the first that it hears of is that it did. */
  #suspend(host: RunningHost): void {
    const forMs = this.#random.between(40, 1.5 * this.#options.config.maxLeaseMs)
    this.#world.note(`suspend ${host.name} for ${Math.round(forMs)} ms`)
    const { process } = host.present
    this.#awakeRates.set(host, host.clock.rate)
    process.freeze()
    process.command({ type: 'slept', ms: forMs })
    host.clock.slew(0)
    this.#wakeLater(host, forMs)
  }

  #wakeLater(host: RunningHost, afterMs: number): void {
    const { present } = host
    this.#cluster.reach.look()
    this.#world.after(afterMs, () => {
      if (host.present === present) this.#wake(host)
    })
  }

  #wake(host: LockHost): void {
    const { present } = host
    const rate = this.#awakeRates.get(host)
    if (rate !== undefined) host.clock.slew(rate)
    this.#awakeRates.delete(host)
    if (present?.process.frozen !== true) return
    present.stoppedAt = this.#world.now
    present.process.thaw()
    this.#cluster.reach.look()
  }

  /** Somebody corrects the clock, within what it is promised to keep. */
  #slew(host: LockHost): void {
    if (host.clock.rate === 0) return
    const { drift } = this.#options
    host.clock.slew(1 + this.#random.pick([-drift, drift, this.#random.between(-drift, drift)]))
    this.#world.note(`slew ${host.name} to ${host.clock.rate.toFixed(3)}`)
    // Its alarm is set anew.
    const process = host.present?.process
    if (process?.alive === true && !process.frozen) {
      process.freeze()
      process.thaw()
    }
  }

  #slander({ name, present }: RunningHost): void {
    const others = this.#cluster.hosts.filter((other) => other !== present.host)
    if (others.length === 0) return
    const about = this.#random.pick(others)
    const status = this.#random.pick(['suspect', 'dead'] as const)
    this.#world.note(`${name} is told that ${about.name} is ${status}`)
    this.#cluster.roster.slander(present, about.peer, status, this.#random.between(100, 2000))
  }

  wishAny(host: RunningHost): void {
    this.wish(host, this.#random.pick(['add', 'remove'] as const), this.#random.pick(this.#cluster.hosts))
  }

  /** Often one whose disk is spoilt: it votes again when it has been removed and added. */
  #whomToMove(): LockHost {
    const spoilt = this.#cluster.hosts.filter((host) => host.spoilt)
    return this.#random.pick(spoilt.length > 0 && this.#random.chance(0.5) ? spoilt : this.#cluster.hosts)
  }

  wish({ present }: RunningHost, type: 'add' | 'remove', { peer }: LockHost): void {
    if (present.process.alive && !present.stopping) this.#cluster.wish(present, { type, peer }, () => {})
  }

  #newcomer(): void {
    if (this.#cluster.hosts.length >= this.#options.mostPeers) return
    this.#cluster.start(this.#cluster.addHost('joiner'))
  }

  #leave(host: RunningHost): void {
    const staying = this.#cluster.hosts.filter((other) => other !== host && isAwake(other))
    const { present } = host
    if (staying.length === 0 || present.stopping || present.core.view().id === undefined) return
    this.#cluster.wish(present, { type: 'leave', peer: host.peer }, ({ outcome, reason }) => {
      this.#world.note(`${host.name} ${outcome === 'done' ? 'may leave' : `stays: ${reason}`}`)
      if (outcome === 'done') this.#depart(present)
    })
  }

  #depart({ host }: Life): void {
    if (!isUp(host)) return
    this.#departed.add(host)
    this.#cluster.stop(host, 'left', () => {})
  }
}

/** Votes, as far as it knows itself. */
function isVoter(host: LockHost): host is RunningHost {
  return isUp(host) && host.present.core.view().voters.some(({ peer }) => peer === host.peer)
}
