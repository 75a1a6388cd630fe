import assert from 'node:assert/strict'
import { Companions } from '../../lib/companions.ts'
import type { MemberView, PeerId } from '../../lib/index.ts'
import { view } from '../daemon/support/fake-peer.ts'

const id = (i: number) => `peer ${i}` as PeerId

describe('companions', () => {
  const dialled = (rows: readonly MemberView[], groups: readonly string[]): readonly PeerId[] => {
    const peers: PeerId[] = []
    const companions = new Companions({
      self: id(0),
      meshUpTo: 64,
      members: () => rows,
      groups: () => groups,
      dial: (peer) => void peers.push(peer),
    })
    companions.look()
    return peers
  }
  const row = (i: number, changes: Partial<MemberView> = {}) =>
    view(id(i), `n${i}`, { self: i === 0, connected: false, ...changes })
  const many = (changes: (i: number) => Partial<MemberView>) =>
    Array.from({ length: 100 }, (_, i) => row(i, changes(i)))

  it('are dialled in each small group, unless they are connected or away', () => {
    const rows = many((i) => ({ groups: i < 5 ? ['few'] : [], connected: i === 1 }))
    const peers = dialled(rows, ['few'])
    assert.ok(peers.length >= 2 && peers.length <= 3)
    assert.ok(peers.every((peer) => [2, 3, 4].map(id).includes(peer)))
    const away = many((i) => ({ groups: i < 3 ? ['few'] : [], status: i === 2 ? 'dead' : 'alive' }))
    assert.deepEqual(dialled(away, ['few']), [id(1)])
  })

  it('are none in a mesh, and none in a group that most are in', () => {
    const rows = many(() => ({ groups: ['most'] }))
    assert.deepEqual(dialled(rows, ['most']), [])
    assert.deepEqual(dialled(many((i) => ({ groups: i < 5 ? ['few'] : [] })).slice(0, 60), ['few']), [])
  })

  it('are at most 32, however many groups there are', () => {
    const groups = Array.from({ length: 90 }, (_, i) => `g${i}`)
    const rows = many((i) => ({ groups: i === 0 ? groups : [`g${i % 90}`] }))
    assert.equal(dialled(rows, groups).length, 32)
  })
})
