/** One more comes, and leaves again; and what a member lets the others know. */
import type { Cluster } from './cluster.ts'
import type { Effort, Samples } from './samples.ts'

export async function measureJoins(cluster: Cluster, samples: Samples, effort: Effort): Promise<void> {
  const { side, size } = cluster
  const newcomer = `n${size + 1}`
  for (let run = 0; run < effort.joins; run++) {
    const { spawnedAtMs, readyAtMs } = await side.start(newcomer)
    await cluster.allAlive()
    const knownAtMs = performance.now()
    samples.joinMs.push(knownAtMs - spawnedAtMs)
    samples.joinFromReadyMs.push(Math.max(0, knownAtMs - readyAtMs))
    await cluster.pause(1000)

    const fromMs = performance.now()
    cluster.fault(newcomer)
    const asked = side.leave(newcomer)
    samples.leaveMs.push(await cluster.knownToAll(newcomer, 'left', fromMs))
    await asked
    await side.ended(newcomer)
    await side.discard(newcomer)
    cluster.heal(newcomer)
  }
}

export async function measureNews(cluster: Cluster, samples: Samples, effort: Effort): Promise<void> {
  const { side } = cluster
  await side.listen()
  for (let run = 0; run < effort.news; run++) {
    await cluster.pause(500)
    const tag = `tag-${run}`
    const taggedAtMs = performance.now()
    const tagged = side.retag(cluster.victim(), tag)
    samples.tagMs.push(await cluster.heardByAll(tag, taggedAtMs))
    await tagged

    await cluster.pause(500)
    const message = `message-${run}`
    const saidAtMs = performance.now()
    const said = side.say(cluster.victim(), message)
    samples.messageMs.push(await cluster.heardByAll(message, saidAtMs))
    await said
  }
}
