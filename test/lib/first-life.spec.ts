import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Life, type LifeInit, openLife, settleIdentity } from '../../lib/first-life.ts'
import { generateIdentity, identityToBytes, loadIdentity } from '../../lib/host/identity.ts'
import { openStore } from '../../lib/host/store.ts'
import type { FirstLife, PeerPlugin } from '../../lib/plugin.ts'
import { removeTempDirs, tempDir } from '../support/temp-dir.ts'
import { notes } from './note-plugin.ts'

const utf8 = new TextEncoder()

/** Its record says for whom it was made. */
function first(name = 'notes', lives: FirstLife[] = []): PeerPlugin {
  const firstRecords = (life: FirstLife): ReadonlyMap<string, Uint8Array> => {
    lives.push(life)
    return new Map([[`of/${life.self}`, utf8.encode(name)]])
  }
  return notes({ name, firstRecords })
}

async function open(init: Partial<LifeInit>): Promise<Life> {
  return await openLife({
    dataDir: undefined,
    identity: undefined,
    newIdentity: false,
    cluster: 'c'.repeat(32),
    joins: false,
    plugins: [first()],
    ...init,
  })
}

/** The identity, and whom the records of each plugin are of. */
async function opened(init: Partial<LifeInit>): Promise<{ readonly self: string; readonly of: string[] }> {
  const { identity, store } = await open(init)
  const keys = (init.plugins ?? [first()]).flatMap(({ name }) => [...store.load(name).keys()])
  await store.close()
  return { self: identity.peerId, of: keys.map((key) => key.replace('of/', '')) }
}

describe('the first life of an identity', () => {
  let dataDir = ''

  beforeEach(async () => {
    dataDir = await tempDir()
  })

  afterEach(removeTempDirs)

  it('finds the first records of its plugins, made once, and told whether others are known', async () => {
    const lives: FirstLife[] = []
    const plugins = [first('notes', lives)]
    const { self, of } = await opened({ dataDir, plugins, joins: true })
    assert.deepEqual(of, [self])
    assert.deepEqual(await opened({ dataDir, plugins }), { self, of })
    assert.deepEqual(
      lives.map((life) => [life.self, life.cluster, life.joins]),
      [[self, 'c'.repeat(32), true]],
    )
    assert.equal(lives[0]?.randomBytes(16).byteLength, 16)
  })

  it('begins with an identity on the disk only after the records are there', async () => {
    const failing = { ...first(), firstRecords: () => new Map([['broken', null as never]]) }
    await assert.rejects(open({ dataDir, plugins: [failing] }))
    assert.equal(await loadIdentity(join(dataDir, 'identity.key')), undefined)
  })

  it('has nothing of an identity that a crash kept from the disk', async () => {
    const before = await opened({ dataDir, plugins: [first('notes'), first('more')] })
    // As far as the crash let it come: all but the key.
    await rm(join(dataDir, 'identity.key'))
    const after = await opened({ dataDir, plugins: [first('notes')] })
    assert.notEqual(after.self, before.self)
    assert.deepEqual(after.of, [after.self])
    assert.deepEqual((await opened({ dataDir, plugins: [first('more')] })).of, [after.self])
  })

  it('is over when the disk was lost: the identity stays without records for good', async () => {
    const { self } = await opened({ dataDir })
    await rm(join(dataDir, 'store'), { recursive: true })
    assert.deepEqual(await opened({ dataDir }), { self, of: [] })
    assert.deepEqual(await opened({ dataDir }), { self, of: [] })
  })

  it('is not that of an identity which is put beside the store of another', async () => {
    const former = await opened({ dataDir })
    const stranger = await generateIdentity()
    const identity = identityToBytes(stranger)
    for (const newIdentity of [false, true]) {
      await assert.rejects(open({ dataDir, identity, newIdentity }), { code: 'ERR_STORE_IDENTITY' })
    }
    assert.deepEqual(await opened({ dataDir }), former)
  })

  it('comes for a plugin when it first runs, if the store is as old as the identity', async () => {
    const { self } = await opened({ dataDir, plugins: [] })
    assert.deepEqual(await opened({ dataDir, plugins: [first('more')] }), { self, of: [self] })
  })

  it('waits for the first start, when the identity was made before that', async () => {
    const peerId = await settleIdentity(dataDir)
    assert.equal(await settleIdentity(dataDir), peerId)
    assert.deepEqual(await opened({ dataDir }), { self: peerId, of: [peerId] })
  })

  it('of a given identity is what the app says, once for a store', async () => {
    const given = await generateIdentity()
    const identity = identityToBytes(given)
    assert.deepEqual((await opened({ identity })).of, [])
    assert.deepEqual((await opened({ identity, newIdentity: true })).of, [given.peerId])
    const lives: FirstLife[] = []
    const plugins = [first('notes', lives)]
    for (let i = 0; i < 2; i += 1) await opened({ dataDir, identity, newIdentity: true, plugins })
    assert.equal(lives.length, 1)
    assert.equal(await loadIdentity(join(dataDir, 'identity.key')), undefined)
  })

  it('leaves no store behind when the key cannot be read', async () => {
    await assert.rejects(open({ dataDir, identity: new Uint8Array(3) }), { code: 'ERR_KEY_CORRUPT' })
    await (await openStore(join(dataDir, 'store'))).close()
  })
})
