/** A process dies, and a machine goes silent. */
import type { Cluster } from './cluster.ts'
import type { Effort, Samples } from './samples.ts'

export async function measureKills(cluster: Cluster, samples: Samples, effort: Effort): Promise<void> {
  for (let run = 0; run < effort.kills; run++) {
    await cluster.pause(2000)
    const victim = cluster.victim()
    samples.killMs.push(await cluster.kill(victim))
    await cluster.restart(victim)
  }
}

/** Every packet from and to it is dropped on the way. Its process ends before the network is mended. */
export async function measureSilence(cluster: Cluster, samples: Samples, effort: Effort): Promise<void> {
  const { side, network } = cluster
  if (network === undefined) return
  for (let run = 0; run < effort.silences; run++) {
    await cluster.pause(2000)
    const victim = cluster.victim()
    cluster.fault(victim)
    const fromMs = performance.now()
    await network.silence(victim)
    samples.silentMs.push(await cluster.knownToAll(victim, 'dead', fromMs))
    side.signal(victim, 'SIGKILL')
    await side.ended(victim)
    await network.unsilence(victim)
    await cluster.restart(victim)
  }
}
