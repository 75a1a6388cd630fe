/**
 * Locks: three peers in separate processes on loopback, beside the bare round trip
 * of libp2p to a quorum, and beside etcd where it is installed. All are driven and
 * judged by one code (`rivals/locking.mjs`), in turns within one run.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Bench, type BenchTools, median } from './harness.ts'
import { type Driven, startProgram } from './program.ts'

const size = 3
const rounds = 5
const warmUpMs = 2000
const aloneMs = 1500
const contendMs = 3000
const contenders = [6, 5, 5] as const
const leaseMs = 2000
const crashes = 3

export const mutex: Bench = {
  name: 'mutex',
  async run(tools) {
    await quiet(tools)
    await arbiterKilled(tools)
    await holderKilled(tools)
  },
}

interface Alone {
  readonly acquire: readonly number[]
  readonly release: readonly number[]
}

type Entry = readonly [contender: number, asked: number, entered: number, left: number, token: number]

async function quiet(tools: BenchTools): Promise<void> {
  const { progress, report, signal } = tools
  const ours = await Cluster.open('p2pd-lock.mjs', tools)
  const raw = await Cluster.open('raw-quorum.mjs', tools)
  const etcd = await Etcd.open(tools)
  try {
    progress('warming up')
    await ours.first.ask({ do: 'alone', lock: 'warm', ms: warmUpMs })
    await raw.last.ask({ do: 'trip', ms: warmUpMs })
    await ours.contend('warm', warmUpMs)
    await etcd?.contend('warm', warmUpMs)
    const acquire: number[] = []
    const release: number[] = []
    const trips: number[] = []
    const etcdAcquire: number[] = []
    for (let round = 0; round < rounds; round++) {
      signal.throwIfAborted()
      progress(`one contender, round ${round + 1} of ${rounds}`)
      const { trips: measured } = (await raw.last.ask({ do: 'trip', ms: aloneMs })) as { trips: number[] }
      trips.push(median(measured))
      const alone = (await ours.first.ask({ do: 'alone', lock: `alone${round}`, ms: aloneMs })) as Alone
      acquire.push(median(alone.acquire))
      release.push(median(alone.release))
      const rival = (await etcd?.alone(`alone${round}`, aloneMs)) as Alone | undefined
      if (rival !== undefined) etcdAcquire.push(median(rival.acquire))
    }
    const limit = { rival: 'libp2p round trip to 2 of 3', rivalSamples: trips }
    report({
      question: 'a free lock, until it is held, p50',
      unit: 'ms',
      samples: acquire,
      timesRival: 1.3,
      ...limit,
    })
    report({ question: 'its release, p50', unit: 'ms', samples: release })
    if (etcdAcquire.length > 0) {
      report({
        question: 'a free lock, until it is held, p50',
        unit: 'ms',
        samples: acquire,
        rival: 'etcd',
        rivalSamples: etcdAcquire,
      })
    }
    await contended(tools, ours, etcd)
  } finally {
    await Promise.all([ours.close(), raw.close(), etcd?.close()])
  }
}

async function contended(
  { progress, report, signal }: BenchTools,
  ours: Cluster,
  etcd: Etcd | undefined,
): Promise<void> {
  const rate: number[] = []
  const fairness: number[] = []
  const overtaking: number[] = []
  const waits: number[] = []
  const etcdRate: number[] = []
  for (let round = 0; round < rounds; round++) {
    signal.throwIfAborted()
    progress(`16 contenders, round ${round + 1} of ${rounds}`)
    const entries = await ours.contend(`hot${round}`, contendMs)
    assertExclusive(entries)
    rate.push((entries.length / contendMs) * 1000)
    fairness.push(jain(entries))
    overtaking.push(mostOvertaken(entries))
    waits.push(Math.max(...entries.map(({ asked, entered }) => entered - asked)))
    if (etcd !== undefined)
      etcdRate.push(((await etcd.contend(`hot${round}`, contendMs)).length / contendMs) * 1000)
  }
  report({
    question: '16 contenders on one lock',
    unit: 'entries/s',
    samples: rate,
    timesRival: 10,
    more: true,
    rival: 'etcd',
    rivalSamples: etcdRate,
  })
  report({
    question: "16 contenders: Jain's index",
    unit: 'of 1',
    samples: fairness,
    limit: 0.99,
    judge: 'worst',
    more: true,
  })
  report({
    question: '16 contenders: entries of one that asked later than somebody, before it',
    unit: 'entries',
    samples: overtaking,
    limit: 1,
    judge: 'worst',
  })
  report({
    question: '16 contenders: the longest wait',
    unit: 'ms',
    samples: waits,
    limit: 200,
    judge: 'worst',
  })
}

/** One that hosts nobody who wants the lock. */
async function arbiterKilled(tools: BenchTools): Promise<void> {
  const gaps: number[] = []
  for (let round = 0; round < crashes; round++) {
    tools.signal.throwIfAborted()
    tools.progress(`an arbiter is killed, ${round + 1} of ${crashes}`)
    const cluster = await Cluster.open('p2pd-lock.mjs', tools)
    try {
      await cluster.first.ask({ do: 'alone', lock: 'warm', ms: warmUpMs })
      const run = cluster.members
        .slice(0, 2)
        .map((member) => member.ask({ do: 'contend', lock: 'a', contenders: 1, ms: 3000 }))
      await delay(1000)
      await cluster.last.kill()
      const entries = (await Promise.all(run)).flatMap((told) => (told as { entries: Entry[] }).entries)
      const times = entries.map(([, , entered]) => entered).sort((a, b) => a - b)
      gaps.push(Math.max(...times.slice(1).map((at, index) => at - (times[index] ?? at))))
    } finally {
      await cluster.close()
    }
  }
  tools.report({
    question: 'an arbiter that hosts no contender is killed: the longest gap',
    unit: 'ms',
    samples: gaps,
    limit: 50,
  })
}

