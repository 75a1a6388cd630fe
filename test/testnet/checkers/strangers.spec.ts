import assert from 'node:assert/strict'
import { checkStrangers } from '../../../testnet/checkers/strangers.ts'
import { bounds, properties, returned } from './histories.ts'

describe('the strangers checker', () => {
  it('accepts members only', () => {
    assert.deepEqual(properties(checkStrangers(returned().events, bounds)), [])
  })

  it('rejects a row for somebody who was never started, whatever it says', () => {
    for (const status of ['alive', 'suspect', 'dead', 'left'] as const) {
      const history = returned().view(5000, 'a', 'x', status, 1, 0)
      assert.deepEqual(properties(checkStrangers(history.events, bounds)), ['no-strangers'])
    }
  })
})
