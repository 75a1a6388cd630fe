import assert from 'node:assert/strict'
import { packetCodec } from '../../../../lib/protocols/membership/codec.ts'
import type { Packet, Update } from '../../../../lib/protocols/membership/messages.ts'
import { statementLimits } from '../../../../lib/protocols/membership/statements.ts'
import { WireError } from '../../../../lib/wire/errors.ts'
import { Lab, ScriptedPeer } from './lab.ts'

const gossip = { type: 'gossip' } as const

const reasons = (lab: Lab) =>
  lab.events().flatMap((event) => (event.type === 'misbehaved' ? [[event.peer, event.reason]] : []))

/** A known, b known, x unknown; all talk through b. */
function scene() {
  const [a, b, x] = ['a', 'b', 'x'].map((name) => new ScriptedPeer(name)) as [
    ScriptedPeer,
    ScriptedPeer,
    ScriptedPeer,
  ]
  const lab = new Lab()
  lab.start()
  a.incarnation = 5
  lab.connect(a)
  lab.connect(b)
  lab.take()
  return { lab, a, b, x }
}

const forged = (update: Update): Update => ({
  ...update,
  record: { ...update.record, signature: new Uint8Array(32) },
})

describe('a record', () => {
  const forgeries: Readonly<Record<string, (it: ReturnType<typeof scene>) => Packet>> = {
    'newer than the known one': ({ a, b }) =>
      b.packet(gossip, [forged(a.update({ record: a.record({ incarnation: 6 }) }))]),
    'of a later life': ({ a, b }) =>
      b.packet(gossip, [forged(a.update({ record: a.record({ generation: 5000 }) }))]),
    'of a stranger': ({ b, x }) => b.packet(gossip, [forged(x.update())]),
    'that says that its member has left': ({ a, b }) =>
      b.packet(gossip, [forged(a.update({ record: a.record({ presence: 'left' }) }))]),
    'in a leave': ({ b }) =>
      b.packet({
        type: 'leave',
        seq: 1,
        record: forged(b.update({ record: b.record({ presence: 'left' }) })).record,
      }),
  }
  for (const [which, packet] of Object.entries(forgeries)) {
    it(`${which} that is forged is refused and counted`, () => {
      const it = scene()
      it.lab.receive(it.b, packet(it))
      assert.deepEqual(reasons(it.lab), [['b', 'bad-signature']])
      const rows = it.lab.core.members().map((row) => [row.peer, row.status, row.incarnation])
      assert.deepEqual(rows.slice(1), [
        ['a', 'alive', 5],
        ['b', 'alive', 0],
      ])
    })
  }

  it('that is replayed changes nothing', () => {
    const { lab, a, b } = scene()
    for (const change of [
      { incarnation: 4 },
      { incarnation: 4, presence: 'left' as const },
      { generation: 999, incarnation: 9 },
    ]) {
      for (const from of [a, b])
        lab.receive(from, from.packet(gossip, [a.update({ record: a.record(change) })]))
    }
    assert.deepEqual([lab.member(a)?.status, lab.member(a)?.incarnation], ['alive', 5])
    assert.ok(!lab.events().some((event) => event.type === 'member'))
  })

  it('of another cluster is refused and counted', () => {
    const { lab, a, b } = scene()
    lab.receive(b, b.packet(gossip, [a.update({ record: a.record({ cluster: 'c2', incarnation: 6 }) })]))
    assert.deepEqual(reasons(lab), [['b', 'other-cluster']])
  })

  it('that is oversized is refused before it is looked at', () => {
    const { a, b } = scene()
    const record = { ...a.record(), bytes: new Uint8Array(statementLimits.recordBytes + 1) }
    const bytes = packetCodec.encode(b.packet(gossip, [a.update({ record })]))
    assert.throws(() => packetCodec.decode(bytes), WireError)
  })

  it('from the future is refused: an incarnation far ahead, a generation that no counter holds', () => {
    const { lab, a, b } = scene()
    const record = a.record({ incarnation: 5 + 2 ** 20 + 1 })
    lab.receive(b, b.packet(gossip, [a.update({ record })]))
    assert.deepEqual(reasons(lab), [], 'who relays it may not know better')
    lab.receive(a, a.packet(gossip, [a.update({ record })]))
    assert.deepEqual(reasons(lab), [['a', 'incarnation-too-far']])
    assert.equal(lab.member(a)?.incarnation, 5)
    for (const change of [{ generation: 2 ** 52 + 2 }, { incarnation: 2 ** 52 + 2 }]) {
      const bytes = packetCodec.encode(b.packet(gossip, [a.update({ record: a.record(change) })]))
      assert.throws(() => packetCodec.decode(bytes), WireError)
    }
  })
})

describe('an accusation', () => {
  it('that is forged, of another cluster, of another life or by a stranger does nothing', () => {
    const { lab, a, b, x } = scene()
    const record = a.record()
    for (const accusation of [
      b.accuse(record, { cluster: 'c2' }),
      b.accuse(record, { generation: 999 }),
      b.accuse(record, { incarnation: 6 }),
      a.accuse(record),
      x.accuse(record),
      { ...b.accuse(record), signature: new Uint8Array(32) },
    ])
      lab.receive(b, b.packet(gossip, [a.update({ record, accusations: [accusation] })]))
    assert.equal(lab.member(a)?.status, 'alive')
    assert.deepEqual(reasons(lab), [['b', 'bad-signature']])
  })
})

