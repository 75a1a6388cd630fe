import type { Random } from '../random.ts'
import type { World } from '../world.ts'
import type { Deeds } from './deeds.ts'
import type { LockCluster } from './lock-cluster.ts'
import { isAwake, type LockHost, type RunningHost } from './lock-host.ts'
import type { Scheme } from './options.ts'

const lock = 'lock-1'

/**
 * Misfortunes that only do harm together, and hardly ever come together by chance:
 * each scheme draws who and when, and leaves the rest to what happens anyway.
 */
export class Schemes {
  readonly #cluster: LockCluster
  readonly #deeds: Deeds
  readonly #world: World
  readonly #random: Random

  constructor(cluster: LockCluster, deeds: Deeds) {
    this.#cluster = cluster
    this.#deeds = deeds
    this.#world = cluster.world
    this.#random = cluster.world.random.stream('schemes')
  }

  begin(scheme: Scheme): void {
    const voters = this.#voters()
    const others = this.#cluster.hosts.filter(isAwake).filter((host) => !voters.includes(host))
    if (voters.length === 0) return
    this.#world.note(`scheme ${scheme}`)
    switch (scheme) {
      case 'split-votes':
        return this.#splitVotes(voters, others)
      case 'rival-proposals':
        return this.#rivalProposals(voters)
      case 'herd':
        return this.#herd(voters, others)
      case 'restored-copy':
        return this.#restoredCopy(voters)
      case 'amnesia':
        return this.#amnesia(voters, others)
      default:
        scheme satisfies never
    }
  }

  /** One holds for long, a voter that it cannot reach votes for another, and then the voters change. */
  #splitVotes(voters: readonly RunningHost[], others: readonly RunningHost[]): void {
    const [holder, rival] = this.#random.shuffled([...voters, ...others])
    if (holder === undefined || rival === undefined || voters.length < 3) return
    const [apart, ...rest] = this.#random.shuffled(voters.filter((host) => host !== holder))
    if (apart === undefined) return
    this.#deeds.cuts.cut('partition', [holder], [apart], this.#random.between(300, 2000))
    this.#hold(holder)
    this.#soon(5, 50, () => this.#ask(rival))
    if (this.#random.chance(0.5)) this.#soon(20, 250, () => this.#deeds.isolate(holder))
    this.#soon(30, 150, () => {
      if (this.#random.chance(0.5)) this.#deeds.crash(this.#random.pick([apart, ...rest]))
    })
    this.#soon(50, 300, () => this.#change(voters, others))
    this.#soon(100, 500, () => {
      const [slow] = this.#random.shuffled(rest)
      if (slow !== undefined && this.#random.chance(0.4)) this.#deeds.isolate(slow)
    })
    this.#soon(150, 900, () => this.#restartSome(this.#voters()))
  }

  /** Two who cannot hear each other propose different changes, and who answers them forgets what is not on its disk. */
  #rivalProposals(voters: readonly RunningHost[]): void {
    const [one, other] = this.#random.shuffled(voters)
    if (one === undefined || other === undefined || voters.length < 3) return
    this.#deeds.cuts.cut('partition', [one], [other], this.#random.between(500, 2500))
    const cue = this.#random.pick(['promise', 'accepted'] as const)
    for (let i = this.#random.whole(1, 3); i > 0; i--) {
      this.#deeds.layTrap({ cue, crash: 1, isolate: cue === 'accepted' ? 0.7 : 0, reset: 0 })
    }
    this.#deeds.wishAny(one)
    this.#soon(0, cue === 'accepted' ? 400 : 30, () => this.#deeds.wishAny(other))
  }

  /** Many ask at once, so that votes are split, and one voter is missing that could settle it. */
  #herd(voters: readonly RunningHost[], others: readonly RunningHost[]): void {
    if (voters.length === 3 && this.#random.chance(0.6)) this.#cluster.end(this.#random.pick(voters), 'kill')
    const some = voters.filter(() => this.#random.chance(0.3))
    for (const host of [...others, ...some]) this.#soon(0, 4, () => this.#ask(host))
  }

  /** A voter stops and starts again and dies and starts again while somebody holds what it has voted for. */
  #amnesia(voters: readonly RunningHost[], others: readonly RunningHost[]): void {
    const voter = this.#random.pick(voters)
    const [holder, rival] = this.#random.shuffled([...voters, ...others].filter((host) => host !== voter))
    const hold = (): void => {
      if (holder !== undefined) this.#hold(holder)
      if (rival !== undefined) this.#soon(5, 50, () => this.#ask(rival))
    }
    if (this.#random.chance(0.5)) hold()
    this.#soon(20, 100, () => this.#deeds.stopFor(voter, this.#random.between(1, 50)))
    this.#soon(250, 400, hold)
    this.#soon(400, 700, () => {
      if (isAwake(voter)) this.#deeds.crash(voter)
    })
  }

  /** The disk of the only voter is put back from a copy: the others tell it so, and a person has it go on. */
  #restoredCopy([voter, second]: readonly RunningHost[]): void {
    if (voter === undefined || second !== undefined) return
    const copy = voter.machine.disk.image()
    const takenAt = this.#world.now
    this.#soon(300, 1000, () => this.#deeds.restoreSole(voter, copy, takenAt))
  }

  #change(voters: readonly RunningHost[], others: readonly RunningHost[]): void {
    const by = this.#random.pick([...voters, ...others])
    if (!isAwake(by)) return
    const [newcomer] = this.#random.shuffled(others)
    if (newcomer !== undefined && this.#random.chance(0.4)) this.#deeds.wish(by, 'add', newcomer)
    else this.#deeds.wish(by, 'remove', this.#random.pick(voters))
  }

  #restartSome(voters: readonly RunningHost[]): void {
    const cleanly = this.#random.chance(0.6)
    for (const [i, voter] of this.#random.shuffled(voters).entries()) {
      if (!this.#random.chance(0.6)) continue
      this.#soon(60 * i, 60 * i + 60, () => {
        if (!isAwake(voter)) return
        if (cleanly) this.#deeds.stopFor(voter, this.#random.between(1, 30))
        else this.#deeds.crash(voter)
      })
    }
  }

  #hold(host: RunningHost): void {
    const { leaseMs } = this.#cluster.options.config
    this.#ask(host, this.#random.between(1, 4) * leaseMs)
  }

  #ask({ present }: RunningHost, holdMs = 2): void {
    if (present.process.alive && !present.stopping) this.#cluster.apps.probe(present, lock, holdMs, () => {})
  }

  #soon(fromMs: number, toMs: number, act: () => void): void {
    this.#world.after(this.#random.between(fromMs, toMs), () => {
      if (!this.#deeds.over) act()
    })
  }

  /** Of the newest version that anybody awake knows. */
  #voters(): readonly RunningHost[] {
    const awake = this.#cluster.hosts.filter(isAwake)
    const views = awake.map(({ present }) => present.core.view())
    const newest = views.reduce<(typeof views)[number] | undefined>(
      (best, view) => (best === undefined || view.version > best.version ? view : best),
      undefined,
    )
    return awake.filter((host: LockHost) => newest?.voters.some(({ peer }) => peer === host.peer) === true)
  }
}
