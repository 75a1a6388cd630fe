import assert from 'node:assert/strict'
import { type MulticastRun, runMulticast } from '../../../testnet/sim/multicast/run.ts'
import { multicastMutants } from '../../mutants/multicast.ts'
import { describeRun } from './describe-run.ts'

/** A mutant has to be caught within so many seeds. */
const seeds = 500

/** Where each was caught last; a change to the protocol moves that, and then the search begins anew. */
const caughtAt: Readonly<Record<string, number>> = {
  'no-dependency-check': 1,
  'no-predecessor-check': 1,
  'no-chain-check': 22,
  'predecessor-stays-maximal': 1,
  'predecessor-not-merged': 1,
  'no-lamport-check': 13,
  'empty-baseline-frontier': 5,
  'supersedes-own-log-only': 1,
  'message-id-over-header': 8,
}

describe('mutants of multicast', function () {
  this.timeout(300_000)

  for (const mutant of multicastMutants) {
    it(`are caught when ${mutant.mistake}`, () => {
      const caught = (seed: number): MulticastRun | undefined => {
        const run = runMulticast(seed, { mutant })
        return run.violations.length > 0 ? run : undefined
      }
      let seed = caughtAt[mutant.name] ?? 1
      for (let next = 1; caught(seed) === undefined; next++) {
        assert.ok(next <= seeds, `no seed up to ${seeds} catches it`)
        seed = next
      }
      // Caught for its mistake, and not because the seed is broken anyway.
      const clean = runMulticast(seed)
      assert.deepEqual(clean.violations, [], describeRun('multicast', seed, clean))
    })
  }
})
