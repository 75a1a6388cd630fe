import assert from 'node:assert/strict'
import { type MutexRun, runMutex } from '../../../testnet/sim/mutex/run.ts'
import { mutexMutants } from '../../mutants/mutex.ts'
import { describeRun } from './describe-run.ts'

/** A mutant has to be caught within so many seeds. */
const seeds = 1500

/** Where each was caught last; a change to the protocol moves that, and then the search begins anew. */
const caughtAt: Readonly<Record<string, number>> = {
  'quorum-from-view': 6,
  'naive-token': 2,
  'no-abstention': 2,
  'lease-from-grant': 718,
  'lease-from-receipt': 718,
  'lease-from-last-ping': 63,
  'clocks-not-merged': 1,
  'sends-before-sync': 3,
  'inquire-not-repeated': 20,
  'grant-numbers-repeat': 2,
  'one-reported-vote-blocks': 264,
  'abstainer-reports-none': 39,
  'serves-before-installing': 2,
  'seal-not-durable': 2,
  'sealed-voter-confirms': 133,
  'maxima-not-transferred': 3,
  'renewal-overrides': 1299,
  'forgets-inherited': 495,
  'promise-not-durable': 2,
  'accept-not-durable': 4,
  'seals-without-ready': 51,
  'granted-not-durable': 51,
  'dissolves-both': 72,
  'clean-mark-kept': 28,
  'grants-after-snapshot': 82,
  'no-stamp': 60,
}

describe('mutants of locks', function () {
  this.timeout(300_000)

  for (const mutant of mutexMutants) {
    it(`are caught when ${mutant.mistake}`, () => {
      const caught = (seed: number): MutexRun | undefined => {
        const run = runMutex(seed, { mutant })
        return run.violations.length > 0 ? run : undefined
      }
      let seed = caughtAt[mutant.name] ?? 1
      for (let next = 1; caught(seed) === undefined; next++) {
        assert.ok(next <= seeds, `no seed up to ${seeds} catches it`)
        seed = next
      }
      // Caught for its mistake, and not because the seed is broken anyway.
      const clean = runMutex(seed)
      assert.deepEqual(clean.violations, [], describeRun('mutex', seed, clean))
    })
  }
})
