import assert from 'node:assert/strict'
import { renderChange, renderMembers } from '../../bin/commands/members.ts'
import { renderPeers } from '../../bin/commands/peers-list.ts'
import { renderReply, renderSummary, summarise } from '../../bin/commands/ping.ts'
import { renderReachability } from '../../bin/commands/reachability.ts'
import { renderStatus } from '../../bin/commands/status.ts'
import { plain } from '../../bin/style.ts'
import type { MemberRow, ReachabilityRow, StatusAnswer } from '../../daemon/control/schemas.ts'

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
    {
      name: 'who was forced to leave, and by whom',
      fields: { status: 'left', reason: 'dismissed', accusers: [idB] },
      shows: /left \(dismissed\).* 12D3KooWBBBB/,
    },
    {
      name: 'who stalls',
      fields: { status: 'suspect', detail: 'stalled' },
      shows: /suspect \(stalled\)/,
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

  it('has tags where somebody has some, and who says what where somebody is accused', () => {
    const rows = [
      memberRow({ self: true, tags: { zone: 'eu 1', role: 'web' } }),
      memberRow({ peerId: idB, name: 'm2' }),
      memberRow({ peerId: idC, name: 'm3', status: 'dead', accusers: [idA, idB] }),
    ]
    const names = new Map([
      [idA, 'm1'],
      [idB, 'm2'],
    ])
    assert.deepEqual(
      renderMembers(rows, 0, plain, (id) => names.get(id) ?? id).map((line) => line.slice(63)),
      [
        'SINCE  INCARNATION  TAGS                  SAID BY',
        '0s     1            role=web,zone="eu 1"',
        '0s     1',
        '0s     1                                  m1, m2',
      ],
    )
    const many = memberRow({ status: 'suspect', accusers: [idA, idB, idC, idA, idB] })
    assert.match(renderMembers([many], 0, plain)[1] ?? '', new RegExp(`${idA}, ${idB}, ${idC} \\+2$`))
  })

  it('does without what matters least where the screen is narrow', () => {
    const row = memberRow({ status: 'dead', tags: { role: 'web' }, accusers: [idB] })
    const titles = (width?: number) =>
      (renderMembers([row], 0, plain, () => 'm2', width)[0] ?? '').split(/ {2,}/).join(' ')
    assert.equal(titles(), 'NAME ID STATUS ADDRESS RTT SINCE INCARNATION TAGS SAID BY')
    assert.equal(titles(82), 'NAME ID STATUS ADDRESS RTT SINCE TAGS SAID BY')
    assert.equal(titles(81), 'NAME ID STATUS RTT SINCE TAGS SAID BY')
    assert.equal(titles(10), 'NAME ID STATUS SINCE TAGS SAID BY')
  })

  it('marks names that two living members bear, and no name of the dead', () => {
    const rows = [
      memberRow({ self: true }),
      memberRow({ peerId: idB, status: 'suspect' }),
      memberRow({ peerId: idC, name: 'm3' }),
      memberRow({ peerId: idC, name: 'm3', status: 'dead' }),
    ]
    assert.deepEqual(
      renderMembers(rows, 0, plain).map((line) => line.split('  ')[0]),
      ['NAME', 'm1 (self, name conflict)', 'm1 (name conflict)', 'm3', 'm3'],
    )
  })

  it('of nobody is its header', () => assert.equal(renderMembers([], 0, plain).length, 1))

  it('has a line for a change', () => {
    assert.equal(
      renderChange(memberRow({ status: 'dead' }), [idA], new Date(0)),
      '1970-01-01T00:00:00.000Z  m1  12D3KooWAAAA  dead  /ip4/192.0.2.1/tcp/4001  incarnation 1',
    )
    const fields: Partial<MemberRow> = {
      status: 'dead',
      detail: 'reaped',
      tags: { role: 'db' },
      accusers: [idB],
    }
    assert.match(
      renderChange(memberRow(fields), [idA], new Date(0), () => 'm2'),
      / {2}dead \(reaped\) {2}.* {2}incarnation 1 {2}role=db {2}says m2$/,
    )
  })
})

