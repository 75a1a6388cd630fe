import assert from 'node:assert/strict'
import fc from 'fast-check'
import { faultsTolerated, LatestTold } from '../../../../lib/protocols/clocks/latest-told.ts'
import type { Instant, PeerId } from '../../../../lib/protocols/core.ts'

const id = (name: string | number) => `p${name}` as PeerId
const start = 1_800_000_000_000
const at = (monotonic: number): Instant => ({ monotonic, wall: start + monotonic })

describe('the latest time that members tell', () => {
  it('is nothing while nobody has told any', () => {
    assert.equal(new LatestTold().latestMs(at(0)), undefined)
  })

  it('is the (f + 1)-th largest, f a third of the others up to three', () => {
    assert.deepEqual([1, 2, 3, 4, 6, 7, 9, 10, 13, 100].map(faultsTolerated), [0, 0, 0, 1, 1, 2, 2, 3, 3, 3])
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -9000, max: 9000 }), { minLength: 1, maxLength: 20 }),
        (offsets) => {
          const told = new LatestTold()
          for (const [i, offset] of offsets.entries()) told.tell(id(i), start + offset, at(0))
          const f = Math.min(3, Math.floor(offsets.length / 3))
          assert.equal(told.latestMs(at(0)), start + (offsets.toSorted((a, b) => b - a)[f] ?? Number.NaN))
        },
      ),
    )
  })

  it('is not above what some honest member believes, with f liars among them', () => {
    const offsets = fc.array(fc.integer({ min: -300, max: 300 }), { minLength: 2, maxLength: 20 })
    fc.assert(
      fc.property(offsets, fc.integer({ min: -1e9, max: 1e9 }), (honest, lie) => {
        const told = new LatestTold()
        for (const [i, offset] of honest.entries()) told.tell(id(i), start + offset, at(0))
        // As many liars as the whole, this peer included, can bear.
        let liars = 0
        while (liars + 1 <= faultsTolerated(honest.length + liars + 2))
          told.tell(id(`x${liars++}`), start + lie, at(0))
        assert.ok((told.latestMs(at(0)) ?? Number.NaN) <= start + Math.max(...honest))
      }),
    )
  })

  it('goes on with the own monotonic clock, not with the wall clock', () => {
    const told = new LatestTold()
    told.tell(id(1), start, at(0))
    assert.equal(told.latestMs({ monotonic: 250, wall: 0 }), start + 250)
  })

  it('is not lowered by a late word, but after a minute by a steady one', () => {
    const told = new LatestTold()
    told.tell(id(1), start, at(0))
    told.tell(id(1), start, at(5000))
    assert.equal(told.latestMs(at(5000)), start + 5000)
    told.tell(id(1), start + 56_000, at(60_000))
    assert.equal(told.latestMs(at(60_000)), start + 56_000)
    told.tell(id(1), start + 60_000, at(60_001))
    assert.equal(told.latestMs(at(60_001)), start + 60_000, 'and raised at once')
  })

  it('no longer counts who was silent for five minutes, nor who is forgotten', () => {
    const told = new LatestTold()
    told.tell(id(1), start + 50, at(0))
    told.tell(id(2), start, at(1))
    assert.equal(told.latestMs(at(299_999)), start + 50 + 299_999)
    assert.equal(told.latestMs(at(300_000)), start + 299_999)
    told.tell(id(2), start, at(50_000))
    assert.equal(told.latestMs(at(340_000)), start + 339_999, 'who said less is heard nevertheless')
    told.forget(id(2))
    assert.equal(told.latestMs(at(340_000)), undefined)
    assert.equal(told.size, 0)
  })

  it('is taken from a bounded number of members', () => {
    const told = new LatestTold()
    for (let i = 0; i < LatestTold.maxMembers + 5; i++) told.tell(id(i), start, at(0))
    assert.equal(told.size, LatestTold.maxMembers)
    told.tell(id(3), start + 7, at(0))
    for (const peer of [4, 5, 6]) told.tell(id(peer), start + 7, at(0))
    assert.equal(told.latestMs(at(0)), start + 7, 'who is known goes on being heard')
  })
})
