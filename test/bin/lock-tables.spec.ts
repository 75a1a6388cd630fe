import assert from 'node:assert/strict'
import { renderLocks } from '../../bin/commands/locks.ts'
import { renderVoters } from '../../bin/commands/voters.ts'
import { formatLeft } from '../../bin/duration.ts'
import { plain } from '../../bin/style.ts'
import type { VotersAnswer } from '../../plugins/mutex/control/schemas.ts'

const nameOf = async (peerId: string) => `m${peerId}`

const voters: VotersAnswer = {
  id: '0123456789abcdef0123456789abcdef',
  version: 3,
  founder: '1',
  voters: [
    { peerId: '1', name: 'm1', answering: true },
    { peerId: '2', name: 'm2', answering: false },
  ],
  reachable: true,
  self: 'serving',
  abstainsForMs: 0,
  void: null,
  conflict: null,
  change: null,
  maxLeaseMs: 60_000,
  conflictingVotes: { count: 0, proofs: [] },
}

describe('the table of locks', () => {
  it('names who holds each, and who waits', async () => {
    const rows = [
      { name: 'deploy\n', holder: '1', token: 7, expiresInMs: 9240, waiters: ['2', '3'] },
      { name: 'free', holder: null, token: 0, expiresInMs: 250, waiters: [] },
    ]
    assert.deepEqual(await renderLocks(rows, nameOf, plain), [
      'LOCK     HOLDER  TOKEN  ENDS IN  WAITING',
      'deploy?  m1      7      9.3s     m2, m3',
      'free     nobody  -      250ms    nobody',
    ])
  })

  it('rounds what is left of a time up', () => {
    assert.deepEqual([0, 0.2, 999.5, 1000, 9949, 9951, 61_000].map(formatLeft), [
      '0ms',
      '1ms',
      '1000ms',
      '1.0s',
      '10.0s',
      '10s',
      '61s',
    ])
  })
})

describe('the table of voters', () => {
  it('says who votes, who answers, and how this peer stands', async () => {
    assert.deepEqual(await renderVoters(voters, nameOf, plain), [
      'electorate  0123456789abcdef0123456789abcdef, version 3, founded by m1',
      'quorum      answers',
      'this peer   votes',
      'VOTER  ANSWERS  PEER ID',
      'm1     yes      1',
      'm2     no       2',
    ])
  })

  it('says what is under way, and what is wrong', async () => {
    const signed = { bytes: '', signature: '' }
    const proof = { voter: '2', name: 'm2', lock: 'deploy', first: signed, second: signed }
    const lines = await renderVoters(
      {
        ...voters,
        reachable: false,
        self: 'void',
        void: 'lost',
        conflict: { id: 'ffff', peerId: '3', name: 'm3' },
        change: { phase: 'sealing', voters: ['1', '3'] },
        conflictingVotes: { count: 2, proofs: [proof, proof] },
      },
      nameOf,
      plain,
    )
    assert.deepEqual(lines.slice(1, 6), [
      'quorum      does not answer: nobody gets a lock',
      'this peer   does not vote until it is removed and added again: its disk was lost',
      'change      sealing: m1, m3',
      'conflict    ffff of m3: a lock can be held once in each',
      'warning     2 proofs that a voter signed contradictions: m2; see --json',
    ])
  })

  it('says for how long a voter abstains, and that there is no electorate', async () => {
    const abstaining: VotersAnswer = { ...voters, self: 'abstaining', abstainsForMs: 4200 }
    const [, , standing] = await renderVoters(abstaining, nameOf, plain)
    assert.equal(standing, 'this peer   a voter that votes for nobody yet, for 4.2s')
    assert.deepEqual(await renderVoters({ ...voters, id: null, self: 'waiting' }, nameOf, plain), [
      'no electorate: this peer waits to become a voter',
    ])
  })
})
