/**
 * A network for several peers on this machine, in namespaces: its links can be cut, and lose packets.
 *
 * Everything of it goes when it is closed, and when this process dies: the reaper
 * removes it then, and where that was killed too, the next network on this machine.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { removeLeftovers, removeNamespace } from './leftovers.ts'
import { namespaceName, runId } from './namespace-names.ts'
import {
  addressOf,
  type Command,
  counters,
  dropped,
  type Faults,
  filter,
  maxPeers,
  move,
  noFaults,
  sentBytes,
  setUp,
  traffic,
} from './network-plan.ts'
import { type Family, type NetworkTools, networkTools, thisMachine, unable } from './network-tools.ts'
import type { Reaper } from './reaper.ts'

export class Network {
  readonly #tools: NetworkTools
  readonly #run: string
  readonly #family: Family
  readonly #names: readonly string[]
  readonly #reaper: Pick<Reaper, 'watch' | 'forget'>
  readonly #moves = new Map<string, number>()
  #faults = noFaults

  private constructor(
    tools: NetworkTools,
    names: readonly string[],
    reaper: Pick<Reaper, 'watch' | 'forget'>,
    family: Family,
  ) {
    this.#family = family
    this.#tools = tools
    this.#run = runId()
    this.#names = names
    this.#reaper = reaper
  }

  /**
   * One namespace for each of `names`, which are `n1`, `n2` …; all of them reach each other,
   * by IPv4 and, where the machine has it, by IPv6. `family`: of what `addressOf` gives.
   * Throws ERR_TESTNET_NETWORK, and leaves nothing. One at a time for a process.
   */
  static async create(
    names: readonly string[],
    reaper: Pick<Reaper, 'watch' | 'forget'>,
    family: Family = 'ip4',
  ): Promise<Network> {
    if (names.length > maxPeers) throw unable(`there is room for ${maxPeers}`, 'ask for fewer peers')
    const tools = networkTools(thisMachine(), family)
    const network = new Network(tools, names, reaper, family)
    removeLeftovers()
    for (const namespace of network.#namespaces()) reaper.watch(namespace)
    try {
      for (const command of setUp(network.#tools, network.#run, names)) await execute(command)
      await network.#apply(noFaults)
      return network
    } catch (error) {
      network.close()
      throw error
    }
  }

  /** What to put before a command so that it runs at this peer's place. It becomes the command: the pid is the same. */
  enter(name: string): readonly string[] {
    return [this.#tools.ip, 'netns', 'exec', namespaceName(this.#run, name)]
  }

  /** Of the family that was asked for. */
  addressOf(name: string): string {
    return addressOf(this.#numberOf(name), this.#family, this.#moves.get(name))
  }

  /** Gives a peer other addresses; the old ones are gone. */
  async move(name: string): Promise<void> {
    const moves = (this.#moves.get(name) ?? 0) + 1
    await execute(move(this.#tools, this.#run, name, this.#numberOf(name), moves))
    this.#moves.set(name, moves)
  }

  /** From now on nothing passes from any of `from` to any of `to`. */
  async cut(from: readonly string[], to: readonly string[]): Promise<void> {
    const numbers = (names: readonly string[]) => names.map((name) => this.#numberOf(name))
    const cut = { from: numbers(from), to: numbers(to) }
    await this.#apply({ ...this.#faults, cuts: [...this.#faults.cuts, cut] })
  }

  /** From now on nothing passes between these and the others. */
  async split(names: readonly string[]): Promise<void> {
    const here = names.map((name) => this.#numberOf(name))
    const all = this.#names.map((name) => this.#numberOf(name))
    const there = all.filter((number) => !here.includes(number))
    const ways = [
      { from: here, to: there },
      { from: there, to: here },
    ]
    await this.#apply({ ...this.#faults, cuts: [...this.#faults.cuts, ...ways] })
  }

  /** From now on each packet is lost with this chance. */
  async lose(lossPercent: number): Promise<void> {
    await this.#apply({ ...this.#faults, lossPercent })
  }

  /** Ends cuts and losses. */
  async mend(): Promise<void> {
    await this.#apply({ ...noFaults, silent: this.#faults.silent })
  }

  /** Packets since the last change. */
  async dropped(): Promise<number> {
    const counts: number[] = []
    for (const command of counters(this.#tools, this.#run)) counts.push(dropped(await execute(command)))
    return counts.reduce((total, count) => total + count, 0)
  }

  /** Bytes that each peer has sent so far, headers and all; by name. */
  async sentBytes(): Promise<ReadonlyMap<string, number>> {
    const sent = sentBytes(await execute(traffic(this.#tools, this.#run)))
    return new Map(this.#names.map((name) => [name, sent.get(this.#numberOf(name)) ?? 0]))
  }

  /** Nothing passes from this peer or to it any more. */
  async silence(name: string): Promise<void> {
    const silent = new Set(this.#faults.silent).add(this.#numberOf(name))
    await this.#apply({ ...this.#faults, silent })
  }

  /** Undoes `silence`. */
  async unsilence(name: string): Promise<void> {
    const silent = new Set(this.#faults.silent)
    if (!silent.delete(this.#numberOf(name))) return
    await this.#apply({ ...this.#faults, silent })
  }

  /** Kills whatever still runs in it. */
  close(): void {
    for (const namespace of this.#namespaces()) {
      removeNamespace(namespace)
      this.#reaper.forget(namespace)
    }
  }

  async #apply(faults: Faults): Promise<void> {
    for (const command of filter(this.#tools, this.#run, faults)) await execute(command)
    this.#faults = faults
  }

  #namespaces(): readonly string[] {
    return ['hub', ...this.#names].map((place) => namespaceName(this.#run, place))
  }

  #numberOf(name: string): number {
    return this.#names.indexOf(name) + 1
  }
}

/** Gives what it wrote to stdout. */
async function execute({ program, args, input }: Command): Promise<string> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  let output = ''
  let complaint = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text
  })
  // It may end without reading: its exit code tells why.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [code] = (await once(child, 'close')) as [number | null]
  if (code === 0) return output
  const why = complaint.trim().split('\n')[0] || `exit code ${code}`
  throw unable(
    `'${[program, ...args].join(' ')}' failed: ${why}`,
    'it takes CAP_SYS_ADMIN and CAP_NET_ADMIN, which a container may lack',
  )
}
