/**
 * Serf, the rival: the same questions put to `serf agent`.
 *
 * Times are taken by this process's clock when a line of an agent's log
 * arrives. (Serf's own event stream is coalesced for a second or more.)
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'

export function serfIsInstalled(): boolean {
  return spawnSync('serf', ['version']).status === 0
}

interface Agent {
  readonly name: string
  readonly bind: string
  readonly rpc: string
  readonly child: ChildProcess
  /** Whom its log has called alive and not failed since. */
  readonly alive: Set<string>
}

const memberLine = /serf: EventMember(\w+)(?: \(\w+\))?: (\S+)/
const readyLine = '==> Serf agent running!'
const waitLimitMs = 60_000

export class SerfCluster {
  readonly #profile: 'lan' | 'local'
  readonly #agents: Agent[] = []
  readonly #changed = new EventEmitter().setMaxListeners(0)

  /** `lan` is what serf starts with; `local` is its quickest. */
  constructor(profile: 'lan' | 'local') {
    this.#profile = profile
  }

  get pids(): readonly number[] {
    return this.#agents.flatMap(({ child }) => (child.pid === undefined ? [] : [child.pid]))
  }

  /** Resolves when the agent says that it runs; gives the milliseconds that took. */
  async start(): Promise<number> {
    const [bindPort, rpcPort] = await freePorts(2)
    const name = `n${this.#agents.length + 1}`
    const bind = `127.0.0.1:${bindPort}`
    const rpc = `127.0.0.1:${rpcPort}`
    const first = this.#agents[0]
    const join = first === undefined ? [] : [`-join=${first.bind}`]
    const began = performance.now()
    const child = spawn(
      'serf',
      ['agent', `-node=${name}`, `-bind=${bind}`, `-rpc-addr=${rpc}`, `-profile=${this.#profile}`, ...join],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    )
    const agent: Agent = { name, bind, rpc, child, alive: new Set() }
    this.#agents.push(agent)
    return new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line === readyLine) resolve(performance.now() - began)
        this.#read(agent, line)
      })
      child.once('error', reject)
      child.once('exit', () => reject(new Error(`serf agent ${name} ended before it was ready`)))
    })
  }

  /** Milliseconds until every agent has every other in its table. */
  async converged(): Promise<number> {
    const began = performance.now()
    const names = this.#agents.map(({ name }) => name)
    await this.#until(() => this.#agents.every(({ alive }) => names.every((name) => alive.has(name))))
    return performance.now() - began
  }

  /** Milliseconds from SIGKILL until all the others call the last agent failed. */
  async kill(): Promise<number> {
    const victim = this.#agents.pop()
    if (victim === undefined) throw new RangeError('no agent runs')
    const began = performance.now()
    victim.child.kill('SIGKILL')
    await this.#until(() => this.#agents.every(({ alive }) => !alive.has(victim.name)))
    return performance.now() - began
  }

  /** Milliseconds that one client command takes. */
  command(): number {
    const began = performance.now()
    const { status } = spawnSync('serf', ['members', `-rpc-addr=${this.#agents[0]?.rpc}`])
    if (status !== 0) throw new Error('serf members failed')
    return performance.now() - began
  }

  async stop(): Promise<void> {
    const ends = this.#agents.splice(0).map(async ({ child }) => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
    })
    await Promise.all(ends)
  }

  #read(agent: Agent, line: string): void {
    const [, kind, subject] = memberLine.exec(line) ?? []
    if (subject === undefined) return
    if (kind === 'Join' || kind === 'Update') agent.alive.add(subject)
    else agent.alive.delete(subject)
    this.#changed.emit('change')
  }

  async #until(holds: () => boolean): Promise<void> {
    const signal = AbortSignal.timeout(waitLimitMs)
    while (!holds()) await once(this.#changed, 'change', { signal })
  }
}

/** Free when asked; serf takes no port 0. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => {
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  })
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}
