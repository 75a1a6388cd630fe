import assert from 'node:assert/strict'
import { crowdDefaults, runCrowd } from '../../../testnet/sim/membership/crowd.ts'

/** A thousand for ten minutes is `npm run sim -- --protocol membership --members 1000 --minutes 10`. */
describe('a crowd of simulated members', function () {
  this.timeout(120_000)

  it('on rings keeps what it promises under churn and loss, and idles on less than a kilobyte a second', () => {
    const run = runCrowd({ ...crowdDefaults, members: 120, minutes: 2, churn: 0.1 })
    assert.deepEqual(run.violations, [])
    assert.ok(run.figures.detections.length > 0)
    assert.notEqual(run.figures.agreedAfterMs, undefined)
    assert.ok(run.figures.idleFramedBytes < 1000, `${run.figures.idleFramedBytes}`)
  })

  it('has one view again after some of it were killed, and others cut off for a minute', () => {
    const run = runCrowd({ ...crowdDefaults, members: 100, split: true, loss: 0 })
    assert.deepEqual(run.violations, [])
    assert.notEqual(run.figures.lossAgreedMs, undefined)
    assert.notEqual(run.figures.healAgreedMs, undefined)
  })
})
