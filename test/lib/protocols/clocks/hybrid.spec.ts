import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  compareHybrid,
  formatHybrid,
  type HybridStamp,
  isHybridStamp,
  maxHybridCounter,
  maxHybridMs,
  nextHybrid,
  packHybrid,
  parseHybrid,
  unpackHybrid,
} from '../../../../lib/protocols/clocks/hybrid.ts'
import { WireError } from '../../../../lib/wire/errors.ts'

const edges = <T>(value: fc.Arbitrary<T>, ...extremes: T[]) =>
  fc.oneof(value, fc.constantFrom(...extremes), value)
const ms = edges(fc.integer({ min: 0, max: maxHybridMs }), 0, 1, maxHybridMs - 1, maxHybridMs)
const counter = edges(fc.nat(maxHybridCounter), 0, maxHybridCounter - 1, maxHybridCounter)
const stamps = fc.record({ ms, counter }, { noNullPrototype: true })

/** The stamp as one number, by arithmetic and not by shifting. */
const naive = (stamp: HybridStamp) => BigInt(stamp.ms) * 65536n + BigInt(stamp.counter)

describe('a hybrid stamp', () => {
  it('is a 64-bit integer, there and back', () => {
    fc.assert(
      fc.property(stamps, (stamp) => {
        assert.equal(packHybrid(stamp), naive(stamp))
        assert.deepEqual(unpackHybrid(packHybrid(stamp)), stamp)
      }),
    )
    for (const packed of [-1n, 2n ** 64n]) assert.throws(() => unpackHybrid(packed), WireError)
    assert.deepEqual(unpackHybrid(2n ** 64n - 1n), { ms: maxHybridMs, counter: maxHybridCounter })
  })

  it('sorts as that integer does', () => {
    fc.assert(
      fc.property(stamps, stamps, (a, b) => {
        const difference = naive(a) - naive(b)
        assert.equal(Math.sign(compareHybrid(a, b)), difference < 0n ? -1 : difference > 0n ? 1 : 0)
      }),
    )
  })

  it('is followed by the least that is above it and not below the wall clock', () => {
    fc.assert(
      fc.property(stamps, ms, (last, physicalMs) => {
        const floor = naive({ ms: physicalMs, counter: 0 })
        const expected = naive(last) + 1n > floor ? naive(last) + 1n : floor
        const next = nextHybrid(last, physicalMs)
        if (expected >= 2n ** 64n) assert.equal(next, undefined)
        else assert.equal(next === undefined ? undefined : naive(next), expected)
      }),
    )
  })

  it('reads as milliseconds and counter, there and back', () => {
    assert.equal(formatHybrid({ ms: 1_700_000_000_123, counter: 7 }), '1700000000123.00007')
    fc.assert(fc.property(stamps, (stamp) => assert.deepEqual(parseHybrid(formatHybrid(stamp)), stamp)))
  })

  it('is not read from anything else', () => {
    const refused = [
      '',
      '1',
      '1.',
      '.00001',
      '1.1',
      '1.000001',
      '01.00001',
      '-1.00001',
      ' 1.00001',
      '1.00001\n',
    ]
    for (const text of [...refused, '1.65536', '281474976710656.00000', '9999999999999999.00000']) {
      assert.throws(() => parseHybrid(text), WireError, JSON.stringify(text))
    }
  })

  it('has whole parts within their bits', () => {
    for (const good of [
      { ms: 0, counter: 0 },
      { ms: maxHybridMs, counter: maxHybridCounter },
    ]) {
      assert.ok(isHybridStamp(good))
    }
    const bad = [-1, 0.5, Number.NaN, 2 ** 48]
    for (const value of bad) {
      assert.ok(!isHybridStamp({ ms: value, counter: 0 }))
      assert.ok(!isHybridStamp({ ms: 0, counter: value }))
    }
    assert.ok(!isHybridStamp({ ms: 0, counter: 65_536 }))
  })
})