async function holderKilled(tools: BenchTools): Promise<void> {
  const waits: number[] = []
  for (let round = 0; round < crashes; round++) {
    tools.signal.throwIfAborted()
    tools.progress(`the holder is killed, ${round + 1} of ${crashes}`)
    const cluster = await Cluster.open('p2pd-lock.mjs', tools)
    try {
      await cluster.last.ask({ do: 'hold', lock: 'a', leaseMs })
      const next = cluster.first.ask({ do: 'next', lock: 'a', leaseMs })
      // Somewhere between two renewals.
      await delay(leaseMs / 2 + (round * leaseMs) / 7)
      const killedAt = performance.timeOrigin + performance.now()
      await cluster.last.kill()
      const { at } = (await next) as { at: number }
      waits.push(at - killedAt)
    } finally {
      await cluster.close()
    }
  }
  tools.report({
    question: `the holder is killed (lease ${leaseMs} ms): until the next one holds`,
    unit: 'ms',
    samples: waits,
    limit: leaseMs + 100,
    judge: 'worst',
  })
}

interface Told {
  readonly contender: string
  readonly asked: number
  readonly entered: number
  readonly left: number
  readonly token: number
}

class Cluster {
  readonly members: readonly Driven[]
  readonly #folder: string

  private constructor(members: readonly Driven[], folder: string) {
    this.members = members
    this.#folder = folder
  }

  static async open(program: string, { signal }: BenchTools): Promise<Cluster> {
    const folder = await mkdtemp(join(tmpdir(), 'p2pd-bench-'))
    const secret = randomBytes(32).toString('hex')
    const members: Driven[] = []
    const cluster = new Cluster(members, folder)
    try {
      const addresses: string[] = []
      for (let index = 0; index < size; index++) {
        signal.throwIfAborted()
        const member = startProgram(program, folder)
        members.push(member)
        const command = {
          do: 'open',
          index,
          size,
          join: addresses,
          secret,
          dataDir: join(folder, `n${index}`),
        }
        const opened = (await member.ask(command)) as { readonly addresses: readonly string[] }
        addresses.push(...opened.addresses.slice(0, 1))
      }
      await Promise.all(members.map((member) => member.ask({ do: 'ready' })))
      return cluster
    } catch (error) {
      await cluster.close()
      throw error
    }
  }

  get first(): Driven {
    return this.#at(0)
  }

  get last(): Driven {
    return this.#at(size - 1)
  }

  #at(index: number): Driven {
    const member = this.members[index]
    if (member === undefined) throw new RangeError(`no member ${index}`)
    return member
  }

  async contend(lock: string, ms: number): Promise<readonly Told[]> {
    return await contend(this.members, lock, ms)
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.end()))
    await rm(this.#folder, { recursive: true, force: true })
  }
}

async function contend(members: readonly Driven[], lock: string, ms: number): Promise<readonly Told[]> {
  const told = await Promise.all(
    members.map((member, index) =>
      member.ask({ do: 'contend', lock, contenders: contenders[index] ?? 0, ms }),
    ),
  )
  return told.flatMap((answer, member) =>
    (answer as { entries: readonly Entry[] }).entries.map(([contender, asked, entered, left, token]) => ({
      contender: `${member}/${contender}`,
      asked,
      entered,
      left,
      token,
    })),
  )
}