describe('a flood', () => {
  it('of newer records of oneself costs others a bounded number of looks, rumours and events', () => {
    const { lab, a, b } = scene()
    let verified = 0
    for (let i = 0; i < 1500; i++) {
      a.incarnation++
      lab.receive(a, a.ping())
      lab.run(2)
      if (i % 100 === 0) lab.hear(b)
      verified = lab.events().filter((e) => e.type === 'member' && e.member.peer === a.id).length
    }
    // 64 at once, and 16 a second for three seconds.
    assert.ok(verified <= 64 + 16 * 4, `${verified}`)
    assert.ok(reasons(lab).some(([peer, reason]) => peer === 'a' && reason === 'flooding'))
    assert.ok(reasons(lab).length <= 4, 'and is said once a second')
    lab.run(1000)
    lab.receive(a, a.ping())
    assert.equal(lab.member(a)?.incarnation, a.incarnation, 'what it says last counts')
  })

  it('of lives likewise', () => {
    const { lab, a } = scene()
    for (let i = 0; i < 1000; i++) {
      a.generation++
      lab.receive(a, a.ping())
    }
    const restarts = lab.events().filter((e) => e.type === 'member' && e.change === 'restarted').length
    assert.ok(restarts <= 64, `${restarts}`)
  })

  it('of records that somebody forged costs their subject nothing', () => {
    const { lab, a, b } = scene()
    for (let i = 0; i < 500; i++)
      lab.receive(b, b.packet(gossip, [forged(a.update({ record: a.record({ incarnation: 6 + i }) }))]))
    a.incarnation = 6
    lab.receive(a, a.ping())
    assert.equal(lab.member(a)?.incarnation, 6)
  })

  it('of pings is answered up to a limit, and those of others are still answered', () => {
    const { lab, a, b } = scene()
    for (let i = 0; i < 3000; i++) {
      lab.receive(a, a.ping([]))
      if (i % 1000 === 0) lab.run(1000)
    }
    const acks = (of: ScriptedPeer) => lab.sent(of).filter((packet) => packet.body.type === 'ack').length
    // Its own 256 and 64 a second, and the 64 and 64 a second that all have together.
    assert.ok(acks(a) <= 256 + 64 + (64 + 64) * 3, `${acks(a)}`)
    assert.ok(reasons(lab).every(([peer, reason]) => peer === 'a' && reason === 'flooding'))
    lab.receive(b, b.ping([]))
    assert.equal(acks(b), 1)
    lab.run(2000)
    lab.take()
    lab.receive(a, a.ping([]))
    assert.equal(acks(a), 1, 'and later its own')
  })

  it('of updates is ignored sooner than one of small packets', () => {
    const { lab, a, b } = scene()
    const rows = Array.from({ length: 160 }, () => b.update())
    for (let i = 0; i < 180; i++) lab.receive(a, a.packet(gossip, rows))
    assert.deepEqual(reasons(lab), [])
    for (let i = 0; i < 20; i++) lab.receive(a, a.packet(gossip, rows))
    assert.deepEqual(reasons(lab), [['a', 'flooding']])
  })

  it('of packets is ignored beyond a limit, with a new connection too, and forgiven in time', () => {
    const { lab, a } = scene()
    for (let i = 0; i < 5000; i++) lab.receive(a, a.packet(gossip))
    assert.deepEqual(reasons(lab), [['a', 'flooding']])
    lab.command({ type: 'disconnected', peer: a.id, closedBy: 'remote' })
    lab.command({ type: 'connected', peer: a.id })
    lab.take()
    lab.receive(a, a.ping([]))
    assert.ok(!lab.sent(a).some((packet) => packet.body.type === 'ack'))
    lab.run(1000)
    lab.receive(a, a.ping([]))
    assert.ok(lab.sent(a).some((packet) => packet.body.type === 'ack'))
  })

  it('of strangers is looked at up to a whole view, and then slowly; less when a stranger names them', () => {
    const [b, outsider] = [new ScriptedPeer('b'), new ScriptedPeer('o')]
    let looks = 0
    const crypto = {
      sign: (bytes: Uint8Array) => bytes.slice(0, 32),
      verify: () => {
        looks++
        return true
      },
      sha256: () => new Uint8Array(32),
    }
    const lab = new Lab({ crypto }, { maxMembers: 100 })
    lab.start()
    lab.connect(b)
    lab.command({ type: 'connected', peer: outsider.id })
    for (const [from, most] of [
      [b, 100],
      [outsider, 64],
    ] as const) {
      looks = 0
      for (let i = 0; i < 50; i++) {
        const strangers = Array.from({ length: 50 }, (_, at) => new ScriptedPeer(`${from.id}${i}x${at}`))
        const updates = strangers.map((stranger) => stranger.update({ contact: false }))
        lab.receive(from, from.packet(gossip, updates))
      }
      assert.ok(looks > 0 && looks <= most, `${looks}`)
    }
  })

  it('of accusations by one member is looked at up to what a mass death takes', () => {
    const { lab, a, b } = scene()
    let suspicions = 0
    for (let i = 0; i < 600; i++) {
      const record = a.record()
      lab.receive(b, b.packet(gossip, [a.update({ record, accusations: [b.accuse(record)] })]))
      a.incarnation++
      lab.receive(a, a.packet(gossip, [a.update()]))
      lab.run(100)
      suspicions = lab.events().filter((e) => e.type === 'member' && e.change === 'suspect').length
    }
    // It is refuted alone each time: three in a minute, and nobody believes it for the next.
    assert.ok(suspicions <= 3 * 2, `${suspicions}`)
  })
})
