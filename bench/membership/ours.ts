/** Real daemons, watched by the event streams of their control sockets. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ControlClient } from '../../daemon/client/client.ts'
import { program } from '../../testnet/cluster/cluster.ts'
import { Reaper } from '../../testnet/cluster/reaper.ts'
import type { Row } from '../../testnet/cluster/recorder.ts'
import { type Child, readyOf, startChild } from './child.ts'
import type { Side, SideOptions, Start } from './side.ts'
import { Sightings, type Status } from './sightings.ts'

interface Daemon {
  readonly child: Child
  readonly client: ControlClient
  readonly watch: AbortController
}

const group = 'bench'

export class OurSide implements Side {
  readonly sightings = new Sightings()
  readonly #folder: string
  readonly #options: SideOptions
  readonly #reaper = Reaper.start()
  readonly #daemons = new Map<string, Daemon>()

  private constructor(folder: string, options: SideOptions) {
    this.#folder = folder
    this.#options = options
  }

  static async open(options: SideOptions): Promise<OurSide> {
    return new OurSide(await mkdtemp(join(tmpdir(), 'p2pd-bench-')), options)
  }

  running(): readonly string[] {
    return [...this.#daemons].flatMap(([name, { child }]) => (child.running ? [name] : []))
  }

  pid(member: string): number {
    return this.#daemon(member).child.pid
  }

  async start(member: string): Promise<Start> {
    const { network, profile, signal } = this.#options
    const dataDir = join(this.#folder, member)
    const command = [
      process.execPath,
      program,
      ...['--data', dataDir, '--name', member, '--profile', profile, '--json'],
      ...['--listen', `/ip4/${network?.addressOf(member) ?? '127.0.0.1'}/tcp/0`],
      ...(this.#daemons.size === 0 ? [] : ['--invite', this.#invitePath]),
    ]
    const first = this.#daemons.size === 0
    const spawnedAtMs = performance.now()
    const { child, ready } = this.#spawn(member, [...(network?.enter(member) ?? []), ...command])
    const client = ControlClient.open(dataDir)
    const daemon: Daemon = { child, client, watch: new AbortController() }
    this.#daemons.set(member, daemon)
    const readyAtMs = await ready
    await this.#follow(member, daemon)
    if (first) {
      const { invite } = await client.invite({ signal })
      await writeFile(this.#invitePath, `${invite}\n`, { mode: 0o600, flag: 'wx' })
    }
    return { spawnedAtMs, readyAtMs }
  }

  signal(member: string, signal: NodeJS.Signals): void {
    if (signal === 'SIGKILL') this.#unfollow(member)
    this.#daemon(member).child.signal(signal)
  }

  async ended(member: string): Promise<void> {
    await this.#daemon(member).child.ended
  }

  async leave(member: string): Promise<void> {
    const { client } = this.#daemon(member)
    this.#unfollow(member)
    await client.leave({ signal: this.#options.signal })
  }

  async discard(member: string): Promise<void> {
    await rm(join(this.#folder, member), { recursive: true, force: true })
    this.#daemons.delete(member)
  }

  async retag(member: string, news: string): Promise<void> {
    await this.#daemon(member).client.changeTags({ set: { news } }, { signal: this.#options.signal })
  }

  async listen(): Promise<void> {
    for (const member of this.running()) {
      const { client, watch } = this.#daemon(member)
      const messages = client.messages(group, { from: 'earliest' }, { signal: watch.signal })
      const told = readOn(messages, watch.signal, (event) => {
        if (event.type === 'message') this.sightings.hear(member, event.message.data)
      })
      // The first message shows that it is read.
      await this.say(member, `${member} listens`)
      await told
    }
  }

  async say(member: string, news: string): Promise<void> {
    await this.#publish(member, group, news)
  }

  async close(): Promise<void> {
    const daemons = [...this.#daemons.values()]
    for (const { watch, child } of daemons) {
      watch.abort()
      if (child.running) child.signal('SIGKILL')
    }
    await Promise.all(daemons.map(({ child }) => child.ended))
    await this.#reaper.close()
    await rm(this.#folder, { recursive: true, force: true })
  }

  get #invitePath(): string {
    return join(this.#folder, 'invite')
  }

  #daemon(member: string): Daemon {
    const daemon = this.#daemons.get(member)
    if (daemon === undefined) throw new RangeError(`${member} was never started`)
    return daemon
  }

  #spawn(member: string, command: readonly string[]): { child: Child; ready: Promise<number> } {
    let isReady: (atMs: number) => void = () => {}
    const ready = new Promise<number>((resolve) => {
      isReady = resolve
    })
    const child = startChild({
      command,
      logPath: join(this.#folder, `${member}.log`),
      reaper: this.#reaper,
      onLine: (line) => {
        if (line.includes('"event":"ready"')) isReady(performance.now())
      },
    })
    return { child, ready: readyOf(member, child, ready, this.#options.signal) }
  }

  /** Resolves with the first snapshot, and reads on. */
  async #follow(member: string, { client, watch }: Daemon): Promise<void> {
    await readOn(client.memberEvents({ signal: watch.signal }), watch.signal, (event) => {
      if (event.type === 'isolated') return
      const changed = event.type === 'snapshot' ? event.snapshot.members : [event.member]
      for (const row of changed) this.#see(member, row)
    })
  }

  #see(observer: string, row: Row): void {
    const status: Status = row.detail === 'stalled' ? 'stalled' : row.status
    this.sightings.see(observer, row.name, status)
    if (row.tags.news !== undefined) this.sightings.hear(observer, row.tags.news)
  }

  #unfollow(member: string): void {
    this.#daemon(member).watch.abort()
    this.sightings.forget(member)
  }

  async #publish(member: string, to: string, data = ''): Promise<void> {
    const { signal } = this.#options
    await this.#daemon(member).client.publish(to, { data, encoding: 'utf8' }, { signal })
  }
}

/** Resolves when the first of a stream has come; what fails after `signal` does not count. */
async function readOn<Event>(
  stream: AsyncIterable<Event>,
  signal: AbortSignal,
  take: (event: Event) => void,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const read = async (): Promise<void> => {
      for await (const event of stream) {
        if (signal.aborted) return
        take(event)
        resolve()
      }
    }
    read().catch((error) => {
      if (!signal.aborted) reject(error)
    })
  })
}
