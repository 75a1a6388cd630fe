import assert from 'node:assert/strict'
import { create, toBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { WireError } from '../../../lib/wire/errors.ts'
import { HeaderSchema, PushSchema, SupplySchema } from '../../../lib/wire/gen/multicast_pb.ts'
import { checkShape, shapeOf } from '../../../lib/wire/shape.ts'

const repeats = {
  'Supply.envelopes': 2,
  'Supply.floors': 3,
  'Supply.headers': 1,
  'Supply.delivered': 3,
  'Envelope.payloads': 2,
}
const shape = shapeOf(SupplySchema, { repeats, closed: ['Envelope'] })

const entry = { author: new Uint8Array(12), epoch: 2n ** 63n, seq: 1n, hash: 5n }
const supply = (change: object) => toBinary(SupplySchema, create(SupplySchema, change))
const check = (bytes: Uint8Array, mostFields = 100) => checkShape(bytes, shape, mostFields)

function refused(bytes: Uint8Array, message: RegExp, mostFields?: number) {
  assert.throws(
    () => check(bytes, mostFields),
    (error) => {
      return error instanceof WireError && error.code === 'ERR_MALFORMED' && message.test(error.message)
    },
  )
}

/** A length-delimited field. */
function field(number: number, body: Iterable<number>): number[] {
  const bytes = [...body]
  return [(number << 3) | 2, bytes.length, ...bytes]
}

describe('the shape of encoded protobuf', () => {
  it('lets pass what an encoder makes within the limits', () => {
    const envelope = {
      header: new Uint8Array(300),
      signature: new Uint8Array(64),
      payloads: [new Uint8Array(2)],
    }
    check(supply({ id: 2n ** 64n - 1n, envelopes: [envelope, envelope], floors: [entry, entry, entry] }))
    check(new Uint8Array())
  })

  it('counts the elements of each repeated field', () => {
    refused(supply({ floors: [entry, entry, entry, entry] }), /field 3 of Supply more than 3 times/)
    refused(supply({ envelopes: [{ payloads: [[], [], []].map(() => new Uint8Array()) }] }), /of Envelope/)
    check(supply({ envelopes: [1, 2].map(() => ({ payloads: [new Uint8Array(), new Uint8Array()] })) }))
  })

  it('counts the fields of all messages together', () => {
    const bytes = supply({ floors: [entry, entry] })
    check(bytes, 10)
    refused(bytes, /too many fields/, 9)
  })

  it('takes a field that is not repeated only once, so that nothing is merged', () => {
    refused(Uint8Array.of(8, 1, 8, 1), /field 1 of Supply more than 1 times/)
    const push = shapeOf(PushSchema, { repeats, closed: [] })
    const twice = new Uint8Array([...field(1, field(3, [])), ...field(1, field(3, []))])
    assert.throws(() => checkShape(twice, push, 100), WireError)
  })

  it('refuses unknown fields where nothing may be added, and elsewhere steps over them', () => {
    const unknown = [0x78, 0xff, 1, 0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7a, 1, 0, 0x7d, 1, 2, 3, 4]
    check(Uint8Array.from(unknown))
    refused(new Uint8Array(field(2, unknown)), /unknown field 15 of Envelope/)
    refused(Uint8Array.of(0, 0), /unknown field 0/)
  })

  it('refuses a field of another wire type, which the decoder would read on in the wrong place', () => {
    refused(Uint8Array.of(0x0a, 1, 1), /field 1 of Supply has another type/)
    refused(Uint8Array.of(0x10, 1), /field 2 of Supply has another type/)
  })

  it('refuses groups and unknown wire types', () => {
    for (const wireType of [3, 4, 6, 7]) refused(Uint8Array.of(0x78 | wireType), /wire type/)
  })

  it('refuses what ends inside a field or overruns its message', () => {
    refused(Uint8Array.of(0x08), /does not end/)
    refused(Uint8Array.of(0x12, 5, 0), /too long/)
    refused(Uint8Array.of(0x79, 1), /ends inside/)
    refused(Uint8Array.of(0x7a, 9, 1), /ends inside/)
    refused(Uint8Array.of(0x12, 2, 0x0a, 1, 0, 0), /too long/)
    refused(Uint8Array.of(0x08, ...new Uint8Array(10).fill(0x80), 0), /does not end/)
    refused(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x1f), /beyond 32 bits/)
    refused(Uint8Array.of(0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 1), /beyond 32 bits/)
  })

  it('bounds what is packed by its bytes', () => {
    const header = shapeOf(HeaderSchema, { repeats: { 'Header.sizes': 2 }, closed: [] })
    checkShape(toBinary(HeaderSchema, create(HeaderSchema, { sizes: [2 ** 32 - 1, 0] })), header, 100)
    assert.throws(() => checkShape(new Uint8Array(field(7, new Uint8Array(21))), header, 100), WireError)
  })

  it('does not load without a limit on every list', () => {
    assert.throws(() => shapeOf(HeaderSchema, { repeats: {}, closed: [] }), /Header.sizes has no limit/)
  })

  it('meets garbage with a WireError and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          check(bytes)
        } catch (error) {
          assert.ok(error instanceof WireError)
        }
      }),
    )
  })
})
