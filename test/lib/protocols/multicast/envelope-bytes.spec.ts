import assert from 'node:assert/strict'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { packHybrid } from '../../../../lib/protocols/clocks/hybrid.ts'
import { packDots } from '../../../../lib/protocols/multicast/dots.ts'
import { encodeEntry, encodeGroupState } from '../../../../lib/protocols/multicast/durable-state.ts'
import { encodeEnvelope, openEnvelope, sealEnvelope } from '../../../../lib/protocols/multicast/envelope.ts'
import { frontierDotToWire } from '../../../../lib/protocols/multicast/fields.ts'
import type {
  AuthorKey,
  DotKey,
  Envelope,
  FrontierDot,
} from '../../../../lib/protocols/multicast/messages.ts'
import {
  EnvelopeSchema,
  GroupStateSchema,
  HeaderSchema,
  SignedHeaderSchema,
} from '../../../../lib/wire/gen/multicast_pb.ts'
import { alice, cryptoOf, hashA, sha256, unsealed } from './sealing.ts'

const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((array) => Buffer.from(array).toString('hex'))
const counter = fc.integer({ min: 1, max: 2 ** 39 })
const dot: fc.Arbitrary<DotKey> = fc.record({
  author: hex(12).map((text) => text as AuthorKey),
  epoch: counter,
  seq: counter,
})
const hybrid = fc
  .record({
    ms: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
    counter: fc.integer({ min: 0, max: 65_535 }),
  })
  .map(({ ms, counter }) => ({ ms, counter }))

const envelopes: fc.Arbitrary<Envelope> = fc
  .record({
    epoch: counter,
    seq: counter,
    lamport: counter,
    hybrid: fc.option(hybrid, { nil: undefined }),
    dots: fc.uniqueArray(dot, { maxLength: 5, selector: ({ author }) => author }),
    payloads: fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 5 }),
  })
  .map(({ payloads, dots, seq, ...rest }) => {
    const dependencies = [...dots].sort((a, b) => (a.author < b.author ? -1 : 1))
    const previous = seq === 1 ? undefined : hashA
    return sealEnvelope(unsealed({ ...rest, seq, previous, dependencies }), payloads, cryptoOf(alice))
  })

/** What protobuf's own library makes of the same header. */
function headerByLibrary({ header }: Envelope): Uint8Array {
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'hex'))
  return toBinary(
    HeaderSchema,
    create(HeaderSchema, {
      version: 1,
      cluster: bytes(header.cluster),
      group: bytes(header.group),
      author: header.author,
      epoch: BigInt(header.epoch),
      seq: BigInt(header.seq),
      sizes: [...header.sizes],
      payloadsHash: bytes(header.payloadsHash),
      lamport: BigInt(header.lamport),
      dependencies: packDots(header.dependencies),
      ...(header.previous === undefined ? {} : { previous: bytes(header.previous) }),
      ...(header.hybrid === undefined ? {} : { hybrid: packHybrid(header.hybrid) }),
    }),
  )
}

describe('what is written and read by hand', () => {
  it('has the bytes of the protobuf library', () => {
    fc.assert(
      fc.property(envelopes, (envelope) => {
        assert.deepEqual(Buffer.from(envelope.bytes), Buffer.from(headerByLibrary(envelope)))
        const { bytes: header, signature } = envelope
        const whole = create(EnvelopeSchema, { header, signature, payloads: [...envelope.payloads] })
        assert.deepEqual(Buffer.from(encodeEnvelope(envelope)), Buffer.from(toBinary(EnvelopeSchema, whole)))
        const signed = create(SignedHeaderSchema, { header, signature })
        assert.deepEqual(
          Buffer.from(encodeEntry(envelope)),
          Buffer.from(toBinary(SignedHeaderSchema, signed)),
        )
      }),
    )
  })

  it('and so has the state of a group', () => {
    const below = fc.array(
      dot.map((entry) => ({ ...entry, hash: '' })),
      { maxLength: 4 },
    )
    const maximal: fc.Arbitrary<FrontierDot> = fc
      .tuple(dot, below, fc.boolean())
      .map(([of, list, exact]) => ({ ...of, below: list, exact }))
    fc.assert(
      fc.property(fc.array(maximal, { maxLength: 5 }), fc.boolean(), (frontier, based) => {
        const state = create(GroupStateSchema, {
          name: 'g',
          based,
          frontier: frontier.map(frontierDotToWire),
        })
        assert.deepEqual(
          Buffer.from(encodeGroupState({ name: 'g', based, frontier })),
          Buffer.from(toBinary(GroupStateSchema, state)),
        )
      }),
    )
  })

  it('reads what the library wrote, and takes nothing that the library cannot read', () => {
    fc.assert(
      fc.property(envelopes, fc.nat(), fc.integer({ min: 1, max: 255 }), (envelope, at, flip) => {
        const bytes = encodeEnvelope(envelope)
        // Cloned: generated objects have no prototype.
        assert.deepEqual(
          structuredClone(openEnvelope(bytes, sha256).header),
          structuredClone(envelope.header),
        )
        const spoilt = bytes.slice()
        const place = at % spoilt.length
        spoilt[place] = (spoilt[place] as number) ^ flip
        let taken: Envelope
        try {
          taken = openEnvelope(spoilt, sha256)
        } catch {
          return
        }
        const wire = fromBinary(EnvelopeSchema, spoilt)
        const header = fromBinary(HeaderSchema, wire.header)
        assert.deepEqual(
          [
            taken.header.author,
            BigInt(taken.header.epoch),
            BigInt(taken.header.seq),
            BigInt(taken.header.lamport),
          ],
          [header.author, header.epoch, header.seq, header.lamport],
        )
        assert.deepEqual([...taken.header.sizes], header.sizes)
      }),
      { numRuns: 500 },
    )
  })
})
