import assert from 'node:assert/strict'
import { MembershipTally } from '../../daemon/membership-tally.ts'
import type { MemberChange, MemberView } from '../../lib/index.ts'
import { ids, view } from './support/fake-peer.ts'

describe('the tally of membership', () => {
  type Step = readonly [change: MemberChange, fields: Partial<MemberView>]
  const run = (...steps: readonly Step[]): MembershipTally => {
    const tally = new MembershipTally()
    for (const [change, fields] of steps) tally.changed(change, view(ids[1], 'm1', fields))
    return tally
  }
  const suspect: Step = ['suspect', { status: 'suspect' }]
  const stalled: Step = ['stalled', { status: 'stalled' }]
  const dead: Step = ['dead', { status: 'dead' }]
  const alive: Step = ['alive', {}]
  const figures = ({ falseSuspicions, falseDeaths }: MembershipTally) => [falseSuspicions, falseDeaths]

  it('takes a suspect that lives for a false alarm', () => {
    assert.deepEqual(figures(run(suspect, alive, suspect, alive)), [2, 0])
  })

  it('takes one that stalled for none, and one that was called dead for a false death', () => {
    assert.deepEqual(figures(run(suspect, stalled, alive)), [0, 0])
    assert.deepEqual(figures(run(suspect, stalled, dead, alive)), [0, 1])
    assert.deepEqual(figures(run(suspect, dead, suspect, alive)), [0, 1])
  })

  it('takes a newer life for no proof of the one before', () => {
    assert.deepEqual(figures(run(suspect, ['restarted', { generation: 2 }])), [0, 0])
    const next: Step = ['suspect', { generation: 2, status: 'suspect' }]
    assert.deepEqual(figures(run(dead, next, ['alive', { generation: 2 }])), [1, 0])
  })

  it('counts who was forced to leave, and every change of others by its kind', () => {
    const tally = run(
      suspect,
      dead,
      ['left', { status: 'left', reason: 'dismissed' }],
      ['reaped', { status: 'left' }],
      ['left', { status: 'left', reason: 'leaving' }],
      ['updated', { self: true }],
    )
    assert.equal(tally.dismissed, 1)
    assert.deepEqual(tally.changes, { suspect: 1, dead: 1, left: 2, reaped: 1 })
    assert.deepEqual(figures(run(dead, ['reaped', { status: 'dead' }], alive)), [0, 0])
  })
})
