import type { Random } from '../random.ts'
import type { LockCluster } from './lock-cluster.ts'
import type { LockHost } from './lock-host.ts'

interface Cut {
  readonly from: readonly LockHost[]
  readonly to: readonly LockHost[]
}

/** Cuts of the network, each for a while; several may be there at once. */
export class Cuts {
  readonly #cluster: LockCluster
  readonly #random: Random
  readonly #cuts = new Set<readonly Cut[]>()

  constructor(cluster: LockCluster, random: Random) {
    this.#cluster = cluster
    this.#random = random
  }

  get none(): boolean {
    return this.#cuts.size === 0
  }

  /** Somebody is cut off, or some from the rest; for at most `forMs`, then it mends by itself. */
  cutSome(how: 'partition' | 'one-way-cut' | 'isolate', forMs: number): void {
    const hosts = this.#random.shuffled(this.#cluster.hosts)
    if (hosts.length < 2) return
    const size = how === 'isolate' ? 1 : this.#random.whole(1, hosts.length - 1)
    const some = hosts.slice(0, size)
    const rest =
      how === 'one-way-cut' ? hosts.slice(size, size + this.#random.whole(1, 3)) : hosts.slice(size)
    this.cut(how, some, rest, forMs)
  }

  cut(
    how: 'partition' | 'one-way-cut' | 'isolate',
    some: readonly LockHost[],
    rest: readonly LockHost[],
    forMs: number,
  ): void {
    const there = { from: some, to: rest }
    const cuts = how === 'one-way-cut' ? [there] : [there, { from: rest, to: some }]
    const { world, network, reach, wiring } = this.#cluster
    world.note(`${how} ${some.map(({ name }) => name)} from ${rest.map(({ name }) => name)}`)
    this.#cuts.add(cuts)
    this.#each(cuts, (from, to) => network.links.cut(from.machine.index, to.machine.index))
    // Some connections are cut off at once, others stay open and silent.
    if (this.#random.chance(0.4)) this.#each(cuts, (from, to) => wiring.renew(from, to))
    reach.look()
    world.after(forMs, () => this.#mend(cuts))
  }

  mendAll(): void {
    for (const cuts of [...this.#cuts]) this.#mend(cuts, true)
  }

  /** @param renew connections that were cut are replaced, as membership does after a while */
  #mend(cuts: readonly Cut[], renew = this.#random.chance(0.7)): void {
    if (!this.#cuts.delete(cuts)) return
    const { world, network, reach, wiring } = this.#cluster
    world.note('mend a cut')
    this.#each(cuts, (from, to) => {
      network.links.mend(from.machine.index, to.machine.index)
      if (renew) wiring.renew(from, to)
    })
    reach.look()
  }

  #each(cuts: readonly Cut[], act: (from: LockHost, to: LockHost) => void): void {
    for (const cut of cuts) for (const from of cut.from) for (const to of cut.to) act(from, to)
  }
}
