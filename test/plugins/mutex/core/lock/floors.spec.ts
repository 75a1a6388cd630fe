import assert from 'node:assert/strict'
import type { PeerId } from '../../../../../lib/protocols/core.ts'
import { mutexLimits } from '../../../../../plugins/mutex/core/limits.ts'
import { Floors } from '../../../../../plugins/mutex/core/lock/floors.ts'

const peer = 'a' as PeerId

describe('the floors under timestamps', () => {
  it('hold for one peer and lock, for the length of a lease', () => {
    let now = 0
    const floors = new Floors(() => now)
    floors.set('lock', peer, 7, 100)
    assert.equal(floors.of('lock', peer), 7)
    assert.equal(floors.of('other', peer), -1)
    assert.equal(floors.of('lock', 'b' as PeerId), -1)
    now = 99
    assert.equal(floors.of('lock', peer), 7)
    now = 100
    assert.equal(floors.of('lock', peer), -1)
  })

  it('are bounded: the oldest go first, and those that are over by themselves', () => {
    let now = 0
    const floors = new Floors(() => now)
    for (let i = 0; i <= mutexLimits.floors; i++) floors.set(`lock ${i}`, peer, i + 1, 100)
    assert.equal(floors.of('lock 0', peer), -1)
    assert.equal(floors.of('lock 1', peer), 2)
    assert.equal(floors.of(`lock ${mutexLimits.floors}`, peer), mutexLimits.floors + 1)
    now = 200
    floors.set('late', peer, 1, 100)
    assert.equal(floors.of('late', peer), 1)
  })
})
