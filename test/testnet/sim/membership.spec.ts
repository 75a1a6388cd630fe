import assert from 'node:assert/strict'
import { runMembership } from '../../../testnet/sim/membership/run.ts'
import { membershipMutants } from '../../mutants/membership.ts'
import { describeRun } from './describe-run.ts'

/** Beyond this, `npm run sim` goes on; here is what every commit has to pass. */
const seeds = 200

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

  it('repeats a seed step by step, and no other', () => {
    const hashes = [1, 2, 3].map((seed) => runMembership(seed).traceHash)
    assert.deepEqual(
      [1, 2, 3].map((seed) => runMembership(seed).traceHash),
      hashes,
    )
    assert.equal(new Set(hashes).size, 3)
  })

  it('asks neither the clock of this machine nor its randomness', () => {
    const expected = runMembership(4).traceHash
    const { random } = Math
    const { now } = Date
    const forbidden = (): never => {
      throw new Error('not in a simulation')
    }
    Math.random = forbidden
    Date.now = forbidden
    try {
      const run = runMembership(4)
      assert.deepEqual(run.violations, [])
      assert.equal(run.traceHash, expected)
    } finally {
      Math.random = random
      Date.now = now
    }
  })

  it('is not changed by being told in words', () => {
    const lines: string[] = []
    const told = runMembership(5, { log: (_at, line) => lines.push(line) })
    assert.equal(told.traceHash, runMembership(5).traceHash)
    assert.ok(lines.some((line) => line.startsWith('start m0')))
  })

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
