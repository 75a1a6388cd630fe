/**
 * A network of a testnet's own, in namespaces: its links can be cut, and lose packets.
 *
 * Everything of it goes when it is closed, and when this process dies: the reaper
 * removes it then, and where that was killed too, the next run on this machine.
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
  move,
  noFaults,
  setUp,
} from './network-plan.ts'
import { type NetworkTools, networkTools, thisMachine, unable } from './network-tools.ts'
import type { Reaper } from './reaper.ts'

export class Network {
  readonly #tools: NetworkTools
  readonly #run: string
  readonly #names: readonly string[]
  readonly #reaper: Pick<Reaper, 'watch' | 'forget'>
  readonly #moves = new Map<string, number>()
  #faults = noFaults

  private constructor(
    tools: NetworkTools,
    names: readonly string[],
    reaper: Pick<Reaper, 'watch' | 'forget'>,
  ) {
    this.#tools = tools
    this.#run = runId()
    this.#names = names
    this.#reaper = reaper
  }

  /** One namespace for each of `names`, all of which reach each other. Throws ERR_TESTNET_NETWORK, and leaves nothing. */
  static async create(names: readonly string[], reaper: Pick<Reaper, 'watch' | 'forget'>): Promise<Network> {
    const network = new Network(networkTools(thisMachine()), names, reaper)
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

  addressOf(name: string): string {
    return addressOf(this.#numberOf(name), this.#moves.get(name))
  }

  /** Gives a peer another address; the old one is gone. */
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
    return dropped(await execute(counters(this.#tools, this.#run)))
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
    await execute(filter(this.#tools, this.#run, faults))
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
