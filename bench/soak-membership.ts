/**
 * Five daemons; every few seconds one is killed or told to stop, and comes
 * back. Two are left alone: what grows in them grows with the churn of
 * the others.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Cluster } from '../testnet/cluster/cluster.ts'
import type { Member } from '../testnet/cluster/member.ts'
import type { Point, Quantity, Series, Soak } from './slopes.ts'

const watched = ['n1', 'n2']
const churned = ['n3', 'n4', 'n5']
const deeds = ['kill', 'stop'] as const
const samplePeriodMs = 2000
const pauseMs = 1000
const settleMs = 60_000

export const membership: Soak = {
  name: 'membership',
  minutes: 10,
  async run({ durationMs, progress, signal }) {
    const cluster = await Cluster.create({ peers: 5, profile: 'local', env: process.env, signal })
    const points = new Map<string, Map<Quantity, Point[]>>(watched.map((name) => [name, new Map()]))
    try {
      await cluster.found()
      await allAlive(cluster)
      const endAt = performance.now() + durationMs
      await Promise.all([
        churn(endAt, cluster, progress, signal),
        sampleUntil(endAt, cluster, points, signal),
      ])
    } finally {
      await cluster.close()
      await cluster.removeFolder()
    }
    return [...points].flatMap(([source, quantities]) =>
      [...quantities].map(([quantity, values]): Series => ({ source, quantity, points: values })),
    )
  },
}

async function churn(
  endAt: number,
  cluster: Cluster,
  progress: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let round = 0; performance.now() < endAt; round++) {
    const name = churned[round % churned.length] ?? 'n3'
    const deed = deeds[round % deeds.length] ?? 'kill'
    await cluster[deed](name)
    await delay(pauseMs, undefined, { signal })
    await cluster.start(name)
    await allAlive(cluster)
    if (round % 10 === 9) {
      const leftMinutes = Math.max(0, (endAt - performance.now()) / 60_000)
      progress(`${round + 1} returns, ${leftMinutes.toFixed(1)} min left`)
    }
  }
}

async function sampleUntil(
  endAt: number,
  cluster: Cluster,
  points: ReadonlyMap<string, Map<Quantity, Point[]>>,
  signal: AbortSignal,
): Promise<void> {
  while (performance.now() < endAt) {
    for (const [name, quantities] of points) {
      for (const [quantity, value] of await sample(cluster.member(name), signal)) {
        const series = quantities.get(quantity) ?? []
        series.push({ atMs: performance.now(), value })
        quantities.set(quantity, series)
      }
    }
    await delay(samplePeriodMs, undefined, { signal })
  }
}

async function sample({ client }: Member, signal: AbortSignal): Promise<ReadonlyMap<Quantity, number>> {
  const metrics = await client.metrics({ signal })
  return new Map([
    ['heap MiB', read(metrics, 'nodejs_heap_size_used_bytes') / 2 ** 20],
    ['RSS MiB', read(metrics, 'process_resident_memory_bytes') / 2 ** 20],
    ['handles', read(metrics, 'nodejs_active_handles_total')],
    ['timers', read(metrics, 'nodejs_active_resources{type="Timeout"}')],
  ])
}

/** The value of one line of Prometheus' text format. */
function read(metrics: string, series: string): number {
  const line = metrics.split('\n').find((candidate) => candidate.startsWith(`${series} `))
  const value = Number(line?.slice(series.length + 1))
  if (line === undefined || Number.isNaN(value)) throw new Error(`the daemon's metrics hold no ${series}`)
  return value
}

async function allAlive(cluster: Cluster): Promise<void> {
  const names = cluster.members.map(({ name }) => name)
  await cluster.until(() => {
    for (const observer of names) {
      for (const subject of names) {
        const seen = cluster.recorder.row(observer, subject)?.status
        if (seen !== 'alive') return `${observer} has ${subject} as ${seen ?? 'unknown'}`
      }
    }
    return undefined
  }, settleMs)
}
