import assert from 'node:assert/strict'
import { renderChange, renderMembers } from '../../bin/commands/members.ts'
import { renderPeers } from '../../bin/commands/peers-list.ts'
import { renderReply, renderSummary, summarise } from '../../bin/commands/ping.ts'
import { renderStatus } from '../../bin/commands/status.ts'
import { plain } from '../../bin/style.ts'
import type { MemberRow, StatusAnswer } from '../../daemon/control/schemas.ts'

const idA = '12D3KooWAAAAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'
const idB = '12D3KooWBBBBbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'
const idC = '12D3KooWCCCCcccccccccccccccccccccccccccccccccccccccc'

function memberRow(fields: Partial<MemberRow>): MemberRow {
  return {
    peerId: idA,
    name: 'm1',
    status: 'alive',
    incarnation: 1,
    addresses: ['/ip4/192.0.2.1/tcp/4001'],
    tags: {},
    groups: [],
    rttMs: null,
    since: 0,
    self: false,
    connected: true,
    generation: 1,
    version: '0.1.0',
    detail: null,
    reason: null,
    accusers: [],
    ...fields,
  }
}

describe('the membership table', () => {
  it('is sorted by name, aligned, and marks itself', () => {
    const rows = [
      memberRow({ peerId: idB, name: 'm2', status: 'suspect', rttMs: 0.42, since: 5000, incarnation: 12 }),
      memberRow({ self: true }),
    ]
    assert.deepEqual(renderMembers(rows, 65_000, plain), [
      'NAME       ID            STATUS   ADDRESS                  RTT     SINCE  INCARNATION',
      'm1 (self)  12D3KooWAAAA  alive    /ip4/192.0.2.1/tcp/4001  -       1m     1',
      'm2         12D3KooWBBBB  suspect  /ip4/192.0.2.1/tcp/4001  0.42ms  1m     12',
    ])
  })

  const lines: readonly { name: string; fields: Partial<MemberRow>; shows: RegExp }[] = [
    { name: 'who is still joining', fields: { detail: 'joining' }, shows: /alive \(joining\)/ },
    {
      name: 'who is about to leave',
      fields: { status: 'left', detail: 'leaving' },
      shows: /left \(leaving\)/,
    },
    {
      name: 'who stopped but stays',
      fields: { status: 'left', reason: 'stopping' },
      shows: /left \(stopped\)/,
    },
    { name: 'who left for good', fields: { status: 'left', reason: 'leaving' }, shows: /left {2}/ },
    { name: 'that there is no address', fields: { addresses: [] }, shows: /alive {3}- / },
    {
      name: 'an address that others can reach, how many more, and no id behind it',
      fields: { addresses: ['/ip4/127.0.0.1/tcp/1', `/ip4/192.0.2.9/tcp/1/p2p/${idA}`, '/ip6/::1/tcp/1'] },
      shows: / \/ip4\/192\.0\.2\.9\/tcp\/1 \+2 /,
    },
    {
      name: 'a loopback address where there is no other',
      fields: { addresses: ['/ip4/127.0.0.1/tcp/1'] },
      shows: / \/ip4\/127\.0\.0\.1\/tcp\/1 /,
    },
    { name: 'no age before zero where clocks differ', fields: { since: 9e12 }, shows: / 0s / },
  ]
  for (const { name, fields, shows } of lines) {
    it(`shows ${name}`, () => {
      assert.match(renderMembers([memberRow(fields)], 1000, plain)[1] ?? '', shows)
    })
  }

  it('of nobody is its header', () => assert.equal(renderMembers([], 0, plain).length, 1))

  it('has a line for a change', () => {
    assert.equal(
      renderChange(memberRow({ status: 'dead' }), [idA], new Date(0)),
      '1970-01-01T00:00:00.000Z  m1  12D3KooWAAAA  dead  /ip4/192.0.2.1/tcp/4001  incarnation 1',
    )
  })
})

const noQuorum: StatusAnswer['quorum'] = {
  version: 0,
  voters: [],
  reachable: false,
  missing: [],
  id: null,
  self: 'none',
  abstainsForMs: 0,
  void: null,
  conflict: null,
  change: null,
}
const threeVoters: StatusAnswer['quorum'] = {
  ...noQuorum,
  version: 2,
  voters: [idA, idB, idC],
  reachable: true,
  id: 'e1',
  self: 'serving',
}

const names = new Map([[idB, 'm2']])

