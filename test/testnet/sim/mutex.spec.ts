import assert from 'node:assert/strict'
import { runMutex } from '../../../testnet/sim/mutex/run.ts'
import { describeRun } from './describe-run.ts'
import { itReplays } from './replays.ts'

/** Beyond this, `npm run sim` goes on; here is what every commit has to pass. */
const seeds = 40

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

  itReplays(runMutex, / enters .* with token \d+/)
})
