import assert from 'node:assert/strict'
import { MemberTable } from '../../lib/member-table.ts'
import { ids, view } from '../daemon/support/fake-peer.ts'

describe('the membership table', () => {
  const [a, b] = [view(ids[0], 'a'), view(ids[1], 'b', { status: 'dead' })]

  it('shows what was told, with the round trip and the connection of now', () => {
    const table = new MemberTable(() => [{ ...a, status: 'suspect', rttMs: 9, connected: false }, b])
    table.tell({ change: 'joined', member: a })
    assert.deepEqual(table.rows(), [{ ...a, rttMs: 9, connected: false }])
    assert.equal(table.row(ids[1]), undefined)
    assert.equal(table.size, 1)
  })

  it('drops a row that was reaped, tells its watchers, and takes it again when it returns', async () => {
    const table = new MemberTable(() => [a, b])
    for (const member of [a, b]) table.tell({ change: 'joined', member })
    const updates = table.watch(undefined)
    table.tell({ change: 'reaped', member: b })
    assert.deepEqual(table.rows(), [a])
    assert.equal((await updates.next()).value?.type, 'snapshot')
    assert.deepEqual((await updates.next()).value, { type: 'member', change: 'reaped', member: b })
    table.tell({ change: 'joined', member: b })
    assert.deepEqual(table.rows(), [a, b])
    table.end()
  })
})
