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
