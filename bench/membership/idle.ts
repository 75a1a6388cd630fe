/** What a member costs while nothing happens. */
import { cpuSeconds, memory } from '../proc.ts'
import type { Cluster } from './cluster.ts'
import type { Effort, Samples } from './samples.ts'

export async function measureIdle(cluster: Cluster, samples: Samples, effort: Effort): Promise<void> {
  const { side, network } = cluster
  await cluster.pause(effort.settleMs)
  const members = side.running()
  const startedAt = performance.now()
  const cpuBefore = members.map((member) => cpuSeconds(side.pid(member)))
  const bytesBefore = await network?.sentBytes()
  await cluster.pause(effort.idleMs)
  const seconds = (performance.now() - startedAt) / 1000
  const bytesAfter = await network?.sentBytes()
  for (const [i, member] of members.entries()) {
    const pid = side.pid(member)
    samples.cpuPercent.push(((cpuSeconds(pid) - (cpuBefore[i] ?? 0)) / seconds) * 100)
    const { privateMib, rssMib } = memory(pid)
    samples.privateMib.push(privateMib)
    samples.rssMib.push(rssMib)
    if (bytesAfter === undefined) continue
    samples.idleBytes.push(((bytesAfter.get(member) ?? 0) - (bytesBefore?.get(member) ?? 0)) / seconds)
  }
}
