import assert from 'node:assert/strict'
import { encodeSelfState } from '../../../../lib/protocols/membership/durable-state.ts'
import { Lab, ScriptedPeer } from './lab.ts'

const disk = (generation: number, incarnation = 0) =>
  new Map([['self', encodeSelfState({ generation, incarnation, rolledBack: false })]])

describe('own identity', () => {
  it('puts a generation on disk before the first packet leaves', () => {
    const lab = new Lab()
    const a = new ScriptedPeer('a')
    lab.start()
    lab.connect(a)
    const types = lab.effects.map((effect) => effect.type)
    assert.ok(types.indexOf('persist') !== -1 && types.indexOf('persist') < types.indexOf('send'))
    assert.equal(lab.core.generation, 1_000_000)
  })

  it('takes a generation above the persisted one although the wall clock went back', () => {
    const lab = new Lab({ durable: disk(5_000_000, 7) })
    lab.start()
    assert.ok(lab.core.generation > 5_000_000 && lab.core.generation <= 5_001_000)
    assert.equal(lab.own.incarnation, 7, 'the incarnation never falls, also not in a new generation')
  })

  it('takes a departure of its own generation for another life that took the same number', () => {
    const lab = new Lab({ durable: disk(5_000_000, 7) })
    lab.start()
    const { generation } = lab.core
    const a = new ScriptedPeer('a')
    const earlier = new ScriptedPeer('m')
    earlier.generation = generation
    earlier.incarnation = 7
    lab.connect(a)
    lab.receive(
      a,
      a.ping([a.update(), { ...earlier.update(), record: earlier.record({ presence: 'stopping' }) }]),
    )
    lab.run(5000)
    assert.ok(lab.core.generation > generation)
    assert.equal(lab.core.rolledBack, true)
  })

  it('ends when another life of a higher generation was heard a moment ago', () => {
    const lab = new Lab()
    const a = new ScriptedPeer('a')
    const clone = new ScriptedPeer('m')
    clone.generation = 2_000_000
    lab.start()
    lab.connect(a)
    lab.receive(a, a.ack(1, { generation: 2_000_000, heardAgoMs: 400, standing: 'alive' }, clone.record()))
    assert.deepEqual(
      lab.events().filter((event) => event.type === 'identity-in-use'),
      [{ type: 'identity-in-use', generation: 2_000_000, heardAgoMs: 400 }],
    )
    lab.take()
    lab.run(20_000)
    assert.deepEqual(lab.effects, [], 'it says nothing more')
  })

  it('steps over another life that was last heard long ago, and is marked as rolled back', () => {
    const lab = new Lab({ durable: disk(900_000) })
    const a = new ScriptedPeer('a')
    const earlier = new ScriptedPeer('m')
    earlier.generation = 2_000_000
    lab.start()
    lab.connect(a)
    lab.receive(
      a,
      a.ack(1, { generation: 2_000_000, heardAgoMs: 60_000, standing: 'dead' }, earlier.record()),
    )
    assert.ok(lab.core.generation > 2_000_000)
    assert.equal(lab.core.rolledBack, true)
    const again = new Lab({ durable: lab.disk })
    assert.equal(again.core.rolledBack, true, 'the mark is on disk')
  })

  it('is marked as rolled back by proof of a life that its disk does not know, and runs on', () => {
    const lab = new Lab({ durable: disk(100) })
    const a = new ScriptedPeer('a')
    const earlier = new ScriptedPeer('m')
    earlier.generation = 200
    lab.start()
    lab.connect(a)
    const belief = { generation: lab.core.generation, standing: 'alive' } as const
    lab.receive(a, a.ack(1, belief, earlier.record()))
    assert.equal(lab.core.rolledBack, true)
    assert.equal(lab.core.generation, 1_000_000)
  })

  it('believes in no other life without its owner-signed record', () => {
    const lab = new Lab()
    const a = new ScriptedPeer('a')
    lab.start()
    lab.connect(a)
    lab.receive(a, a.ack(1, { generation: 2_000_000, heardAgoMs: 1, standing: 'alive' }))
    const forged = {
      ...new ScriptedPeer('m').record({ generation: 3_000_000 }),
      signature: new Uint8Array(64),
    }
    lab.receive(a, a.ack(2, { generation: 3_000_000, heardAgoMs: 1, standing: 'alive' }, forged))
    assert.equal(lab.core.generation, 1_000_000)
    assert.ok(lab.events().some((event) => event.type === 'misbehaved' && event.reason === 'bad-signature'))
    assert.ok(!lab.events().some((event) => event.type === 'identity-in-use'))
  })

  it('asks who heard the other life before it decides, and steps over it when nobody knows', () => {
    const lab = new Lab()
    const a = new ScriptedPeer('a')
    const clone = new ScriptedPeer('m')
    clone.generation = 2_000_000
    lab.start()
    lab.connect(a)
    lab.take()
    lab.receive(a, a.packet({ type: 'gossip' }, [clone.update()]))
    assert.ok(lab.sent(a).some((packet) => packet.body.type === 'ping'))
    assert.equal(lab.core.generation, 1_000_000)
    lab.run(2500)
    assert.ok(lab.core.generation > 2_000_000)
  })

  it('tells an earlier life of a peer which later one is known, with its proof', () => {
    const lab = new Lab()
    const a = new ScriptedPeer('a')
    lab.start()
    lab.connect(a)
    const later = a.record({ generation: 5000 })
    lab.receive(a, {
      ...a.packet({ type: 'gossip' }),
      updates: [{ record: later, accusations: [], contact: true }],
    })
    lab.take()
    lab.receive(a, a.ping([]))
    const ack = lab.sent(a).find((packet) => packet.body.type === 'ack')?.body
    assert.ok(ack?.type === 'ack')
    assert.equal(ack.belief.generation, 5000)
    assert.deepEqual(ack.otherLife?.bytes, later.bytes)
  })

  it('answers an accusation with a higher incarnation, persisted first, and not more often than allowed', () => {
    const lab = new Lab()
    const a = new ScriptedPeer('a')
    lab.start()
    lab.connect(a)
    const accusation = a.accuse(lab.ownRecord())
    const record = lab.ownRecord()
    lab.take()
    lab.receive(a, a.packet({ type: 'gossip' }, [{ record, accusations: [accusation], contact: true }]))
    assert.equal(lab.own.incarnation, 1)
    assert.equal(lab.effects[0]?.type, 'persist')
    const belief = { generation: lab.core.generation, incarnation: 1, standing: 'suspect' } as const
    lab.receive(a, a.ping([], belief))
    assert.equal(lab.own.incarnation, 1, 'within the rate limit it waits')
    lab.run(300)
    assert.equal(lab.own.incarnation, 2)
  })

  it('does not answer an accusation that nobody signed, nor one of an older incarnation', () => {
    const lab = new Lab({ durable: disk(1, 5) })
    const a = new ScriptedPeer('a')
    lab.start()
    lab.connect(a)
    const record = lab.ownRecord()
    const forged = { ...a.accuse(record), signature: new Uint8Array(32) }
    lab.receive(a, a.packet({ type: 'gossip' }, [{ record, accusations: [forged], contact: true }]))
    lab.receive(a, a.ping([], { generation: lab.core.generation, incarnation: 4, standing: 'suspect' }))
    lab.run(1000)
    assert.equal(lab.own.incarnation, 5)
  })

  it('shows two lives of another that ask at once each the other one', () => {
    const lab = new Lab()
    const a = new ScriptedPeer('a')
    lab.start()
    lab.connect(a)
    const [earlier, later] = [a.generation, a.generation + 1000]
    lab.receive(a, a.ping())
    const proofs = () =>
      lab.sent(a).flatMap(({ body }) => (body.type === 'ack' ? (body.otherLife?.body.generation ?? []) : []))
    assert.deepEqual(proofs(), [])
    // Whom it knows not to know this life yet, as after a restart.
    a.generation = later
    lab.receive(a, a.ping([a.update()], { generation: 0 }))
    a.generation = earlier
    lab.receive(a, a.ping([]))
    assert.deepEqual(
      proofs(),
      [earlier, later],
      'the second decides which of them ends, and a moment later is too late',
    )
  })
})
