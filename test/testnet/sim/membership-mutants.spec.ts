import assert from 'node:assert/strict'
import { type MembershipRun, runMembership } from '../../../testnet/sim/membership/run.ts'
import { membershipMutants } from '../../mutants/membership.ts'
import { describeRun } from './describe-run.ts'

/** A mutant has to be caught by one of so many seeds, from the one that caught it last. */
const seeds = 100

/**
 * Where each was caught last: most need a rare meeting of faults, and to look for
 * that in each run would take minutes. A change to the protocol moves it; then the
 * search goes on from there, and `npm run sim -- --protocol membership --seeds 500
 * --mutant NAME` tells a better place to begin.
 */
const caughtAt: Readonly<Record<string, number>> = {
  'no-refutation': 1,
  'no-suspicion': 13,
  'unsigned-accusations': 76,
  'one-accuser': 13,
  'refusals-outrank-bytes': 131,
  'incarnation-not-persisted': 1,
  'wall-clock-ages': 5,
  'wall-clock-generation': 5,
}

describe('mutants of membership', function () {
  this.timeout(300_000)

  for (const mutant of membershipMutants) {
    it(`are caught when ${mutant.mistake}`, () => {
      const caught = (seed: number): MembershipRun | undefined => {
        const run = runMembership(seed, { mutant })
        return run.violations.length > 0 ? run : undefined
      }
      const known = caughtAt[mutant.name] ?? 1
      let seed = known
      for (; caught(seed) === undefined; seed++) {
        assert.ok(seed < known + seeds, `no seed from ${known} to ${seed} catches it`)
      }
      // Caught for its mistake, and not because the seed is broken anyway.
      const clean = runMembership(seed)
      assert.deepEqual(clean.violations, [], describeRun('membership', seed, clean))
    })
  }
})
