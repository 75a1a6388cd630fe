import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ascii } from '../../../../lib/protocols/bytes.ts'
import { compareDots, dotOf, dotText } from '../../../../lib/protocols/multicast/dots.ts'
import type { DotKey, Envelope } from '../../../../lib/protocols/multicast/messages.ts'
import {
  dotsOf,
  frontierOf,
  hashesOf,
  historyOf,
  maximaOf,
  Receiver,
  stepsOf,
  type Told,
  vectorOf,
  Writer,
} from './history.ts'
import { hashA, keyOf, peer } from './sealing.ts'

function permutations<T>(list: readonly T[]): T[][] {
  if (list.length <= 1) return [[...list]]
  return list.flatMap((one, at) =>
    permutations([...list.slice(0, at), ...list.slice(at + 1)]).map((rest) => [one, ...rest]),
  )
}

/** Each is delivered once, after everything that happened before it. */
function assertCausal(receiver: Receiver, history: readonly Told[]): void {
  const done = new Set<Told>()
  for (const hash of receiver.hashes) {
    const told = history.find(({ envelope }) => envelope.hash === hash) as Told
    assert.ok(!done.has(told), 'delivered twice')
    for (const before of told.past) assert.ok(done.has(before), 'an effect before its cause')
    done.add(told)
  }
}

function writersOf(...names: string[]): Writer[] {
  return names.map((name) => new Writer(name))
}

const text = (content: string) => [ascii(content)]

