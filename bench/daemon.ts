/**
 * What a daemon costs and how fast a cluster knows: five real daemons on this
 * machine, beside serf's agents. Ours run with the profile that they start with;
 * serf with its quickest where speed is asked, and its own default where it idles.
 */
import { spawnSync } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Cluster } from '../testnet/cluster/cluster.ts'
import type { Member } from '../testnet/cluster/member.ts'
import type { Bench, BenchTools } from './harness.ts'
import { cpuSeconds, memory } from './proc.ts'
import { SerfCluster, serfIsInstalled } from './serf.ts'

const peers = 5
const clusters = 3
const killsPerCluster = 4
const commandRuns = 15
/** What a start leaves to do (compiling, collecting garbage) is over by then. */
const settleMs = 30_000
const idleMs = 15_000
const limitMs = 60_000

/** What was measured, in the same units for both. */
interface Samples {
  readonly readyMs: number[]
  readonly commandMs: number[]
  readonly convergeMs: number[]
  readonly killMs: number[]
  readonly cpuPercent: number[]
  readonly privateMib: number[]
  readonly rssMib: number[]
}

const none = (): Samples => ({
  readyMs: [],
  commandMs: [],
  convergeMs: [],
  killMs: [],
  cpuPercent: [],
  privateMib: [],
  rssMib: [],
})

export const daemon: Bench = {
  name: 'daemon',
  async run(tools) {
    const ours = none()
    for (let run = 1; run <= clusters; run++) {
      tools.progress(`cluster ${run} of ${clusters}`)
      await measureStart(ours, tools)
      await measureCluster(ours, tools)
    }
    const theirs = none()
    if (serfIsInstalled()) await measureSerf(theirs, tools)
    else tools.progress('serf is not installed: nothing to compare with')
    report(ours, theirs, tools)
  },
}

function report(ours: Samples, theirs: Samples, { report }: BenchTools): void {
  const rival = 'serf'
  report({
    question: 'bare p2pd to ready',
    unit: 'ms',
    samples: ours.readyMs,
    limit: 2000,
    rival,
    rivalSamples: theirs.readyMs,
  })
  report({
    question: 'client command',
    unit: 'ms',
    samples: ours.commandMs,
    limit: 200,
    rival,
    rivalSamples: theirs.commandMs,
  })
  report({
    question: `${peers} peers converge, after the last is ready`,
    unit: 'ms',
    samples: ours.convergeMs,
    limit: 3000,
    rival,
    rivalSamples: theirs.convergeMs,
  })
  report({
    question: `kill -9 of 1 in ${peers} known to all`,
    unit: 'ms',
    samples: ours.killMs,
    limit: 1000,
    judge: 'worst',
    rival,
    rivalSamples: theirs.killMs,
  })
  report({
    question: 'idle processor time a daemon',
    unit: '% of a core',
    samples: ours.cpuPercent,
    limit: 1,
    rival,
    rivalSamples: theirs.cpuPercent,
  })
  report({
    question: 'private memory a daemon',
    unit: 'MiB',
    samples: ours.privateMib,
    limit: 90,
    rival,
    rivalSamples: theirs.privateMib,
  })
  report({
    question: 'resident memory a daemon',
    unit: 'MiB',
    samples: ours.rssMib,
    rival,
    rivalSamples: theirs.rssMib,
  })
}

/** One daemon alone on a machine that does nothing else. */
async function measureStart(samples: Samples, { signal }: BenchTools): Promise<void> {
  await withCluster(1, signal, async (cluster) => {
    samples.readyMs.push(...(await cluster.found()))
    for (let run = 0; run < commandRuns; run++) samples.commandMs.push(command(cluster.member('n1')))
  })
}

async function measureCluster(samples: Samples, { signal, progress }: BenchTools): Promise<void> {
  await withCluster(peers, signal, async (cluster) => {
    await cluster.found()
    const readyAt = cluster.recorder.now()
    await everywhere(cluster, 'alive')
    samples.convergeMs.push(cluster.recorder.now() - readyAt)

    progress('idle')
    await delay(settleMs, undefined, { signal })
    await measureIdle(pidsOf(cluster), samples, signal)

    progress('kill -9')
    for (let kill = 0; kill < killsPerCluster; kill++) {
      const victim = `n${2 + (kill % (peers - 1))}`
      const killedAt = cluster.recorder.now()
      await cluster.kill(victim)
      await everywhere(cluster, 'dead', victim)
      samples.killMs.push(cluster.recorder.now() - killedAt)
      await cluster.start(victim)
      await everywhere(cluster, 'alive')
    }
  })
}

async function measureSerf(samples: Samples, { signal, progress }: BenchTools): Promise<void> {
  for (let run = 1; run <= clusters; run++) {
    progress(`serf, cluster ${run} of ${clusters}`)
    await withSerf('local', async (serf, firstReadyMs) => {
      samples.readyMs.push(firstReadyMs)
      samples.convergeMs.push(await serf.converged())
      for (let i = 0; i < commandRuns; i++) samples.commandMs.push(serf.command())
      samples.killMs.push(await serf.kill())
    })
    await withSerf('lan', async (serf) => {
      await serf.converged()
      await delay(settleMs, undefined, { signal })
      await measureIdle(serf.pids, samples, signal)
    })
  }
}

async function withSerf(
  profile: 'lan' | 'local',
  use: (serf: SerfCluster, firstReadyMs: number) => Promise<void>,
): Promise<void> {
  const serf = new SerfCluster(profile)
  try {
    const firstReadyMs = await serf.start()
    await Promise.all(Array.from({ length: peers - 1 }, () => serf.start()))
    await use(serf, firstReadyMs)
  } finally {
    await serf.stop()
  }
}

async function measureIdle(pids: readonly number[], samples: Samples, signal: AbortSignal): Promise<void> {
  const startedAt = performance.now()
  const before = pids.map(cpuSeconds)
  await delay(idleMs, undefined, { signal })
  const seconds = (performance.now() - startedAt) / 1000
  for (const [i, pid] of pids.entries()) {
    samples.cpuPercent.push(((cpuSeconds(pid) - (before[i] ?? 0)) / seconds) * 100)
    const { privateMib, rssMib } = memory(pid)
    samples.privateMib.push(privateMib)
    samples.rssMib.push(rssMib)
  }
}

const program = fileURLToPath(new URL('../bin/p2pd.js', import.meta.url))

function command({ dataDir }: Member): number {
  const began = performance.now()
  const { status, stderr } = spawnSync(process.execPath, [program, 'status', '--json', '--data', dataDir], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`p2pd status failed: ${stderr}`)
  return performance.now() - began
}

/** Waits until every running member shows `subject`, or every running member, so. */
async function everywhere(cluster: Cluster, status: 'alive' | 'dead', subject?: string): Promise<void> {
  const running = cluster.running().map(({ name }) => name)
  const subjects = subject === undefined ? running : [subject]
  await cluster.until(() => {
    for (const observer of running) {
      for (const name of subjects) {
        const seen = cluster.recorder.row(observer, name)?.status
        if (seen !== status) return `${observer} has ${name} as ${seen ?? 'unknown'}, not ${status}`
      }
    }
    return undefined
  }, limitMs)
}

function pidsOf(cluster: Cluster): readonly number[] {
  return cluster.running().flatMap(({ process }) => (process === undefined ? [] : [process.pid]))
}

async function withCluster(
  size: number,
  signal: AbortSignal,
  use: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  const cluster = await Cluster.create({ peers: size, profile: 'lan', env: process.env, signal })
  try {
    await use(cluster)
  } finally {
    await cluster.close()
    await cluster.removeFolder()
  }
}
