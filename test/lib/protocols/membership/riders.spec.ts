import assert from 'node:assert/strict'
import { PeerClock } from '../../../../lib/protocols/clocks/peer-clock.ts'
import { packetCodec, packetLimits } from '../../../../lib/protocols/membership/codec.ts'
import { type Rider, riderKinds } from '../../../../lib/protocols/membership/messages.ts'
import { WireError } from '../../../../lib/wire/errors.ts'
import { encodeFrame } from '../../../../lib/wire/frame.ts'
import { maxControlFrameBytes } from '../../../../lib/wire/limits.ts'
import { Lab, ScriptedPeer } from './lab.ts'

const bytes = (...values: number[]) => Uint8Array.from(values)

/** A ping of `from` with these riders. */
function pingWith(from: ScriptedPeer, riders: readonly Rider[]) {
  const packet = from.ping()
  if (packet.body.type !== 'ping') throw new Error('not a ping')
  return { ...packet, body: { ...packet.body, riders } }
}

const ridden = (lab: Lab) =>
  lab
    .events()
    .flatMap((event) =>
      event.type === 'rider' ? [[event.from, event.generation, event.kind, [...event.body]]] : [],
    )

function joined(init: ConstructorParameters<typeof Lab>[0] = {}) {
  const lab = new Lab(init)
  const a = new ScriptedPeer('a')
  lab.start()
  lab.connect(a)
  lab.take()
  return { lab, a }
}

