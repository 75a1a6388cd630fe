import assert from 'node:assert/strict'
import { Admission, ConfirmError } from '../../../lib/host/admission.ts'
import { newCounters } from '../../../lib/host/counters.ts'
import { memoryStore, type Store } from '../../../lib/host/store.ts'
import type { PeerId } from '../../../lib/protocols/core.ts'

const [self, a, b, c] = ['self', 'a', 'b', 'c'] as unknown as [PeerId, PeerId, PeerId, PeerId]

function admission(store: Store = memoryStore(), present: readonly PeerId[] = [self, a, b]) {
  const cut: PeerId[] = []
  const list = new Admission({
    store,
    self,
    counters: newCounters(),
    present: () => present,
    cut: (peer) => cut.push(peer),
  })
  return { list, cut }
}

describe('admission', () => {
  it('lets in whoever knows the secret until the first allow', async () => {
    const { list } = admission()
    assert.equal(list.admits(c), true)
    assert.deepEqual(list.list(), { restricted: false, allowed: [], denied: [] })
  })

  it('asks before the first allow cuts somebody off, and names them', async () => {
    const { list, cut } = admission()
    await assert.rejects(list.allow(a), (error) => {
      assert.ok(error instanceof ConfirmError)
      assert.deepEqual([error.code, error.cutOff], ['ERR_CONFIRM', [b]])
      return true
    })
    assert.equal(list.admits(b), true)
    await list.allow(a, { confirm: true })
    assert.deepEqual([list.admits(a), list.admits(b), list.admits(c)], [true, false, false])
    assert.deepEqual(cut, [b])
  })

  it('lets in several at once, and cuts none of them on the way', async () => {
    const { list, cut } = admission()
    await list.allow([a, b])
    assert.deepEqual([list.admits(a), list.admits(b), list.admits(c)], [true, true, false])
    assert.deepEqual(cut, [])
  })

  it('does not ask when nobody would be cut off, nor a second time', async () => {
    const { list } = admission(memoryStore(), [self, a])
    await list.allow(a)
    await list.allow(b)
    assert.deepEqual([list.admits(a), list.admits(b), list.admits(c)], [true, true, false])
  })

  it('keeps a denied peer out, also while everybody else may come in, and cuts it at once', async () => {
    const { list, cut } = admission()
    await list.deny(a)
    assert.deepEqual([list.admits(a), list.admits(b)], [false, true])
    assert.deepEqual(cut, [a])
    await assert.rejects(list.deny(self), { code: 'ERR_SELF' })
  })

  it('takes back a denial by allowing, and the other way round', async () => {
    const { list } = admission()
    await list.deny(a)
    await list.allow(a, { confirm: true })
    assert.equal(list.admits(a), true)
    await list.deny(a)
    assert.equal(list.admits(a), false)
    assert.deepEqual(list.list().allowed, [])
  })

  it('is the same after a restart', async () => {
    const store = memoryStore()
    const { list } = admission(store)
    await list.allow(a, { confirm: true })
    await list.deny(b)
    const again = admission(store).list
    assert.deepEqual(again.list(), list.list())
    assert.deepEqual([again.admits(a), again.admits(b), again.admits(c)], [true, false, false])
  })

  it('changes nothing that the disk does not hold', async () => {
    const store = memoryStore()
    const broken: Store = { ...store, write: () => Promise.reject(new Error('full')) }
    const { list, cut } = admission(broken)
    await assert.rejects(list.deny(a), /full/)
    assert.equal(list.admits(a), true)
    assert.deepEqual(cut, [])
  })
})
