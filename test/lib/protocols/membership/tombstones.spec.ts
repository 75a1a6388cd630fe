import assert from 'node:assert/strict'
import type { MembershipConfig } from '../../../../lib/protocols/membership/config.ts'
import {
  decodeKnownPeers,
  decodeTombstones,
  durableKeys,
} from '../../../../lib/protocols/membership/durable-state.ts'
import { Tombstones } from '../../../../lib/protocols/membership/tombstones.ts'
import { Lab, ScriptedPeer } from './lab.ts'

function peers<const Names extends readonly string[]>(...names: Names) {
  return names.map((name) => new ScriptedPeer(name)) as { [K in keyof Names]: ScriptedPeer }
}

const gossip = { type: 'gossip' } as const

/** A member with `others` connected and talking. */
function started(others: readonly ScriptedPeer[], config: Partial<MembershipConfig> = {}): Lab {
  const lab = new Lab({}, config)
  lab.start()
  for (const peer of others) lab.connect(peer)
  return lab
}

function leave(lab: Lab, peer: ScriptedPeer): void {
  lab.receive(peer, peer.packet({ type: 'leave', seq: 9, record: peer.record({ presence: 'left' }) }))
  lab.command({ type: 'disconnected', peer: peer.id, closedBy: 'remote' })
}

/** Refused connects, as two witnesses sign them, kill at once. */
function die(lab: Lab, peer: ScriptedPeer, witnesses: readonly ScriptedPeer[]): void {
  lab.command({ type: 'disconnected', peer: peer.id, closedBy: 'local' })
  lab.runWhile(200, witnesses)
  for (const witness of witnesses) {
    const accusations = [witness.accuse(peer.record(), { charge: 'refused' })]
    lab.receive(witness, witness.packet(gossip, [peer.update({ accusations, contact: false })]))
  }
  lab.runWhile(200, witnesses)
  assert.equal(lab.member(peer)?.status, 'dead')
}

function tombstonesOnDisk(lab: Lab) {
  return Array.from({ length: Tombstones.parts }, (_, part) => lab.disk.get(durableKeys.tombstones(part)))
    .flatMap(decodeTombstones)
    .map(({ peer, addresses }) => [peer, addresses.length])
}

const changes = (lab: Lab, peer: ScriptedPeer) =>
  lab
    .events()
    .flatMap((event) => (event.type === 'member' && event.member.peer === peer.id ? [event.change] : []))

const dialled = (lab: Lab, peer: ScriptedPeer) =>
  lab.requests().filter((request) => request.type === 'dial' && request.peer === peer.id).length

describe('rows of the gone', () => {
  it('stay for their time, then are reaped with one last event', () => {
    const [a, b] = peers('a', 'b')
    const lab = started([a, b], { goneMs: 10_000 })
    leave(lab, a)
    lab.runWhile(9000, [b])
    assert.equal(lab.member(a)?.status, 'left')
    lab.take()
    lab.runWhile(2000, [b])
    assert.equal(lab.member(a), undefined)
    assert.deepEqual(changes(lab, a), ['reaped'])
    lab.take()
    lab.runWhile(20_000, [b])
    assert.deepEqual(changes(lab, a), [], 'once')
    assert.equal(lab.core.tombstones, 1)
  })

  it('are no more than allowed: who went first is reaped first', () => {
    const all = ['a', 'b', 'c', 'd'].map((name) => new ScriptedPeer(name))
    const lab = started(all, { maxGone: 2 })
    for (const peer of all) {
      leave(lab, peer)
      lab.run(10)
    }
    assert.deepEqual(
      lab.core.members().map(({ peer }) => peer),
      ['m', 'c', 'd'],
    )
    assert.equal(lab.core.tombstones, 4)
  })

  it('keep nobody living out', () => {
    const [a, b, c, d] = peers('a', 'b', 'c', 'd')
    const lab = started([a, b], { maxMembers: 3 })
    leave(lab, a)
    lab.connect(c)
    assert.equal(lab.member(c)?.status, 'alive')
    assert.equal(lab.member(a), undefined)
    assert.deepEqual(changes(lab, a).at(-1), 'reaped')
    lab.connect(d)
    assert.equal(lab.member(d), undefined, 'the living are not evicted')
  })

  it('give their bytes up for records of the living, new ones and such as grow', () => {
    const [a, b, c] = peers('a', 'b', 'c')
    const size = a.record().bytes.length
    const lab = started([a, b], { maxRecordBytes: 2 * size + 20 })
    leave(lab, a)
    b.incarnation++
    const record = b.record({ name: 'b'.repeat(50) })
    lab.receive(b, b.packet(gossip, [b.update({ record })]))
    assert.equal(lab.member(b)?.name.length, 50)
    assert.equal(lab.member(a), undefined)
    const other = started([a, b], { maxRecordBytes: 2 * size + 20 })
    leave(other, a)
    other.connect(c)
    assert.equal(other.member(c)?.status, 'alive')
  })

  it('count in no digest, so that members which forget at different times agree', () => {
    const [a, b] = peers('a', 'b')
    const lab = started([a, b], { goneMs: 5000 })
    const joiner = new Lab()
    joiner.start()
    joiner.connect(b)
    leave(lab, a)
    const digest = () => {
      lab.take()
      lab.receive(b, b.ping())
      const ack = lab.sent(b).find((packet) => packet.body.type === 'ack')?.body
      return ack?.type === 'ack' ? ack.digest : undefined
    }
    const before = digest()
    lab.runWhile(8000, [b])
    assert.equal(lab.member(a), undefined)
    assert.equal(digest(), before)
  })
})

