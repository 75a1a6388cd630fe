/**
 * Who is in and who is alive: how soon it is known, how often it is wrong, what it costs. Ours
 * in both of its quick profiles beside serf in its quickest, each member with a
 * network of its own where the machine lets us make that.
 */
import { P2pdError } from '../../lib/wire/errors.ts'
import { Network } from '../../testnet/cluster/network.ts'
import { Reaper } from '../../testnet/cluster/reaper.ts'
import type { Bench, BenchTools } from '../harness.ts'
import { serfIsInstalled } from '../serf.ts'
import { measureBareStarts } from './bare.ts'
import { Cluster } from './cluster.ts'
import { measureJoins, measureNews } from './coming-and-going.ts'
import { measureKills, measureSilence } from './deaths.ts'
import { measureIdle } from './idle.ts'
import { measureLoss, measureStops } from './mistakes.ts'
import { OurSide } from './ours.ts'
import { measureHeal } from './partition.ts'
import { report } from './report.ts'
import { type Effort, full, noSamples, quick, type Samples } from './samples.ts'
import { memberNames, type Profile, type Side, type SideOptions } from './side.ts'
import { SerfSide } from './theirs.ts'

const defaultPeers = 30

export const membership: Bench = {
  name: 'membership',
  async run(tools) {
    const size = tools.peers ?? defaultPeers
    const effort = tools.quick ? quick : full
    const reaper = Reaper.start()
    const network = await networkOf(size + 1, reaper, tools)
    const measurement: Measurement = { size, effort, network, tools }
    const ours = { lan: noSamples(), local: noSamples() }
    const theirs = noSamples()
    const bareMs: number[] = []
    try {
      await measure('ours', 'lan', ours.lan, measurement)
      if (serfIsInstalled()) await measure('serf', 'local', theirs, measurement)
      else tools.progress('serf is not installed: nothing to compare with')
      await measure('ours', 'local', ours.local, measurement)
      tools.progress(`bare libp2p nodes, ${size}`)
      bareMs.push(...(await measureBareStarts(size, effort.joins + 1, reaper, tools.signal)))
    } finally {
      network?.close()
      await reaper.close()
      // Also when something failed: what is known by then took minutes.
      report({ ours, theirs, bareMs, size, effort, tools })
    }
  },
}

interface Measurement {
  readonly size: number
  readonly effort: Effort
  readonly network: Network | undefined
  readonly tools: BenchTools
}

const phases: readonly (readonly [
  what: string,
  run: (cluster: Cluster, samples: Samples, effort: Effort) => Promise<void>,
])[] = [
  ['idle', measureIdle],
  ['joining and leaving', measureJoins],
  ['news', measureNews],
  ['kill -9', measureKills],
  ['stopped processes', measureStops],
  ['loss', measureLoss],
  ['silence', measureSilence],
  ['partition', measureHeal],
]

async function measure(
  whose: 'ours' | 'serf',
  profile: Profile,
  samples: Samples,
  { size, effort, network, tools }: Measurement,
): Promise<void> {
  const side = await open(whose, { profile, network, signal: tools.signal })
  const cluster = new Cluster(side, size, network, tools)
  const tell = (what: string) => tools.progress(`${whose} (${profile}), ${size} members: ${what}`)
  try {
    tell('forming')
    await cluster.form()
    for (const [what, run] of phases) {
      tell(what)
      await run(cluster, samples, effort)
    }
    samples.calledDead.push(cluster.wronglyDead())
  } finally {
    await network?.mend()
    await side.close()
  }
}

/** Undefined where members cannot have one. */
async function networkOf(members: number, reaper: Reaper, tools: BenchTools): Promise<Network | undefined> {
  try {
    return await Network.create(memberNames(members), reaper)
  } catch (error) {
    if (!(error instanceof P2pdError)) throw error
    tools.progress(`${error.message}: all are on loopback`)
    return undefined
  }
}

async function open(whose: 'ours' | 'serf', options: SideOptions): Promise<Side> {
  return whose === 'ours' ? await OurSide.open(options) : await SerfSide.open(options)
}