describe('the status screen', () => {
  const status: StatusAnswer = {
    peerId: idA,
    name: 'm1',
    cluster: 'shop',
    clusterId: 'c',
    version: '0.1.0',
    addresses: ['/ip4/192.0.2.1/tcp/4001', '/ip6/::1/tcp/4001'],
    uptimeMs: 61_000,
    ready: true,
    pid: 42,
    generation: 1,
    rolledBack: false,
    health: { score: 0, isolated: false },
    members: { alive: 3, suspect: 1, dead: 2, left: 0 },
    quorum: noQuorum,
    locks: { held: 0, waiting: 0 },
    clock: { lamport: 12, hlc: '1700000000000.00001' },
    groups: [{ name: 'all', members: 3, delivered: 40, heldBack: 0 }],
    forks: [],
  }

  it('shows everything on one screen', () => {
    assert.deepEqual(renderStatus(status, plain), [
      'name       m1',
      `peer id    ${idA}`,
      'cluster    shop',
      'version    0.1.0',
      'uptime     1m, pid 42',
      'addresses  /ip4/192.0.2.1/tcp/4001',
      '           /ip6/::1/tcp/4001',
      'members    3 alive, 1 suspect, 2 dead, 0 left',
      'health     well',
      'quorum     none yet',
      'locks      none',
      'clock      lamport 12, hybrid 1700000000000.00001',
      'groups     all: 3 members, 40 delivered',
    ])
  })

  const lines: readonly { fields: Partial<StatusAnswer>; shows: string }[] = [
    { fields: { ready: false }, shows: 'health     starting' },
    { fields: { health: { score: 3, isolated: false } }, shows: 'health     slow: 3 of 8' },
    { fields: { health: { score: 3, isolated: true } }, shows: 'health     isolated: no bytes from anybody' },
    { fields: { addresses: [] }, shows: 'addresses  none' },
    { fields: { rolledBack: true }, shows: 'warning    this data directory was restored from a backup' },
    {
      fields: { quorum: { ...noQuorum, self: 'waiting' } },
      shows: 'quorum     none yet: waits for others',
    },
    {
      fields: { quorum: threeVoters },
      shows: 'quorum     3 voters, version 2, reachable; this one serving',
    },
    {
      fields: { quorum: { ...threeVoters, version: 1, voters: [idB], self: 'member', reachable: false } },
      shows: 'quorum     1 voter, version 1, not reachable',
    },
    {
      fields: { quorum: { ...threeVoters, self: 'abstaining', abstainsForMs: 61_000 } },
      shows: 'quorum     3 voters, version 2, reachable; this one abstaining for 1m',
    },
    {
      fields: { quorum: { ...threeVoters, missing: [idB, idC] } },
      shows: `           no answer from m2, ${idC}`,
    },
    {
      fields: {
        quorum: { ...threeVoters, change: { phase: 'sealing', voters: [idA, idB, idC, idA, idB] } },
      },
      shows: '           sealing a change to 5 voters',
    },
    {
      fields: { quorum: { ...threeVoters, self: 'void', void: 'rolled-back' } },
      shows: "           this peer does not vote: its disk went back; see 'p2pd voters'",
    },
    {
      fields: {
        quorum: { ...threeVoters, conflict: { code: 'ERR_ELECTORATE_CONFLICT', id: 'e2', peerId: idB } },
      },
      shows: '           m2 is of another electorate: a lock can be held once in each',
    },
    { fields: { locks: { held: 2, waiting: 1 } }, shows: 'locks      2 held, 1 waiting' },
    { fields: { groups: [] }, shows: 'groups     none' },
    {
      fields: { groups: [{ name: 'g', members: 1, delivered: 2, heldBack: 3 }] },
      shows: 'groups     g: 1 member, 2 delivered, 3 held back',
    },
    {
      fields: { groups: Array(11).fill({ name: 'g', members: 2, delivered: 0, heldBack: 0 }) },
      shows: "           and 3 more: 'p2pd groups' lists them",
    },
    {
      fields: { forks: Array(4).fill({ group: 'g', sender: idB, epoch: 1, seq: 2, hashes: ['a', 'b'] }) },
      shows: `fork       ${idB}#1 signed two contents for its message 2 in g`,
    },
    {
      fields: { forks: Array(4).fill({ group: 'g', sender: idB, epoch: 1, seq: 2, hashes: ['a', 'b'] }) },
      shows: '           and 1 more: see --json',
    },
  ]
  for (const { fields, shows } of lines) {
    it(`says: ${shows}`, () =>
      assert.ok(renderStatus({ ...status, ...fields }, plain, names).includes(shows)))
  }
})

describe('the report of a ping', () => {
  const target = { peerId: idA, name: 'm1' }

  it('counts the lost and says least, mean, most and deviation of the others', () => {
    const report = summarise(target, [1, null, 2, 3])
    assert.deepEqual(report, {
      ...target,
      sent: 4,
      received: 3,
      rttsMs: [1, null, 2, 3],
      minMs: 1,
      avgMs: 2,
      maxMs: 3,
      mdevMs: 0.667,
    })
    assert.deepEqual(renderSummary(report, 'm'), [
      '--- m1 ---',
      '4 sent, 3 received, 25% lost',
      'rtt min/avg/max/mdev = 1.00ms/2.00ms/3.00ms/0.67ms',
    ])
  })

  it('has no figures without an answer', () => {
    const report = summarise(undefined, [null])
    assert.equal(report.minMs, null)
    assert.deepEqual(renderSummary(report, 'm9'), ['--- m9 ---', '1 sent, 0 received, 100% lost'])
    assert.deepEqual(renderSummary(summarise(undefined, []), 'm9')[1], '0 sent, 0 received, 0% lost')
  })

  it('has a line for each round trip', () => {
    assert.equal(
      renderReply(2, { ...target, rttMs: 0.5 }, 'm'),
      'answer from m1 (12D3KooWAAAA): seq=2 time=0.50ms',
    )
    assert.equal(renderReply(3, undefined, 'm\n1'), 'no answer from m?1: seq=3')
  })
})

describe('the table of admissions', () => {
  it('is one sentence while nobody is named', () => {
    assert.deepEqual(renderPeers({ mode: 'secret', allowed: [], denied: [] }, plain), [
      'Whoever has the cluster secret may come in.',
    ])
  })

  it('names who is allowed and who is denied, with whole ids', () => {
    const allowed = [{ peerId: idA, name: 'm1', status: 'alive' as const }]
    const denied = [{ peerId: idB, name: null, status: null }]
    assert.deepEqual(renderPeers({ mode: 'list', allowed, denied }, plain), [
      'Only who is allowed here may come in.',
      'VERDICT  NAME  STATUS   PEER ID',
      `allowed  m1    alive    ${idA}`,
      `denied   -     unknown  ${idB}`,
    ])
  })
})
