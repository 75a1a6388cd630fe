import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  type Causality,
  compareVectors,
  mergeVectors,
  parseVectorKey,
  type Vector,
  vectorKey,
} from '../../../../lib/protocols/clocks/vector.ts'
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { WireError } from '../../../../lib/wire/errors.ts'

const keys = ['a#1', 'a#2', 'b#1', 'c#7']

/** Small counts, so that equal and comparable vectors are common; some entries are 0, some absent. */
const plain = fc.dictionary(fc.constantFrom(...keys), fc.nat(3))
const of = (entries: Record<string, number>): Vector => new Map(Object.entries(entries))

/** Entry by entry over all keys, with 0 for what is absent. */
function naive(a: Record<string, number>, b: Record<string, number>): Causality {
  const signs = keys.map((key) => Math.sign((a[key] ?? 0) - (b[key] ?? 0)))
  const lower = signs.includes(-1)
  const higher = signs.includes(1)
  if (lower) return higher ? 'concurrent' : 'before'
  return higher ? 'after' : 'equal'
}

describe('vector clocks', () => {
  it('compare like their entries, one by one', () => {
    const seen = new Set<Causality>()
    fc.assert(
      fc.property(plain, plain, (a, b) => {
        const expected = naive(a, b)
        seen.add(expected)
        assert.equal(compareVectors(of(a), of(b)), expected)
      }),
      { numRuns: 2000 },
    )
    assert.equal(seen.size, 4)
  })

  it('merge to the higher of each entry, and change neither', () => {
    fc.assert(
      fc.property(plain, plain, (a, b) => {
        const [x, y] = [of(a), of(b)]
        const merged = mergeVectors(x, y)
        for (const key of keys) assert.equal(merged.get(key) ?? 0, Math.max(a[key] ?? 0, b[key] ?? 0))
        assert.deepEqual([x, y], [of(a), of(b)])
        assert.equal(compareVectors(merged, mergeVectors(y, x)), 'equal')
      }),
    )
  })

  it('tell exactly what happened before what', () => {
    const step = fc.record({ peer: fc.nat(2), receives: fc.option(fc.nat(), { nil: undefined }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const peers = ['a#1', 'b#1', 'c#7'].map((key) => ({ key, vector: of({}), past: new Set<number>() }))
        const events: { vector: Vector; past: ReadonlySet<number> }[] = []
        for (const { peer, receives } of steps) {
          const at = peers[peer] ?? assert.fail()
          const message = receives === undefined ? undefined : events[receives % events.length]
          if (message !== undefined) {
            at.vector = mergeVectors(at.vector, message.vector)
            for (const before of [...message.past, events.indexOf(message)]) at.past.add(before)
          }
          at.vector = mergeVectors(at.vector, new Map([[at.key, (at.vector.get(at.key) ?? 0) + 1]]))
          at.past.add(events.push({ vector: at.vector, past: new Set(at.past) }) - 1)
        }
        for (const [i, a] of events.entries()) {
          for (const [j, b] of events.entries()) {
            const expected =
              i === j ? 'equal' : b.past.has(i) ? 'before' : a.past.has(j) ? 'after' : 'concurrent'
            assert.equal(compareVectors(a.vector, b.vector), expected)
          }
        }
      }),
    )
  })
})

describe('a vector key', () => {
  it('names a life of a peer', () => {
    const peer = '12D3KooWQNfcrY2XCNuVhBYGGk3dFqqovE4FDXDuhJh2A81ZhfkG' as PeerId
    for (const epoch of [0, 1, 1_800_000_000_000, 2 ** 52]) {
      assert.deepEqual(parseVectorKey(vectorKey(peer, epoch)), { peer, epoch })
    }
  })

  it('is refused when nobody can have made it', () => {
    const refused = ['', 'a', '#1', 'a#', 'a#-1', 'a#01', 'a#1.5', 'a#1 ', 'a/b#1', 'a#9007199254740993']
    for (const key of [...refused, `${'a'.repeat(65)}#1`]) {
      assert.throws(() => parseVectorKey(key), WireError, JSON.stringify(key))
    }
  })
})
