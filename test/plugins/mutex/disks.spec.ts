import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { settleIdentity } from '../../../lib/first-life.ts'
import { generateIdentity, identityToBytes } from '../../../lib/host/identity.ts'
import { createPeer, type Peer, type PeerOptions } from '../../../lib/index.ts'
import type { PeerPlugin } from '../../../lib/plugin.ts'
import { type ElectorateView, type MutexApi, mutex } from '../../../plugins/mutex/index.ts'
import { startApp, stopApps } from '../../lib/app-node.ts'
import { eventually } from '../../support/eventually.ts'
import { removeTempDirs, tempDir } from '../../support/temp-dir.ts'

const base = { cluster: 'test', secret: '5a'.repeat(32), profile: 'local' } as const
const listen = ['/ip4/127.0.0.1/tcp/0']

type Locking = Peer<{ mutex: PeerPlugin<MutexApi> }>

const running: Locking[] = []

async function start(options: Partial<PeerOptions> = {}): Promise<Locking> {
  const peer = await createPeer({
    ...base,
    ...(options.libp2p === undefined ? { listen } : {}),
    ...options,
    plugins: { mutex: mutex({ leaseMs: 1000 }) },
  })
  running.push(peer)
  return peer
}

async function stopAll(): Promise<void> {
  await Promise.all(running.splice(0).map((peer) => peer.stop()))
}

/** Waits until this peer knows how it stands. */
async function standing(peer: Locking): Promise<ElectorateView> {
  return await eventually('a standing', () => {
    const view = peer.plugins.mutex.electorate()
    return view.self !== 'none' && view.self !== 'starting' ? view : undefined
  })
}

async function tokenOf(peer: Locking): Promise<number> {
  const lock = await peer.plugins.mutex.acquire('lock')
  await lock.release()
  return lock.token
}

describe('locks and what is on the disk', () => {
  let dataDir = ''

  beforeEach(async () => {
    dataDir = await tempDir()
  })

  afterEach(async () => {
    await stopAll()
    await stopApps()
    await removeTempDirs()
  })

  it('go on after a restart: the same electorate, and higher tokens', async () => {
    const first = await start({ dataDir })
    const before = await tokenOf(first)
    const { id } = await standing(first)
    await first.stop()
    const again = await start({ dataDir })
    assert.ok((await tokenOf(again)) > before)
    assert.equal((await standing(again)).id, id)
  })

  it('give no vote to an identity whose store is gone, for good', async () => {
    await tokenOf(await start({ dataDir }))
    await stopAll()
    await rm(join(dataDir, 'store'), { recursive: true })
    for (let life = 0; life < 2; life += 1) {
      assert.equal((await standing(await start({ dataDir }))).void, 'lost')
      await stopAll()
    }
  })

  it('begin anew with a new identity in the place of one that is gone', async () => {
    const first = await start({ dataDir })
    const { id } = await standing(first)
    await stopAll()
    await rm(join(dataDir, 'identity.key'))
    const next = await start({ dataDir })
    const view = await standing(next)
    assert.deepEqual([view.self, view.founder], ['serving', next.peerId])
    assert.notEqual(view.id, id)
  })

  it('begin with an identity that was made before the first start, or that ran without locks', async () => {
    await settleIdentity(dataDir)
    assert.equal((await standing(await start({ dataDir }))).self, 'serving')
    const other = await tempDir()
    await (await createPeer({ ...base, listen, dataDir: other })).stop()
    assert.equal((await standing(await start({ dataDir: other }))).self, 'serving')
  })

  it('take a given identity for what the app says', async () => {
    const identity = identityToBytes(await generateIdentity())
    assert.equal((await standing(await start({ identity }))).void, 'lost')
    await stopAll()
    assert.equal((await standing(await start({ dataDir, identity, newIdentity: true }))).self, 'serving')
    await stopAll()
    assert.equal((await standing(await start({ dataDir, identity }))).void, undefined)
  })

  it("are held by one at a time inside apps' own libp2p nodes, too", async () => {
    const apps = [await startApp(), await startApp()] as const
    const [one, two] = apps.map(({ node, identity }) => ({ libp2p: node, identity, newIdentity: true }))
    const a = await start(one)
    const b = await start({ ...two, join: a.addresses })
    const held = await b.plugins.mutex.acquire('lock')
    assert.equal(await a.plugins.mutex.tryAcquire('lock'), undefined)
    const next = a.plugins.mutex.acquire('lock')
    await held.release()
    assert.ok((await next).token > held.token)
    await (await next).release()
  })
})
