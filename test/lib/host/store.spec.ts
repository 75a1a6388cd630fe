import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { Key } from 'interface-datastore'
import { memoryStore, openStore } from '../../../lib/host/store.ts'
import { removeTempDirs, tempDir } from '../../support/temp-dir.ts'

const record = (text: string) => new Map([['self', new TextEncoder().encode(text)]])

async function storeWith(...texts: readonly string[]): Promise<string> {
  const directory = join(await tempDir(), 'store')
  const store = await openStore(directory)
  for (const text of texts) await store.write('core', record(text))
  await store.close()
  return directory
}

async function fileOf(directory: string, pattern: RegExp): Promise<string> {
  const name = (await readdir(directory)).find((candidate) => pattern.test(candidate))
  assert.ok(name !== undefined)
  return join(directory, name)
}

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path)
  bytes[at] = (bytes[at] ?? 0) ^ 0xff
  await writeFile(path, bytes)
}

async function compact(directory: string): Promise<void> {
  const level = new ClassicLevel(directory)
  await level.compactRange('!', '~')
  await level.close()
}

/** Each leaves a store that must not be taken for a good one. */
const damages: Record<string, (directory: string) => Promise<void>> = {
  'a torn manifest': async (d) => truncate(await fileOf(d, /^MANIFEST/), 10),
  'an empty manifest': async (d) => truncate(await fileOf(d, /^MANIFEST/), 0),
  'garbage in CURRENT': (d) => writeFile(join(d, 'CURRENT'), 'garbage'),
  'a CURRENT that names another manifest': (d) => writeFile(join(d, 'CURRENT'), 'MANIFEST-999999\n'),
  'no CURRENT': (d) => unlink(join(d, 'CURRENT')),
  'a torn log': async (d) => {
    const log = await fileOf(d, /\.log$/)
    await truncate(log, (await stat(log)).size - 10)
  },
  'an empty log': async (d) => truncate(await fileOf(d, /\.log$/), 0),
  'garbage in the log': async (d) => writeFile(await fileOf(d, /\.log$/), Buffer.alloc(500, 7)),
  'one wrong byte in the log': async (d) => flip(await fileOf(d, /\.log$/), 60),
  'a missing log': async (d) => unlink(await fileOf(d, /\.log$/)),
  'a torn table': async (d) => {
    await compact(d)
    await truncate(await fileOf(d, /\.ldb$/), 50)
  },
  'one wrong byte in a table': async (d) => {
    await compact(d)
    await flip(await fileOf(d, /\.ldb$/), 30)
  },
  'a missing table': async (d) => {
    await compact(d)
    await unlink(await fileOf(d, /\.ldb$/))
  },
  'a missing witness': (d) => unlink(join(d, 'witness')),
  'garbage in the witness': (d) => writeFile(join(d, 'witness'), 'garbage'),
  'an older copy beside a newer witness': async (d) => {
    const witness = await readFile(join(d, 'witness'))
    const records = await Promise.all((await readdir(d)).map((name) => join(d, name)))
    const older = new Map(
      await Promise.all(records.map(async (path) => [path, await readFile(path)] as const)),
    )
    const store = await openStore(d)
    await store.write('core', record('newer'))
    await store.write('core', record('newest'))
    await store.close()
    const newer = await readFile(join(d, 'witness'))
    assert.notDeepEqual(newer, witness)
    await rm(d, { recursive: true })
    await storeAgain(d, older)
    await writeFile(join(d, 'witness'), newer)
  },
}

async function storeAgain(directory: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  await mkdir(directory)
  for (const [path, bytes] of files) await writeFile(path, bytes)
}

describe('the store', () => {
  afterEach(removeTempDirs)

  it('gives back what was written, by namespace', async () => {
    const directory = await storeWith('one', 'two')
    const store = await openStore(directory)
    assert.equal(new TextDecoder().decode(store.load('core').get('self')), 'two')
    assert.equal(store.load('cor').size, 0)
    await store.write('other', new Map([['a', Uint8Array.of(1)]]))
    await store.close()
    const again = await openStore(directory)
    assert.deepEqual([...again.load('other')], [['a', Uint8Array.of(1)]])
    assert.equal(again.load('core').size, 1)
    await again.close()
  })

  it('forgets what is deleted, and the seal follows', async () => {
    const directory = await storeWith('one')
    const store = await openStore(directory)
    await store.write('core', new Map([['other', Uint8Array.of(1)]]))
    await store.write('core', new Map([['self', undefined]]))
    await store.close()
    const again = await openStore(directory)
    assert.deepEqual([...again.load('core').keys()], ['other'])
    await again.close()
  })

  it('survives being opened and closed many times', async () => {
    const directory = await storeWith('first')
    for (let i = 0; i < 5; i += 1) {
      const store = await openStore(directory)
      await store.write('core', record(`life ${i}`))
      await store.close()
    }
    const store = await openStore(directory)
    assert.equal(new TextDecoder().decode(store.load('core').get('self')), 'life 4')
    await store.close()
  })

  it('belongs to one process', async () => {
    const directory = await storeWith('one')
    const store = await openStore(directory)
    await assert.rejects(openStore(directory), { code: 'ERR_STORE_LOCKED' })
    await store.close()
  })

  it('opens after a crash between the write and its witness', async () => {
    const directory = await storeWith('one')
    const witness = await readFile(join(directory, 'witness'))
    const store = await openStore(directory)
    await store.write('core', record('two'))
    await store.close()
    await writeFile(join(directory, 'witness'), witness)
    const again = await openStore(directory)
    assert.equal(new TextDecoder().decode(again.load('core').get('self')), 'two')
    await again.close()
  })

  for (const [damage, inflict] of Object.entries(damages)) {
    it(`refuses ${damage} with one error, also when tried again`, async () => {
      const directory = await storeWith('one', 'two', 'three')
      await inflict(directory)
      await assert.rejects(openStore(directory), { code: 'ERR_STORE_CORRUPT', hint: /no record is deleted/ })
      await assert.rejects(openStore(directory), { code: 'ERR_STORE_CORRUPT' })
    })
  }

  it('says so when the directory cannot be one', async () => {
    const path = join(await tempDir(), 'file')
    await writeFile(path, 'x')
    await assert.rejects(openStore(path), { code: 'ERR_STORE_ACCESS', hint: /belongs/ })
  })

  it('holds libp2p’s peer store beside it', async () => {
    const directory = await storeWith('one')
    const store = await openStore(directory)
    await store.datastore?.put(new Key('/peers/x'), Uint8Array.of(9))
    await store.close()
    const again = await openStore(directory)
    assert.deepEqual([...((await again.datastore?.get(new Key('/peers/x'))) ?? [])], [9])
    assert.equal(again.load('core').size, 1)
    await again.close()
  })

  it('is a cache that libp2p can do without: a failing disk fails no stream', async () => {
    const store = await openStore(join(await tempDir(), 'store'))
    await store.close()
    const [datastore, key] = [store.datastore, new Key('/peers/x')]
    assert.ok(datastore !== undefined)
    await datastore.put(key, Uint8Array.of(9))
    await datastore.delete(key)
    const batch = datastore.batch()
    batch.put(key, Uint8Array.of(9))
    await batch.commit()
    await assert.rejects(async () => await datastore.get(key), { name: 'NotFoundError' })
    assert.equal(await datastore.has(key), false)
  })

  it('can do without a disk', async () => {
    const store = memoryStore()
    await store.write('core', record('one'))
    assert.equal(new TextDecoder().decode(store.load('core').get('self')), 'one')
    assert.equal(store.load('other').size, 0)
  })
})
