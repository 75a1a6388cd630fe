import assert from 'node:assert/strict'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { ascii } from '../../../../lib/protocols/bytes.ts'
import { packetLimits } from '../../../../lib/protocols/membership/codec.ts'
import { decodeTails, encodeTails, multicastCodec } from '../../../../lib/protocols/multicast/codec.ts'
import { fromHex } from '../../../../lib/protocols/multicast/dots.ts'
import { multicastLimits } from '../../../../lib/protocols/multicast/limits.ts'
import type {
  FrontierDot,
  GroupTail,
  MulticastPacket,
  PacketBody,
  VectorEntry,
} from '../../../../lib/protocols/multicast/messages.ts'
import { WireError } from '../../../../lib/wire/errors.ts'
import { EnvelopeSchema, PacketSchema, SignedHeaderSchema } from '../../../../lib/wire/gen/multicast_pb.ts'
import { maxBulkFrameBytes } from '../../../../lib/wire/limits.ts'
import { authors, dots, envelopes, epochs, group, ids, sealed, seqs, sha256 } from './sealing.ts'

const codec = multicastCodec({ sha256 })

type Kind = NonNullable<MessageInitShape<typeof PacketSchema>['kind']>

const wirePacket = (kind: Kind) =>
  toBinary(PacketSchema, create(PacketSchema, { group: fromHex(group), kind }))

function refused(bytes: Uint8Array, code = 'ERR_MALFORMED') {
  assert.throws(
    () => codec.decode(bytes),
    (error) => error instanceof WireError && error.code === code,
  )
}

function record<T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true }) as fc.Arbitrary<T>
}

const list = <T>(of: fc.Arbitrary<T>) => fc.array(of, { maxLength: 4 })
const headers = envelopes.map(({ payloads: _, ...header }) => header)
const requestIds = fc.integer({ min: 0, max: 2 ** 52 })
const shortHashes = fc.oneof(
  fc.constant(''),
  fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }).map((bits) => bits.toString(16).padStart(16, '0')),
)
const entries = record<VectorEntry>({
  author: authors,
  epoch: epochs,
  seq: fc.oneof(fc.constant(0), seqs),
  hash: shortHashes,
})
const frontierDots = record<FrontierDot>({
  author: authors,
  epoch: epochs,
  seq: seqs,
  below: list(entries),
  exact: fc.boolean(),
})
const ranges = fc
  .tuple(authors, epochs, seqs, seqs)
  .map(([author, epoch, a, b]) => ({ author, epoch, from: Math.min(a, b), to: Math.max(a, b) }))

const bodies: { [T in PacketBody['type']]: fc.Arbitrary<Extract<PacketBody, { type: T }>> } = {
  summary: record({
    type: fc.constant('summary'),
    digest: ids,
    forked: list(authors),
    reply: fc.boolean(),
  }),
  vector: record({ type: fc.constant('vector'), entries: list(entries), reply: fc.boolean() }),
  pull: record({ type: fc.constant('pull'), id: requestIds, ranges: list(ranges) }),
  supply: record({
    type: fc.constant('supply'),
    id: requestIds,
    envelopes: list(envelopes),
    headers: list(headers),
    floors: list(entries),
    delivered: list(entries),
  }),
  inquiry: record({ type: fc.constant('inquiry'), id: requestIds, dots: list(dots) }),
  proofs: record({ type: fc.constant('proofs'), proofs: list(record({ first: headers, second: headers })) }),
  'baseline-request': record({
    type: fc.constant('baseline-request'),
    id: requestIds,
    done: fc.boolean(),
  }),
  baseline: record({
    type: fc.constant('baseline'),
    id: requestIds,
    none: fc.boolean(),
    entries: list(headers),
    frontier: list(frontierDots),
    delivered: list(entries),
    last: fc.boolean(),
  }),
  push: record({ type: fc.constant('push'), envelope: envelopes }),
}

const packets = record<MulticastPacket>({ group: ids, body: fc.oneof(...Object.values(bodies)) })

