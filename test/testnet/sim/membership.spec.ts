import assert from 'node:assert/strict'
import { runMembership } from '../../../testnet/sim/membership/run.ts'
import { membershipMutants } from '../../mutants/membership.ts'
import { describeRun } from './describe-run.ts'
import { itReplays } from './replays.ts'

/** Beyond this, `npm run sim` goes on; here is what every commit has to pass. */
const seeds = 40

describe('membership in simulated clusters', function () {
  this.timeout(300_000)

  it(`holds what it promises over ${seeds} seeds of faults and lies`, () => {
    const broken: string[] = []
    for (let seed = 1; seed <= seeds; seed++) {
      const run = runMembership(seed)
      if (run.violations.length > 0) broken.push(describeRun('membership', seed, run))
    }
    assert.deepEqual(broken, [])
  })

  itReplays(runMembership, /^m\d+: m\d+ joined/)

  it('names members by their short names in what it reports', () => {
    const mutant = membershipMutants.find(({ name }) => name === 'incarnation-not-persisted')
    let messages: readonly string[] = []
    // Which seeds show it moves with every change to the protocol.
    for (let seed = 1; messages.length === 0 && seed <= 100; seed++) {
      messages = runMembership(seed, { mutant }).violations.map(({ message }) => message)
    }
    assert.match(messages[0] ?? '', /^m\d/)
  })
})
