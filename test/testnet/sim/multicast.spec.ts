import assert from 'node:assert/strict'
import { runMulticast } from '../../../testnet/sim/multicast/run.ts'
import { multicastMutants } from '../../mutants/multicast.ts'
import { describeRun } from './describe-run.ts'
import { itReplays } from './replays.ts'

/** Beyond this, `npm run sim` goes on; here is what every commit has to pass. */
const seeds = 40

describe('multicast in simulated groups', function () {
  this.timeout(300_000)

  it(`holds what it promises over ${seeds} seeds of faults and lies`, () => {
    const broken: string[] = []
    const sums = { messages: 0, deliveries: 0, truncated: 0 }
    for (let seed = 1; seed <= seeds; seed++) {
      const run = runMulticast(seed)
      if (run.violations.length > 0) broken.push(describeRun('multicast', seed, run))
      sums.messages += run.figures.messages
      sums.deliveries += run.figures.deliveries
      sums.truncated += run.figures.truncated
    }
    assert.deepEqual(broken, [])
    // That the runs were about something.
    assert.ok(sums.messages > 30 * seeds && sums.deliveries > 150 * seeds, JSON.stringify(sums))
    assert.ok(sums.truncated > 0)
  })

  itReplays(runMulticast, /^m\d+ delivers m\d+#\d+:1 lamport/)

  it('names members by their short names in what it reports', () => {
    const mutant = multicastMutants.find(({ name }) => name === 'no-dependency-check')
    const [first] = runMulticast(1, { mutant }).violations
    assert.match(first?.message ?? '', /^m\d/)
  })
})
