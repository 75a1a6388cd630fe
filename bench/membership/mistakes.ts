/** Who is called dead and is not: a stopped process, and everybody while packets are lost. */
import type { Cluster } from './cluster.ts'
import type { Effort, Samples } from './samples.ts'

export async function measureStops(cluster: Cluster, samples: Samples, effort: Effort): Promise<void> {
  const { side } = cluster
  for (let run = 0; run < effort.stops; run++) {
    await cluster.pause(2000)
    const victim = cluster.victim()
    const others = side.running().filter((name) => name !== victim)
    cluster.fault(victim)
    const fromMs = performance.now()
    side.signal(victim, 'SIGSTOP')
    await cluster.pause(effort.stopMs)
    side.signal(victim, 'SIGCONT')
    await cluster.allAlive()
    cluster.heal(victim)
    const firsts = (status: string) =>
      others.flatMap((name) => {
        const first = side.sightings
          .log()
          .find(
            (seen) =>
              seen.atMs >= fromMs &&
              seen.observer === name &&
              seen.subject === victim &&
              seen.status === status,
          )
        return first === undefined ? [] : [first.atMs - fromMs]
      })
    samples.stoppedCalledDead.push(firsts('dead').length)
    const stalled = firsts('stalled')
    // Serf has no such state; a member that did not see it counts with the whole time.
    if (stalled.length > 0) {
      samples.stalledMs.push(stalled.length < others.length ? effort.stopMs : Math.max(...stalled))
    }
  }
}

export async function measureLoss(cluster: Cluster, samples: Samples, effort: Effort): Promise<void> {
  const { network } = cluster
  if (network === undefined) return
  const fromMs = performance.now()
  await network.lose(10)
  await cluster.pause(effort.lossMs)
  await network.mend()
  samples.lossCalledDead.push(cluster.wronglyDead(fromMs))
  await cluster.allAlive()
}