describe('riders on heartbeats', () => {
  it('go with each ping and ack, made for who gets it and when', () => {
    const asked: string[] = []
    const clocks = {
      kind: riderKinds.clocks,
      body: (to: string, now: { monotonic: number; wall: number }) => {
        asked.push(`${to} ${now.monotonic} ${now.wall}`)
        return bytes(7)
      },
    }
    const nothing = { kind: riderKinds.multicast, body: () => undefined }
    const { lab, a } = joined({ riders: [clocks, nothing] })
    asked.length = 0
    lab.receive(a, a.ping([]))
    lab.command({ type: 'measure', peer: a.id, token: 1 })
    const heartbeats = lab.sent(a).flatMap(({ body }) => ('riders' in body ? [body] : []))
    assert.deepEqual(
      heartbeats.map(({ type, riders }) => [type, riders]),
      [
        ['ack', [{ kind: 1, body: bytes(7) }]],
        ['ping', [{ kind: 1, body: bytes(7) }]],
      ],
    )
    assert.deepEqual(asked, Array(2).fill(`a ${lab.now} ${lab.wall}`))
  })

  it('cost nothing where there are none', () => {
    const belief = { generation: 7, incarnation: 2, standing: 'alive', heardAgoMs: 15 } as const
    const heartbeat = { seq: 3, digest: 1n, loopLagMs: 4, belief, otherLife: undefined } as const
    const encode = (riders: Rider[]) =>
      packetCodec.encode({ generation: 1, updates: [], body: { type: 'ping', ...heartbeat, riders } })
    // Generation 2, header of the ping 2; in it seq 2, digest 9, lag 2, belief 2 + 4 × 2.
    assert.equal(encode([]).length, 2 + 2 + 2 + 9 + 2 + 10)
    assert.equal(encode([{ kind: 1, body: bytes(7) }]).length, 27 + 2 + 2 + 3)
  })

  it('arrive once, each as a copy, known or not', () => {
    const { lab, a } = joined()
    const ping = pingWith(a, [
      { kind: riderKinds.clocks, body: bytes(1, 2) },
      { kind: 99, body: bytes() },
    ])
    lab.receive(a, ping)
    lab.receive(a, ping)
    assert.deepEqual(ridden(lab), [
      ['a', 1000, 1, [1, 2]],
      ['a', 1000, 99, []],
    ])
    for (const event of lab.events()) {
      if (event.type === 'rider') assert.equal(event.body.buffer.byteLength, event.body.length)
    }
  })

  it('bring the clocks of one peer to another', () => {
    const clock = new PeerClock()
    for (let i = 0; i < 3; i++) clock.lamport.tick()
    const { lab, a } = joined({
      riders: [{ kind: riderKinds.clocks, body: (_, now) => clock.rider(now) }],
    })
    lab.receive(a, a.ping([]))
    const [ack] = lab.sent(a)
    const other = new Lab()
    other.start()
    other.connect(a)
    assert.ok(ack !== undefined)
    other.receive(a, { ...ack, generation: a.generation, updates: [] })
    const heard = new PeerClock()
    const now = { monotonic: other.now, wall: other.wall }
    for (const event of other.events()) {
      if (event.type === 'rider' && event.kind === riderKinds.clocks) heard.heard(event.from, event.body, now)
    }
    assert.equal(heard.lamport.value, 3)
  })

  it('arrive with acks as well', () => {
    const { lab, a } = joined()
    const ack = a.ack(1)
    assert.ok(ack.body.type === 'ack')
    lab.receive(a, { ...ack, body: { ...ack.body, riders: [{ kind: 2, body: bytes(5) }] } })
    assert.deepEqual(ridden(lab), [['a', 1000, 2, [5]]])
  })

  it('count from a current life only', () => {
    const { lab, a } = joined()
    const riders = [{ kind: 1, body: bytes(1) }]
    const stranger = new ScriptedPeer('b')
    lab.command({ type: 'connected', peer: stranger.id })
    lab.receive(stranger, { ...pingWith(stranger, riders), updates: [] })
    const before = pingWith(a, riders)
    a.generation = 2000
    lab.receive(a, a.ping())
    lab.receive(a, before)
    assert.deepEqual(ridden(lab), [])
    lab.receive(a, pingWith(a, riders))
    assert.deepEqual(ridden(lab), [['a', 2000, 1, [1]]])
  })

  it('are refused beyond their limits, and at the limits fit a frame', () => {
    const { lab, a } = joined()
    const full = { kind: 1, body: new Uint8Array(packetLimits.riderBytes) }
    const most = pingWith(a, Array(packetLimits.riders).fill(full))
    encodeFrame(packetCodec.encode(most), maxControlFrameBytes)
    lab.receive(a, most)
    assert.equal(ridden(lab).length, packetLimits.riders)
    const refused = (riders: Rider[]) =>
      assert.throws(() => packetCodec.decode(packetCodec.encode(pingWith(a, riders))), WireError)
    refused(Array(packetLimits.riders + 1).fill({ kind: 1, body: bytes() }))
    refused([{ kind: 1, body: new Uint8Array(packetLimits.riderBytes + 1) }])
  })

  it('leave a large record to a packet of its own', () => {
    const full = { kind: 1, body: () => new Uint8Array(packetLimits.riderBytes) }
    const groups = Array.from({ length: 256 }, (_, i) => `${i}`.padStart(64, 'g'))
    const { lab } = joined({ riders: [full, full, full, full], groups })
    const z = new ScriptedPeer('z')
    lab.connect(z)
    for (const packet of lab.sent(z)) encodeFrame(packetCodec.encode(packet), maxControlFrameBytes)
    assert.ok(lab.sent(z).some(({ body }) => body.type === 'ping' && body.riders.length === 4))
    assert.deepEqual(lab.ownRecord().body.groups, groups.toSorted())
  })

  it('wait for the next heartbeat where a large proof leaves them no room', () => {
    const full = { kind: 1, body: () => new Uint8Array(packetLimits.riderBytes) }
    const { lab, a } = joined({ riders: [full, full, full, full] })
    const groups = Array.from({ length: 256 }, (_, i) => `${i}`.padStart(64, 'g'))
    const addresses = Array(16).fill(`/dns4/${'x'.repeat(490)}/tcp/1`)
    const later = a.record({ generation: 5000, groups: groups.sort(), addresses })
    lab.receive(a, a.packet({ type: 'gossip' }, [{ record: later, accusations: [], contact: true }]))
    lab.take()
    lab.receive(a, a.ping([]))
    const [ack] = lab.sent(a)
    assert.ok(ack?.body.type === 'ack' && ack.body.otherLife !== undefined)
    assert.equal(ack.body.riders.length, 2)
    for (const packet of lab.sent(a)) encodeFrame(packetCodec.encode(packet), maxControlFrameBytes)
    lab.receive(a, { ...a.ping(), generation: 5000 })
    assert.ok(lab.sent(a).some(({ body }) => body.type === 'ack' && body.riders.length === 4))
  })

  it('are a bug of the embedder beyond their limits', () => {
    const tooLong = { kind: 1, body: () => new Uint8Array(packetLimits.riderBytes + 1) }
    assert.throws(() => joined({ riders: [tooLong] }), /a rider 1 of 12289 bytes/)
    assert.throws(() => joined({ riders: Array(5).fill({ ...tooLong, body: () => undefined }) }), /5 sources/)
  })
})
