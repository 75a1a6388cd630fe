import assert from 'node:assert/strict'
import { packetCodec } from '../../../../lib/protocols/membership/codec.ts'
import type { MemberRecord, Signed } from '../../../../lib/protocols/membership/messages.ts'
import { signRecord } from '../../../../lib/protocols/membership/statements.ts'
import { encodeFrame } from '../../../../lib/wire/frame.ts'
import { maxControlFrameBytes } from '../../../../lib/wire/limits.ts'
import { cryptoOf, Lab, ScriptedPeer } from './lab.ts'

const reasons = (lab: Lab) =>
  lab.events().flatMap((event) => (event.type === 'misbehaved' ? [[event.peer, event.reason]] : []))

/** As large as a record may be: 30 KiB in a field that a newer version might have added. */
function hugeRecord(peer: ScriptedPeer): Signed<MemberRecord> {
  const { body, bytes } = peer.record()
  const unknown = new Uint8Array(30 * 1024)
  unknown.set([0xfa, 0x3f, 0xfb, 0xef, 0x01])
  const large = new Uint8Array(bytes.length + unknown.length)
  large.set(bytes)
  large.set(unknown, bytes.length)
  const crypto = cryptoOf(peer.id)
  const tagged = { ...crypto, sign: (signed: Uint8Array) => crypto.sign(replaceTail(signed, bytes, large)) }
  return { body, bytes: large, signature: signRecord(body, tagged).signature }
}

function replaceTail(signed: Uint8Array, tail: Uint8Array, other: Uint8Array): Uint8Array {
  const head = signed.subarray(0, signed.length - tail.length)
  const replaced = new Uint8Array(head.length + other.length)
  replaced.set(head)
  replaced.set(other, head.length)
  return replaced
}

function assertFramesFit(lab: Lab): void {
  for (const effect of lab.effects) {
    if (effect.type === 'send') encodeFrame(packetCodec.encode(effect.message), maxControlFrameBytes)
  }
}

