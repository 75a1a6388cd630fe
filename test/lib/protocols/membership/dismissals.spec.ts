import assert from 'node:assert/strict'
import { decodeKnownPeers, durableKeys } from '../../../../lib/protocols/membership/durable-state.ts'
import { Lab, ScriptedPeer } from './lab.ts'

function peers<const Names extends readonly string[]>(...names: Names) {
  return names.map((name) => new ScriptedPeer(name)) as { [K in keyof Names]: ScriptedPeer }
}

const gossip = { type: 'gossip' } as const

function started(...others: readonly ScriptedPeer[]): Lab {
  const lab = new Lab()
  lab.start()
  for (const peer of others) lab.connect(peer)
  return lab
}

/** What `by` says of `subject`: dead by two refusals, and dismissed where `dismissers` say so. */
function dead(subject: ScriptedPeer, by: readonly ScriptedPeer[], dismissers: readonly ScriptedPeer[] = []) {
  const record = subject.record()
  return subject.update({
    contact: false,
    accusations: [
      ...by.map((peer) => peer.accuse(record, { charge: 'refused' })),
      ...dismissers.map((peer) => peer.accuse(record, { charge: 'dismissed' })),
    ],
  })
}

function die(lab: Lab, subject: ScriptedPeer, by: readonly ScriptedPeer[]): void {
  lab.command({ type: 'disconnected', peer: subject.id, closedBy: 'local' })
  lab.runWhile(200, by)
  lab.receive(by[0] as ScriptedPeer, (by[0] as ScriptedPeer).packet(gossip, [dead(subject, by)]))
  lab.runWhile(200, by)
}

const dismissal = (lab: Lab, to: ScriptedPeer) =>
  lab
    .sent(to)
    .flatMap((packet) => packet.updates)
    .flatMap((update) => update.accusations)
    .find(({ body }) => body.charge === 'dismissed')

