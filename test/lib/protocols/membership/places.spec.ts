import assert from 'node:assert/strict'
import { Places } from '../../../../lib/protocols/membership/places.ts'
import { id } from './lab.ts'

function places(most: number) {
  const displaced: string[] = []
  return {
    displaced,
    places: new Places({
      most,
      turnMs: 3000,
      restMs: 10_000,
      displaced: (peer) => displaced.push(peer),
    }),
  }
}

describe('a few places for many', () => {
  it('are kept for a turn, and then as long as nobody waits', () => {
    const { places: p, displaced } = places(2)
    assert.ok(p.take(id('a'), 0) && p.take(id('b'), 1000))
    assert.equal(p.take(id('c'), 2999), false)
    assert.ok(p.take(id('a'), 60_000))
    assert.ok(p.take(id('c'), 60_001))
    assert.deepEqual(displaced, ['a'], 'who was there longest')
    assert.equal(p.take(id('d'), 60_002), true)
    assert.equal(p.take(id('e'), 60_003), false, 'all have come just now')
  })

  it('are not to be had again at once by who had to give way', () => {
    const { places: p } = places(2)
    for (const name of ['a', 'b']) p.take(id(name), 0)
    assert.ok(p.take(id('c'), 5000))
    for (const name of ['a', 'b']) if (!p.has(id(name))) assert.equal(p.take(id(name), 5001), false)
    assert.ok(p.take(id('a'), 16_000))
  })

  it('do not become new for who goes and comes again before its turn is over', () => {
    const { places: p } = places(2)
    for (let now = 0; now < 20_000; now += 1000) {
      for (const name of ['a', 'b']) {
        p.take(id(name), now)
        p.release(id(name), now + 999)
        p.take(id(name), now + 999)
      }
    }
    assert.ok(p.take(id('c'), 20_001))
  })

  it('remember few of those who went', () => {
    const { places: p } = places(2)
    for (let i = 0; i < 5000; i++) {
      p.take(id(`p${i}`), i)
      p.release(id(`p${i}`), i)
    }
    assert.equal(p.size, 0)
    assert.ok(p.take(id('p0'), 5000) && p.take(id('p1'), 5000))
    assert.equal(p.take(id('p2'), 5000), false)
  })
})
