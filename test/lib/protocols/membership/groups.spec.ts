import assert from 'node:assert/strict'
import { packetCodec } from '../../../../lib/protocols/membership/codec.ts'
import type { MemberRecord } from '../../../../lib/protocols/membership/messages.ts'
import { statementLimits } from '../../../../lib/protocols/membership/statements.ts'
import { WireError } from '../../../../lib/wire/errors.ts'
import { isGroupName } from '../../../../lib/wire/group-name.ts'
import { Lab, ScriptedPeer } from './lab.ts'

const changes = (lab: Lab) =>
  lab.events().flatMap((event) => (event.type === 'member' ? [[event.change, event.member.groups]] : []))

function peers<const Names extends readonly string[]>(...names: Names) {
  return names.map((name) => new ScriptedPeer(name)) as { [K in keyof Names]: ScriptedPeer }
}

describe('a group name', () => {
  it('is 1 to 64 characters of printable ASCII without space', () => {
    for (const name of ['a', 'all', '~!', '/x/y#1', 'x'.repeat(64)]) assert.ok(isGroupName(name), name)
    for (const name of ['', ' ', 'a b', 'a\n', 'é', '\u001b[2J', 'x'.repeat(65)]) {
      assert.ok(!isGroupName(name), JSON.stringify(name))
    }
  })
})

describe('the groups of a member', () => {
  it('stand in its record from the start, sorted and once each', () => {
    const lab = new Lab({ groups: ['chat', 'all', 'chat'] })
    const [a] = peers('a')
    lab.start()
    lab.connect(a)
    assert.deepEqual(lab.ownRecord().body.groups, ['all', 'chat'])
    assert.deepEqual(lab.own.groups, ['all', 'chat'])
  })

  it('change with a higher incarnation, on disk before it is told', () => {
    const lab = new Lab()
    const [a] = peers('a')
    lab.start()
    lab.connect(a)
    lab.run(100)
    lab.take()
    lab.command({ type: 'regroup', groups: ['chat', 'all'] })
    assert.equal(lab.effects[0]?.type, 'persist')
    assert.deepEqual(changes(lab), [['updated', ['all', 'chat']]])
    lab.run(100)
    assert.deepEqual(lab.ownRecord().body.groups, ['all', 'chat'])
    assert.equal(lab.ownRecord().body.incarnation, 1)
    lab.command({ type: 'regroup', groups: ['chat', 'all', 'all'] })
    assert.equal(lab.own.incarnation, 1, 'the same groups are no news')
    lab.command({ type: 'regroup', groups: [] })
    assert.deepEqual([lab.own.incarnation, lab.own.groups], [2, []])
  })

  it('reach the embedder of another member when they change', () => {
    const lab = new Lab()
    const [a, b] = peers('a', 'b')
    lab.start()
    lab.connect(a)
    lab.connect(b)
    lab.take()
    a.incarnation++
    const record = a.record({ groups: ['all', 'chat'] })
    lab.receive(b, b.packet({ type: 'gossip' }, [a.update({ record })]))
    assert.deepEqual(changes(lab), [['updated', ['all', 'chat']]])
    assert.deepEqual(lab.member(a)?.groups, ['all', 'chat'])
  })

  it('do not refute anything when they change here', () => {
    const lab = new Lab()
    const [a] = peers('a')
    lab.start()
    lab.connect(a)
    lab.take()
    lab.command({ type: 'regroup', groups: ['all'] })
    assert.ok(!lab.events().some((event) => event.type === 'refuted'))
    assert.equal(lab.core.health.score, 0)
  })

  for (const [how, change] of [
    ['are no proof against who accused it meanwhile', (i: number) => ({ groups: [`g${i}`] })],
    ['while a refutation is', () => ({})],
  ] as const) {
    it(how, () => {
      const lab = new Lab()
      const [a, b, c] = peers('a', 'b', 'c')
      lab.start()
      for (const peer of [a, b, c]) lab.connect(peer)
      const accuse = () => {
        const record = lab.core.members().find(({ peer }) => peer === b.id)
        assert.ok(record !== undefined)
        const current = b.record({ groups: record.groups })
        lab.receive(
          a,
          a.packet({ type: 'gossip' }, [b.update({ record: current, accusations: [a.accuse(current)] })]),
        )
      }
      for (let i = 1; i <= 3; i++) {
        accuse()
        assert.equal(lab.member(b)?.status, 'suspect')
        b.incarnation++
        lab.receive(b, b.packet({ type: 'gossip' }, [b.update({ record: b.record(change(i)) })]))
        assert.equal(lab.member(b)?.status, 'alive')
      }
      accuse()
      assert.equal(lab.member(b)?.status, 'groups' in change(1) ? 'suspect' : 'alive')
    })
  }
})

