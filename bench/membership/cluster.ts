/** A cluster of either side, and what is done to it, so that every figure is taken the same way. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Network } from '../../testnet/cluster/network.ts'
import type { BenchTools } from '../harness.ts'
import { memberNames, type Side, type Start } from './side.ts'
import { patienceMs, type Status } from './sightings.ts'

/** Two processes start at once: on a small machine more would starve those that run. */
const startsAtOnce = 2
/** After a fault has ended, a verdict may still be on its way. */
const graceMs = 2000

interface Fault {
  /** Undefined: anybody. */
  readonly member: string | undefined
  readonly fromMs: number
  toMs: number
}

export class Cluster {
  readonly side: Side
  readonly size: number
  readonly network: Network | undefined
  readonly #tools: BenchTools
  readonly #faults: Fault[] = []
  #innocentFromMs = Number.POSITIVE_INFINITY

  constructor(side: Side, size: number, network: Network | undefined, tools: BenchTools) {
    this.side = side
    this.size = size
    this.network = network
    this.#tools = tools
  }

  /** The first, then the others a few at once. */
  async form(): Promise<void> {
    const [first = '', ...others] = memberNames(this.size)
    await this.side.start(first)
    const waiting = [...others]
    const inTurn = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        await this.side.start(next)
      }
    }
    await Promise.all(Array.from({ length: startsAtOnce }, inTurn))
    await this.allAlive()
    this.#innocentFromMs = performance.now()
  }

  /** Anybody but the first, whom the others know from their invite. */
  victim(): string {
    return `n${2 + Math.floor(Math.random() * (this.size - 1))}`
  }

  async allAlive(): Promise<void> {
    const names = this.side.running()
    await this.#until(() => this.side.sightings.everywhere(names, names, 'alive'), 'everybody alive')
  }

  /** When the last of the others came to show it so; ms since `fromMs`. */
  async knownToAll(member: string, status: Status, fromMs: number): Promise<number> {
    const others = this.side.running().filter((name) => name !== member)
    const { sightings } = this.side
    await this.#until(() => sightings.everywhere(others, [member], status), `${member} ${status} everywhere`)
    return performance.now() - fromMs
  }

  async heardByAll(news: string, fromMs: number): Promise<number> {
    const count = this.side.running().length
    await this.#until(() => this.side.sightings.heardBy(news) >= count, `'${news}' heard by ${count}`)
    return performance.now() - fromMs
  }

  /** SIGKILL; resolves when all the others know, with the ms it took. */
  async kill(member: string): Promise<number> {
    this.fault(member)
    const fromMs = performance.now()
    this.side.signal(member, 'SIGKILL')
    const tookMs = await this.knownToAll(member, 'dead', fromMs)
    await this.side.ended(member)
    return tookMs
  }

  async restart(member: string): Promise<Start> {
    const start = await this.side.start(member)
    await this.allAlive()
    this.heal(member)
    return start
  }

  /** From now on a verdict about it, or by it, is no mistake. */
  fault(member?: string): void {
    this.#faults.push({ member, fromMs: performance.now(), toMs: Number.POSITIVE_INFINITY })
  }

  heal(member?: string): void {
    const fault = this.#faults.findLast((candidate) => candidate.member === member)
    if (fault !== undefined) fault.toMs = performance.now() + graceMs
  }

  /** Verdicts of death, one an observer, about members that were well, by members that were well. */
  wronglyDead(fromMs = this.#innocentFromMs): number {
    return this.side.sightings
      .log()
      .filter(
        ({ atMs, observer, subject, status }) =>
          status === 'dead' &&
          atMs >= fromMs &&
          !this.#faulty(observer, atMs) &&
          !this.#faulty(subject, atMs),
      ).length
  }

  async pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#tools.signal })
  }

  #faulty(member: string, atMs: number): boolean {
    return this.#faults.some(
      (fault) => (fault.member ?? member) === member && fault.fromMs <= atMs && atMs <= fault.toMs,
    )
  }

  /** What never comes counts as what comes at the end of patience. */
  async #until(holds: () => boolean, what: string): Promise<void> {
    const { signal, progress } = this.#tools
    if (await this.side.sightings.until(holds, patienceMs, signal)) return
    progress(`not within ${patienceMs / 1000} s: ${what}`)
  }
}
