import assert from 'node:assert/strict'
import fc from 'fast-check'
import { dotText } from '../../../../lib/protocols/multicast/dots.ts'
import { Frontier, toFrontierDots } from '../../../../lib/protocols/multicast/frontier.ts'
import {
  dotsOf,
  frontierOf,
  historyOf,
  inOtherOrder,
  maximaOf,
  Receiver,
  stepsOf,
  type Told,
  vectorOf,
  Writer,
} from './history.ts'

const manySteps = stepsOf({ authors: 4, messages: 25 })

describe('the frontier', () => {
  it('is what no other delivered message is after, at each delivery', () => {
    fc.assert(
      fc.property(manySteps, fc.array(fc.nat(20), { minLength: 1, maxLength: 10 }), (steps, picks) => {
        const history = historyOf(steps)
        const receiver = new Receiver()
        const delivered: Told[] = []
        for (const told of inOtherOrder(history, picks)) {
          assert.deepEqual(receiver.take(told), ['delivered'])
          delivered.push(told)
          assert.deepEqual(frontierOf(receiver.order), dotsOf(maximaOf(delivered)))
        }
      }),
      { numRuns: 200 },
    )
  })

  it('knows of each dot in which logs its vector lies below what is delivered', () => {
    fc.assert(
      fc.property(manySteps, (steps) => {
        const history = historyOf(steps)
        const receiver = new Receiver()
        const byDot = new Map(history.map((told) => [dotsOf([told])[0] as string, told]))
        for (const told of history) {
          receiver.take(told)
          const now = vectorOf(history.slice(0, history.indexOf(told) + 1))
          for (const { dot, below, exact } of receiver.order.frontier.values()) {
            const one = byDot.get(dotText(dot)) as Told
            const vector = vectorOf([...one.past, one])
            assert.equal(exact, true)
            for (const [entry, value] of now) {
              assert.equal(below.get(entry) ?? value, vector.get(entry) ?? 0)
            }
          }
        }
      }),
      { numRuns: 100 },
    )
  })

  it('is told within bounds, however much of it is concurrent, and never with half a vector', () => {
    const receiver = new Receiver()
    const authors = Array.from({ length: 60 }, (_, i) => new Writer(`author${i}`))
    receiver.take(...authors.map((author) => author.write()))
    for (const most of [0, 5, 100, 256, 5000]) {
      const dots = toFrontierDots(receiver.order.frontier.values(), most)
      assert.equal(dots.length, 60)
      assert.ok(dots.reduce((sum, { below }) => sum + below.length, 0) <= most)
      for (const { author, epoch, seq, below, exact } of dots) {
        const whole = receiver.order.frontier.get({ author, epoch, seq })?.below.size
        assert.equal(below.length, exact ? whole : 0)
      }
      // Each lies below all the others.
      assert.equal(dots.filter(({ exact }) => exact).length, Math.min(60, Math.floor(most / 59)))
    }
  })

  it('keeps its own copies when it takes over another', () => {
    const [a] = historyOf([{ author: 0, payloads: 1, hears: undefined, loses: undefined }]) as [Told]
    const [from, to] = [new Frontier(), new Frontier()]
    const dot = { author: a.envelope.authorKey, epoch: 1000, seq: 1 }
    from.deliver(a.envelope.entry, 0, [], { dot, below: new Map(), exact: true })
    to.replace(from)
    const other = { ...dot, epoch: 2000 }
    from.deliver('other' as typeof a.envelope.entry, 0, [], { dot: other, below: new Map(), exact: true })
    assert.deepEqual([from.size, to.size], [2, 1])
    assert.equal(from.get(dot)?.below.size, 1)
    assert.equal(to.get(dot)?.below.size, 0)
    from.delete(dot)
    assert.deepEqual(from.dots(), [other])
  })
})