describe('an insider that lies', () => {
  it('cannot drive the own incarnation up to where nobody takes it any more', () => {
    const lab = new Lab()
    const a = new ScriptedPeer('a')
    lab.start()
    lab.connect(a)
    const belief = { generation: lab.core.generation, incarnation: 2 ** 52, standing: 'suspect' } as const
    lab.receive(a, a.ping([], belief))
    lab.run(1000)
    assert.equal(lab.own.incarnation, 0)
    const again = new Lab({ durable: lab.disk })
    again.start()
    assert.equal(again.own.incarnation, 0, 'and the disk can be read')
  })

  it('is not taken for the own sickness when what it believes was answered long ago', () => {
    const lab = new Lab({}, { probeAllUpTo: 0 })
    const a = new ScriptedPeer('a')
    lab.start()
    lab.connect(a)
    lab.command({ type: 'readdress', addresses: ['/ip4/10.0.0.9/tcp/2'] })
    const stale = { generation: lab.core.generation, incarnation: 0, standing: 'suspect' } as const
    lab.receive(a, a.ping([], stale))
    assert.equal(lab.core.health.score, 0)
  })

  it('cannot make packets outgrow a frame with large records', () => {
    const lab = new Lab()
    const peers = ['a', 'b', 'c', 'd'].map((name) => new ScriptedPeer(name))
    lab.start()
    for (const peer of peers) {
      lab.connect(peer)
      lab.receive(peer, peer.packet({ type: 'gossip' }, [peer.update()].slice(1)))
    }
    for (const peer of peers) {
      peer.incarnation++
      lab.receive(peer, peer.packet({ type: 'gossip' }, [peer.update({ record: hugeRecord(peer) })]))
    }
    assert.deepEqual(reasons(lab), [])
    lab.run(1000)
    const told = lab.effects.flatMap((effect) => (effect.type === 'send' ? effect.message.updates : []))
    assert.ok(told.some((update) => update.record.bytes.length > 30_000))
    assertFramesFit(lab)
  })

  it('cannot make an ack outgrow a frame with two large lives', () => {
    const lab = new Lab()
    const a = new ScriptedPeer('a')
    lab.start()
    lab.command({ type: 'connected', peer: a.id })
    for (const generation of [2000, 3000]) {
      a.generation = generation
      lab.receive(a, a.packet({ type: 'gossip' }, [a.update({ record: hugeRecord(a) })]))
    }
    const b = new ScriptedPeer('b')
    lab.connect(b)
    lab.receive(
      b,
      b.packet({ type: 'gossip' }, [
        { ...a.update({ record: hugeRecord(a) }), accusations: [b.accuse(a.record())] },
      ]),
    )
    lab.take()
    lab.receive(a, a.ping([]))
    const ack = lab.sent(a).find((packet) => packet.body.type === 'ack')?.body
    assert.ok(ack?.type === 'ack' && ack.otherLife !== undefined)
    assertFramesFit(lab)
  })

  it('has the rest of a packet dropped at its first bad signature', () => {
    const lab = new Lab()
    const a = new ScriptedPeer('a')
    lab.start()
    lab.connect(a)
    lab.take()
    const forged = ['b', 'c', 'd'].map((name) => {
      const record = new ScriptedPeer(name).record()
      return { record: { ...record, signature: new Uint8Array(64) }, accusations: [], contact: true }
    })
    lab.receive(a, a.ping(forged))
    assert.deepEqual(reasons(lab), [['a', 'bad-signature']])
    assert.deepEqual(lab.sent(a), [], 'and its ping is not answered')
  })

  it('cannot have those blamed who relay what it signed', () => {
    const lab = new Lab({}, { maxMembers: 4 })
    const [a, b, c, liar] = ['a', 'b', 'c', 'x'].map((name) => new ScriptedPeer(name)) as [
      ScriptedPeer,
      ScriptedPeer,
      ScriptedPeer,
      ScriptedPeer,
    ]
    lab.start()
    lab.connect(a)
    lab.connect(liar)
    liar.incarnation = 2 ** 40
    lab.receive(a, a.packet({ type: 'gossip' }, [liar.update()]))
    assert.equal(lab.member(liar)?.incarnation, 0)
    lab.connect(b)
    lab.receive(a, a.packet({ type: 'gossip' }, [c.update()]))
    assert.equal(lab.member(c), undefined)
    assert.deepEqual(reasons(lab), [])
    lab.receive(liar, liar.ping())
    lab.receive(c, c.ping())
    assert.deepEqual(reasons(lab), [
      ['x', 'incarnation-too-far'],
      ['c', 'too-many-members'],
    ])
  })

  it('cannot answer a measurement in the place of another', () => {
    const lab = new Lab()
    const a = new ScriptedPeer('a')
    const b = new ScriptedPeer('b')
    lab.start()
    lab.connect(a)
    lab.connect(b)
    lab.take()
    lab.command({ type: 'measure', peer: a.id, token: 7 })
    const ping = lab.sent(a).find((packet) => packet.body.type === 'ping')?.body
    assert.ok(ping?.type === 'ping')
    lab.receive(b, b.ack(ping.seq))
    assert.deepEqual(
      lab.events().filter((event) => event.type === 'pong'),
      [],
    )
    lab.receive(a, a.ack(ping.seq))
    assert.equal(lab.events().filter((event) => event.type === 'pong').length, 1)
  })

  it('cannot make a storm of dials with hints', () => {
    const lab = new Lab()
    const a = new ScriptedPeer('a')
    lab.start()
    lab.connect(a)
    lab.take()
    const hints = Array.from({ length: 100 }, (_, i) => new ScriptedPeer(`hint${i}`))
    lab.receive(
      a,
      a.packet(
        { type: 'gossip' },
        hints.map((hint) => hint.update({ contact: false })),
      ),
    )
    const dials = () => lab.requests().filter((request) => request.type === 'dial')
    assert.equal(dials().length, 4)
    for (let at = 0; at < dials().length; at++) {
      const { id } = dials()[at] as { id: number }
      lab.command({ type: 'dialled', id, outcome: { type: 'failed', reason: 'refused' } })
    }
    assert.equal(new Set(dials().map((dial) => dial.peer)).size, 100, 'yet each is tried')
  })

  it('cannot have its own large record sent back with each answer while it is accused', () => {
    const lab = new Lab()
    const [a, b] = [new ScriptedPeer('a'), new ScriptedPeer('b')]
    lab.start()
    for (const peer of [a, b]) lab.connect(peer)
    a.incarnation++
    const record = hugeRecord(a)
    lab.receive(a, a.packet({ type: 'gossip' }, [a.update({ record })]))
    lab.receive(b, b.packet({ type: 'gossip' }, [{ record, accusations: [b.accuse(record)], contact: true }]))
    lab.take()
    for (let i = 0; i < 100; i++) {
      lab.receive(a, a.ping([]))
      lab.run(10)
    }
    assert.ok(lab.sent(a).filter(({ body }) => body.type === 'ack').length >= 90)
    const told = lab
      .sent(a)
      .flatMap(({ updates }) => updates.filter((one) => one.record.bytes.length > 30_000))
    assert.ok(told.length >= 4 && told.length <= 6, `${told.length} times in a second`)
  })

  it('cannot have proof of another life sent with each answer', () => {
    const lab = new Lab()
    const a = new ScriptedPeer('a')
    lab.start()
    lab.connect(a)
    a.generation = 2000
    lab.receive(a, a.packet({ type: 'gossip' }, [a.update({ record: hugeRecord(a) })]))
    a.generation = 1000
    lab.take()
    for (let i = 0; i < 100; i++) {
      lab.receive(a, a.ping([]))
      lab.run(10)
    }
    const proofs = lab.sent(a).filter(({ body }) => body.type === 'ack' && body.otherLife !== undefined)
    assert.ok(proofs.length >= 4 && proofs.length <= 6, `${proofs.length} in a second`)
  })

  it('cannot have a large record of its own told on as often as a small one', () => {
    const changes = (record: (peer: ScriptedPeer) => Signed<MemberRecord>) => {
      const lab = new Lab()
      const a = new ScriptedPeer('a')
      lab.start()
      lab.connect(a)
      for (let i = 0; i < 600; i++) {
        a.incarnation++
        lab.receive(a, a.packet({ type: 'gossip' }, [a.update({ record: record(a) })]))
        lab.run(100)
      }
      return lab.events().filter((event) => event.type === 'member' && event.change === 'updated').length
    }
    assert.ok(changes((peer) => peer.record()) >= 590)
    assert.ok(changes(hugeRecord) <= 150)
  })

  it('cannot make a telling of news outgrow what one packet holds', () => {
    const lab = new Lab()
    const many = Array.from({ length: 16 }, (_, i) => new ScriptedPeer(`large${i}`))
    lab.start()
    for (const peer of many) lab.connect(peer)
    lab.run(5000)
    for (const peer of many) {
      peer.incarnation++
      lab.receive(peer, peer.packet({ type: 'gossip' }, [peer.update({ record: hugeRecord(peer) })]))
    }
    for (let i = 0; i < 100; i++) {
      lab.take()
      lab.run(50)
      for (const peer of many) {
        const rows = lab.sent(peer).flatMap(({ body, updates }) => (body.type === 'gossip' ? updates : []))
        assert.ok(rows.filter(({ record }) => record.bytes.length > 30_000).length <= 2)
      }
    }
  })

  it('cannot have its view asked for again and again by saying that there is more', () => {
    const lab = new Lab()
    const a = new ScriptedPeer('a')
    lab.start()
    lab.connect(a)
    lab.run(2000)
    lab.take()
    const more = { type: 'sync', reply: false, buckets: new Set([1]), more: true } as const
    const all = { type: 'sync', reply: false, buckets: undefined, more: false } as const
    for (let i = 0; i < 100; i++) {
      lab.receive(a, a.packet(more))
      lab.receive(a, a.packet(all))
      lab.run(10)
    }
    assert.ok(lab.sent(a).filter(({ body }) => body.type === 'sync' || body.type === 'buckets').length <= 2)
  })

  it('cannot keep anybody out who is there by telling of many whom nobody has met', () => {
    const lab = new Lab({}, { maxMembers: 20 })
    const [liar, honest, joiner] = ['x', 'a', 'j'].map((name) => new ScriptedPeer(name)) as [
      ScriptedPeer,
      ScriptedPeer,
      ScriptedPeer,
    ]
    lab.start()
    for (const peer of [liar, honest]) lab.connect(peer)
    const made = Array.from({ length: 30 }, (_, i) => new ScriptedPeer(`made${i}`))
    lab.receive(
      liar,
      liar.packet(
        { type: 'gossip' },
        made.map((peer) => peer.update()),
      ),
    )
    assert.equal(lab.core.members().length, 20)
    lab.take()
    lab.connect(joiner)
    assert.equal(lab.member(joiner)?.status, 'alive')
    assert.equal(lab.member(honest)?.status, 'alive')
    assert.equal(lab.core.members().length, 20)
    const reaped = lab.events().filter((event) => event.type === 'member' && event.change === 'reaped')
    assert.equal(reaped.length, 1)
    assert.deepEqual(reasons(lab), [])
  })

  it('has nobody dialled of whom it says itself that they are accused', () => {
    const lab = new Lab()
    const a = new ScriptedPeer('a')
    lab.start()
    lab.connect(a)
    lab.take()
    const dead = Array.from({ length: 100 }, (_, i) => new ScriptedPeer(`dead${i}`))
    const rows = dead.map((peer) => peer.update({ contact: false, accusations: [a.accuse(peer.record())] }))
    lab.receive(a, a.packet({ type: 'gossip' }, rows))
    lab.run(30_000)
    assert.deepEqual(
      lab.requests().filter((request) => request.type === 'dial' && request.peer !== a.id),
      [],
    )
    // It answers after all, and somebody has met it.
    const [first] = dead as [ScriptedPeer]
    first.incarnation++
    lab.receive(a, a.packet({ type: 'gossip' }, [first.update()]))
    assert.equal(lab.member(first)?.status, 'alive')
  })

  it('cannot take all the probes that a helper makes for others', () => {
    const lab = new Lab()
    const [a, b, c] = ['a', 'b', 'c'].map((name) => new ScriptedPeer(name)) as [
      ScriptedPeer,
      ScriptedPeer,
      ScriptedPeer,
    ]
    lab.start()
    for (const peer of [a, b, c]) lab.connect(peer)
    lab.take()
    for (let seq = 1; seq <= 1000; seq++)
      lab.receive(a, a.packet({ type: 'ping-request', seq, subject: c.id }))
    assert.ok(lab.sent(c).filter((packet) => packet.body.type === 'ping').length <= 32)
    lab.take()
    lab.receive(b, b.packet({ type: 'ping-request', seq: 1, subject: c.id }))
    assert.equal(lab.sent(c).filter((packet) => packet.body.type === 'ping').length, 1)
  })
})

