import assert from 'node:assert/strict'
import { BaseView } from '../../../../lib/protocols/membership/base-view.ts'
import { profiles } from '../../../../lib/protocols/membership/config.ts'
import { Lab, ScriptedPeer } from './lab.ts'

const peers = Array.from({ length: 100 }, (_, i) => new ScriptedPeer(`peer${i}`))
const base = new BaseView(
  peers.map((peer) => peer.record()),
  profiles.lan.rings,
)

/** A member among a hundred; none of its dials is answered yet. */
function among(): Lab {
  const lab = new Lab({ base })
  lab.start()
  lab.run(100)
  return lab
}

const dialled = (lab: Lab) =>
  lab.requests().flatMap((request) => (request.type === 'dial' ? [String(request.peer)] : []))

describe('a member among many', () => {
  it('dials those whom it watches, and nobody else', () => {
    const lab = among()
    const subjects = new Set(dialled(lab))
    assert.ok(subjects.size >= 6 && subjects.size <= 8, `${subjects.size} dials`)
    assert.equal(lab.core.members().length, 101)
  })

  it('probes one of them each period, and each of them in turn', () => {
    const lab = among()
    const names = new Set(dialled(lab))
    const subjects = peers.filter((peer) => names.has(peer.id))
    for (const subject of subjects) lab.connect(subject)
    lab.take()
    const probed: string[] = []
    for (let passed = 0; passed < 16_000; passed += 100) {
      lab.run(100)
      lab.hear(...subjects)
      for (const subject of subjects) {
        for (const { body } of lab.sent(subject)) {
          if (body.type !== 'ping') continue
          probed.push(subject.id)
          lab.receive(subject, subject.ack(body.seq))
        }
      }
      lab.take()
    }
    assert.equal(new Set(probed).size, subjects.length)
    assert.ok(probed.length >= 14 && probed.length <= 17, `${probed.length} probes in 16 periods`)
  })

  it('believes four refusals of a stranger, and not two', () => {
    const lab = among()
    const names = new Set(dialled(lab))
    const [victim, teller, ...witnesses] = peers.filter((peer) => !names.has(peer.id))
    assert.ok(victim !== undefined && teller !== undefined)
    lab.connect(teller)
    const refuse = (count: number) => {
      const accusations = witnesses
        .slice(0, count)
        .map((witness) => witness.accuse(victim.record(), { charge: 'refused' }))
      lab.receive(teller, teller.packet({ type: 'gossip' }, [victim.update({ accusations })]))
      lab.run(500)
    }
    refuse(2)
    assert.equal(lab.member(victim)?.status, 'suspect')
    refuse(4)
    assert.equal(lab.member(victim)?.status, 'dead')
  })

  it('does not dial a suspect whom others watch', () => {
    const lab = among()
    const names = new Set(dialled(lab))
    const [suspect, teller, witness] = peers.filter((peer) => !names.has(peer.id))
    assert.ok(suspect !== undefined && teller !== undefined && witness !== undefined)
    lab.connect(teller)
    lab.take()
    const accusations = [witness.accuse(suspect.record())]
    lab.receive(teller, teller.packet({ type: 'gossip' }, [suspect.update({ accusations })]))
    lab.run(2000)
    assert.equal(lab.member(suspect)?.status, 'suspect')
    assert.ok(!dialled(lab).includes(suspect.id))
  })

  it('passes on whom another vouched for as if it had met it', () => {
    const lab = among()
    const [teller, listener] = peers.filter((peer) => !new Set(dialled(lab)).has(peer.id))
    assert.ok(teller !== undefined && listener !== undefined)
    lab.connect(teller)
    lab.connect(listener)
    lab.take()
    const joiner = new ScriptedPeer('joiner')
    lab.receive(teller, teller.packet({ type: 'gossip' }, [joiner.update({ contact: true })]))
    lab.run(1000)
    const told = lab.sent(listener).flatMap(({ updates }) => updates)
    assert.equal(told.find(({ record }) => record.body.peer === joiner.id)?.contact, true)
  })

  it('lets go of who was dialled at random, and of nobody who dialled it', () => {
    const lab = among()
    const names = new Set(dialled(lab))
    lab.take()
    const stranger = peers.find((peer) => !names.has(peer.id))
    assert.ok(stranger !== undefined)
    lab.connect(stranger)
    lab.run(13_000)
    const drawn = lab
      .requests()
      .find((request) => request.type === 'dial' && !names.has(String(request.peer)))
    assert.ok(drawn?.type === 'dial')
    const met = peers.find((peer) => peer.id === drawn.peer)
    assert.ok(met !== undefined)
    const address = '/ip4/10.0.0.1/tcp/1'
    lab.command({ type: 'connected', peer: met.id })
    lab.command({ type: 'dialled', id: drawn.id, outcome: { type: 'connected', peer: met.id, address } })
    lab.take()
    lab.run(9000)
    const released = lab.effects.flatMap((effect) => (effect.type === 'release' ? [effect.peer] : []))
    assert.deepEqual(released, [met.id])
  })

  it('dials a suspect of others itself when so few are left that all watch each other', () => {
    const lab = among()
    const names = new Set(dialled(lab))
    const [victim, ...others] = peers.filter((peer) => !names.has(peer.id))
    assert.ok(victim !== undefined)
    const accusers = others.slice(0, 4)
    for (const peer of others) lab.connect(peer)
    const record = victim.record()
    for (const peer of accusers) {
      const update = { record, accusations: [peer.accuse(record)], contact: false }
      lab.receive(peer, peer.packet({ type: 'gossip' }, [update]))
    }
    assert.equal(lab.member(victim)?.status, 'suspect')
    for (const peer of others.slice(-45))
      lab.receive(peer, peer.packet({ type: 'leave', seq: 1, record: peer.record({ presence: 'left' }) }))
    const staying = others.slice(0, -45)
    lab.take()
    lab.runWhile(12_000, staying)
    assert.equal(lab.member(victim)?.status, 'suspect', 'no dial has failed yet')
    assert.ok(dialled(lab).includes(victim.id))
  })

  it('compares views at once with a suspect that comes, and not with each word of one that stays suspect', () => {
    const lab = among()
    const [suspect, teller, witness] = peers as [ScriptedPeer, ScriptedPeer, ScriptedPeer]
    for (const peer of [teller, suspect]) lab.connect(peer)
    const accusations = [witness.accuse(suspect.record())]
    lab.receive(teller, teller.packet({ type: 'gossip' }, [suspect.update({ accusations })]))
    const compared = (ms: number) => {
      lab.take()
      for (let passed = 0; passed < ms; passed += 500) {
        lab.receive(suspect, suspect.ping([]))
        const all = { type: 'sync', reply: false, buckets: undefined, more: false } as const
        lab.receive(suspect, suspect.packet(all))
        lab.run(500)
      }
      return lab.sent(suspect).filter(({ body }) => body.type === 'buckets').length
    }
    assert.ok(compared(2000) >= 1)
    // Who has just started compares views more often with everybody.
    compared(30_000)
    assert.ok(compared(60_000) <= 8)
  })

  it('dials for others who probe, and lets none of them have all of that', () => {
    const lab = among()
    const names = new Set(dialled(lab))
    const [greedy, honest, ...subjects] = peers.filter((peer) => !names.has(peer.id))
    assert.ok(greedy !== undefined && honest !== undefined)
    for (const peer of [greedy, honest]) lab.connect(peer)
    lab.take()
    const ask = (peer: ScriptedPeer, seq: number, subject: ScriptedPeer | undefined) => {
      assert.ok(subject !== undefined)
      lab.receive(peer, peer.packet({ type: 'ping-request', seq, subject: subject.id }))
    }
    for (let i = 0; i < 8; i++) ask(greedy, i, subjects[i])
    ask(honest, 1, subjects[8])
    assert.deepEqual(dialled(lab), [subjects[0]?.id, subjects[1]?.id, subjects[8]?.id])
  })
})
