import assert from 'node:assert/strict'
import { mutexLimits } from '../../../../../plugins/mutex/core/limits.ts'
import { Counters } from '../../../../../plugins/mutex/core/lock/counters.ts'

const block = 100

/** With a ceiling that may be used. */
function ready(): Counters {
  const counters = new Counters(0, block)
  counters.extended(block)
  counters.release(block)
  return counters
}

describe('the counters of tokens', () => {
  it('let nothing be told before its ceiling is known to others', () => {
    const counters = new Counters(0, block)
    assert.equal(counters.mayUse(1), false)
    assert.equal(counters.wanted(1), 1 + block)
    counters.extended(1 + block)
    assert.equal(counters.mayUse(1), false)
    counters.release(1 + block)
    assert.ok(counters.mayUse(1 + block))
    assert.equal(counters.mayUse(2 + block), false)
  })

  it('ask for the next block when half of one is left', () => {
    const counters = ready()
    counters.burn('a', block / 2)
    assert.equal(counters.wanted(block / 2), undefined)
    counters.burn('a', block / 2 + 1)
    assert.equal(counters.wanted(block / 2 + 1), block / 2 + 1 + block)
  })

  it('count each lock by itself, above a floor that a restart raises to the ceiling', () => {
    const counters = ready()
    counters.burn('a', 5)
    assert.deepEqual([counters.of('a'), counters.of('b'), counters.highest], [5, 0, 5])
    const next = new Counters(counters.ceiling, block)
    assert.deepEqual([next.of('a'), next.of('b'), next.highest], [block, block, block])
    next.raise(7 * block)
    assert.deepEqual([next.of('a'), next.highest], [7 * block, 7 * block])
  })

  it('never go back: not for a lower token, and not for a lock that was forgotten', () => {
    const counters = ready()
    counters.burn('a', 9)
    counters.burn('a', 3)
    assert.equal(counters.of('a'), 9)
    for (let i = 0; i < mutexLimits.counters; i++) counters.burn(`lock ${i}`, 1)
    assert.equal(counters.of('a'), 9)
    assert.equal(counters.of('never seen'), 9)
  })
})