/** Three members of etcd with their data on the disk, and a process of clients at each. */
class Etcd {
  readonly #servers: readonly ReturnType<typeof spawn>[]
  readonly #clients: readonly Driven[]
  readonly #folder: string

  private constructor(
    servers: readonly ReturnType<typeof spawn>[],
    clients: readonly Driven[],
    folder: string,
  ) {
    this.#servers = servers
    this.#clients = clients
    this.#folder = folder
  }

  static async open({ progress, signal }: BenchTools): Promise<Etcd | undefined> {
    const isInstalled = (process.env.PATH ?? '')
      .split(delimiter)
      .some((folder) => existsSync(join(folder, 'etcd')))
    if (!isInstalled) {
      progress('etcd is not installed: its figures are left out')
      return undefined
    }
    const folder = await mkdtemp(join(tmpdir(), 'p2pd-bench-etcd-'))
    const ports = await freePorts(2 * size)
    const url = (at: number): string => `http://127.0.0.1:${ports[at]}`
    const members = Array.from({ length: size }, (_, index) => `n${index}=${url(size + index)}`).join(',')
    const servers = Array.from({ length: size }, (_, index) =>
      spawn(
        'etcd',
        [
          ['--name', `n${index}`, '--data-dir', join(folder, `n${index}`), '--log-level', 'error'],
          ['--listen-client-urls', url(index), '--advertise-client-urls', url(index)],
          ['--listen-peer-urls', url(size + index), '--initial-advertise-peer-urls', url(size + index)],
          ['--initial-cluster', members],
        ].flat(),
        { stdio: 'ignore' },
      ),
    )
    const clients = servers.map(() => startProgram('etcd-lock.mjs', folder))
    const etcd = new Etcd(servers, clients, folder)
    try {
      await Promise.all(clients.map((client, index) => client.ask({ do: 'open', endpoint: url(index) })))
      await answering(url(0), signal)
      await Promise.all(clients.map((client) => client.ask({ do: 'ready' })))
      return etcd
    } catch (error) {
      await etcd.close()
      throw error
    }
  }

  async alone(lock: string, ms: number): Promise<unknown> {
    return await this.#clients[0]?.ask({ do: 'alone', lock, ms })
  }

  async contend(lock: string, ms: number): Promise<readonly Told[]> {
    return await contend(this.#clients, lock, ms)
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end()))
    await Promise.all(this.#servers.map((server) => killed(server)))
    await rm(this.#folder, { recursive: true, force: true })
  }
}

async function killed(server: ReturnType<typeof spawn>): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const exit = once(server, 'exit')
  server.kill('SIGKILL')
  await exit
}

/** Until the cluster has a leader. */
async function answering(endpoint: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const answer = await fetch(new URL('/health', endpoint), { signal }).catch(() => undefined)
    if (answer?.ok === true) return
    await delay(100, undefined, { signal })
  }
}

async function freePorts(count: number): Promise<readonly number[]> {
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

/** A bench of locks that let two in at once would measure something else. Entries are stamped after they began, ends before. */
function assertExclusive(entries: readonly Told[]): void {
  const sorted = [...entries].sort((a, b) => a.token - b.token)
  for (const [index, { entered, token }] of sorted.entries()) {
    const before = sorted[index - 1]
    if (before === undefined) continue
    if (before.token === token) throw new Error(`token ${token} was given twice`)
    if (before.left > entered) throw new Error(`tokens ${before.token} and ${token} were held at once`)
  }
}

function jain(entries: readonly Told[]): number {
  const counts = new Map<string, number>()
  for (const { contender } of entries) counts.set(contender, (counts.get(contender) ?? 0) + 1)
  const all = [...counts.values()]
  const sum = all.reduce((total, count) => total + count, 0)
  const squares = all.reduce((total, count) => total + count ** 2, 0)
  const total = contenders.reduce((count, some) => count + some, 0)
  return sum ** 2 / (total * squares)
}

/** How often one other contender that asked later than somebody entered before it, at most. */
function mostOvertaken(entries: readonly Told[]): number {
  const sorted = [...entries].sort((a, b) => a.entered - b.entered)
  let most = 0
  for (const [index, entry] of sorted.entries()) {
    const counts = new Map<string, number>()
    for (let at = index - 1; at >= 0; at--) {
      const other = sorted[at]
      if (other === undefined || other.entered < entry.asked) break
      if (other.asked > entry.asked) counts.set(other.contender, (counts.get(other.contender) ?? 0) + 1)
    }
    most = Math.max(most, ...counts.values())
  }
  return most
}
