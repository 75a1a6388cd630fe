import assert from 'node:assert/strict'
import fc from 'fast-check'
import { formatAge, formatRtt, maxDurationMs, parseDuration } from '../../bin/duration.ts'

describe('a duration', () => {
  const good = {
    '250ms': 250,
    '1ms': 1,
    '10s': 10_000,
    '1.5s': 1500,
    '5m': 300_000,
    '2h': 7_200_000,
    '24h': maxDurationMs,
  }
  for (const [text, ms] of Object.entries(good)) {
    it(`reads ${text} as ${ms} ms`, () => assert.equal(parseDuration(text), ms))
  }

  const bad = [
    '',
    '5',
    's',
    '5 s',
    '-5s',
    '+5s',
    '5S',
    '5d',
    '1e3s',
    '.5s',
    '0s',
    '0.1ms',
    '25h',
    '5s5',
    '١s',
    'Infinitys',
  ]
  for (const text of bad) {
    it(`refuses ${JSON.stringify(text)} and says how to write it`, () => {
      assert.throws(() => parseDuration(text), { code: 'ERR_USAGE', hint: /250ms|from 1ms/ })
    })
  }

  it('never reads anything as less than 1 ms or more than a day', () => {
    fc.assert(
      fc.property(fc.nat(999_999), fc.constantFrom('ms', 's', 'm', 'h'), (amount, unit) => {
        let ms = 1
        try {
          ms = parseDuration(`${amount}${unit}`)
        } catch (error) {
          assert.equal(Reflect.get(Object(error), 'code'), 'ERR_USAGE')
        }
        assert.ok(Number.isInteger(ms) && ms >= 1 && ms <= maxDurationMs)
      }),
    )
  })
})

describe('an age', () => {
  const ages: readonly (readonly [number, string])[] = [
    [-5, '0s'],
    [999, '0s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [3_599_999, '59m'],
    [3_600_000, '1h'],
    [86_399_999, '23h'],
    [86_400_000, '1d'],
    [40 * 86_400_000, '40d'],
  ]
  for (const [ms, text] of ages) it(`of ${ms} ms is ${text}`, () => assert.equal(formatAge(ms), text))
})

describe('a round trip', () => {
  const rtts: readonly (readonly [number, string])[] = [
    [0.4213, '0.42ms'],
    [9.99, '9.99ms'],
    [27.54, '27.5ms'],
    [152.4, '152ms'],
  ]
  for (const [ms, text] of rtts) it(`of ${ms} ms is ${text}`, () => assert.equal(formatRtt(ms), text))
})
