import { profiles } from '../../../lib/protocols/membership/config.ts'
import { Cluster, type MembershipMutant } from '../../../testnet/sim/membership/cluster.ts'
import type { MemberHost } from '../../../testnet/sim/membership/member-host.ts'
import { drawOptions, type Lie, type MembershipSimOptions } from '../../../testnet/sim/membership/options.ts'
import { Random } from '../../../testnet/sim/random.ts'
import { World } from '../../../testnet/sim/world.ts'
import { quietNetwork } from './toy.ts'

/** A cluster without surprises, for stories that a test tells itself. */
export class ScriptedCluster {
  readonly world: World
  readonly cluster: Cluster

  constructor(seed = 1, overrides: Partial<MembershipSimOptions> = {}, mutant?: MembershipMutant) {
    const random = new Random(seed, 'scripted')
    this.world = new World(random)
    this.cluster = new Cluster(
      this.world,
      {
        ...drawOptions(seed, random),
        profile: 'local',
        config: profiles.local,
        network: { ...quietNetwork, latencyMinMs: 0.1, latencyMaxMs: 0.3 },
        disk: { writeMinMs: 0.5, writeMaxMs: 2 },
        wallErrorMs: 0,
        lies: [],
        ...overrides,
      },
      mutant,
    )
  }

  get hosts(): readonly MemberHost[] {
    return this.cluster.hosts
  }

  /** Starts `count` members and lets them meet. */
  form(count: number, lies: readonly Lie[] = []): void {
    for (let i = 0; i < count + lies.length; i++) this.join(lies[i - count])
    this.run(5000)
  }

  join(lie?: Lie): MemberHost {
    const [first] = this.hosts
    const host = this.cluster.addHost(lie)
    this.cluster.start(host, first?.machine.addresses ?? [])
    return host
  }

  run(forMs: number): void {
    this.world.runUntil(this.world.now + forMs)
  }

  /** Both ways, between all of `some` and all the others. */
  cut(some: readonly MemberHost[]): void {
    this.#each(some, (from, to) => this.cluster.network.links.cut(from, to))
  }

  mend(some: readonly MemberHost[]): void {
    this.#each(some, (from, to) => this.cluster.network.links.mend(from, to))
  }

  /** What `observer` shows of `subject` now. */
  shows(observer: MemberHost, subject: MemberHost): string | undefined {
    return observer.core?.members().find((row) => row.peer === subject.peer)?.status
  }

  /** Everything that `observer` ever showed of `subject`, since `from`. */
  shown(observer: MemberHost, subject: MemberHost, from = 0): string[] {
    return this.cluster.history.flatMap((event) => {
      if (event.type !== 'view' || event.at < from) return []
      return event.observer === observer.peer && event.subject === subject.peer ? [event.status] : []
    })
  }

  #each(some: readonly MemberHost[], act: (from: number, to: number) => void): void {
    for (const a of some) {
      for (const b of this.hosts) {
        if (some.includes(b)) continue
        act(a.machine.index, b.machine.index)
        act(b.machine.index, a.machine.index)
      }
    }
  }
}
