import assert from 'node:assert/strict'
import { create, toBinary } from '@bufbuild/protobuf'
import { ascii } from '../../../../lib/protocols/bytes.ts'
import { encodeEnvelope, openEnvelope } from '../../../../lib/protocols/multicast/envelope.ts'
import { Examiner, type ExaminerInit } from '../../../../lib/protocols/multicast/examiner.ts'
import type { Envelope } from '../../../../lib/protocols/multicast/messages.ts'
import { EnvelopeSchema } from '../../../../lib/wire/gen/multicast_pb.ts'
import { alice, bob, cluster, cryptoOf, group, hashA, sealed, sha256 } from './sealing.ts'

function lab(change: Partial<ExaminerInit> = {}) {
  const crypto = cryptoOf(bob)
  const examiner = new Examiner({ cluster, crypto, isKnown: () => true, seen: () => false, ...change })
  const examine = (envelope: Envelope | Uint8Array) =>
    examiner.examine(group, envelope instanceof Uint8Array ? envelope : encodeEnvelope(envelope))
  return { examiner, examine, verified: crypto.verified }
}

/** The envelope in other bytes, as anybody can write it: fields in another order, lengths padded. */
function reencoded(envelope: Envelope, padding: number): Uint8Array {
  const whole = encodeEnvelope({ ...envelope, payloads: [] })
  const payloads = encodeEnvelope(envelope).subarray(whole.length)
  const tag = Uint8Array.of(payloads[0] ?? 0)
  const length = payloads[1] ?? 0
  assert.ok(length < 128)
  const padded = Array.from({ length: padding + 1 }, (_, i) => {
    const low = i === 0 ? length : 0
    return i === padding ? low : low | 0x80
  })
  return new Uint8Array([...tag, ...padded, ...payloads.subarray(2), ...whole])
}

describe('the examiner of gossip', () => {
  it('accepts a true envelope and hands it over', () => {
    const { examiner, examine } = lab()
    const envelope = sealed()
    assert.deepEqual(examine(envelope), { type: 'accept', envelope })
    assert.ok(Object.values(examiner.refused).every((count) => count === 0))
  })

  const forgedSignature = () => ({ ...sealed(), signature: new Uint8Array(64) })
  const rejected: [string, string, () => Envelope | Uint8Array][] = [
    ['garbage', 'malformed', () => Uint8Array.of(1, 2, 3)],
    ['what is too long', 'malformed', () => new Uint8Array(3 * 1024 * 1024)],
    ['another cluster', 'other-cluster', () => sealed({ cluster: group })],
    ['another group than the topic', 'other-group', () => sealed({ group: cluster })],
    ['a forged signature', 'bad-signature', forgedSignature],
    ['other payloads', 'payload-mismatch', () => ({ ...sealed(), payloads: [ascii('hellO')] })],
  ]
  for (const [what, reason, envelope] of rejected) {
    it(`rejects what every peer rejects and counts it: ${what}`, () => {
      const { examiner, examine } = lab()
      assert.deepEqual(examine(envelope()), { type: 'reject', reason })
      const counts = Object.entries(examiner.refused).filter(([, count]) => count > 0)
      assert.deepEqual(counts, [[reason, 1]])
    })
  }

  it('ignores an unknown author and says who, so that its record can be fetched', () => {
    const { examiner, examine, verified } = lab({ isKnown: (author) => author !== alice })
    assert.deepEqual(examine(sealed()), { type: 'ignore', reason: 'unknown-author', author: alice })
    assert.equal(examiner.refused['unknown-author'], 1)
    assert.equal(verified(), 0)
  })

  it('ignores what the core has, without looking at the signature', () => {
    const { examine, verified } = lab({ seen: () => true })
    assert.deepEqual(examine(sealed()), { type: 'ignore', reason: 'duplicate', author: undefined })
    assert.equal(verified(), 0)
  })

  it('verifies one true envelope once, in however many encodings it comes', () => {
    const { examiner, examine, verified } = lab()
    const envelope = sealed()
    assert.equal(examine(envelope).type, 'accept')
    for (const padding of [0, 1, 2, 3]) {
      const bytes = reencoded(envelope, padding)
      assert.equal(openEnvelope(bytes, sha256).hash, envelope.hash)
      assert.deepEqual(examine(bytes), { type: 'ignore', reason: 'duplicate', author: undefined })
    }
    assert.equal(verified(), 1)
    assert.equal(examiner.refused.duplicate, 4)
  })

  it('accepts the true envelope after forged copies of it', () => {
    const { examine } = lab()
    const envelope = sealed()
    assert.equal(examine(forgedSignature()).type, 'reject')
    assert.equal(examine({ ...envelope, payloads: [ascii('HELLO')] }).type, 'reject')
    assert.deepEqual(examine(envelope), { type: 'accept', envelope })
  })

  it('does not verify again in repair what gossip has verified', () => {
    const { examiner, examine, verified } = lab()
    examine(sealed())
    assert.ok(examiner.verify(sealed()))
    assert.equal(verified(), 1)
  })

  it('accepts an envelope of which it has verified the header alone', () => {
    const { examiner, examine, verified } = lab()
    assert.ok(examiner.verify(sealed()))
    assert.equal(examine(sealed()).type, 'accept')
    assert.equal(verified(), 1)
    assert.equal(examine(sealed()).type, 'ignore')
  })

  it('does not take a true header with a false signature for verified', () => {
    const { examiner } = lab()
    assert.ok(examiner.verify(sealed()))
    assert.ok(!examiner.verify(forgedSignature()))
    assert.ok(examiner.verify(sealed()))
  })

  it('does not hold a false signature against the true one', () => {
    const { examiner } = lab()
    assert.ok(!examiner.verify(forgedSignature()))
    assert.ok(examiner.verify(sealed()))
  })

  it('remembers the last 8192 headers and no more', () => {
    const { examiner, verified } = lab()
    const headers = Array.from({ length: 8193 }, (_, i) => sealed({ seq: i + 2, previous: hashA }))
    for (const header of headers) examiner.verify(header)
    const [first, second] = headers
    assert.ok(first !== undefined && second !== undefined)
    assert.equal(verified(), 8193)
    examiner.verify(second)
    assert.equal(verified(), 8193)
    examiner.verify(first)
    assert.equal(verified(), 8194)
  })

  it('opens an envelope whose fields an attacker repeats as no envelope at all', () => {
    const { examine } = lab()
    const { bytes: header, signature, payloads } = sealed()
    const wire = toBinary(
      EnvelopeSchema,
      create(EnvelopeSchema, { header, signature, payloads: [...payloads] }),
    )
    assert.deepEqual(examine(new Uint8Array([...wire, ...wire])), { type: 'reject', reason: 'malformed' })
  })
})
