import assert from 'node:assert/strict'
import { runMutex } from '../../../testnet/sim/mutex/run.ts'
import { describeRun } from './describe-run.ts'

/** Beyond this, `npm run sim` goes on; here is what every commit has to pass. */
const seeds = 200

describe('locks in a simulated cluster', function () {
  this.timeout(300_000)

  it(`hold what they promise over ${seeds} seeds of faults, drift, lost disks and changing voters`, () => {
    const broken: string[] = []
    const sums = { entries: 0, versions: 0, hopeless: 0 }
    for (let seed = 1; seed <= seeds; seed++) {
      const run = runMutex(seed)
      if (run.violations.length > 0) broken.push(describeRun('mutex', seed, run))
      sums.entries += run.figures.entries
      sums.versions += run.figures.versions
      sums.hopeless += run.figures.hopeless
    }
    assert.deepEqual(broken, [])
    // That the runs were about something.
    assert.ok(sums.entries > 50 * seeds && sums.versions > 2 * seeds, JSON.stringify(sums))
  })

  it('repeat a seed step by step, and no other', () => {
    const hashes = [1, 2, 3].map((seed) => runMutex(seed).traceHash)
    assert.deepEqual(
      [1, 2, 3].map((seed) => runMutex(seed).traceHash),
      hashes,
    )
    assert.equal(new Set(hashes).size, 3)
  })

  it('ask neither the clock of this machine nor its randomness', () => {
    const expected = runMutex(4).traceHash
    const { random } = Math
    const { now } = Date
    const forbidden = (): never => {
      throw new Error('not in a simulation')
    }
    Math.random = forbidden
    Date.now = forbidden
    try {
      assert.equal(runMutex(4).traceHash, expected)
    } finally {
      Math.random = random
      Date.now = now
    }
  })

  it('are not changed by being told in words', () => {
    const lines: string[] = []
    const told = runMutex(5, { log: (_at, line) => lines.push(line) })
    assert.equal(told.traceHash, runMutex(5).traceHash)
    assert.ok(lines.some((line) => line.startsWith('start m0')))
    assert.ok(lines.some((line) => / enters .* with token \d+/.test(line)))
  })
})
