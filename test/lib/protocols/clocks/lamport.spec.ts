import assert from 'node:assert/strict'
import fc from 'fast-check'
import { LamportClock, maxLamport, maxLamportLead } from '../../../../lib/protocols/clocks/lamport.ts'

describe('a Lamport clock', () => {
  it('counts from 1', () => {
    const clock = new LamportClock()
    assert.equal(clock.value, 0)
    assert.deepEqual([clock.tick(), clock.tick(), clock.value], [1, 2, 2])
  })

  it('takes over what is higher and keeps what is not', () => {
    const clock = new LamportClock()
    assert.ok(clock.observe(10))
    assert.ok(clock.observe(3))
    assert.equal(clock.tick(), 11)
  })

  it('refuses what no honest clock can say, and stays as it was', () => {
    const clock = new LamportClock()
    clock.observe(5)
    const refused = [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 5 + maxLamportLead + 1]
    for (const remote of refused) {
      assert.equal(clock.observe(remote), false, String(remote))
      assert.equal(clock.value, 5)
    }
    assert.ok(clock.observe(5 + maxLamportLead))
  })

  it('never leaves the integers, however it is led', () => {
    const clock = new LamportClock()
    while (clock.value < maxLamport) {
      assert.ok(clock.observe(Math.min(maxLamport, clock.value + maxLamportLead)))
    }
    assert.equal(clock.observe(maxLamport + 1), false)
    assert.equal(clock.tick(), maxLamport)
  })

  it('numbers every event above all that happened before it', () => {
    // Events of three peers, as the sets of events that happened before each: the oracle's own causality.
    const step = fc.record({ peer: fc.nat(2), receives: fc.option(fc.nat(), { nil: undefined }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const peers = [0, 1, 2].map(() => ({ clock: new LamportClock(), past: new Set<number>() }))
        const events: { lamport: number; past: ReadonlySet<number> }[] = []
        for (const { peer, receives } of steps) {
          const { clock, past } = peers[peer] ?? assert.fail()
          const message = receives === undefined ? undefined : events[receives % events.length]
          if (message !== undefined) {
            assert.ok(clock.observe(message.lamport))
            for (const before of [...message.past, events.indexOf(message)]) past.add(before)
          }
          const event = { lamport: clock.tick(), past: new Set(past) }
          past.add(events.push(event) - 1)
        }
        for (const { lamport, past } of events) {
          for (const before of past) assert.ok((events[before]?.lamport ?? Number.NaN) < lamport)
        }
      }),
    )
  })
})
