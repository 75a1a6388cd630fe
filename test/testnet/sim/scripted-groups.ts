import { multicastDefaults } from '../../../lib/protocols/multicast/config.ts'
import type { Violation } from '../../../testnet/checkers/history.ts'
import { checkMulticast } from '../../../testnet/checkers/multicast.ts'
import { GroupCluster } from '../../../testnet/sim/multicast/group-cluster.ts'
import { type GroupHost, isUp } from '../../../testnet/sim/multicast/group-host.ts'
import { GroupLiar } from '../../../testnet/sim/multicast/group-liar.ts'
import {
  drawOptions,
  type GroupLie,
  type MulticastSimOptions,
} from '../../../testnet/sim/multicast/options.ts'
import { Random } from '../../../testnet/sim/random.ts'
import { World } from '../../../testnet/sim/world.ts'
import { quietNetwork } from './toy.ts'

const group = 'talk'

/** Members of one group without surprises, for stories that a test tells itself. */
export class ScriptedGroups {
  readonly world: World
  readonly cluster: GroupCluster
  /** Publications that were answered, by token. */
  readonly answers = new Map<number, string>()
  #token = 0
  #lastLine = ''

  constructor(overrides: Partial<MulticastSimOptions> = {}, seed = 1) {
    const random = new Random(seed, 'scripted groups')
    this.world = new World(random, (_at, line) => {
      this.#lastLine = line
    })
    const options = drawOptions(seed, random)
    this.cluster = new GroupCluster(
      this.world,
      {
        ...options,
        groups: [group],
        config: { ...multicastDefaults, antiEntropyMinMs: 1000, antiEntropyMaxMs: 2000 },
        network: { ...quietNetwork, latencyMinMs: 1, latencyMaxMs: 2 },
        gossip: {
          delayMinMs: 5,
          delayMaxMs: 10,
          loss: 0,
          duplication: 0,
          reordering: 0,
          mesh: 8,
          forwards: 1,
          seenMs: 120_000,
          noticeMs: 20,
          messageId: 'data',
        },
        membership: {
          newsMinMs: 5,
          newsMaxMs: 20,
          detectionMinMs: 800,
          detectionMaxMs: 1500,
          settlingMaxMs: 50,
          heartbeatMs: 300,
          heartbeatLoss: 0,
        },
        disk: { writeMinMs: 0.1, writeMaxMs: 1 },
        wallErrorMs: 0,
        lies: [],
        ...overrides,
      },
      {
        overheard: () => {},
        delivered: () => {},
        answered: (_life, token, code) => this.answers.set(token, code ?? 'published'),
      },
      undefined,
    )
  }

  get hosts(): readonly GroupHost[] {
    return this.cluster.hosts
  }

  /** Starts `count` honest members, and liars, and lets them find each other. */
  form(count: number, lies: readonly GroupLie[] = []): void {
    for (let i = 0; i < count; i++) this.join()
    for (const lie of lies) this.join(lie)
    this.run(2000)
  }

  join(lie?: GroupLie): GroupHost {
    const host = this.cluster.addHost(lie)
    this.start(host)
    return host
  }

  /** A new life on the host's disk. */
  start(host: GroupHost): void {
    this.cluster.join(this.cluster.start(host), group)
  }

  kill(host: GroupHost): void {
    this.cluster.end(host, 'kill')
  }

  liar(host: GroupHost): GroupLiar {
    if (!isUp(host)) throw new Error(`${host.name} does not run`)
    return new GroupLiar(this.cluster, host.present)
  }

  publish(host: GroupHost, count = 1): number[] {
    const tokens = Array.from({ length: count }, () => ++this.#token)
    for (const token of tokens) {
      const payload = new Uint8Array(8).fill(token)
      host.present?.process.command({ type: 'publish', name: group, payload, token })
    }
    return tokens
  }

  run(forMs: number): void {
    this.world.runUntil(this.world.now + forMs)
  }

  /** From all of `some` to all of `others`, one way. */
  cut(some: readonly GroupHost[], others: readonly GroupHost[]): void {
    this.#each(some, others, (from, to) => this.cluster.network.links.cut(from, to))
  }

  mend(some: readonly GroupHost[], others: readonly GroupHost[]): void {
    this.#each(some, others, (from, to) => this.cluster.network.links.mend(from, to))
    for (const a of some) for (const b of others) this.cluster.wiring.renew(a, b)
  }

  reset(host: GroupHost): void {
    for (const other of this.hosts) if (other !== host) this.cluster.wiring.renew(host, other)
  }

  /** Until that stands in the story, in words. */
  runUntilSaid(line: RegExp, atMostMs = 10_000): void {
    let said = false
    this.world.runUntil(this.world.now + atMostMs, () => {
      said ||= line.test(this.#lastLine)
      return said
    })
    if (!said) throw new Error(`nobody said ${line}`)
    this.#lastLine = ''
  }

  entered(host: GroupHost): boolean {
    return isUp(host) && this.cluster.observer(host.present).witnesses.get(group)?.entered === true
  }

  /** How many messages of `author` it has delivered, or stands on. */
  has(host: GroupHost, author: GroupHost): number {
    let count = 0
    for (const [entry, seq] of host.present?.core.vector(group) ?? []) {
      if (entry.startsWith(`${author.peer}#`)) count += seq
    }
    return count
  }

  /** What was told to be lost to `host`. */
  truncated(host: GroupHost): number {
    return (this.cluster.histories.get(group) ?? []).flatMap((event) =>
      event.type === 'truncated' && event.peer === host.peer ? event.ranges : [],
    ).length
  }

  /** What the checkers and the watches find. */
  judge(): readonly Violation[] {
    const history = this.cluster.histories.get(group) ?? []
    const liars = [...this.cluster.truth.liars]
    for (const host of this.hosts.filter(isUp)) this.cluster.observer(host.present).compare()
    const { violations } = checkMulticast(history, { liars, quietAtEnd: true })
    return [...this.cluster.violations, ...violations].map(({ property, at, message }) => ({
      property,
      at,
      message: this.cluster.withNames(message),
    }))
  }

  #each(
    some: readonly GroupHost[],
    others: readonly GroupHost[],
    act: (from: number, to: number) => void,
  ): void {
    for (const from of some) for (const to of others) act(from.machine.index, to.machine.index)
  }
}