describe('the report of reachability', () => {
  const path = { address: '/ip4/192.0.2.2/tcp/4001', direction: 'inbound', dialled: false } as const
  const row: ReachabilityRow = {
    ...{ peerId: idA, name: 'm1', status: 'alive', detail: null, since: 0, accusers: [] },
    ...{ rttMs: null, path: null, why: null },
  }
  const nameOf = (id: string) => (id === idB ? 'm2' : id)

  it('says how fast and by which connection, and of the others why', () => {
    const members: ReachabilityRow[] = [
      { ...row, rttMs: 0.5, path, why: null },
      { ...row, peerId: idB, name: 'm2', rttMs: 20, path: { ...path, dialled: true }, why: null },
      {
        ...row,
        peerId: idC,
        name: 'm3',
        status: 'suspect',
        detail: 'stalled',
        accusers: [idB],
        rttMs: null,
        path: null,
        why: 'unanswered',
      },
    ]
    assert.deepEqual(renderReachability({ asked: 3, answered: 2, gone: 1, members }, 61_000, plain, nameOf), [
      'NAME  ID            STATUS             RTT     BY',
      'm1    12D3KooWAAAA  alive              0.50ms  inbound /ip4/192.0.2.2/tcp/4001',
      'm2    12D3KooWBBBB  alive              20.0ms  dialled /ip4/192.0.2.2/tcp/4001',
      'm3    12D3KooWCCCC  suspect (stalled)  none    its machine answers, its process does not; suspect for 1m by m2',
      '3 asked, 2 answered; 1 dead or left was not asked',
    ])
  })

  it('is one sentence where nobody else is a member', () => {
    const report = (gone: number) =>
      renderReachability({ asked: 0, answered: 0, gone, members: [] }, 0, plain, nameOf)
    assert.deepEqual(report(0), ['nobody else is a member'])
    assert.deepEqual(report(2), ['nobody else is a member; 2 dead or left were not asked'])
  })

  it('passes on a reason that it does not know, and a connection that has closed', () => {
    const members = [
      { ...row, rttMs: null, path: null, why: 'too many pings at once' },
      { ...row, peerId: idB, rttMs: 1, path: null, why: null },
    ]
    const [, first, second, last] = renderReachability(
      { asked: 2, answered: 1, gone: 0, members },
      0,
      plain,
      nameOf,
    )
    assert.match(first ?? '', / none {4}too many pings at once$/)
    assert.match(second ?? '', / 1\.00ms {2}a connection that has closed since$/)
    assert.equal(last, '2 asked, 1 answered')
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

const well = { score: 0, isolated: false, loopLagMs: 3, loopLagMaxMs: 40 }

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
    health: well,
    tags: {},
    members: { alive: 3, suspect: 1, dead: 2, left: 0 },
    stalled: 0,
    nameConflicts: [],
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
    { fields: { health: { ...well, score: 3 } }, shows: 'health     slow: 3 of 8' },
    { fields: { health: { ...well, loopLagMs: 1500 } }, shows: 'health     slow: 0 of 8, timers 1.5s late' },
    {
      fields: { health: { ...well, score: 3, isolated: true } },
      shows: 'health     isolated: no bytes from anybody',
    },
    { fields: { tags: { zone: 'eu-1', role: 'web' } }, shows: 'tags       role=web,zone=eu-1' },
    { fields: { stalled: 1 }, shows: 'members    3 alive, 1 suspect (1 stalled), 2 dead, 0 left' },
    {
      fields: { nameConflicts: [{ name: 'm2', peers: [idB, idC] }] },
      shows: '           2 members are called m2: 12D3KooWBBBB, 12D3KooWCCCC',
    },
    {
      fields: { nameConflicts: Array(4).fill({ name: 'm2', peers: [idB, idC] }) },
      shows: '           and 1 more such names: see --json',
    },
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
