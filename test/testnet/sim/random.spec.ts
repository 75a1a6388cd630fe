import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Random } from '../../../testnet/sim/random.ts'

describe('seeded randomness', () => {
  const take = (random: Random, count = 20) => Array.from({ length: count }, () => random.next())

  it('repeats itself for one seed and differs for another', () => {
    assert.deepEqual(take(new Random(7)), take(new Random(7)))
    assert.notDeepEqual(take(new Random(7)), take(new Random(8)))
    assert.notDeepEqual(take(new Random(7)), take(new Random(7 + 2 ** 32)))
  })

  it('gives a named stream that does not depend on what was drawn elsewhere', () => {
    const quiet = new Random(7)
    const busy = new Random(7)
    take(busy, 1000)
    take(busy.stream('other'), 1000)
    assert.deepEqual(take(quiet.stream('faults')), take(busy.stream('faults')))
    assert.notDeepEqual(take(quiet.stream('faults')), take(quiet.stream('latency')))
  })

  it('stays within what was asked for', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: -50, max: 50 }), fc.nat(50), (seed, low, span) => {
        const random = new Random(seed)
        const whole = random.whole(low, low + span)
        assert.ok(Number.isInteger(whole) && whole >= low && whole <= low + span)
        const unit = random.next()
        assert.ok(unit >= 0 && unit < 1)
        const shuffled = random.shuffled([1, 2, 3, 4, 5])
        assert.deepEqual(shuffled.sort(), [1, 2, 3, 4, 5])
      }),
    )
  })

  it('is uniform enough: every tenth of the range is hit by a tenth of the draws', () => {
    const random = new Random(3)
    const counts = new Array<number>(10).fill(0)
    for (let i = 0; i < 100_000; i++) {
      const tenth = Math.floor(random.next() * 10)
      counts[tenth] = (counts[tenth] ?? 0) + 1
    }
    for (const count of counts) assert.ok(Math.abs(count - 10_000) < 500, `${counts}`)
  })

  it('picks by weight and never what weighs nothing', () => {
    const random = new Random(5)
    const counts = { a: 0, b: 0, c: 0 }
    for (let i = 0; i < 10_000; i++) counts[random.weighted({ a: 3, b: 1, c: 0 })]++
    assert.equal(counts.c, 0)
    assert.ok(Math.abs(counts.a - 7500) < 300)
  })
})
