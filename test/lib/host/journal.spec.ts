import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { type Journal, memoryStore, openStore, type Store } from '../../../lib/host/store.ts'
import { eventually } from '../../support/eventually.ts'
import { removeTempDirs, tempDir } from '../../support/temp-dir.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const sorted = async (journal: Journal) =>
  [...(await journal.load())].map(([key, value]) => [key, new TextDecoder().decode(value)]).toSorted()

const kinds: Record<string, () => Promise<Store>> = {
  'on disk': async () => await openStore(join(await tempDir(), 'store')),
  'in memory': async () => memoryStore(),
}

describe('the journal', () => {
  afterEach(removeTempDirs)

  for (const [kind, open] of Object.entries(kinds)) {
    it(`${kind} keeps, replaces and deletes, by namespace and apart from the sealed records`, async () => {
      const store = await open()
      const journal = store.journal('log')
      await journal.write(new Map([...'abc'].map((key) => [key, bytes('1')])))
      await journal.write(
        new Map([
          ['b', bytes('2')],
          ['c', undefined],
          ['never', undefined],
        ]),
      )
      await store.journal('lo').write(new Map([['x', bytes('y')]]))
      await store.write('log', new Map([['a', bytes('sealed')]]))
      assert.deepEqual(await sorted(journal), [
        ['a', '1'],
        ['b', '2'],
      ])
      assert.deepEqual([...store.load('log').keys()], ['a'])
      await store.close()
    })
  }

  it('survives the kill of its process: all that had resolved is there', async function () {
    this.timeout(20_000)
    const directory = join(await tempDir(), 'store')
    const child = fork(new URL('./journal-child.js', import.meta.url), [directory])
    let told = -1
    child.on('message', (i: number) => {
      told = i
    })
    await eventually('300 writes', () => told >= 300)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const store = await openStore(directory)
    const journal = await store.journal('log').load()
    const last = Number(new TextDecoder().decode(journal.get('last')))
    assert.ok(last >= told, `${last} of ${told}`)
    assert.deepEqual([...journal.keys()].toSorted(), [`at ${last}`, 'last'])
    assert.equal(journal.get(`at ${last}`)?.[0], last % 256)
    await store.close()
  })

  it('leaves what it is not: damage to it is not taken for damage to the sealed records', async () => {
    const directory = join(await tempDir(), 'store')
    const store = await openStore(directory)
    await store.write('core', new Map([['self', bytes('sealed')]]))
    await store.journal('log').write(new Map([['a', bytes('1')]]))
    await store.close()
    const level = new ClassicLevel(directory)
    await level.del('journal!log/a')
    await level.close()
    const again = await openStore(directory)
    assert.equal(again.load('core').size, 1)
    assert.equal((await again.journal('log').load()).size, 0)
    await again.close()
  })

  it('says that the store is closed, as a sealed write does', async () => {
    const store = await openStore(join(await tempDir(), 'store'))
    const journal = store.journal('log')
    await store.close()
    await assert.rejects(journal.write(new Map([['a', bytes('1')]])), { code: 'ERR_STORE_CLOSED' })
    await assert.rejects(journal.load(), { code: 'ERR_STORE_CLOSED' })
  })
})
