import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type Held, HoldBack } from '../../../../lib/protocols/multicast/hold-back.ts'
import { multicastLimits } from '../../../../lib/protocols/multicast/limits.ts'
import { sizeOf } from '../../../../lib/protocols/multicast/log.ts'
import type { EntryKey, Envelope } from '../../../../lib/protocols/multicast/messages.ts'
import { keyOf, peer, sealed } from './sealing.ts'

const template = sealed()
const megabyte = new Uint8Array(multicastLimits.payloadBytes)
let hashes = 0

/** What the hold-back queue looks at, without sealing anything. */
function envelope(
  name: string,
  seq: number,
  lamport: number,
  payload = new Uint8Array(),
  count = 1,
): Envelope {
  const authorKey = keyOf(peer(name))
  hashes += 1
  return {
    ...template,
    hash: hashes.toString(16).padStart(64, '0'),
    authorKey,
    entry: `${authorKey}#1` as EntryKey,
    header: { ...template.header, author: peer(name), epoch: 1, seq, lamport },
    last: seq + count - 1,
    payloads: [payload],
  }
}

function held(one: Envelope, waitsFor = 'it'): Held {
  return { envelope: one, from: peer('x'), at: 0, waitsFor }
}

/** As the causal order does. */
function put(queue: HoldBack, one: Envelope): { room: string; evicted: readonly Held[] } {
  const result = queue.makeRoom(one)
  if (result.room === 'room') queue.add(held(one))
  return result
}

describe('the hold-back queue', () => {
  it('knows which parts of a log are missing', () => {
    const parts = fc.array(fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 4 })), {
      maxLength: 8,
    })
    fc.assert(
      fc.property(parts, fc.nat(10), fc.integer({ min: 0, max: 35 }), (list, delivered, to) => {
        const queue = new HoldBack()
        const here = new Set<number>()
        let entry = envelope('a', 1, 1).entry
        for (const [seq, count] of list) {
          const one = envelope('a', seq, seq, undefined, count)
          entry = one.entry
          put(queue, one)
          for (let i = seq; i < seq + count; i++) here.add(i)
        }
        const naive: number[] = []
        for (let seq = delivered + 1; seq <= to; seq++) if (!here.has(seq)) naive.push(seq)
        const ranges = queue.missing(template.authorKey, 1, entry, delivered, to)
        const told = ranges.flatMap(({ from, to: end }) =>
          Array.from({ length: end - from + 1 }, (_, i) => from + i),
        )
        assert.deepEqual(told, naive)
        for (const [at, range] of ranges.entries()) {
          assert.ok(range.from <= range.to)
          assert.ok(at === 0 || range.from > (ranges[at - 1]?.to ?? 0) + 1, 'two ranges that are one')
        }
      }),
      { numRuns: 500 },
    )
  })

  it('counts what it holds, and forgets what is removed', () => {
    const acts = fc.array(fc.tuple(fc.nat(2), fc.nat(9), fc.boolean()), { maxLength: 40 })
    fc.assert(
      fc.property(acts, (list) => {
        const queue = new HoldBack()
        const model = new Set<Held>()
        for (const [author, seq, removes] of list) {
          const [oldest] = model
          if (removes && oldest !== undefined) {
            queue.remove(oldest)
            queue.remove(oldest)
            model.delete(oldest)
          } else {
            const one = held(envelope(`a${author}`, seq + 1, seq + 1), `w${seq % 3}`)
            queue.add(one)
            model.add(one)
          }
          assert.equal(queue.size, model.size)
          assert.equal(
            queue.bytes,
            [...model].reduce((sum, one) => sum + sizeOf(one.envelope), 0),
          )
          for (let key = 0; key < 3; key++) {
            const waiting = [...model].filter(({ waitsFor }) => waitsFor === `w${key}`)
            assert.deepEqual(new Set(queue.waitingFor(`w${key}`)), new Set(waiting))
          }
          for (const one of model) {
            assert.ok(queue.has(one.envelope.hash))
            const seqs = queue.of(one.envelope.entry).map(({ envelope: { header } }) => header.seq)
            assert.deepEqual(
              seqs,
              [...seqs].sort((a, b) => a - b),
            )
          }
        }
      }),
      { numRuns: 100 },
    )
  })

  it('moves those that wait for something else', () => {
    const queue = new HoldBack()
    const one = held(envelope('a', 2, 2), 'this')
    queue.add(one)
    queue.waitFor(one, 'that')
    assert.deepEqual([queue.waitingFor('this'), queue.waitingFor('that')], [[], [one]])
    queue.remove(one)
    assert.deepEqual(queue.waitingFor('that'), [])
  })

  it('holds a thousand envelopes of an author, and more of others', () => {
    const queue = new HoldBack()
    for (let seq = 2; seq < 1002; seq++) assert.equal(put(queue, envelope('a', seq, seq)).room, 'room')
    assert.deepEqual(put(queue, envelope('a', 1002, 1002)), { room: 'too-far-ahead', evicted: [] })
    assert.equal(put(queue, envelope('b', 2, 2)).room, 'room')
  })

  it('holds 16 MiB of an author: its highest Lamport times go for lower ones, never the other way', () => {
    const queue = new HoldBack()
    const results = Array.from({ length: 20 }, (_, i) => put(queue, envelope('a', i + 2, i + 2, megabyte)))
    assert.deepEqual(new Set(results.slice(0, 15).map(({ room }) => room)), new Set(['room']))
    assert.deepEqual(new Set(results.slice(15).map(({ room }) => room)), new Set(['quota']))
    assert.ok(queue.bytes <= multicastLimits.heldBytesPerAuthor)
    const { room, evicted } = put(queue, envelope('a', 1, 1, megabyte))
    assert.equal(room, 'room')
    assert.deepEqual(
      evicted.map(({ envelope: { header } }) => header.lamport),
      [16],
    )
    assert.ok(queue.bytes <= multicastLimits.heldBytesPerAuthor)
  })

  it('holds 64 MiB in all: who holds most makes room for the others', () => {
    const queue = new HoldBack()
    for (const name of ['a', 'b', 'c', 'd']) {
      for (let seq = 2; seq < 17; seq++)
        assert.equal(put(queue, envelope(name, seq, seq, megabyte)).room, 'room')
    }
    const small = new Uint8Array(1000)
    for (let seq = 2; seq < 50; seq++) {
      for (const name of ['e', 'f', 'g']) {
        const { room } = put(queue, envelope(name, seq, seq, seq % 8 === 0 ? megabyte : small))
        assert.equal(room, 'room')
        assert.ok(queue.bytes <= multicastLimits.heldBytes)
      }
    }
    const held = (name: string) => queue.of(envelope(name, 1, 1).entry).length
    assert.deepEqual(['e', 'f', 'g'].map(held), [48, 48, 48])
    assert.ok(['a', 'b', 'c', 'd'].map(held).reduce((a, b) => a + b) < 60)
    // Of those who hold most, the highest Lamport times went.
    for (const name of ['a', 'b', 'c', 'd']) {
      const seqs = queue.of(envelope(name, 1, 1).entry).map(({ envelope: { header } }) => header.seq)
      assert.deepEqual(
        seqs,
        seqs.map((_, i) => i + 2),
      )
    }
  })
})
