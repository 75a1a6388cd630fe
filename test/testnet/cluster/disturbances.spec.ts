import assert from 'node:assert/strict'
import { mend } from '../../../testnet/cluster/disturbances.ts'

describe('a network that is mended', () => {
  it('must have dropped something before: otherwise nothing was tried', async () => {
    await assert.rejects(mend({ mend: async () => 0 }), {
      code: 'ERR_TESTNET',
      message: /no packet fell to what is mended/,
    })
    const { figures, text } = await mend({ mend: async () => 17 })
    assert.deepEqual(figures, { packets: 17 })
    assert.match(text, /17 packets were dropped/)
  })
})
