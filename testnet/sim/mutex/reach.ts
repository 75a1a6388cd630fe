import type { MutexEvent as HistoryEntry } from '../../../plugins/mutex/checker/history.ts'
import type { Links } from '../links.ts'
import type { World } from '../world.ts'
import type { Elections } from './elections.ts'
import { isMajority } from './ledger.ts'
import { isAwake, type LockHost } from './lock-host.ts'

export interface ReachInit {
  readonly world: World
  readonly hosts: readonly LockHost[]
  readonly links: Links
  readonly elections: Elections
  /** A voter may be taken to answer for so long after it could last be reached, true ms. */
  readonly silenceMs: number
  /** A vote may be valid for so long after its voter could last be reached, true ms. */
  readonly leaseMs: number
  record(event: HistoryEntry): void
}

/** Who can reach a quorum of voters that run, as nobody in the simulated world can know it. */
export class Reach {
  readonly #init: ReachInit
  /** By pair of machines: true ms until which the way was open; Infinity while it is. */
  readonly #openUntil = new Map<string, number>()
  readonly #outages = new Map<LockHost, number>()
  readonly #voteless = new Set<LockHost>()

  constructor(init: ReachInit) {
    this.#init = init
  }

  /** Since when no quorum can answer it; undefined: one can. */
  outageOf(host: LockHost): number | undefined {
    return this.#outages.get(host)
  }

  /** Something was done to somebody, or somebody knows more. */
  look(): void {
    const { world, hosts, silenceMs, leaseMs } = this.#init
    let closed = false
    for (const from of hosts) {
      for (const to of hosts) closed = this.#lookAt(from, to) || closed
    }
    this.#judge()
    if (!closed) return
    world.after(silenceMs + 1, () => this.#judge())
    world.after(leaseMs + 1, () => this.#judge())
  }

  #lookAt(from: LockHost, to: LockHost): boolean {
    const key = `${from.machine.index} ${to.machine.index}`
    const isOpen = this.#isOpen(from, to)
    const wasOpen = this.#openUntil.get(key) === Number.POSITIVE_INFINITY
    if (isOpen) this.#openUntil.set(key, Number.POSITIVE_INFINITY)
    else if (wasOpen) this.#openUntil.set(key, this.#init.world.now)
    return wasOpen && !isOpen
  }

  #judge(): void {
    const { world, hosts, silenceMs, leaseMs, record } = this.#init
    for (const host of hosts) {
      if (this.#canReach(host, silenceMs)) this.#outages.delete(host)
      else if (!this.#outages.has(host)) this.#outages.set(host, world.now)
      const reachable = this.#canReach(host, leaseMs)
      if (reachable !== this.#voteless.has(host)) continue
      if (reachable) this.#voteless.delete(host)
      else this.#voteless.add(host)
      record({ at: world.now, type: 'quorum', reachable, peer: host.peer })
    }
  }

  /** Of any version that it may come to ask. Nothing is expected of who does not run, or knows of no electorate. */
  #canReach(host: LockHost, withinMs: number): boolean {
    if (!isAwake(host)) return true
    const { id, version } = host.present.core.view()
    if (id === undefined) return true
    const { hosts, elections, world } = this.#init
    const since = world.now - withinMs
    const reached = hosts.filter(({ machine }) => this.#wasOpen(host, machine.index) >= since)
    const peers = new Set(reached.map(({ peer }) => peer))
    for (let v = version; v <= elections.newest(id); v++) {
      if (isMajority(elections.votersOf(id, v) ?? [], peers)) return true
    }
    return false
  }

  #wasOpen(from: LockHost, to: number): number {
    return this.#openUntil.get(`${from.machine.index} ${to}`) ?? Number.NEGATIVE_INFINITY
  }

  #isOpen(from: LockHost, to: LockHost): boolean {
    if (!isAwake(to)) return false
    const { links } = this.#init
    const { index: i } = from.machine
    const { index: j } = to.machine
    return i === j || (!links.isCut(i, j) && !links.isCut(j, i))
  }
}