describe('the multicast codec', () => {
  for (const [type, body] of Object.entries(bodies)) {
    it(`brings a ${type} back as it was`, () => {
      fc.assert(
        fc.property(ids, body as fc.Arbitrary<PacketBody>, (id, some) => {
          const packet = { group: id, body: some }
          assert.deepEqual(codec.decode(codec.encode(packet)), packet)
        }),
        { numRuns: 50 },
      )
    })
  }

  it('refuses garbage with a WireError and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          codec.decode(bytes)
        } catch (error) {
          assert.ok(error instanceof WireError)
        }
      }),
    )
  })

  it('takes a mutated packet or refuses it with a WireError', () => {
    fc.assert(
      fc.property(packets, fc.nat(), fc.integer({ min: 1, max: 255 }), (packet, at, by) => {
        const bytes = codec.encode(packet)
        bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ by
        try {
          codec.decode(bytes)
        } catch (error) {
          assert.ok(error instanceof WireError)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('copies what it keeps of a frame', () => {
    const packet: MulticastPacket = { group, body: { type: 'push', envelope: sealed() } }
    const frame = codec.encode(packet)
    const decoded = codec.decode(frame)
    frame.fill(0)
    assert.deepEqual(decoded, packet)
  })

  it('ignores what a newer version adds, but not in an envelope nor in a signed header', () => {
    const unknown = [0xf8, 0x01, 1]
    const plain = wirePacket({ case: 'baselineRequest', value: { id: 1n } })
    assert.equal(codec.decode(new Uint8Array([...plain, ...unknown])).body.type, 'baseline-request')
    const { bytes: header, signature } = sealed()
    const extended = { header: new Uint8Array([...header, ...unknown]), signature }
    refused(wirePacket({ case: 'supply', value: { headers: [extended] } }))
    const $unknown = [{ no: 31, wireType: 0, data: Uint8Array.of(1) }]
    const payloads = [ascii('hello')]
    const envelope = create(EnvelopeSchema, { header, signature, payloads })
    const alone = create(SignedHeaderSchema, { header, signature })
    const push = () => wirePacket({ case: 'push', value: { envelope } })
    const supply = () => wirePacket({ case: 'supply', value: { headers: [alone] } })
    for (const [message, frame] of [
      [envelope, push],
      [alone, supply],
    ] as const) {
      codec.decode(frame())
      message.$unknown = $unknown
      refused(frame())
    }
  })

  const author = new Uint8Array(12)
  const entry = { author, epoch: 1n, seq: 1n, hash: 0n }
  const dot = { author, epoch: 1n, seq: 1n }
  const signed = { header: sealed().bytes, signature: sealed().signature }
  const times = <T>(count: number, of: T): T[] => Array.from({ length: count }, () => of)
  const packed = (count: number) => {
    const one = new Uint8Array(24)
    one[23] = 1
    return new Uint8Array(Buffer.concat(times(count, one)))
  }

  const atLimit: [string, number, (count: number) => Kind][] = [
    [
      'forked authors',
      1024,
      (n) => ({ case: 'summary', value: { digest: new Uint8Array(16), forked: times(n, author) } }),
    ],
    ['entries of a vector', 1024, (n) => ({ case: 'vector', value: { entries: times(n, entry) } })],
    ['ranges', 256, (n) => ({ case: 'pull', value: { ranges: times(n, { author, from: 1n, to: 1n }) } })],
    [
      'envelopes',
      256,
      (n) => ({ case: 'supply', value: { envelopes: times(n, { ...signed, payloads: [ascii('hello')] }) } }),
    ],
    ['headers of a supply', 1024, (n) => ({ case: 'supply', value: { headers: times(n, signed) } })],
    ['floors', 1024, (n) => ({ case: 'supply', value: { floors: times(n, entry) } })],
    ['delivered entries', 1024, (n) => ({ case: 'supply', value: { delivered: times(n, entry) } })],
    ['dots of an inquiry', 1024, (n) => ({ case: 'inquiry', value: { dots: packed(n) } })],
    [
      'proofs',
      16,
      (n) => ({ case: 'proofs', value: { proofs: times(n, { first: signed, second: signed }) } }),
    ],
    ['headers of a baseline', 512, (n) => ({ case: 'baseline', value: { entries: times(n, signed) } })],
    ['dots of a frontier', 1024, (n) => ({ case: 'baseline', value: { frontier: times(n, dot) } })],
    [
      'entries below a dot',
      1024,
      (n) => ({ case: 'baseline', value: { frontier: [{ ...dot, below: times(n, entry) }] } }),
    ],
    ['entries of a baseline', 1024, (n) => ({ case: 'baseline', value: { delivered: times(n, entry) } })],
  ]
  for (const [what, limit, kindOf] of atLimit) {
    it(`takes ${limit} ${what} and no more`, () => {
      codec.decode(wirePacket(kindOf(limit)))
      refused(wirePacket(kindOf(limit + 1)))
    })
  }

  it('bounds the fields of a frame in all, whatever they are in', () => {
    const each = Math.floor(multicastLimits.frameFields / 64)
    const below = times(Math.floor(each / 4), entry)
    const frame = wirePacket({ case: 'baseline', value: { frontier: times(64, { ...dot, below }) } })
    assert.ok(frame.length < maxBulkFrameBytes)
    refused(frame)
  })

  const malformedKinds: [string, Kind][] = [
    ['a digest of 15 bytes', { case: 'summary', value: { digest: new Uint8Array(15) } }],
    [
      'an author of 8 bytes',
      { case: 'vector', value: { entries: [{ ...entry, author: new Uint8Array(8) }] } },
    ],
    ['an epoch beyond 2^52', { case: 'vector', value: { entries: [{ ...entry, epoch: 2n ** 52n + 1n }] } }],
    ['a seq beyond 2^40 - 1', { case: 'vector', value: { entries: [{ ...entry, seq: 2n ** 40n }] } }],
    ['a range from 0', { case: 'pull', value: { ranges: [{ author, from: 0n, to: 1n }] } }],
    [
      'a range that ends before it begins',
      { case: 'pull', value: { ranges: [{ author, from: 2n, to: 1n }] } },
    ],
    ['a request id beyond 2^52', { case: 'pull', value: { id: 2n ** 52n + 1n } }],
    ['a frontier without a seq', { case: 'baseline', value: { frontier: [{ ...dot, seq: 0n }] } }],
    ['half a proof', { case: 'proofs', value: { proofs: [{ first: signed }] } }],
    ['an empty push', { case: 'push', value: {} }],
  ]
  for (const [what, kind] of malformedKinds) {
    it(`refuses ${what}`, () => refused(wirePacket(kind)))
  }

  it('refuses a packet of no kind, of no group, and of more than 2 MiB', () => {
    refused(toBinary(PacketSchema, create(PacketSchema, { group: fromHex(group) })))
    refused(toBinary(PacketSchema, create(PacketSchema, { kind: { case: 'baselineRequest', value: {} } })))
    refused(new Uint8Array(maxBulkFrameBytes + 1), 'ERR_TOO_LARGE')
  })

  it('says which payloads are not those of their header', () => {
    const envelope = { ...signed, payloads: [ascii('hellO')] }
    refused(wirePacket({ case: 'push', value: { envelope } }), 'ERR_PAYLOAD_MISMATCH')
  })

  it('refuses a frame of a million empty messages for next to nothing', () => {
    // Fields 3 (vector) and 5 (supply) of the packet, 2 (envelopes) of the supply.
    for (const [outer, inner] of [
      [3, 1],
      [5, 2],
      [15, 15],
    ] as const) {
      const body = new Uint8Array(maxBulkFrameBytes - 8)
      for (let at = 0; at < body.length; at += 2) body[at] = (inner << 3) | 2
      const length = body.length
      const head = [
        (outer << 3) | 2,
        (length & 127) | 128,
        ((length >> 7) & 127) | 128,
        (length >> 14) | 128,
        0,
      ]
      const frame = outer === 15 ? body : new Uint8Array([...head, ...body])
      const before = process.memoryUsage().heapUsed
      refused(frame)
      assert.ok(process.memoryUsage().heapUsed - before < 2_000_000)
    }
  })
})

describe('tails on heartbeats', () => {
  const tails: fc.Arbitrary<GroupTail> = record({
    group: ids,
    epoch: epochs,
    seq: fc.oneof(fc.constant(0), seqs),
    digest: ids,
  })

  it('come back as they were', () => {
    fc.assert(
      fc.property(fc.array(tails, { maxLength: 20 }), (some) => {
        assert.deepEqual(decodeTails(encodeTails(some)), some)
      }),
    )
  })

  it('of 256 groups fit into what a heartbeat carries', () => {
    const tail = { group, epoch: 2 ** 52, seq: 2 ** 40 - 1, digest: group }
    const bytes = encodeTails(Array.from({ length: multicastLimits.groups }, () => tail))
    assert.ok(bytes.length <= packetLimits.riderBytes, `${bytes.length} bytes`)
    assert.equal(decodeTails(bytes).length, 256)
  })

  it('are refused above 256, by half, with an epoch beyond 2^52, and as garbage', () => {
    const tail = { group, epoch: 1, seq: 1, digest: group }
    const malformed = { code: 'ERR_MALFORMED' }
    const many = encodeTails(Array.from({ length: 257 }, () => tail))
    assert.throws(() => decodeTails(many), malformed)
    assert.throws(() => decodeTails(Uint8Array.of(0x0a, 2, 0, 0)), malformed)
    assert.throws(() => decodeTails(encodeTails([{ ...tail, epoch: 2 ** 52 + 1 }])), malformed)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          decodeTails(bytes)
        } catch (error) {
          assert.ok(error instanceof WireError)
        }
      }),
    )
  })
})