describe('a dismissal', () => {
  it('makes a dead member one that has left, and is told with its signature', () => {
    const [a, b, c] = peers('a', 'b', 'c')
    const lab = started(a, b, c)
    die(lab, a, [b, c])
    lab.take()
    lab.command({ type: 'dismiss', peer: a.id })
    const row = lab.member(a)
    assert.deepEqual([row?.status, row?.reason, row?.accusers], ['left', 'dismissed', [lab.self]])
    lab.runWhile(300, [b, c])
    const told = dismissal(lab, b)
    assert.deepEqual([told?.body.subject, told?.body.accuser, told?.body.incarnation], [a.id, lab.self, 0])
  })

  it('does nothing to the living, a suspect included, nor to a stranger', () => {
    const [a, b, c, stranger] = peers('a', 'b', 'c', 'x')
    const lab = started(a, b, c)
    lab.take()
    for (const peer of [a, stranger]) lab.command({ type: 'dismiss', peer: peer.id })
    assert.deepEqual(lab.effects, [])
    const record = a.record()
    lab.receive(b, b.packet(gossip, [a.update({ record, accusations: [b.accuse(record)] })]))
    lab.command({ type: 'dismiss', peer: a.id })
    assert.equal(lab.member(a)?.status, 'suspect')
    assert.equal(dismissal(lab, c), undefined)
  })

  it('by another member counts where the subject is dead, or dies a little later', () => {
    const [a, b, c, d] = peers('a', 'b', 'c', 'd')
    const lab = started(a, b, c, d)
    die(lab, a, [b, c])
    lab.receive(d, d.packet(gossip, [dead(a, [b, c], [d])]))
    assert.equal(lab.member(a)?.reason, 'dismissed')
    const later = started(a, b, c, d)
    later.receive(d, d.packet(gossip, [dead(a, [b], [d])]))
    assert.equal(later.member(a)?.status, 'suspect', 'which one accuser alone does not change')
    die(later, a, [b, c])
    assert.deepEqual([later.member(a)?.status, later.member(a)?.reason], ['left', 'dismissed'])
  })

  it('of somebody whom nobody accuses is not kept for later', () => {
    const [a, b, c, liar] = peers('a', 'b', 'c', 'x')
    const lab = started(a, b, c, liar)
    const record = a.record()
    const accusations = [liar.accuse(record, { charge: 'dismissed' })]
    lab.receive(liar, liar.packet(gossip, [a.update({ record, accusations })]))
    assert.equal(lab.member(a)?.status, 'alive')
    lab.command({ type: 'disconnected', peer: a.id, closedBy: 'local' })
    lab.runWhile(200, [b, c])
    lab.receive(b, b.packet(gossip, [dead(a, [b, c])]))
    lab.runWhile(200, [b, c])
    assert.equal(lab.member(a)?.status, 'dead')
  })

  it('counts neither when it is forged nor when it is of another incarnation or by a stranger', () => {
    const [a, b, c, stranger] = peers('a', 'b', 'c', 'x')
    const lab = started(a, b, c)
    die(lab, a, [b, c])
    const record = a.record()
    const forged = { ...b.accuse(record, { charge: 'dismissed' }), signature: new Uint8Array(32) }
    const older = b.accuse(a.record({ incarnation: 7 }), { charge: 'dismissed' })
    const unknown = stranger.accuse(record, { charge: 'dismissed' })
    for (const accusation of [older, unknown, forged])
      lab.receive(b, b.packet(gossip, [a.update({ record, accusations: [accusation] })]))
    assert.equal(lab.member(a)?.status, 'dead')
    assert.equal(lab.events().filter((event) => event.type === 'misbehaved').length, 1, 'the forged one')
  })

  it('is undone by the owner, which is told of it', () => {
    const [a, b, c] = peers('a', 'b', 'c')
    const lab = started(a, b, c)
    die(lab, a, [b, c])
    lab.command({ type: 'dismiss', peer: a.id })
    lab.command({ type: 'connected', peer: a.id })
    lab.take()
    lab.receive(a, a.ping([]))
    const ack = lab.sent(a).find((packet) => packet.body.type === 'ack')?.body
    assert.ok(ack?.type === 'ack')
    assert.deepEqual([ack.belief.standing, ack.belief.incarnation], ['left', 0])
    a.incarnation = 1
    lab.receive(a, a.ping())
    assert.deepEqual([lab.member(a)?.status, lab.member(a)?.accusers], ['alive', []])
    assert.equal(lab.core.tombstones, 0)
  })

  it('is answered by whoever is dismissed and lives', () => {
    const [a, b] = peers('a', 'b')
    const lab = started(a, b)
    const record = lab.ownRecord()
    const accusations = [a.accuse(record, { charge: 'dismissed' })]
    lab.receive(a, a.packet(gossip, [{ record, accusations, contact: false }]))
    assert.equal(lab.own.incarnation, 1)
  })

  it('ends the dialling, here and after a restart', () => {
    const [a, b, c] = peers('a', 'b', 'c')
    const lab = started(a, b, c)
    die(lab, a, [b, c])
    lab.command({ type: 'dismiss', peer: a.id })
    lab.runWhile(1000, [b, c])
    for (const request of lab.requests())
      if (request.type === 'dial')
        lab.command({ type: 'dialled', id: request.id, outcome: { type: 'failed', reason: 'timeout' } })
    lab.take()
    lab.runWhile(30_000, [b, c])
    const dials = (of: Lab) =>
      of.requests().filter((request) => request.type === 'dial' && request.peer === a.id).length
    assert.equal(dials(lab), 0)
    assert.ok(decodeKnownPeers(lab.disk.get(durableKeys.peers)).every(({ peer }) => peer !== a.id))
    const again = new Lab({ durable: lab.disk })
    again.start()
    again.connect(b)
    again.runWhile(30_000, [b])
    assert.equal(dials(again), 0)
    again.receive(b, b.packet(gossip, [a.update()]))
    assert.equal(again.member(a), undefined, 'and nobody brings it back')
  })

  it('reaches a tombstone too', () => {
    const [a, b, c, d] = peers('a', 'b', 'c', 'd')
    const lab = new Lab({}, { goneMs: 1000 })
    lab.start()
    for (const peer of [a, b, c, d]) lab.connect(peer)
    die(lab, a, [b, c])
    lab.runWhile(3000, [b, c, d])
    assert.equal(lab.member(a), undefined)
    lab.receive(d, d.packet(gossip, [dead(a, [b, c], [d])]))
    for (const request of lab.requests())
      if (request.type === 'dial')
        lab.command({ type: 'dialled', id: request.id, outcome: { type: 'failed', reason: 'timeout' } })
    lab.take()
    lab.runWhile(20_000, [b, c, d])
    assert.ok(!lab.requests().some((request) => request.peer === a.id))
  })

  it('is no accusation: nobody is blamed for it when it is undone', () => {
    const [a, b, c] = peers('a', 'b', 'c')
    const lab = started(a, b, c)
    for (let i = 0; i < 4; i++) {
      die(lab, a, [b, c])
      lab.receive(b, b.packet(gossip, [dead(a, [b, c], [b])]))
      a.incarnation++
      lab.connect(a)
      assert.equal(lab.member(a)?.status, 'alive')
    }
    lab.receive(b, b.packet(gossip, [a.update({ accusations: [b.accuse(a.record())] })]))
    assert.equal(lab.member(a)?.status, 'suspect', 'the one who dismissed it is still believed')
  })

  it('is told with every whole view', () => {
    const [a, b, c] = peers('a', 'b', 'c')
    const lab = started(a, b, c)
    die(lab, a, [b, c])
    lab.command({ type: 'dismiss', peer: a.id })
    lab.runWhile(10_000, [b, c])
    lab.take()
    lab.receive(b, b.packet({ type: 'sync', reply: true, buckets: undefined, more: false }))
    lab.runWhile(100, [b, c])
    assert.ok(dismissal(lab, b) !== undefined)
  })
})
