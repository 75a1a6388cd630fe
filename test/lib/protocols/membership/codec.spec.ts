import assert from 'node:assert/strict'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { packetCodec } from '../../../../lib/protocols/membership/codec.ts'
import type { Body, Packet } from '../../../../lib/protocols/membership/messages.ts'
import { recordIsSigned } from '../../../../lib/protocols/membership/statements.ts'
import { WireError } from '../../../../lib/wire/errors.ts'
import { PacketSchema, RecordBodySchema } from '../../../../lib/wire/gen/membership_pb.ts'
import { cryptoOf, ScriptedPeer } from './lab.ts'

const a = new ScriptedPeer('a')
const b = new ScriptedPeer('b')

function bodies(): Body[] {
  const belief = { generation: 7, incarnation: 2, standing: 'suspect', heardAgoMs: 15 } as const
  const riders = [
    { kind: 1, body: Uint8Array.of(1, 2, 3) },
    { kind: 2 ** 32 - 1, body: new Uint8Array() },
  ]
  const heartbeat = { seq: 3, digest: 2n ** 64n - 1n, loopLagMs: 4, belief } as const
  return [
    { type: 'ping', ...heartbeat, otherLife: undefined, riders: [] },
    { type: 'ack', ...heartbeat, otherLife: a.record({ groups: ['all', 'chat'] }), riders },
    { type: 'ping-request', seq: 4, subject: b.id },
    { type: 'nack', seq: 4 },
    { type: 'gossip' },
    { type: 'sync', reply: true, buckets: undefined, more: false },
    { type: 'sync', reply: false, buckets: new Set([0, 7, 8, 255]), more: true },
    { type: 'buckets', sums: Array.from({ length: 256 }, (_, bucket) => BigInt(bucket) << 56n) },
    { type: 'leave', seq: 5, record: a.record({ presence: 'left' }) },
    { type: 'leave-ack', seq: 5 },
  ]
}

const refused = (bytes: Uint8Array) => assert.throws(() => packetCodec.decode(bytes), WireError)

describe('the packet codec', () => {
  for (const body of bodies()) {
    it(`brings a ${body.type} back as it was`, () => {
      const updates = [{ ...b.update(), accusations: [a.accuse(b.record())] }]
      const packet: Packet = { generation: 2 ** 52, updates, body }
      assert.deepEqual(packetCodec.decode(packetCodec.encode(packet)), packet)
    })
  }

  it('keeps what a newer version signed, so that its signature still holds after a relay', () => {
    const { encode, decode } = packetCodec
    const plain = a.record()
    const newer = new Uint8Array([...plain.bytes, ...[0xfa, 0x01, 0x03, 1, 2, 3]])
    const tag = Uint8Array.from('p2pd membership record 1\0', (c) => c.charCodeAt(0))
    const signature = cryptoOf(a.id).sign(new Uint8Array([...tag, ...newer]))
    const record = { body: plain.body, bytes: newer, signature }
    assert.equal(fromBinary(RecordBodySchema, newer).$unknown?.length, 1)
    const packet: Packet = {
      generation: 1,
      updates: [{ record, accusations: [], contact: false }],
      body: { type: 'gossip' },
    }
    const relayed = decode(encode(decode(encode(packet)))).updates[0]?.record
    assert.deepEqual(relayed?.bytes, newer)
    assert.ok(relayed !== undefined && recordIsSigned(relayed, cryptoOf(b.id)))
  })

  it('refuses any garbage with a WireError and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          packetCodec.decode(bytes)
        } catch (error) {
          assert.ok(error instanceof WireError)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('refuses any packet with a byte changed or cut, or decodes it within limits', () => {
    const bytes = packetCodec.encode({ generation: 1, updates: [a.update()], body: bodies()[0] as Body })
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.boolean(), (at, value, cut) => {
        const changed = cut ? bytes.slice(0, at) : bytes.with(at, value)
        try {
          packetCodec.decode(changed)
        } catch (error) {
          assert.ok(error instanceof WireError)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('refuses what is over a limit', () => {
    const gossip = { type: 'gossip' } as const
    const encode = (packet: Partial<Packet>) =>
      packetCodec.encode({ generation: 1, updates: [], body: gossip, ...packet })
    refused(new Uint8Array(64 * 1024 + 1))
    refused(encode({ generation: 2 ** 53 }))
    refused(encode({ updates: Array.from({ length: 513 }, () => ({ ...a.update(), record: small })) }))
    refused(
      encode({
        updates: [{ ...a.update(), accusations: Array.from({ length: 13 }, () => b.accuse(a.record())) }],
      }),
    )
    refused(
      encode({
        updates: [{ ...a.update(), record: a.record({ addresses: Array(17).fill('/ip4/1.1.1.1/tcp/1') }) }],
      }),
    )
    refused(encode({ updates: [{ ...a.update(), record: a.record({ name: 'x'.repeat(129) }) }] }))
    refused(encode({ updates: [{ ...a.update(), record: a.record({ name: 'a\u001b[2J' }) }] }))
    refused(encode({ body: { type: 'ping-request', seq: 1, subject: 'not/a/peer' as typeof a.id } }))
    refused(toBinary(PacketSchema, create(PacketSchema, { generation: 1n })))
  })
})

const small = a.record({ addresses: [] })
