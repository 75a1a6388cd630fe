import assert from 'node:assert/strict'
import type { HistoryEvent } from '../../../testnet/checkers/history.ts'
import { checkProhibitions } from '../../../testnet/checkers/prohibitions.ts'

const row = { type: 'view', observer: 'a', generation: 1, incarnation: 0 } as const
const history: readonly HistoryEvent[] = [
  { at: 0, type: 'killed', peer: 'b' },
  { at: 1, ...row, subject: 'b', status: 'suspect' },
  { at: 2, ...row, subject: 'b', status: 'dead' },
  { at: 3, ...row, subject: 'c', status: 'suspect' },
]

const times = (...args: Parameters<typeof checkProhibitions>) =>
  checkProhibitions(...args).map(({ at }) => at)

describe('what a scenario forbids', () => {
  it('may not be shown of anybody, whatever excuses there are', () => {
    assert.deepEqual(times(history, [{ status: 'suspect' }]), [1, 3])
    assert.deepEqual(times(history, [{ status: 'left' }]), [])
  })

  it('may not be shown of the one that it names, and of others it may', () => {
    assert.deepEqual(times(history, [{ status: 'suspect', peer: 'c' }]), [3])
    assert.deepEqual(times(history, [{ status: 'dead', peer: 'c' }]), [])
  })

  it('is told with who shows what', () => {
    const [violation] = checkProhibitions(history, [{ status: 'dead', peer: 'b' }])
    assert.match(
      violation?.message ?? '',
      /^a shows b dead at generation 1, incarnation 0, which this scenario/,
    )
  })
})
