/** The network falls into two halves, and is mended. */
import type { Cluster } from './cluster.ts'
import type { Effort, Samples } from './samples.ts'

export async function measureHeal(cluster: Cluster, samples: Samples, effort: Effort): Promise<void> {
  const { side, network } = cluster
  if (network === undefined) return
  for (let run = 0; run < effort.partitions; run++) {
    await cluster.pause(2000)
    const members = side.running()
    cluster.fault()
    await network.split(members.slice(0, members.length >> 1))
    await cluster.pause(effort.partitionMs)
    const fromMs = performance.now()
    await network.mend()
    await cluster.allAlive()
    samples.healMs.push(performance.now() - fromMs)
    cluster.heal()
  }
}
