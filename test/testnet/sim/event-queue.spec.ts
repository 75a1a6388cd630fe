import assert from 'node:assert/strict'
import fc from 'fast-check'
import { EventQueue } from '../../../testnet/sim/event-queue.ts'

describe('event queue', () => {
  it('runs by time, and by order of adding at one time', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20)), (times) => {
        const queue = new EventQueue()
        const ran: [number, number][] = []
        for (const [i, at] of times.entries()) queue.add(at, () => ran.push([at, i]))
        for (let task = queue.take(); task !== undefined; task = queue.take()) task()
        const expected = times.map((at, i): [number, number] => [at, i])
        expected.sort(([a, i], [b, j]) => a - b || i - j)
        assert.deepEqual(ran, expected)
      }),
    )
  })

  it('names the time of what comes next', () => {
    const queue = new EventQueue()
    assert.equal(queue.next, undefined)
    queue.add(5, () => {})
    queue.add(3, () => {})
    assert.equal(queue.next, 3)
    queue.take()
    assert.equal(queue.next, 5)
  })
})