describe('groups beyond what a record may say', () => {
  const [a] = peers('a')
  const decode = (change: Partial<MemberRecord>) =>
    packetCodec.decode(
      packetCodec.encode({
        generation: 1,
        updates: [a.update({ record: a.record(change) })],
        body: { type: 'gossip' },
      }),
    )
  const many = (count: number) =>
    Array.from({ length: count }, (_, i) => `${String(i).padStart(3, '0')}${'x'.repeat(61)}`)

  it('are refused as malformed', () => {
    for (const groups of [
      many(257),
      ['b', 'a'],
      ['a', 'a'],
      [''],
      ['a b'],
      ['x'.repeat(65)],
      ['\u001b[2J'],
    ]) {
      assert.throws(() => decode({ groups }), WireError)
    }
  })

  it('are not said: that is a bug of the embedder', () => {
    const lab = new Lab()
    lab.start()
    for (const groups of [many(257), ['a b']]) {
      assert.throws(() => lab.command({ type: 'regroup', groups }), /beyond what a record may say/)
    }
  })

  it('are not reached by a record with everything else at its limit', () => {
    const full = {
      groups: many(256),
      addresses: Array(16).fill('x'.repeat(512)),
      name: 'n'.repeat(128),
      version: 'v'.repeat(64),
      generation: 2 ** 52,
      incarnation: 2 ** 52,
    }
    const { record } = decode(full).updates[0] ?? assert.fail()
    assert.ok(record.bytes.length <= statementLimits.recordBytes)
    assert.deepEqual(record.body.groups, full.groups)
  })
})

describe('asking for a whole view', () => {
  const syncs = (lab: Lab, to: ScriptedPeer) =>
    lab.sent(to).flatMap(({ body, updates }) => (body.type === 'sync' ? [{ ...body, updates }] : []))

  it('sends the own one to that member and asks for its, at most once a second', () => {
    const lab = new Lab({}, { syncIntervalMs: 60_000 })
    const [a, b] = peers('a', 'b')
    lab.start()
    lab.connect(a)
    lab.connect(b)
    lab.runWhile(2000, [a, b])
    lab.take()
    lab.command({ type: 'sync', peer: a.id })
    assert.deepEqual(
      syncs(lab, a).map(({ reply, updates }) => [reply, updates.map((update) => update.record.body.peer)]),
      [[true, ['b']]],
    )
    lab.runWhile(500, [a, b])
    lab.command({ type: 'sync', peer: a.id })
    assert.equal(syncs(lab, a).length, 1)
    lab.command({ type: 'sync', peer: b.id })
    assert.equal(syncs(lab, b).length, 1, 'another member is another matter')
    lab.runWhile(500, [a, b])
    lab.command({ type: 'sync', peer: a.id })
    assert.equal(syncs(lab, a).length, 2)
  })

  it('does nothing for a stranger, nor for a member without a connection', () => {
    const lab = new Lab()
    const [a, b] = peers('a', 'b')
    lab.start()
    lab.connect(a)
    lab.run(2000)
    lab.command({ type: 'disconnected', peer: a.id, closedBy: 'local' })
    lab.command({ type: 'connected', peer: b.id })
    lab.take()
    for (const { id } of [a, b]) lab.command({ type: 'sync', peer: id })
    assert.deepEqual(lab.effects, [])
  })
})
