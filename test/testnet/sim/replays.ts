import assert from 'node:assert/strict'
import type { Violation } from '../../../testnet/checkers/history.ts'

interface Run {
  readonly traceHash: string
  readonly violations: readonly Violation[]
}

interface Init {
  readonly log?: (atMs: number, line: string) => void
}

/** What every simulated protocol owes to whoever replays a seed; among the words of its story is `tells`. */
export function itReplays(run: (seed: number, init?: Init) => Run, tells: RegExp): void {
  it('repeats a seed step by step, and no other', () => {
    const hashes = [1, 2, 3].map((seed) => run(seed).traceHash)
    assert.deepEqual(
      [1, 2, 3].map((seed) => run(seed).traceHash),
      hashes,
    )
    assert.equal(new Set(hashes).size, 3)
  })

  it('asks neither the clock of this machine nor its randomness', () => {
    const expected = run(4).traceHash
    const { random } = Math
    const { now } = Date
    const forbidden = (): never => {
      throw new Error('not in a simulation')
    }
    Math.random = forbidden
    Date.now = forbidden
    try {
      const again = run(4)
      assert.deepEqual(again.violations, [])
      assert.equal(again.traceHash, expected)
    } finally {
      Math.random = random
      Date.now = now
    }
  })

  it('is not changed by being told in words', () => {
    const lines: string[] = []
    const told = run(5, { log: (_at, line) => lines.push(line) })
    assert.equal(told.traceHash, run(5).traceHash)
    assert.ok(lines.some((line) => line.startsWith('start m0')))
    assert.ok(lines.some((line) => tells.test(line)))
  })
}