describe('causal order', () => {
  it('delivers everything in causal order, whatever order it comes in', () => {
    // Three authors, a batch, concurrent ones, and one that follows all.
    const [a, b, c] = writersOf('a', 'b', 'c') as [Writer, Writer, Writer]
    const a1 = a.write()
    const b1 = b.hear(a1).write({}, [ascii('1'), ascii('2')])
    const c1 = c.write()
    const a2 = a.hear(c1).write()
    const c2 = c.hear(b1).write()
    const b2 = b.hear(a2, c2).write()
    const history = [a1, b1, c1, a2, c2, b2]
    for (const order of permutations(history)) {
      const receiver = new Receiver()
      receiver.take(...order)
      assert.equal(receiver.items.length, history.length)
      assertCausal(receiver, history)
      assert.equal(receiver.order.heldBack.size, 0)
      assert.equal(receiver.order.heldBack.bytes, 0)
      assert.deepEqual(frontierOf(receiver.order), dotsOf([b2]))
      assert.deepEqual(receiver.proofs, [])
      // b1 counts for two.
      assert.equal(receiver.order.log.lastIndex, 7)
    }
  })

  it('delivers any history in causal order, with restarts and lost tails, twice over', () => {
    fc.assert(
      fc.property(
        stepsOf({ authors: 3, messages: 14 })
          .map(historyOf)
          .chain((history) =>
            fc.tuple(
              fc.constant(history),
              fc.shuffledSubarray([...history, ...history], { minLength: 2 * history.length }),
            ),
          ),
        ([history, order]) => {
          const receiver = new Receiver()
          receiver.take(...order)
          assert.equal(receiver.items.length, history.length)
          assertCausal(receiver, history)
          assert.deepEqual(frontierOf(receiver.order), dotsOf(maximaOf(history)))
          assert.deepEqual(receiver.proofs, [])
          assert.equal(receiver.order.heldBack.size, 0)
        },
      ),
      { numRuns: 200 },
    )
  })

  it('holds what depends on the unknown for ever, with all that follows, and asks for it', () => {
    const [a, b, c] = writersOf('a', 'b', 'c') as [Writer, Writer, Writer]
    const lost = c.write()
    const a1 = a.hear(lost).write()
    const a2 = a.write()
    const b1 = b.hear(a2).write()
    const receiver = new Receiver()
    assert.deepEqual(receiver.take(b1, a2, a1), ['held', 'held', 'held'])
    receiver.order.review(1e9)
    assert.deepEqual(receiver.items, [])
    assert.ok(receiver.lacked.map(dotText).includes(dotText(dotOf(lost.envelope))))
    assert.deepEqual(receiver.take(lost), ['delivered'])
    assert.deepEqual(receiver.hashes, hashesOf([lost, a1, a2, b1]))
  })

  describe('of Lamport times', () => {
    it('never delivers one that is wrong, nor what follows it, in whatever order they come', () => {
      for (const wrong of [1, 2, 4, 5, 1000, 2 ** 40]) {
        const [a, b, c] = writersOf('a', 'b', 'c') as [Writer, Writer, Writer]
        const [a1, b1] = [a.write(), b.write()]
        const b2 = b.write()
        const bad = a.hear(b2).write({ lamport: wrong })
        const next = a.write()
        const reply = c.hear(bad).write()
        for (const order of permutations([a1, b1, b2, bad, next, reply])) {
          const receiver = new Receiver()
          receiver.take(...order)
          receiver.order.review(5)
          assert.deepEqual(
            hashesOf([bad, next, reply]).filter((hash) => receiver.hashes.includes(hash)),
            [],
          )
          assert.equal(receiver.items.length, 3)
          assert.ok(receiver.doubted.length > 0)
          assert.deepEqual(receiver.proofs, [])
        }
      }
    })

    it('refuses a first message that does not begin with 1', () => {
      const [a] = writersOf('a') as [Writer]
      const receiver = new Receiver()
      receiver.take(a.write({ lamport: 2 }))
      assert.deepEqual(receiver.items, [])
    })

    it('counts each payload of a batch', () => {
      const [a, b] = writersOf('a', 'b') as [Writer, Writer]
      const batch = a.write({}, [ascii('1'), ascii('2'), ascii('3')])
      const after = b.hear(batch).draft()
      assert.equal(after.lamport, 4)
      const receiver = new Receiver()
      receiver.take(batch, { envelope: b.write({ lamport: 2 }).envelope, past: new Set() })
      assert.deepEqual(receiver.hashes, hashesOf([batch]))
    })

    it('waits for a header below the baseline, and delivers when it comes', () => {
      const [a, b] = writersOf('a', 'b') as [Writer, Writer]
      const a1 = a.write()
      const reply = b.hear(a1).write()
      const a2 = a.write()
      const giver = new Receiver()
      giver.take(a1, a2)
      const joiner = new Receiver()
      joiner.order.adopt(
        [...giver.order.delivered.values()],
        [{ ...dotOf(a2.envelope), below: [], exact: true }],
        1,
      )
      assert.deepEqual(joiner.take(reply), ['held'])
      assert.deepEqual(joiner.headersLacked.map(dotText), [dotText(dotOf(a1.envelope))])
      joiner.order.takeHeader(a1.envelope, 2)
      assert.deepEqual(joiner.hashes, hashesOf([reply]))
    })

    it('never delivers one that is wrong by a header below the baseline', () => {
      const [a, b] = writersOf('a', 'b') as [Writer, Writer]
      const a1 = a.write()
      const reply = b.hear(a1).write({ lamport: 7 })
      const a2 = a.write()
      const joiner = new Receiver()
      joiner.order.adopt([a2.envelope], [{ ...dotOf(a2.envelope), below: [], exact: true }], 1)
      joiner.take(reply)
      joiner.order.takeHeader(a1.envelope, 2)
      assert.deepEqual(joiner.items, [])
    })
  })

  describe('of forks', () => {
    /** Two contents of a's second dot, and what was built on each. */
    function fork() {
      const [a, b, c] = writersOf('a', 'b', 'c') as [Writer, Writer, Writer]
      const a1 = a.write()
      const left = a.writeUnseen({}, text('left'))
      const right = a.writeUnseen({}, text('right'))
      const b1 = b.hear(left).write()
      const c1 = c.hear(right).write()
      return { a, b, c, a1, left, right, b1, c1 }
    }

    it('takes the first content for the dot, in every order, and proves the fork', () => {
      const { a1, left, right } = fork()
      for (const order of permutations([a1, left, right])) {
        const receiver = new Receiver()
        receiver.take(...order)
        assert.equal(receiver.proofs.length, 1)
        const contents = [left, right].filter((told) => receiver.has(told))
        assert.ok(contents.length <= 1)
        assert.ok(receiver.order.delivered.seq(a1.envelope.entry) >= 1)
      }
    })

    it('delivers honest messages that name either content, whatever was delivered, in every order', () => {
      const { a1, left, right, b1, c1 } = fork()
      for (const order of permutations([a1, left, right, b1, c1])) {
        const receiver = new Receiver()
        receiver.take(...order)
        assert.ok(
          receiver.has(b1) && receiver.has(c1),
          order.map(({ envelope }) => dotText(dotOf(envelope))).join(),
        )
        assert.equal([left, right].filter((told) => receiver.has(told)).length, 1)
        assert.equal(receiver.order.heldBack.size, 0)
      }
    })

    it('delivers them too where the two contents differ in their Lamport times', () => {
      const [a, b, c, d] = writersOf('a', 'b', 'c', 'd') as [Writer, Writer, Writer, Writer]
      const a1 = a.write()
      const d1 = d.write()
      const d2 = d.write()
      const d3 = d.write()
      const left = a.writeUnseen()
      a.hear(d3)
      const right = a.writeUnseen()
      assert.notEqual(left.envelope.lastLamport, right.envelope.lastLamport)
      const b1 = b.hear(left).write()
      const c1 = c.hear(right).write()
      fc.assert(
        fc.property(fc.shuffledSubarray([a1, d1, d2, d3, left, right, b1, c1], { minLength: 8 }), (order) => {
          const receiver = new Receiver()
          receiver.take(...order)
          // One content alone may be here when its honest successor is doubted: the header is asked for.
          for (const { envelope } of [left, right]) receiver.order.takeHeader(envelope, 99)
          assert.ok(receiver.has(b1) && receiver.has(c1))
        }),
        { numRuns: 300 },
      )
    })

    it('asks for the header of a content that it does not have when a Lamport time does not fit', () => {
      const [a, c, d] = writersOf('a', 'c', 'd') as [Writer, Writer, Writer]
      d.write()
      const d2 = d.write()
      const left = a.writeUnseen()
      a.hear(d2)
      const right = a.writeUnseen()
      const c1 = c.hear(right).write()
      const receiver = new Receiver()
      receiver.take(...d2.past, d2, left, c1)
      assert.ok(!receiver.has(c1))
      assert.ok(receiver.headersLacked.map(dotText).includes(dotText(dotOf(left.envelope))))
      receiver.order.takeHeader(right.envelope, 9)
      assert.equal(receiver.proofs.length, 1)
      assert.ok(receiver.has(c1))
      assert.ok(!receiver.has(right))
    })

    it('delivers an outcast only where somebody in good standing names it, directly or through others', () => {
      const [a, b, x, y] = writersOf('a', 'b', 'x', 'y') as [Writer, Writer, Writer, Writer]
      const [first, second] = [x.writeUnseen({}, text('1')), x.writeUnseen({}, text('2'))]
      const receiver = new Receiver()
      receiver.take(first, second)
      assert.equal(receiver.proofs.length, 1)
      // Both are outcasts: y has forked too.
      receiver.take(y.writeUnseen({}, text('1')), y.writeUnseen({}, text('2')))
      x.hear(first)
      x.last = first
      const x2 = x.write()
      const x3 = x.write()
      assert.deepEqual(receiver.take(x2, x3), ['held', 'held'])
      // An outcast names the other: that does not count.
      y.restart(2000, [])
      const y1 = y.hear(x3).write()
      assert.deepEqual(receiver.take(y1), ['held'])
      assert.deepEqual(
        [x2, x3, y1].filter((told) => receiver.has(told)),
        [],
      )
      // Somebody honest names the other, and through it the one.
      const b1 = b.hear(y1).write()
      assert.deepEqual(receiver.take(b1), ['delivered'].slice(1).concat('held'))
      assert.deepEqual([x2, x3, y1, b1].filter((told) => receiver.has(told)).length, 4)
      const a1 = a.write()
      assert.deepEqual(receiver.take(a1), ['delivered'])
    })

    it('does not deliver what comes behind what is needed', () => {
      const [b, x] = writersOf('b', 'x') as [Writer, Writer]
      const [first, second] = [x.writeUnseen({}, text('1')), x.writeUnseen({}, text('2'))]
      x.hear(first).last = first
      const x2 = x.write()
      const b1 = b.hear(x2).write()
      const x3 = x.write()
      for (const order of permutations([x2, x3, b1])) {
        const receiver = new Receiver()
        receiver.take(first, second, ...order)
        assert.deepEqual(
          [x2, b1, x3].map((told) => receiver.has(told)),
          [true, true, false],
        )
      }
    })

    it('takes a successor that names another predecessor for a proof, and delivers it where it is needed', () => {
      const [b, x] = writersOf('b', 'x') as [Writer, Writer]
      const x1 = x.write()
      const broken = x.write({ previous: hashA })
      const b1 = b.hear(broken).write()
      for (const order of permutations([x1, broken, b1])) {
        const receiver = new Receiver()
        receiver.take(...order)
        assert.equal(receiver.proofs.length, 1)
        assert.deepEqual(
          [x1, broken, b1].map((told) => receiver.has(told)),
          [true, true, true],
        )
      }
      const alone = new Receiver()
      alone.take(x1, broken)
      assert.deepEqual(alone.hashes, hashesOf([x1]))
    })

    it('delivers of a batch that begins below what was won only what comes behind it', () => {
      const [b, x] = writersOf('b', 'x') as [Writer, Writer]
      const single = x.writeUnseen({}, text('1'))
      const batch = x.writeUnseen({}, [ascii('1'), ascii('2'), ascii('3')])
      const b1 = b.hear(batch).write()
      const receiver = new Receiver()
      receiver.take(single, batch, b1)
      assert.equal(receiver.proofs.length, 1)
      assert.deepEqual(receiver.hashes, hashesOf([single, batch, b1]))
      assert.deepEqual(
        receiver.items.map(({ index, first }) => [index, first]),
        [
          [1, 1],
          [2, 2],
          [4, 1],
        ],
      )
      assert.deepEqual(frontierOf(receiver.order), dotsOf([b1]))
    })

    it('delivers what others built upon any mixture of contents, wherever it was delivered', () => {
      // An equivocator writes two logs; three honest members hear of either one and of each other.
      const acts = fc.array(fc.tuple(fc.nat(3), fc.nat(5), fc.boolean()), { minLength: 4, maxLength: 14 })
      fc.assert(
        fc.property(acts, fc.infiniteStream(fc.nat(30)), (list, picks) => {
          const [x1, x2] = [new Writer('x'), new Writer('x')]
          const honest = writersOf('a', 'b', 'c')
          const lies: Told[][] = [[], []]
          const spoken: Told[] = []
          // Each honest one keeps to the content that came first.
          const side = new Map<Writer, number>()
          const sides = honest.map((_, at) => at % 2)
          for (const [at, writer] of honest.entries()) side.set(writer, sides[at] as number)
          for (const [who, what] of list) {
            if (who === 3) {
              for (const [at, x] of [x1, x2].entries()) {
                ;(lies[at] as Told[]).push(x.write({}, text(`${at}`)))
              }
              continue
            }
            const writer = honest[who] as Writer
            const lie = lies[side.get(writer) as number]?.at(-1)
            const heard = spoken.filter((told) => side.get(authorOf(told, honest)) === side.get(writer))
            const one = heard[heard.length - 1 - (what % 4)]
            if (lie !== undefined && what > 2) writer.hear(lie)
            if (one !== undefined) writer.hear(one)
            spoken.push(writer.write())
          }
          const all = [...lies.flat(), ...spoken]
          const left = [...all]
          const receiver = new Receiver()
          for (const pick of picks) {
            const [told] = left.splice(pick % left.length, 1)
            if (told === undefined) break
            receiver.take(told)
            if (left.length === 0) break
          }
          for (const told of lies.flat()) receiver.order.takeHeader(told.envelope, 99)
          for (const told of spoken) assert.ok(receiver.has(told), 'an honest message is blocked')
          const dots = receiver.items.flatMap(({ envelope, first }) =>
            Array.from({ length: envelope.last - first + 1 }, (_, i) => `${envelope.entry}:${first + i}`),
          )
          assert.equal(new Set(dots).size, dots.length)
        }),
        { numRuns: 200 },
      )
    })

    it('counts a denied author like an outcast, and takes it back', () => {
      const [a, b] = writersOf('a', 'b') as [Writer, Writer]
      const receiver = new Receiver()
      const key = keyOf(peer('a'))
      receiver.take(a.write())
      const before = receiver.order.delivered.digest
      receiver.order.forks.deny(key, true)
      receiver.order.castOut(key, 1)
      assert.notEqual(receiver.order.delivered.digest, before)
      const a2 = a.write()
      const a3 = a.write()
      assert.deepEqual(receiver.take(a3, a2), ['held', 'held'])
      const b1 = b.hear(a2).write()
      receiver.take(b1)
      assert.deepEqual(
        [a2, b1, a3].map((told) => receiver.has(told)),
        [true, true, false],
      )
      receiver.order.forks.deny(key, false)
      receiver.order.readmit(key, 2)
      assert.ok(receiver.has(a3))
      assert.deepEqual(receiver.proofs, [])
    })
  })

  describe('of epochs', () => {
    it('waits with a new epoch for the old dot that it names', () => {
      const [a] = writersOf('a') as [Writer]
      const [a1, a2] = [a.write(), a.write()]
      const next = a.restart(2000).write()
      assert.equal(next.envelope.header.old?.seq, 2)
      const receiver = new Receiver()
      assert.deepEqual(receiver.take(next, a2), ['held', 'held'])
      receiver.take(a1)
      assert.deepEqual(receiver.hashes, hashesOf([a1, a2, next]))
      assert.deepEqual(frontierOf(receiver.order), dotsOf([next]))
    })

    it('delivers a lost tail of an old epoch that surfaces later, concurrent with the new one', () => {
      const [a, b] = writersOf('a', 'b') as [Writer, Writer]
      const a1 = a.write()
      const tail = a.write()
      const next = a.restart(2000, [a1]).write()
      const receiver = new Receiver()
      receiver.take(a1, next, tail)
      assert.deepEqual(receiver.hashes, hashesOf([a1, next, tail]))
      assert.deepEqual(frontierOf(receiver.order), dotsOf([next, tail]))
      assert.deepEqual(receiver.proofs, [])
      const b1 = b.hear(next, tail).write()
      receiver.take(b1)
      assert.deepEqual(frontierOf(receiver.order), dotsOf([b1]))
    })

    it('takes another hash of the old dot for a fork', () => {
      const [a, b] = writersOf('a', 'b') as [Writer, Writer]
      const a1 = a.write()
      const next = a.restart(2000).write({ previous: hashA })
      const receiver = new Receiver()
      receiver.take(a1, next)
      assert.equal(receiver.proofs.length, 1)
      assert.deepEqual(receiver.hashes, hashesOf([a1]))
      receiver.take(b.hear(next).write())
      assert.ok(receiver.has(next))
    })

    it('begins a log without an old dot where there is none', () => {
      const [a] = writersOf('a') as [Writer]
      const a1 = a.write()
      const other = new Writer('a', 2000).write()
      for (const order of permutations([a1, other])) {
        const receiver = new Receiver()
        receiver.take(...order)
        assert.equal(receiver.items.length, 2)
        assert.deepEqual(frontierOf(receiver.order), dotsOf([a1, other]))
      }
    })
  })

  describe('of baselines', () => {
    it('delivers nothing before it is opened, but what lies at or below the ceiling', () => {
      const [a, b] = writersOf('a', 'b') as [Writer, Writer]
      const [a1, a2] = [a.write(), a.write()]
      const b1 = b.write()
      const receiver = new Receiver(undefined, false)
      assert.deepEqual(receiver.take(a1, a2, b1), ['held', 'held', 'held'])
      receiver.order.close(new Map([[a1.envelope.entry, 1]]))
      receiver.order.review(1)
      assert.deepEqual(receiver.hashes, hashesOf([a1]))
      receiver.order.open()
      receiver.order.review(2)
      assert.equal(receiver.items.length, 3)
    })

    it('counts what lies below as delivered, and old', () => {
      const [a, b] = writersOf('a', 'b') as [Writer, Writer]
      const [a1, a2] = [a.write(), a.write()]
      const b1 = b.hear(a2).write()
      const receiver = new Receiver()
      receiver.order.adopt([a2.envelope], [{ ...dotOf(a2.envelope), below: [], exact: true }], 1)
      assert.deepEqual(receiver.take(a1, a2, b1), ['old', 'old', 'delivered'])
      assert.deepEqual(
        vectorOf([a1, a2, b1]).get(a1.envelope.entry),
        receiver.order.delivered.seq(a1.envelope.entry),
      )
    })

    it('delivers at once what had waited for it', () => {
      const [a, b] = writersOf('a', 'b') as [Writer, Writer]
      const a1 = a.write()
      const b1 = b.hear(a1).write()
      const receiver = new Receiver()
      receiver.take(b1)
      receiver.order.adopt([a1.envelope], [{ ...dotOf(a1.envelope), below: [], exact: true }], 1)
      assert.deepEqual(receiver.hashes, hashesOf([b1]))
    })
  })

  it('costs no more than its quota, whatever one author sends ahead', () => {
    const [a, b] = writersOf('a', 'b') as [Writer, Writer]
    a.write()
    const { envelope } = a.write()
    const receiver = new Receiver()
    const results: string[] = []
    for (let epoch = 1; epoch <= 1200; epoch++) {
      results.push(receiver.order.take(variant(envelope, epoch), a.peer, 1))
    }
    assert.deepEqual([...new Set(results)], ['held', 'too-far-ahead'])
    assert.equal(receiver.order.heldBack.size, 1000)
    assert.deepEqual(receiver.take(b.write()), ['delivered'])
  })

  it('holds a million names of dots that do not exist without asking for all of them', () => {
    const [a] = writersOf('a') as [Writer]
    const receiver = new Receiver()
    const { envelope } = a.write({ dependencies: made(1024) })
    for (let epoch = 1; epoch <= 1000; epoch++) receiver.order.take(variant(envelope, epoch), a.peer, 1)
    assert.ok(receiver.lacked.length <= 64 * 1000)
    assert.ok(receiver.order.heldBack.bytes <= 16 * 1024 * 1024)
    assert.deepEqual(receiver.items, [])
  })

  it('asks for each of very many dependencies sooner or later', () => {
    const authors = Array.from({ length: 100 }, (_, i) => new Writer(`author${i}`))
    const told = authors.map((author) => author.write())
    const { envelope } = new Writer('z').hear(...told).write()
    const receiver = new Receiver()
    receiver.order.take(envelope, peer('z'), 1)
    const taken = new Set<string>()
    for (let dot = receiver.lacked.shift(); dot !== undefined; dot = receiver.lacked.shift()) {
      const text = dotText(dot)
      if (taken.has(text)) continue
      taken.add(text)
      receiver.take(told.find((one) => dotText(dotOf(one.envelope)) === text) as Told)
    }
    assert.equal(taken.size, 100)
    assert.equal(receiver.hashes.at(-1), envelope.hash)
  })
})

function authorOf(told: Told, writers: readonly Writer[]): Writer {
  return writers.find((writer) => writer.peer === told.envelope.header.author) as Writer
}

/** Dots of nobody. */
function made(count: number): DotKey[] {
  return Array.from({ length: count }, (_, i) => ({
    author: keyOf(peer(`nobody${i}`)),
    epoch: 1,
    seq: 1,
  })).sort(compareDots)
}

/** The same in another epoch: cheaper than to seal it again. */
function variant(envelope: Envelope, epoch: number): Envelope {
  return {
    ...envelope,
    hash: epoch.toString(16).padStart(64, '0'),
    entry: `${envelope.authorKey}#${epoch}` as Envelope['entry'],
    header: { ...envelope.header, epoch },
  }
}
