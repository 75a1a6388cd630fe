/**
 * Serf's agents, watched by their logs: the event stream that an agent offers
 * is coalesced for a second or more, its log is not.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Reaper } from '../../testnet/cluster/reaper.ts'
import { freePorts } from '../serf.ts'
import { type Child, readyOf, startChild } from './child.ts'
import type { Side, SideOptions, Start } from './side.ts'
import { Sightings, type Status } from './sightings.ts'

interface Agent {
  readonly child: Child
  readonly bind: string
  readonly rpc: string
}

const memberLine = /serf: EventMember(\w+)(?: \(\w+\))?: (\S+)/
const newsLine = /agent: Received event: user-event: (\S+)/
const readyLine = '==> Serf agent running!'
const statuses: Readonly<Record<string, Status>> = {
  Join: 'alive',
  Update: 'alive',
  Failed: 'dead',
  Leave: 'left',
}

export class SerfSide implements Side {
  readonly sightings = new Sightings()
  readonly #folder: string
  readonly #options: SideOptions
  readonly #reaper = Reaper.start()
  readonly #agents = new Map<string, Agent>()
  /** Of the last change of tags of each. */
  readonly #tags = new Map<string, string>()

  private constructor(folder: string, options: SideOptions) {
    this.#folder = folder
    this.#options = options
  }

  static async open(options: SideOptions): Promise<SerfSide> {
    return new SerfSide(await mkdtemp(join(tmpdir(), 'p2pd-bench-serf-')), options)
  }

  running(): readonly string[] {
    return [...this.#agents].flatMap(([name, { child }]) => (child.running ? [name] : []))
  }

  pid(member: string): number {
    return this.#agent(member).child.pid
  }

  async start(member: string): Promise<Start> {
    const { network, profile, signal } = this.#options
    const { bind, rpc } = this.#agents.get(member) ?? (await this.#addresses(member))
    const seed = [...this.#agents.entries()].find(([name, { child }]) => name !== member && child.running)
    const command = [
      ...['serf', 'agent', `-node=${member}`, `-bind=${bind}`, `-rpc-addr=${rpc}`, `-profile=${profile}`],
      ...(seed === undefined ? [] : [`-join=${seed[1].bind}`]),
    ]
    const spawnedAtMs = performance.now()
    let isReady: (atMs: number) => void = () => {}
    const ready = new Promise<number>((resolve) => {
      isReady = resolve
    })
    const child = startChild({
      command: [...(network?.enter(member) ?? []), ...command],
      logPath: join(this.#folder, `${member}.log`),
      reaper: this.#reaper,
      onLine: (line) => {
        if (line === readyLine) isReady(performance.now())
        this.#read(member, line)
      },
    })
    this.#agents.set(member, { child, bind, rpc })
    const readyAtMs = await readyOf(`serf agent ${member}`, child, ready, signal)
    return { spawnedAtMs, readyAtMs }
  }

  signal(member: string, signal: NodeJS.Signals): void {
    if (signal === 'SIGKILL') this.sightings.forget(member)
    this.#agent(member).child.signal(signal)
  }

  async ended(member: string): Promise<void> {
    await this.#agent(member).child.ended
  }

  /** SIGINT is its graceful leave. */
  async leave(member: string): Promise<void> {
    this.sightings.forget(member)
    this.#agent(member).child.signal('SIGINT')
  }

  async discard(member: string): Promise<void> {
    this.#agents.delete(member)
  }

  async listen(): Promise<void> {
    // Each agent's log is read from its start.
  }

  async retag(member: string, news: string): Promise<void> {
    this.#tags.set(member, news)
    await this.#command(member, ['tags', '-set', `news=${news}`])
  }

  async say(member: string, news: string): Promise<void> {
    await this.#command(member, ['event', '-coalesce=false', news])
  }

  async close(): Promise<void> {
    const agents = [...this.#agents.values()]
    for (const { child } of agents) if (child.running) child.signal('SIGKILL')
    await Promise.all(agents.map(({ child }) => child.ended))
    await this.#reaper.close()
    await rm(this.#folder, { recursive: true, force: true })
  }

  #agent(member: string): Agent {
    const agent = this.#agents.get(member)
    if (agent === undefined) throw new RangeError(`${member} was never started`)
    return agent
  }

  async #addresses(member: string): Promise<{ bind: string; rpc: string }> {
    const { network } = this.#options
    if (network !== undefined) return { bind: `${network.addressOf(member)}:7946`, rpc: '127.0.0.1:7373' }
    const [bindPort, rpcPort] = await freePorts(2)
    return { bind: `127.0.0.1:${bindPort}`, rpc: `127.0.0.1:${rpcPort}` }
  }

  #read(observer: string, line: string): void {
    const [, kind = '', subject] = memberLine.exec(line) ?? []
    if (subject !== undefined) {
      const status = statuses[kind]
      if (status !== undefined) this.sightings.see(observer, subject, status)
      const tag = this.#tags.get(subject)
      if (kind === 'Update' && tag !== undefined) this.sightings.hear(observer, tag)
    }
    const news = newsLine.exec(line)?.[1]
    if (news !== undefined) this.sightings.hear(observer, news)
  }

  /** Its client takes some 10 ms, which count: what it asks for has begun by then. */
  async #command(member: string, args: readonly string[]): Promise<void> {
    const { network } = this.#options
    const [verb = '', ...rest] = args
    const asked = ['serf', verb, `-rpc-addr=${this.#agent(member).rpc}`, ...rest]
    const [program = '', ...words] = [...(network?.enter(member) ?? []), ...asked]
    const [code] = await once(spawn(program, words, { stdio: 'ignore' }), 'exit')
    if (code !== 0) throw new Error(`serf ${args.join(' ')} failed`)
  }
}
