import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { PeerId } from '../../../../../lib/protocols/core.ts'
import {
  compareBallots,
  compareStamps,
  sameDecision,
} from '../../../../../plugins/mutex/core/electorate/ballot.ts'
import { decodeNumbers, encodeNumbers } from '../../../../../plugins/mutex/core/electorate/keeping.ts'
import type { Decision } from '../../../../../plugins/mutex/core/electorate/messages.ts'
import { Retirement } from '../../../../../plugins/mutex/core/electorate/retirement.ts'
import { standardElectorateUnits } from '../../../../../plugins/mutex/core/electorate/units.ts'

const [a, b, c, d, e] = [...'abcde'] as [PeerId, PeerId, PeerId, PeerId, PeerId]

describe('ballots and stamps', () => {
  const ballot = fc.record({
    round: fc.nat(3),
    peer: fc.constantFrom(a, b, c),
    generation: fc.nat(3),
  })

  it('of two proposers are never equal, and are ordered the same by all', () => {
    const property = fc.property(ballot, ballot, ballot, (x, y, z) => {
      assert.equal(Math.sign(compareBallots(x, y)) + Math.sign(compareBallots(y, x)), 0)
      if (compareBallots(x, y) === 0) assert.deepEqual({ ...x }, { ...y })
      if (compareBallots(x, y) < 0 && compareBallots(y, z) < 0) assert.ok(compareBallots(x, z) < 0)
    })
    fc.assert(property)
  })

  it('are ordered by round, peer and life; and by life, then write', () => {
    const low = { round: 1, peer: b, generation: 9 }
    assert.ok(compareBallots(low, { round: 2, peer: a, generation: 0 }) < 0)
    assert.ok(compareBallots(low, { round: 1, peer: c, generation: 0 }) < 0)
    assert.ok(compareBallots(low, { round: 1, peer: b, generation: 10 }) < 0)
    assert.ok(compareStamps({ generation: 1, write: 9 }, { generation: 2, write: 0 }) < 0)
    assert.ok(compareStamps({ generation: 1, write: 9 }, { generation: 1, write: 10 }) < 0)
  })

  it('decisions are the same when all of them is', () => {
    const voters: Decision = { type: 'voters', voters: [a, b, c], replaced: [] }
    assert.ok(sameDecision(voters, { type: 'voters', voters: [a, b, c], replaced: [] }))
    assert.ok(!sameDecision(voters, { type: 'voters', voters: [a, c, b], replaced: [] }))
    assert.ok(!sameDecision(voters, { type: 'voters', voters: [a, b, c], replaced: [d] }))
    assert.ok(!sameDecision(voters, { type: 'dissolved', into: 'x' as never }))
  })
})

describe('small records', () => {
  it('are read as they were written, and damage is told', () => {
    const numbers = fc.array(fc.maxSafeNat(), { maxLength: 8 })
    const property = fc.property(numbers, (list) => {
      assert.deepEqual([...decodeNumbers('test', encodeNumbers(...list), list.length)], list)
    })
    fc.assert(property)
    const corrupt = { code: 'ERR_STORE_CORRUPT' }
    assert.throws(() => decodeNumbers('test', encodeNumbers(1, 2), 1), corrupt)
    assert.throws(() => decodeNumbers('test', new Uint8Array(), 0), corrupt)
    assert.throws(() => decodeNumbers('test', Uint8Array.of(8, 2, 18, 1, 1), 1), corrupt)
    assert.throws(() => decodeNumbers('test', encodeNumbers(1, 2).subarray(0, 4), 2), corrupt)
  })
})

describe('retirement', () => {
  const replacing = (...replaced: PeerId[]): Decision => ({ type: 'voters', voters: [a], replaced })

  it('doubles with each time that a peer was replaced, up to a bound', () => {
    const retirement = new Retirement()
    const isRetired = (now: number): boolean => retirement.isRetired(b, now, 10, 35)
    assert.ok(!isRetired(0))
    for (const [at, forMs] of [
      [0, 10],
      [100, 20],
      [200, 35],
      [300, 35],
    ] as const) {
      retirement.learn(replacing(b), at)
      assert.ok(isRetired(at + forMs - 1))
      assert.ok(!isRetired(at + forMs))
      assert.equal(retirement.sinceMs(at + 5), 5)
    }
    assert.ok(!retirement.isRetired(c, 300, 10, 35))
  })

  it('goes on after a restart, in which nobody was replaced just now', () => {
    const retirement = new Retirement()
    retirement.restore(replacing(b), 1000)
    assert.ok(retirement.isRetired(b, 1001, 10, 35))
    assert.equal(retirement.sinceMs(1001), Number.POSITIVE_INFINITY)
  })
})

describe('the rules', () => {
  const { merge, mayPropose } = standardElectorateUnits

  it('merge reports to the maximum of counters and of what is unknown, and to all grants', () => {
    const grant = (lock: string) => ({
      lock,
      request: { peer: a, generation: 1, counter: 1 },
      remainingMs: 5,
    })
    const merged = merge([
      { floor: 7, grants: [grant('x')], unknownForMs: 0, longestLeaseMs: 100 },
      { floor: 3, grants: [grant('x'), grant('y')], unknownForMs: 40, longestLeaseMs: 50 },
    ])
    assert.deepEqual(merged, {
      floor: 7,
      grants: [grant('x'), grant('x'), grant('y')],
      unknownForMs: 40,
      longestLeaseMs: 100,
    })
  })

  it('let nobody be named who has not said READY, nor a change be proposed that those who stay could not carry', () => {
    const next = {
      voters: [a, b, c, d, e],
      joining: [d, e],
      staying: new Set([a, b, c]),
      ready: new Set([a, d, e]),
      settled: new Set<PeerId>(),
      isSole: false,
    }
    assert.ok(mayPropose(next))
    assert.ok(!mayPropose({ ...next, ready: new Set([a, b, c, d]) }))
    assert.ok(!mayPropose({ ...next, ready: new Set([d, e]) }))
    assert.ok(!mayPropose({ ...next, staying: new Set([a, b]) }))
    const sole = { ...next, voters: [a, b, c], joining: [b, c], ready: new Set([a, b, c]), isSole: true }
    assert.ok(!mayPropose(sole))
    assert.ok(!mayPropose({ ...sole, settled: new Set([b]) }))
    assert.ok(mayPropose({ ...sole, settled: new Set([b, c]), staying: new Set([a]) }))
  })
})
