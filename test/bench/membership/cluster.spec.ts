import assert from 'node:assert/strict'
import { Cluster } from '../../../bench/membership/cluster.ts'
import { memberNames, type Side } from '../../../bench/membership/side.ts'
import { Sightings } from '../../../bench/membership/sightings.ts'

/** Members that see what the test says they see. */
class ScriptedSide implements Side {
  readonly sightings = new Sightings()
  readonly #running = new Set<string>()
  running(): readonly string[] {
    return [...this.#running]
  }
  pid(): number {
    return 0
  }
  async start(member: string) {
    this.#running.add(member)
    for (const observer of this.#running) {
      for (const subject of this.#running) this.sightings.see(observer, subject, 'alive')
    }
    return { spawnedAtMs: performance.now(), readyAtMs: performance.now() }
  }
  signal(member: string): void {
    this.#running.delete(member)
    this.sightings.forget(member)
    for (const observer of this.#running) this.sightings.see(observer, member, 'dead')
  }
  async ended(): Promise<void> {}
  async leave(): Promise<void> {}
  async discard(): Promise<void> {}
  async retag(): Promise<void> {}
  async listen(): Promise<void> {}
  async say(): Promise<void> {}
  async close(): Promise<void> {}
}

async function formed(): Promise<{ side: ScriptedSide; cluster: Cluster }> {
  const side = new ScriptedSide()
  const { signal } = new AbortController()
  const tools = { signal, quick: true, peers: undefined, progress: () => {}, report: () => {} }
  const cluster = new Cluster(side, 4, undefined, tools)
  await cluster.form()
  return { side, cluster }
}

describe('a cluster of the bench', () => {
  it('counts verdicts about members that are well, and no others', async () => {
    const { side, cluster } = await formed()
    assert.deepEqual(side.running(), memberNames(4))
    await cluster.kill('n2')
    await cluster.restart('n2')
    assert.equal(cluster.wronglyDead(), 0)
    side.sightings.see('n1', 'n3', 'dead')
    side.sightings.see('n4', 'n3', 'dead')
    assert.equal(cluster.wronglyDead(), 2)
  })

  it('blames nobody for what is seen through a broken network, until it has been mended', async () => {
    const { side, cluster } = await formed()
    cluster.fault()
    side.sightings.see('n1', 'n3', 'dead')
    assert.equal(cluster.wronglyDead(), 0)
  })

  it('does not ask somebody who is away for a verdict', async () => {
    const { side, cluster } = await formed()
    cluster.fault('n4')
    side.sightings.see('n4', 'n1', 'dead')
    assert.equal(cluster.wronglyDead(), 0)
  })
})
