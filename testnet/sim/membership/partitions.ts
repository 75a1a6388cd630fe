import type { Random } from '../random.ts'
import type { Cluster } from './cluster.ts'
import type { MemberHost } from './member-host.ts'

interface Cut {
  readonly from: readonly MemberHost[]
  readonly to: readonly MemberHost[]
}

const flipMs = 20_000

/** Cuts of the network, each for a while; several may be there at once. */
export class Partitions {
  readonly #cluster: Cluster
  readonly #cuts = new Set<readonly Cut[]>()
  #untouched = true
  #over = false

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /** There was never a cut. */
  get untouched(): boolean {
    return this.#untouched
  }

  /** No cut anywhere. */
  get whole(): boolean {
    return this.#cuts.size === 0
  }

  /** Rapid's worst case (Suresh et al. 2018, section 7): nothing reaches one member for 20 s, then all does, and again. */
  flipFlop(random: Random): void {
    const [one, ...others] = random.shuffled(this.#cluster.hosts)
    if (one !== undefined) this.#flip([{ from: others, to: [one] }], `flip-flop ${one.name}`)
  }

  #flip(cuts: readonly Cut[], text: string): void {
    if (this.#over) return
    this.#cut(cuts, text, flipMs)
    this.#cluster.world.after(2 * flipMs, () => this.#flip(cuts, text))
  }

  cut(how: 'partition' | 'one-way-cut' | 'isolate', random: Random): void {
    const hosts = random.shuffled(this.#cluster.hosts)
    const size = how === 'isolate' ? 1 : random.whole(1, hosts.length - 1)
    const some = hosts.slice(0, size)
    // A one-way cut concerns a few links; a partition leaves none across.
    const rest = how === 'one-way-cut' ? hosts.slice(size, size + random.whole(1, 3)) : hosts.slice(size)
    const there = { from: some, to: rest }
    const back = { from: rest, to: some }
    const cuts = how === 'one-way-cut' ? [there] : [there, back]
    const text = `${how} ${some.map((host) => host.name)} from ${rest.map((host) => host.name)}`
    this.#cut(cuts, text, random.between(1000, 30_000))
  }

  #cut(cuts: readonly Cut[], text: string, forMs: number): void {
    const { world } = this.#cluster
    world.note(text)
    this.#untouched = false
    this.#cuts.add(cuts)
    for (const one of cuts) {
      this.#record(one)
      this.#each(one, (from, to) => this.#cluster.network.links.cut(from, to))
    }
    world.after(forMs, () => this.#mend(cuts))
  }

  mendAll(): void {
    this.#over = true
    for (const cuts of [...this.#cuts]) this.#mend(cuts)
  }

  #mend(cuts: readonly Cut[]): void {
    if (!this.#cuts.delete(cuts)) return
    const { world } = this.#cluster
    world.note('mend a cut')
    this.#cluster.record({ at: world.now, type: 'healed' })
    for (const others of this.#cuts) for (const one of others) this.#record(one)
    for (const one of cuts) this.#each(one, (from, to) => this.#cluster.network.links.mend(from, to))
  }

  #record(cut: Cut): void {
    const peers = (hosts: readonly MemberHost[]) => hosts.map((host) => host.peer)
    this.#cluster.record({
      at: this.#cluster.world.now,
      type: 'cut',
      from: peers(cut.from),
      to: peers(cut.to),
    })
  }

  #each(cut: Cut, act: (from: number, to: number) => void): void {
    for (const from of cut.from) for (const to of cut.to) act(from.machine.index, to.machine.index)
  }
}
