import assert from 'node:assert/strict'
import { floors, judge, type Point, slope } from '../../bench/slopes.ts'

const minute = 60_000

/** A saw tooth of the garbage collector above a floor that rises by `perMinute`. */
function sawTooth(perMinute: number): readonly Point[] {
  return Array.from({ length: 300 }, (_, i) => ({
    atMs: i * 2000,
    value: 40 + (perMinute * i * 2000) / minute + (i % 13),
  }))
}

const heapGrows = (points: readonly Point[]) =>
  judge([{ source: 'n1', quantity: 'heap MiB', points }]).map(({ grows }) => grows)

describe('the slope of a soak', () => {
  it('is a line through the floors, not through the garbage', () => {
    const rising = floors(sawTooth(2))
    assert.equal(rising.length, 7)
    assert.ok(Math.abs(slope(rising) * minute - 2) < 0.2)
  })

  it('does not call a saw tooth growth', () => {
    assert.deepEqual(heapGrows(sawTooth(0)), [false])
    assert.deepEqual(heapGrows(sawTooth(-1)), [false])
  })

  it('calls a rising floor growth', () => {
    assert.deepEqual(heapGrows(sawTooth(1)), [true])
  })

  it('leaves out the warm-up', () => {
    const warm = sawTooth(0).map(({ atMs, value }) => ({
      atMs,
      value: value - Math.max(0, 20 - atMs / (0.15 * minute)),
    }))
    assert.deepEqual(heapGrows(warm), [false])
  })

  it('refuses to judge what was hardly looked at', () => {
    assert.throws(() => heapGrows([{ atMs: 0, value: 1 }]), /too few samples/)
  })
})
