import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ascii } from '../../../../lib/protocols/bytes.ts'
import { contradict, Forks } from '../../../../lib/protocols/multicast/forks.ts'
import type { EntryKey } from '../../../../lib/protocols/multicast/messages.ts'
import { historyOf, stepsOf, Writer } from './history.ts'
import { alice, group, hashA, keyOf, sealed } from './sealing.ts'

const text = (content: string) => [ascii(content)]

describe('forks', () => {
  it('are never seen in what honest authors write, with restarts and lost tails', () => {
    fc.assert(
      fc.property(stepsOf({ authors: 3, messages: 20 }), (steps) => {
        const history = historyOf(steps)
        for (const { envelope: a } of history) {
          for (const { envelope: b } of history) assert.equal(contradict(a, b), false)
        }
      }),
      { numRuns: 100 },
    )
  })

  it('are two contents of one dot, whichever comes first and however they are batched', () => {
    const starts = fc.record({ seq: fc.integer({ min: 1, max: 6 }), count: fc.integer({ min: 1, max: 4 }) })
    fc.assert(
      fc.property(starts, starts, (left, right) => {
        const of = ({ seq, count }: typeof left, content: string) =>
          sealed(
            { seq, lamport: seq, previous: seq === 1 ? undefined : hashA },
            Array.from({ length: count }, () => ascii(content)),
          )
        const [a, b] = [of(left, 'left'), of(right, 'right')]
        const overlap = left.seq < right.seq + right.count && right.seq < left.seq + left.count
        // The later one names no header of ours as its predecessor.
        const misnamed = left.seq + left.count === right.seq || right.seq + right.count === left.seq
        assert.equal(contradict(a, b), overlap || misnamed)
        assert.equal(contradict(b, a), overlap || misnamed)
        assert.equal(contradict(a, a), false)
      }),
      { numRuns: 300 },
    )
  })

  it('are a successor that names another predecessor, in a log and over a restart', () => {
    const writer = new Writer('a')
    const first = writer.write().envelope
    const honest = writer.writeUnseen().envelope
    const broken = writer.writeUnseen({ previous: hashA }).envelope
    assert.equal(contradict(first, honest), false)
    for (const [x, y] of [
      [first, broken],
      [broken, first],
    ] as const) {
      assert.equal(contradict(x, y), true)
    }
    writer.restart(2000)
    assert.equal(contradict(first, writer.writeUnseen().envelope), false)
    assert.equal(contradict(first, writer.writeUnseen({ previous: hashA }).envelope), true)
  })

  it('are not two logs of one author, nor two authors, groups or clusters', () => {
    const plain = sealed({}, text('a'))
    const others = [
      sealed({ epoch: 5 }, text('b')),
      sealed({ author: keyOf(alice) as never, seq: 1 }, text('b')),
      sealed({ group: group.split('').reverse().join('') }, text('b')),
      sealed({ cluster: group }, text('b')),
    ]
    for (const other of others) {
      assert.equal(contradict(plain, other), false)
      assert.equal(contradict(other, plain), false)
    }
  })

  it('make outcasts by proof or by the operator, and only the operator takes back', () => {
    const forks = new Forks()
    const key = keyOf(alice)
    assert.ok(forks.none)
    forks.deny(key, true)
    assert.deepEqual([forks.isOutcast(key), forks.isProven(key), forks.none], [true, false, false])
    forks.deny(key, false)
    assert.deepEqual([forks.isOutcast(key), forks.none], [false, true])
    const proof = { first: sealed({}, text('a')), second: sealed({}, text('b')) }
    forks.prove(proof)
    forks.deny(key, true)
    forks.deny(key, false)
    assert.deepEqual([forks.isOutcast(key), forks.isProven(key), forks.none], [true, true, false])
    assert.deepEqual([forks.proofs(), forks.authors(), forks.proofOf(key)], [[proof], [key], proof])
  })

  it('remember how far an outcast is needed, until it is delivered', () => {
    const forks = new Forks()
    const author = keyOf(alice)
    const entry = `${author}#7` as EntryKey
    const need = (seq: number) => forks.need({ author, epoch: 7, seq })
    assert.deepEqual([need(3), need(3), need(2), need(5)], [true, false, false, true])
    assert.equal(forks.neededUpTo(entry), 5)
    forks.satisfied(entry, 4)
    assert.equal(forks.neededUpTo(entry), 5)
    forks.satisfied(entry, 5)
    assert.equal(forks.neededUpTo(entry), 0)
  })
})