describe('a connection that was cut for a while', () => {
  it('may deliver its pings after those of the one that replaced it, and nobody is blamed', () => {
    const lab = new Lab()
    const a = new ScriptedPeer('a')
    lab.start()
    lab.connect(a)
    const held = Array.from({ length: 60 }, () => a.ping([]))
    const fresh = a.ping([])
    lab.receive(a, fresh)
    lab.take()
    for (const packet of held) lab.receive(a, packet)
    assert.deepEqual(lab.sent(a), [], 'an answer would come too late')
    assert.deepEqual(reasons(lab), [])
    lab.receive(a, fresh)
    assert.deepEqual(reasons(lab), [['a', 'replayed']])
  })
})

describe('a member that closes each connection at once', () => {
  it('is dialled again at once the first time, and not in a tight loop', () => {
    const lab = new Lab()
    const a = new ScriptedPeer('a')
    lab.start()
    lab.connect(a)
    lab.take()
    const dials = () => lab.requests().filter((request) => request.type === 'dial')
    for (let at = 0; at < 100; at++) {
      lab.command({ type: 'disconnected', peer: a.id, closedBy: 'remote' })
      if (at === 0) assert.equal(dials().length, 1)
      for (const { id } of dials())
        lab.command({ type: 'dialled', id, outcome: { type: 'failed', reason: 'unreachable' } })
      lab.connect(a)
      lab.run(20)
    }
    assert.ok(dials().length <= 4, `${dials().length} dials in two seconds`)
    lab.command({ type: 'disconnected', peer: a.id, closedBy: 'remote' })
    lab.run(1500)
    assert.ok(dials().length >= 2, 'it is dialled again nevertheless')
  })
})
