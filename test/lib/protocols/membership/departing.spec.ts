import assert from 'node:assert/strict'
import { Lab, ScriptedPeer } from './lab.ts'

describe('departing', () => {
  for (const [verb, presence] of [
    ['leave', 'left'],
    ['stop', 'stopping'],
  ] as const) {
    it(`on ${verb} tells everybody connected and waits for three acknowledgements`, () => {
      const lab = new Lab()
      const peers = ['a', 'b', 'c', 'd'].map((name) => new ScriptedPeer(name))
      lab.start()
      for (const peer of peers) lab.connect(peer)
      lab.take()
      lab.command({ type: verb })
      const leaves = peers.map((peer) => lab.sent(peer).find((packet) => packet.body.type === 'leave')?.body)
      assert.ok(leaves.every((body) => body?.type === 'leave' && body.record.body.presence === presence))
      for (const peer of peers.slice(0, 2)) lab.receive(peer, peer.packet({ type: 'leave-ack', seq: 1 }))
      lab.receive(peers[0] as ScriptedPeer, (peers[0] as ScriptedPeer).packet({ type: 'leave-ack', seq: 1 }))
      assert.ok(!lab.events().some((event) => event.type === 'departed'), 'an acknowledgement counts once')
      const c = peers[2] as ScriptedPeer
      lab.receive(c, c.packet({ type: 'leave-ack', seq: 1 }))
      assert.deepEqual(lab.events().at(-1), { type: 'departed', acknowledgements: 3 })
    })
  }

  it('ends after a second although nobody acknowledges, and at once when nobody is there', () => {
    const lab = new Lab()
    lab.start()
    lab.connect(new ScriptedPeer('a'))
    lab.command({ type: 'leave' })
    lab.run(999)
    assert.ok(!lab.events().some((event) => event.type === 'departed'))
    lab.run(1)
    assert.deepEqual(lab.events().at(-1), { type: 'departed', acknowledgements: 0 })
    const alone = new Lab()
    alone.start()
    alone.command({ type: 'stop' })
    assert.deepEqual(alone.events().at(-1), { type: 'departed', acknowledgements: 0 })
  })

  it('goes on with nothing that was under way', () => {
    const lab = new Lab()
    const peers = ['a', 'b', 'c', 'd', 'e'].map((name) => new ScriptedPeer(name))
    const [a, b, , d, e] = peers as [ScriptedPeer, ScriptedPeer, ScriptedPeer, ScriptedPeer, ScriptedPeer]
    lab.start()
    for (const peer of peers) lab.connect(peer)
    lab.runWhile(2000, [a, b, d])
    const record = e.record()
    for (const peer of [a, b]) {
      const update = { record, accusations: [peer.accuse(record)], contact: false }
      lab.receive(peer, peer.packet({ type: 'gossip' }, [update]))
    }
    lab.runWhile(700, [a, b, d])
    const dials = lab.requests().flatMap((request) => (request.type === 'dial' ? [request] : []))
    assert.ok(dials.some((request) => request.peer === e.id))
    lab.command({ type: 'leave' })
    for (const peer of [a, b, d]) lab.receive(peer, peer.packet({ type: 'leave-ack', seq: 1 }))
    assert.equal(lab.events().at(-1)?.type, 'departed')
    lab.take()
    for (const { id } of dials)
      lab.command({ type: 'dialled', id, outcome: { type: 'failed', reason: 'timeout' } })
    lab.run(10_000)
    assert.deepEqual(lab.requests(), [])
    assert.deepEqual(lab.events(), [])
    assert.equal(lab.core.deadline, undefined)
  })

  it('tells those again who have not acknowledged, also after its end, until its process ends or for two seconds', () => {
    const lab = new Lab()
    const peers = ['a', 'b', 'c', 'd'].map((name) => new ScriptedPeer(name))
    const [a, , , d] = peers as [ScriptedPeer, ScriptedPeer, ScriptedPeer, ScriptedPeer]
    lab.start()
    for (const peer of peers) lab.connect(peer)
    lab.command({ type: 'leave' })
    lab.take()
    lab.run(250)
    assert.ok(peers.every((peer) => lab.sent(peer).some((packet) => packet.body.type === 'leave')))
    for (const peer of peers.slice(0, 3)) lab.receive(peer, peer.packet({ type: 'leave-ack', seq: 1 }))
    assert.equal(lab.events().at(-1)?.type, 'departed')
    lab.take()
    lab.run(500)
    assert.ok(lab.sent(d).some((packet) => packet.body.type === 'leave'))
    assert.deepEqual(lab.sent(a), [], 'who has acknowledged is left alone')
    lab.receive(d, d.packet({ type: 'leave-ack', seq: 1 }))
    lab.take()
    lab.run(5000)
    assert.deepEqual(lab.effects, [])
    lab.receive(a, a.ping())
    assert.deepEqual(lab.effects, [], 'in the end it is silent')
  })

  it('answers pings with its last record, while it leaves and for two seconds more', () => {
    const lab = new Lab()
    const [a, b] = [new ScriptedPeer('a'), new ScriptedPeer('b')]
    lab.start()
    lab.connect(a)
    lab.connect(b)
    const knowing = { generation: lab.core.generation, incarnation: 0, standing: 'alive' } as const
    lab.command({ type: 'leave' })
    for (const after of [100, 1000, 700]) {
      lab.run(after)
      lab.take()
      lab.receive(a, a.ping([], knowing))
      const ack = lab.sent(a).find((packet) => packet.body.type === 'ack')
      assert.equal(ack?.updates[0]?.record.body.presence, 'left', `${after}`)
    }
    assert.equal(lab.own.status, 'left')
  })

  it('acknowledges the leave of another, tells it on, and neither redials nor accuses it', () => {
    const lab = new Lab()
    const [a, b] = [new ScriptedPeer('a'), new ScriptedPeer('b')]
    lab.start()
    lab.connect(a)
    lab.connect(b)
    lab.take()
    lab.receive(a, a.packet({ type: 'leave', seq: 9, record: a.record({ presence: 'left' }) }))
    assert.ok(lab.sent(a).some((packet) => packet.body.type === 'leave-ack'))
    lab.command({ type: 'disconnected', peer: a.id, closedBy: 'remote' })
    lab.run(10)
    const told = lab.sent(b).flatMap((packet) => packet.updates)
    assert.ok(
      told.some((update) => update.record.body.peer === a.id && update.record.body.presence === 'left'),
    )
    for (let i = 0; i < 20; i++) {
      lab.run(500)
      lab.hear(b)
    }
    assert.equal(lab.member(a)?.status, 'left')
    assert.equal(lab.member(a)?.reason, 'leaving')
    assert.deepEqual(
      lab.requests().filter((request) => request.peer === a.id),
      [],
    )
  })

  it('remembers the first that it meets at once, and later ones within a second', () => {
    const lab = new Lab()
    lab.start()
    lab.connect(new ScriptedPeer('a'))
    lab.run(0)
    lab.connect(new ScriptedPeer('b'))
    const dialled = () => {
      const again = new Lab({ durable: lab.disk })
      again.start()
      return again.requests().map((request) => request.peer)
    }
    assert.deepEqual(dialled(), ['a'])
    lab.run(1000)
    assert.deepEqual(dialled().sort(), ['a', 'b'])
  })

  it('remembers who to dial, without those who left for good, and dials them after a restart', () => {
    const lab = new Lab()
    const [a, b, c] = [new ScriptedPeer('a'), new ScriptedPeer('b'), new ScriptedPeer('c')]
    lab.start()
    for (const peer of [a, b, c]) lab.connect(peer)
    lab.receive(a, a.packet({ type: 'leave', seq: 9, record: a.record({ presence: 'left' }) }))
    lab.receive(b, b.packet({ type: 'leave', seq: 9, record: b.record({ presence: 'stopping' }) }))
    lab.run(1100)
    const again = new Lab({ durable: lab.disk })
    again.start()
    const dialled = again.requests().map((request) => request.peer)
    assert.deepEqual(dialled.sort(), [b.id, c.id])
    assert.equal(again.own.status, 'joining')
    assert.equal(again.core.members().length, 1, 'what was remembered is a hint, not a member')
    again.run(3000)
    assert.equal(again.own.status, 'alive', 'alone after its wait')
  })
})