describe('a tombstone', () => {
  for (const [how, bury] of [
    ['has left', leave],
    ['is dead', (lab: Lab, peer: ScriptedPeer, rest: readonly ScriptedPeer[]) => die(lab, peer, rest)],
  ] as const) {
    it(`refuses every word of a life that ${how} but its own higher incarnation`, () => {
      const [a, b, c] = peers('a', 'b', 'c')
      const lab = started([a, b, c], { goneMs: 1000 })
      a.incarnation = 3
      lab.receive(a, a.ping())
      bury(lab, a, [b, c])
      lab.runWhile(3000, [b, c])
      assert.equal(lab.member(a), undefined)
      for (const incarnation of [0, 3]) {
        const record = a.record({ incarnation })
        for (const contact of [true, false]) {
          lab.receive(b, b.packet(gossip, [a.update({ record, contact })]))
          lab.receive(
            b,
            b.packet({ type: 'sync', reply: false, buckets: undefined, more: false }, [
              a.update({ record, contact }),
            ]),
          )
        }
      }
      lab.receive(b, b.packet(gossip, [a.update({ record: a.record({ generation: 999, incarnation: 9 }) })]))
      lab.runWhile(500, [b, c])
      assert.equal(lab.member(a), undefined)
      a.incarnation = 4
      lab.receive(b, b.packet(gossip, [a.update()]))
      assert.equal(lab.member(a)?.status, 'alive')
      assert.equal(lab.core.tombstones, 0)
    })

    it(`refuses a life that ${how} also after an own restart`, () => {
      const [a, b, c] = peers('a', 'b', 'c')
      const lab = started([a, b, c])
      bury(lab, a, [b, c])
      lab.runWhile(1500, [b, c])
      const again = new Lab({ durable: lab.disk })
      again.start()
      again.connect(b)
      assert.equal(again.member(a), undefined)
      again.receive(b, b.packet(gossip, [a.update()]))
      again.run(500)
      assert.equal(again.member(a), undefined)
      again.receive(b, b.packet(gossip, [a.update({ record: a.record({ generation: a.generation + 1 }) })]))
      assert.equal(again.member(a)?.status, 'alive')
    })
  }

  for (const ends of [false, true]) {
    it(`refuses a former life of one that lives, whom it ${ends ? 'buried' : 'never buried'}, also after an own restart`, () => {
      const [a, b, c] = peers('a', 'b', 'c')
      const lab = started([a, b, c])
      const former = a.update()
      if (ends) die(lab, a, [b, c])
      a.generation++
      lab.receive(b, b.packet(gossip, [a.update()]))
      assert.deepEqual([lab.member(a)?.status, lab.member(a)?.generation], ['alive', 1001])
      lab.runWhile(1500, [b, c])
      const again = new Lab({ durable: lab.disk })
      again.start()
      again.connect(b)
      again.receive(b, b.packet(gossip, [former]))
      assert.equal(again.member(a), undefined)
      again.receive(b, b.packet(gossip, [a.update()]))
      assert.equal(again.member(a)?.status, 'alive')
    })
  }

  it('is told to its owner, whose answer is news', () => {
    const [a, b, c] = peers('a', 'b', 'c')
    const lab = started([a, b, c], { goneMs: 1000 })
    die(lab, a, [b, c])
    lab.runWhile(3000, [b, c])
    lab.command({ type: 'connected', peer: a.id })
    lab.take()
    lab.receive(a, a.ping())
    assert.equal(lab.member(a), undefined)
    const ack = lab.sent(a).find((packet) => packet.body.type === 'ack')?.body
    assert.ok(ack?.type === 'ack')
    assert.deepEqual(
      [ack.belief.standing, ack.belief.generation, ack.belief.incarnation],
      ['dead', a.generation, 0],
    )
    a.incarnation = 1
    lab.receive(a, a.ping())
    assert.equal(lab.member(a)?.status, 'alive')
    assert.deepEqual(changes(lab, a), ['joined'])
  })

  it('is answered with, where another member still lists that life', () => {
    const [a, b, c] = peers('a', 'b', 'c')
    const lab = started([a, b, c], { goneMs: 1000 })
    leave(lab, a)
    lab.runWhile(3000, [b, c])
    lab.take()
    lab.receive(b, b.packet(gossip, [a.update()]))
    const told = lab.sent(b).flatMap((packet) => packet.updates)
    const accusations = told.flatMap((update) => update.accusations).map(({ body }) => body)
    assert.deepEqual(
      accusations.map(({ subject, accuser, charge }) => [subject, accuser, charge]),
      [[a.id, lab.self, 'suspected']],
    )
    lab.take()
    const knowing = a.update({ accusations: [c.accuse(a.record())], contact: false })
    lab.receive(b, b.packet(gossip, [knowing]))
    assert.deepEqual(lab.sent(b), [], 'who knows of it needs no answer')
  })

  it('has the dead dialled first where another member still lists that life', () => {
    const [a, b, c] = peers('a', 'b', 'c')
    const lab = started([a, b, c], { goneMs: 1000, healIntervalMs: 600_000 })
    die(lab, a, [b, c])
    lab.runWhile(3000, [b, c])
    for (const request of lab.requests()) {
      if (request.type === 'dial')
        lab.command({ type: 'dialled', id: request.id, outcome: { type: 'failed', reason: 'timeout' } })
    }
    lab.take()
    lab.receive(b, b.packet(gossip, [a.update()]))
    assert.equal(dialled(lab, a), 1)
    assert.deepEqual(lab.sent(b), [])
    lab.runWhile(4000, [b, c])
    lab.take()
    lab.receive(b, b.packet(gossip, [a.update()]))
    assert.equal(dialled(lab, a), 0)
    assert.equal(lab.sent(b).flatMap((packet) => packet.updates[0]?.accusations ?? []).length, 1)
  })

  it('does not make this member sign without end', () => {
    const [b] = peers('b')
    const gone = Array.from({ length: 40 }, (_, i) => new ScriptedPeer(`g${i}`))
    const lab = started([b, ...gone], { goneMs: 1000 })
    for (const peer of gone) leave(lab, peer)
    lab.runWhile(3000, [b])
    lab.take()
    for (let i = 0; i < 25; i++)
      lab.receive(
        b,
        b.packet(
          gossip,
          gone.map((peer) => peer.update()),
        ),
      )
    const answers = lab.sent(b).flatMap((packet) => packet.updates)
    assert.ok(answers.length > 0 && answers.length <= 64, `${answers.length}`)
  })

  it('goes on being dialled when dead, and not when it has left', () => {
    const [a, b, c, d] = peers('a', 'b', 'c', 'd')
    const lab = started([a, b, c, d], { goneMs: 1000 })
    die(lab, a, [b, c])
    leave(lab, d)
    lab.runWhile(3000, [b, c])
    const fail = () => {
      for (const request of lab.requests())
        if (request.type === 'dial')
          lab.command({ type: 'dialled', id: request.id, outcome: { type: 'failed', reason: 'refused' } })
    }
    fail()
    lab.take()
    for (let i = 0; i < 4; i++) {
      lab.runWhile(6000, [b, c])
      fail()
    }
    assert.ok(dialled(lab, a) >= 3, `${dialled(lab, a)}`)
    assert.equal(dialled(lab, d), 0)
    const again = new Lab({ durable: lab.disk })
    again.start()
    assert.equal(dialled(again, a), 1, 'also after a restart, at once')
    assert.equal(dialled(again, d), 0)
  })

  it('expires after its time, counted while this member runs, and its addresses with it', () => {
    const [a, b, c] = peers('a', 'b', 'c')
    const config = { goneMs: 1000, tombstoneMs: 60_000 }
    const lab = started([a, b, c], config)
    die(lab, a, [b, c])
    lab.runWhile(20_000, [b, c])
    lab.command({ type: 'stop' })
    assert.deepEqual(tombstonesOnDisk(lab), [[a.id, 1]])
    const again = new Lab({ durable: lab.disk }, config)
    again.wall += 30 * 24 * 3_600_000
    again.start()
    again.connect(b)
    assert.equal(again.core.tombstones, 1, 'a wall clock that jumps forgets nobody')
    again.runWhile(35_000, [b])
    assert.equal(again.core.tombstones, 1)
    again.runWhile(15_000, [b])
    assert.equal(again.core.tombstones, 0)
    again.take()
    again.runWhile(20_000, [b])
    assert.equal(dialled(again, a), 0)
    assert.deepEqual(tombstonesOnDisk(again), [])
    again.receive(b, b.packet(gossip, [a.update()]))
    assert.equal(again.member(a)?.status, 'alive', 'it is a stranger again')
  })

  it('is one of so many at most, of which the oldest goes', () => {
    const gone = Array.from({ length: 8 }, (_, i) => new ScriptedPeer(`g${i}`))
    const lab = started(gone, { maxGone: 2, maxTombstones: 5 })
    for (const peer of gone) {
      leave(lab, peer)
      lab.run(100)
    }
    assert.equal(lab.core.tombstones, 5)
    lab.run(5000)
    assert.deepEqual(
      tombstonesOnDisk(lab)
        .map(([peer]) => peer)
        .sort(),
      ['g3', 'g4', 'g5', 'g6', 'g7'],
    )
  })

  it('is dialled no less for all those who have left', () => {
    const lab = new Lab()
    const [a, b, c] = peers('a', 'b', 'c')
    lab.start()
    for (let i = 0; i < 200; i++) {
      const peer = new ScriptedPeer(`g${i}`)
      lab.connect(peer)
      leave(lab, peer)
    }
    for (const peer of [a, b, c]) lab.connect(peer)
    die(lab, a, [b, c])
    let dials = 0
    for (let tick = 0; tick < 30; tick++) {
      for (const request of lab.requests())
        if (request.type === 'dial')
          lab.command({ type: 'dialled', id: request.id, outcome: { type: 'failed', reason: 'refused' } })
      lab.take()
      lab.runWhile(1000, [b, c])
      dials += dialled(lab, a)
    }
    assert.ok(dials >= 4, `${dials} dials in six ticks`)
  })

  it('makes no storm of dials when there are very many', () => {
    const lab = new Lab({}, { maxGone: 10 })
    const [b] = peers('b')
    lab.start()
    lab.connect(b)
    for (let i = 0; i < 500; i++) {
      const peer = new ScriptedPeer(`g${i}`)
      lab.connect(peer)
      lab.receive(peer, peer.packet({ type: 'leave', seq: 9, record: peer.record({ presence: 'stopping' }) }))
      lab.command({ type: 'disconnected', peer: peer.id, closedBy: 'local' })
      lab.run(1)
    }
    for (let tick = 0; tick < 20; tick++) {
      lab.take()
      lab.runWhile(1000, [b])
      const dials = lab.requests().filter((request) => request.type === 'dial')
      assert.ok(dials.length <= 60, `${dials.length} dials in a second`)
      for (const { id } of dials)
        lab.command({ type: 'dialled', id, outcome: { type: 'failed', reason: 'refused' } })
    }
  })

  it('writes little for one more death', () => {
    const lab = new Lab()
    lab.start()
    for (let i = 0; i < 600; i++) {
      const peer = new ScriptedPeer(`g${i}`)
      lab.connect(peer)
      leave(lab, peer)
    }
    lab.run(10_000)
    const last = new ScriptedPeer('last')
    lab.connect(last)
    lab.take()
    leave(lab, last)
    lab.run(2000)
    const notes = lab.effects.flatMap((effect) =>
      effect.type === 'note' && effect.key.startsWith('tombstones') ? [effect.value.length] : [],
    )
    assert.equal(notes.length, 1)
    assert.ok((notes[0] ?? 0) < 2000)
  })
})

describe('what is remembered of the living', () => {
  it('expires like a tombstone when it is never seen again', () => {
    const [a] = peers('a')
    const config = { tombstoneMs: 60_000 }
    const lab = started([a], config)
    lab.run(2000)
    assert.equal(decodeKnownPeers(lab.disk.get(durableKeys.peers)).length, 1)
    const again = new Lab({ durable: lab.disk }, config)
    again.start()
    again.run(50_000)
    again.command({ type: 'stop' })
    const third = new Lab({ durable: again.disk }, config)
    third.start()
    assert.equal(dialled(third, a), 1)
    third.run(20_000)
    third.command({ type: 'stop' })
    assert.deepEqual(decodeKnownPeers(third.disk.get(durableKeys.peers)), [])
  })
})
