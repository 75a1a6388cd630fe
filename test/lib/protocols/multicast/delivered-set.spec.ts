import assert from 'node:assert/strict'
import fc from 'fast-check'
import { DeliveredSet } from '../../../../lib/protocols/multicast/delivered-set.ts'
import type { EntryKey, SignedHeader } from '../../../../lib/protocols/multicast/messages.ts'
import { historyOf, stepsOf, Writer } from './history.ts'
import { keyOf, peer } from './sealing.ts'

const alice = keyOf(peer('author0'))

type Act = { readonly type: 'advance' | 'exclude' | 'include'; readonly author: number }
const acts = fc.array(
  fc.record<Act>(
    { type: fc.constantFrom('advance', 'advance', 'advance', 'exclude', 'include'), author: fc.nat(2) },
    { noNullPrototype: true },
  ),
  { maxLength: 40 },
)

/** Digests are compared by what was counted: recomputed from the last headers of those who count. */
function naiveKey(last: ReadonlyMap<EntryKey, SignedHeader>, excluded: ReadonlySet<string>): string {
  return [...last.values()]
    .filter(({ authorKey }) => !excluded.has(authorKey))
    .map(({ hash }) => hash)
    .sort()
    .join()
}

describe('the set of what is delivered', () => {
  it('has the digest of its last headers, whatever way they came and whoever was left out meanwhile', () => {
    const digests = new Map<string, string>()
    const keys = new Map<string, string>()
    fc.assert(
      fc.property(stepsOf({ authors: 3, messages: 12 }), acts, (steps, ops) => {
        const set = new DeliveredSet()
        const last = new Map<EntryKey, SignedHeader>()
        const excluded = new Set<string>()
        const waiting = historyOf(steps)
        for (const { type, author } of ops) {
          const key = keyOf(peer(`author${author}`))
          if (type === 'advance') {
            const next = waiting.shift()
            if (next === undefined) continue
            set.advance(next.envelope)
            last.set(next.envelope.entry, next.envelope)
          } else if (type === 'exclude') {
            set.exclude(key)
            excluded.add(key)
          } else {
            set.include(key)
            excluded.delete(key)
          }
          const naive = naiveKey(last, excluded)
          // One digest for each set, one set for each digest.
          assert.equal(digests.get(naive) ?? set.digest, set.digest)
          assert.equal(keys.get(set.digest) ?? naive, naive)
          digests.set(naive, set.digest)
          keys.set(set.digest, naive)
          for (const [entry, header] of last) {
            assert.equal(set.seq(entry), header.last)
            assert.equal(set.last(entry), header)
          }
          assert.equal(set.size, last.size)
        }
      }),
      { numRuns: 200 },
    )
    assert.ok(digests.size > 20)
  })

  it('tells two contents of one dot apart, and what was built upon them', () => {
    const writer = new Writer('author0')
    const [first, second] = [writer.writeUnseen(), writer.writeUnseen({}, [Uint8Array.of(2)])]
    const [a, b] = [new DeliveredSet(), new DeliveredSet()]
    a.advance(first.envelope)
    b.advance(second.envelope)
    assert.equal(a.seq(first.envelope.entry), b.seq(second.envelope.entry))
    assert.notEqual(a.digest, b.digest)
    for (const set of [a, b]) set.exclude(alice)
    assert.equal(a.digest, b.digest)
    assert.equal(a.digest, new DeliveredSet().digest)
    for (const set of [a, b]) set.include(alice)
    assert.notEqual(a.digest, b.digest)
  })

  it('includes a dot, and all before it', () => {
    const writer = new Writer('author0')
    const batch = writer.write({}, [Uint8Array.of(1), Uint8Array.of(2)])
    const set = new DeliveredSet()
    set.advance(batch.envelope)
    const dot = { author: alice, epoch: 1000 }
    assert.deepEqual(
      [1, 2, 3].map((seq) => set.includes({ ...dot, seq })),
      [true, true, false],
    )
    assert.equal(set.includes({ ...dot, epoch: 1001, seq: 1 }), false)
  })
})
