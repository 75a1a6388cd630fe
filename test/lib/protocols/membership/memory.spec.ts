import assert from 'node:assert/strict'
import { packetCodec } from '../../../../lib/protocols/membership/codec.ts'
import type { MembershipEvent } from '../../../../lib/protocols/membership/messages.ts'
import { Lab, ScriptedPeer } from './lab.ts'

const isRefusal = (event: MembershipEvent): boolean =>
  event.type === 'misbehaved' && event.reason === 'too-many-members'

describe('the memory of a view', () => {
  it('keeps of a packet no more than the statements themselves', () => {
    const a = new ScriptedPeer('a')
    const b = new ScriptedPeer('b')
    const record = b.record()
    const update = { record, accusations: [a.accuse(record)], contact: true }
    const bytes = packetCodec.encode(a.packet({ type: 'gossip' }, [update]))
    const padded = new Uint8Array([...bytes, 0xfa, 0x07, 0x80, 0x80, 0x01, ...new Uint8Array(16 * 1024)])
    const [decoded] = packetCodec.decode(padded).updates
    assert.ok(decoded !== undefined)
    for (const signed of [decoded.record, ...decoded.accusations]) {
      assert.equal(signed.bytes.buffer.byteLength, signed.bytes.byteLength)
      assert.equal(signed.signature.buffer.byteLength, signed.signature.byteLength)
    }
  })

  it('takes no record beyond its bytes, and still takes every refutation', () => {
    const [a, b, c] = [new ScriptedPeer('a'), new ScriptedPeer('b'), new ScriptedPeer('c')]
    const size = a.record().bytes.length
    const lab = new Lab({}, { maxRecordBytes: 2 * size + 10 })
    lab.start()
    lab.connect(a)
    lab.connect(b)
    lab.take()
    lab.connect(c)
    assert.equal(lab.member(c), undefined)
    assert.ok(lab.events().some(isRefusal))
    lab.take()
    lab.receive(
      a,
      a.packet({ type: 'gossip' }, [
        a.update({ record: a.record({ incarnation: 1, name: 'a'.repeat(99) }) }),
      ]),
    )
    assert.equal(lab.member(a)?.incarnation, 0, 'a record that grows beyond the limit')
    assert.ok(lab.events().some(isRefusal))
    lab.receive(a, a.packet({ type: 'gossip' }, [a.update({ record: a.record({ incarnation: 1 }) })]))
    assert.equal(lab.member(a)?.incarnation, 1)
    lab.receive(
      b,
      b.packet({ type: 'gossip' }, [b.update({ record: b.record({ incarnation: 1, addresses: [] }) })]),
    )
    lab.take()
    lab.connect(c)
    assert.equal(lab.member(c), undefined, 'there is room only when enough was given up')
    lab.receive(
      a,
      a.packet({ type: 'gossip' }, [a.update({ record: a.record({ incarnation: 2, addresses: [] }) })]),
    )
    lab.receive(c, c.ping([c.update({ record: c.record({ addresses: [] }) })]))
    assert.equal(lab.member(c)?.status, 'alive')
  })
})
