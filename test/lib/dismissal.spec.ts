import assert from 'node:assert/strict'
import { mayBeDismissed, untilDismissed } from '../../lib/dismissal.ts'
import type { MembersUpdate } from '../../lib/peer-events.ts'
import type { MemberStatus } from '../../lib/protocols/membership/messages.ts'
import { ids, view } from '../daemon/support/fake-peer.ts'

describe('the dismissal of a member', () => {
  const [peer, other] = ids
  const row = (status: MemberStatus) => view(peer, 'm1', { status })

  it('is for the dead, done for who has left, and refused for everybody else', () => {
    assert.equal(mayBeDismissed(peer, row('dead')), true)
    for (const status of ['left', 'leaving'] as const) assert.equal(mayBeDismissed(peer, row(status)), false)
    for (const status of ['joining', 'alive', 'suspect', 'stalled'] as const) {
      assert.throws(() => mayBeDismissed(peer, row(status)), { code: 'ERR_NOT_DEAD', hint: /./ })
    }
    assert.throws(() => mayBeDismissed(peer, { ...row('alive'), self: true }), { code: 'ERR_SELF' })
    assert.throws(() => mayBeDismissed(peer, undefined), { code: 'ERR_UNKNOWN_PEER' })
  })

  async function* told(...updates: readonly MembersUpdate[]): AsyncGenerator<MembersUpdate> {
    yield* updates
  }
  const snapshot: MembersUpdate = { type: 'snapshot', members: [view(other, 'm2'), row('dead')] }
  const change = (status: MemberStatus): MembersUpdate => ({
    type: 'member',
    change: 'updated',
    member: row(status),
  })
  const ended = () => new Error('ended')

  it('is over when the table says so, or has the row no more', async () => {
    const unrelated: MembersUpdate = {
      type: 'member',
      change: 'alive',
      member: view(other, 'm2', { status: 'left' }),
    }
    await untilDismissed(peer, told(snapshot, unrelated, change('dead'), change('left')), ended)
    await untilDismissed(
      peer,
      told(snapshot, { type: 'member', change: 'reaped', member: row('dead') }),
      ended,
    )
    await assert.rejects(untilDismissed(peer, told(snapshot, unrelated), ended), { message: 'ended' })
  })

  it('fails when the member comes back', async () => {
    await assert.rejects(untilDismissed(peer, told(snapshot, change('alive')), ended), {
      code: 'ERR_NOT_DEAD',
    })
  })
})
