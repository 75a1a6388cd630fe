import assert from 'node:assert/strict'
import { figure, median, table } from '../../bench/harness.ts'

describe('a figure', () => {
  it('is the median of its runs, with the worst beside it', () => {
    assert.equal(median([3, 1, 2]), 2)
    assert.equal(median([4, 1, 2, 3]), 2.5)
    const { ours, worst, runs } = figure('b', { question: 'q', unit: 'ms', samples: [5, 1, 9] })
    assert.deepEqual({ ours, worst, runs }, { ours: 5, worst: 9, runs: 3 })
  })

  it('meets its bar by the median, or by the worst run where that is asked', () => {
    const asked = { question: 'q', unit: 'ms', samples: [1, 2, 30], limit: 10 } as const
    assert.equal(figure('b', asked).met, true)
    assert.equal(figure('b', { ...asked, judge: 'worst' }).met, false)
    assert.equal(figure('b', { ...asked, judge: 'worst' }).bar, 'worst ≤ 10 ms')
  })

  it('is held to what the rival does, where that is asked', () => {
    const asked = { question: 'q', unit: 'ms', samples: [11], timesRival: 1.2, rival: 'r' } as const
    const met = figure('b', { ...asked, rivalSamples: [10] })
    assert.deepEqual([met.limit, met.bar, met.met], [12, 'median ≤ 1.2 × rival', true])
    assert.equal(figure('b', { ...asked, rivalSamples: [9] }).met, false)
    const alone = figure('b', { ...asked, rivalSamples: [] })
    assert.deepEqual([alone.limit, alone.met], [null, null])
  })

  it('turns bar and worst run round where more is better', () => {
    const asked = { question: 'q', unit: '%', samples: [100, 100, 99], limit: 100, more: true } as const
    const byMedian = figure('b', asked)
    assert.deepEqual([byMedian.worst, byMedian.bar, byMedian.met], [99, 'median ≥ 100 %', true])
    assert.equal(figure('b', { ...asked, judge: 'worst' }).met, false)
  })

  it('has null for what is absent', () => {
    const { rival, theirs, limit, bar, met } = figure('b', { question: 'q', unit: 'ms', samples: [1] })
    assert.deepEqual([rival, theirs, limit, bar, met], [null, null, null, null, null])
    const beside = figure('b', { question: 'q', unit: 'ms', samples: [1], rival: 'serf', rivalSamples: [] })
    assert.deepEqual([beside.rival, beside.theirs], ['serf', null])
  })

  it('says neither yes nor no where nothing could be measured', () => {
    const { ours, worst, limit, met, runs } = figure('b', {
      question: 'q',
      unit: 'ms',
      samples: [],
      limit: 10,
    })
    assert.deepEqual([ours, worst, limit, met, runs], [null, null, 10, null, 0])
  })

  it('shows in a table that a bar was missed', () => {
    const missed = figure('b', { question: 'how fast', unit: 'ms', samples: [20], limit: 10 })
    assert.match(table([missed]), /how fast\s+ms\s+20\s+20\s+–\s+–\s+median ≤ 10 ms\s+NO\s+1/)
  })
})
