import assert from 'node:assert/strict'
import { type Asked, type Found, planCluster } from '../../daemon/cluster-plan.ts'
import type { Invite } from '../../daemon/invite.ts'

const secret = new Uint8Array(32).fill(1)
const otherSecret = new Uint8Array(32).fill(2)
const empty: Found = { saved: undefined, secret: undefined, hasStore: false }
const member: Found = {
  saved: { cluster: 'shop', contacts: ['/ip4/192.0.2.1/tcp/1'] },
  secret,
  hasStore: true,
}
const nothing: Asked = { cluster: undefined, invite: undefined, join: [], mdns: false }
const invite: Invite = { cluster: 'shop', secret, addresses: ['/ip4/192.0.2.2/tcp/2'], inviter: 'x' }

describe('which cluster a start is about', () => {
  it('founds one on an empty directory, under the name that was asked for', () => {
    assert.deepEqual(planCluster(empty, nothing), { type: 'found', saved: { cluster: 'p2pd', contacts: [] } })
    const named = planCluster(empty, { ...nothing, cluster: 'shop' })
    assert.deepEqual(named, { type: 'found', saved: { cluster: 'shop', contacts: [] } })
  })

  it('never founds one when it was told to join', () => {
    const join = ['/ip4/192.0.2.3/tcp/3']
    assert.throws(() => planCluster(empty, { ...nothing, join }), { code: 'ERR_NO_SECRET' })
    assert.throws(() => planCluster({ ...empty, saved: member.saved }, { ...nothing, join }), {
      code: 'ERR_NO_SECRET',
    })
  })

  it('never founds one in place of a cluster whose secret was lost', () => {
    assert.throws(() => planCluster({ ...member, secret: undefined }, nothing), { code: 'ERR_NO_SECRET' })
    assert.equal(planCluster({ ...member, secret: undefined }, { ...nothing, invite }).type, 'join')
  })

  it('begins again after a founding that was interrupted before there was a secret', () => {
    const interrupted: Found = {
      saved: { cluster: 'half', contacts: [] },
      secret: undefined,
      hasStore: false,
    }
    assert.deepEqual(planCluster(interrupted, nothing), {
      type: 'found',
      saved: { cluster: 'p2pd', contacts: [] },
    })
  })

  it('joins by an invite, and remembers its addresses', () => {
    assert.deepEqual(planCluster(empty, { ...nothing, invite }), {
      type: 'join',
      secret,
      saved: { cluster: 'shop', contacts: invite.addresses },
    })
  })

  it('does not join where it has nobody to ask, and would take itself for the first', () => {
    const unaddressed = { ...invite, addresses: [] }
    assert.throws(() => planCluster(empty, { ...nothing, invite: unaddressed }), { code: 'ERR_NO_CONTACTS' })
    assert.equal(planCluster(empty, { ...nothing, invite: unaddressed, mdns: true }).type, 'join')
    const join = ['/dns/m2.example/tcp/1']
    assert.deepEqual(planCluster(empty, { ...nothing, invite: unaddressed, join }), {
      type: 'join',
      secret,
      saved: { cluster: 'shop', contacts: join },
    })
    assert.equal(planCluster(member, { ...nothing, invite: unaddressed }).type, 'resume')
  })

  it('resumes without a word, and adds what it is told to dial', () => {
    const join = ['/ip4/192.0.2.3/tcp/3']
    assert.deepEqual(planCluster(member, nothing), { type: 'resume', secret, saved: member.saved })
    assert.deepEqual(planCluster(member, { ...nothing, invite, join }), {
      type: 'resume',
      secret,
      saved: { cluster: 'shop', contacts: [...join, ...invite.addresses, '/ip4/192.0.2.1/tcp/1'] },
    })
  })

  it('takes a secret that was put there by hand, with the name that was asked for', () => {
    const byHand = { ...empty, secret }
    assert.deepEqual(planCluster(byHand, { ...nothing, cluster: 'shop', join: ['/ip4/192.0.2.3/tcp/3'] }), {
      type: 'resume',
      secret,
      saved: { cluster: 'shop', contacts: ['/ip4/192.0.2.3/tcp/3'] },
    })
  })

  it('refuses another cluster, by name or by secret, however it is asked for', () => {
    const asked: Asked[] = [
      { ...nothing, cluster: 'other' },
      { ...nothing, invite: { ...invite, cluster: 'other' } },
      { ...nothing, invite: { ...invite, secret: otherSecret } },
      { ...nothing, invite, cluster: 'other' },
    ]
    for (const one of asked) assert.throws(() => planCluster(member, one), { code: 'ERR_OTHER_CLUSTER' })
    const mismatch = { ...nothing, invite, cluster: 'other' }
    assert.throws(() => planCluster(empty, mismatch), { code: 'ERR_OTHER_CLUSTER' })
  })
})
