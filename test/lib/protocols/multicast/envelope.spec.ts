import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { create, toBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { generateIdentity, cryptoOf as hostCryptoOf } from '../../../../lib/host/identity.ts'
import { ascii } from '../../../../lib/protocols/bytes.ts'
import { authorKeyOf, entryKey, fromHex, packDots } from '../../../../lib/protocols/multicast/dots.ts'
import {
  encodeEnvelope,
  headerIsSigned,
  openEnvelope,
  openSignedHeader,
  sealEnvelope,
} from '../../../../lib/protocols/multicast/envelope.ts'
import type { AuthorKey, DotKey } from '../../../../lib/protocols/multicast/messages.ts'
import { WireError } from '../../../../lib/wire/errors.ts'
import { HeaderSchema } from '../../../../lib/wire/gen/multicast_pb.ts'
import {
  alice,
  bob,
  cluster,
  cryptoOf,
  envelopes,
  group,
  hashA,
  keyOf,
  sealed,
  sha256,
  unsealed,
  wireEnvelope,
  wireFields,
} from './sealing.ts'

const mebibyte = 1024 * 1024
const open = (bytes: Uint8Array) => openEnvelope(bytes, sha256)

function refused(bytes: Uint8Array, code: string, why?: string) {
  assert.throws(
    () => open(bytes),
    (error) => error instanceof WireError && error.code === code,
    why,
  )
}

/** Dots of distinct authors, in order. */
function dotsOf(count: number, epoch = 5): DotKey[] {
  return Array.from({ length: count }, (_, i) => ({
    author: i.toString(16).padStart(24, '0') as AuthorKey,
    epoch,
    seq: 1_000_000,
  }))
}

describe('an envelope', () => {
  it('comes back as it was sealed, whatever it holds', () => {
    fc.assert(
      fc.property(envelopes, (envelope) => {
        assert.deepEqual(open(encodeEnvelope(envelope)), envelope)
        assert.ok(headerIsSigned(envelope, cryptoOf(bob)))
      }),
    )
  })

  it('says what derives from its header', () => {
    const payloads = [ascii('a'), new Uint8Array(), ascii('bcd')]
    const envelope = sealed({ seq: 8, previous: hashA, lamport: 20 }, payloads)
    assert.deepEqual(envelope.header.sizes, [1, 0, 3])
    assert.equal(envelope.header.payloadsHash, createHash('sha256').update('abcd').digest('hex'))
    assert.equal(envelope.authorKey, keyOf(alice))
    assert.equal(envelope.entry, entryKey(keyOf(alice), envelope.header.epoch))
    assert.equal(envelope.last, 10)
    assert.equal(envelope.lastLamport, 22)
  })

  it('is a copy: it keeps no frame alive, and what becomes of the frame does not touch it', () => {
    for (const payloads of [[ascii('one')], [ascii('one'), ascii('two')]]) {
      const envelope = sealed({}, payloads)
      // A Buffer too: its `slice` is a view.
      for (const frame of [encodeEnvelope(envelope), Buffer.from(encodeEnvelope(envelope))]) {
        const opened = open(frame)
        frame.fill(0)
        assert.deepEqual(opened, envelope)
        for (const kept of [opened.bytes, opened.signature]) {
          assert.equal(kept.buffer.byteLength, kept.length)
        }
        const [first] = opened.payloads
        assert.equal(first?.buffer.byteLength, payloads.length * 3)
      }
    }
  })

  it('is hashed as its header was received, not as this version would encode it', () => {
    const header = toBinary(HeaderSchema, create(HeaderSchema, wireFields()))
    // The version, first in our form, comes last here.
    const reordered = new Uint8Array([...header.subarray(2), ...header.subarray(0, 2)])
    const opened = open(wireEnvelope(reordered))
    assert.deepEqual(opened.bytes, reordered)
    assert.equal(opened.hash, Buffer.from(sha256(reordered)).toString('hex'))
    assert.deepEqual(opened.header, open(wireEnvelope(header)).header)
    assert.ok(headerIsSigned(opened, cryptoOf(bob)))
  })

  it('is not signed by who merely says so', () => {
    const envelope = sealed()
    assert.ok(headerIsSigned(envelope, cryptoOf(bob)))
    assert.ok(!headerIsSigned({ ...envelope, header: { ...envelope.header, author: bob } }, cryptoOf(bob)))
    const bytes = envelope.bytes.slice()
    bytes[bytes.length - 1] = 99
    assert.ok(!headerIsSigned({ ...envelope, bytes }, cryptoOf(bob)))
  })

  it('is signed behind a domain tag: the bare header is another message', () => {
    const { bytes, signature } = sealed()
    assert.ok(!cryptoOf(bob).verify(alice, bytes, signature))
  })

  it('costs at most 260 bytes beside its payloads, and 24 a dependency', async () => {
    const identity = await generateIdentity()
    const crypto = hostCryptoOf(identity)
    const author = identity.peerId
    assert.equal(author.length, 52)
    for (const count of [0, 1, 3, 8]) {
      const header = unsealed({
        author,
        epoch: 1_785_000_000_000,
        seq: 1_000_000,
        lamport: 10_000_000,
        previous: hashA,
        hybrid: { ms: 1_785_000_000_000, counter: 65_535 },
        dependencies: dotsOf(count, 1_785_000_000_000),
      })
      const envelope = sealEnvelope(header, [new Uint8Array(100)], crypto)
      assert.ok(headerIsSigned(envelope, crypto))
      // A payload has two bytes of framing.
      const control = encodeEnvelope(envelope).length - 102
      assert.ok(control <= 260 + 24 * count, `${control} bytes with ${count} dependencies`)
    }
  })

  it('may be as large as the limits, and no larger', () => {
    const full = sealed({ dependencies: dotsOf(1024) }, [new Uint8Array(mebibyte)])
    assert.equal(open(encodeEnvelope(full)).payloads[0]?.length, mebibyte)
    const tooLarge = { code: 'ERR_TOO_LARGE' }
    assert.throws(() => sealed({}, [new Uint8Array(mebibyte + 1)]), tooLarge)
    assert.throws(() => sealed({}, [new Uint8Array(mebibyte), Uint8Array.of(1)]), tooLarge)
    assert.throws(() => sealed({}, []), { code: 'ERR_MALFORMED' })
    const many = Array.from({ length: 65 }, () => new Uint8Array())
    assert.throws(() => sealed({}, many), { code: 'ERR_MALFORMED' })
    assert.equal(sealed({}, many.slice(1)).last, 64)
    assert.throws(() => sealed({ dependencies: dotsOf(1025) }), { code: 'ERR_MALFORMED' })
  })
})

describe('opening an envelope', () => {
  it('refuses garbage with a WireError and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          open(bytes)
        } catch (error) {
          assert.ok(error instanceof WireError)
        }
      }),
    )
  })

  it('refuses or takes a mutated one, but throws nothing else and never takes other payloads', () => {
    fc.assert(
      fc.property(envelopes, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean(), (was, at, by, cut) => {
        const bytes = encodeEnvelope(was)
        const place = at % bytes.length
        bytes[place] = (bytes[place] ?? 0) ^ by
        try {
          const is = open(cut ? bytes.subarray(0, place) : bytes)
          if (is.hash === was.hash) assert.deepEqual(is.payloads, was.payloads)
          else assert.ok(!headerIsSigned(is, cryptoOf(bob)))
        } catch (error) {
          assert.ok(error instanceof WireError)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('takes the plain header that the next cases spoil', () => {
    assert.equal(open(wireEnvelope(wireFields())).header.author, alice)
  })

  const own = keyOf(alice)
  const pack = (...dots: DotKey[]) => packDots(dots)
  const dot = (author: string, epoch: number, seq = 1): DotKey => ({
    author: author as AuthorKey,
    epoch,
    seq,
  })
  const low = '00'.repeat(12)
  const previous = fromHex(hashA)
  const limit = 2n ** 52n

  const spoilt: [string, Parameters<typeof wireEnvelope>[0]][] = [
    ['another version', { ...wireFields(), version: 2 }],
    ['a short cluster', { ...wireFields(), cluster: new Uint8Array(15) }],
    ['a long group', { ...wireFields(), group: new Uint8Array(17) }],
    ['no author', { ...wireFields(), author: '' }],
    ['an author that is no peer id', { ...wireFields(), author: 'alice\n' }],
    ['an author that is too long', { ...wireFields(), author: 'a'.repeat(65) }],
    ['an epoch beyond 2^52', { ...wireFields(), epoch: limit + 1n }],
    ['a seq of 0', { ...wireFields(), seq: 0n }],
    ['a seq beyond 2^40 - 1', { ...wireFields(), seq: 2n ** 40n, previous }],
    ['a Lamport counter of 0', { ...wireFields(), lamport: 0n }],
    ['a Lamport counter that ends beyond 2^52', { ...wireFields(), lamport: limit }],
    ['no sizes', { ...wireFields(), sizes: [] }],
    ['65 sizes', { ...wireFields(), sizes: Array.from({ length: 65 }, () => 0) }],
    ['a short hash of payloads', { ...wireFields(), payloadsHash: new Uint8Array(31) }],
    ['a short previous hash', { ...wireFields(), seq: 2n, previous: new Uint8Array(31) }],
    ['a first with a previous hash', { ...wireFields(), previous }],
    ['a second without a previous hash', { ...wireFields(), seq: 2n }],
    ['an old dot without its hash', { ...wireFields(), old: pack(dot(own, 6)) }],
    ['an old dot behind the first', { ...wireFields(), seq: 2n, previous, old: pack(dot(own, 6)) }],
    ['an old dot of another author', { ...wireFields(), previous, old: pack(dot(low, 6)) }],
    ['an old dot of the same epoch', { ...wireFields(), previous, old: pack(dot(own, 7)) }],
    ['two old dots', { ...wireFields(), previous, old: pack(dot(own, 5), dot(own, 6)) }],
    ['half a dependency', { ...wireFields(), dependencies: pack(dot(low, 1)).subarray(1) }],
    ['dependencies out of order', { ...wireFields(), dependencies: pack(dot(low, 2), dot(low, 1)) }],
    ['two dependencies on one log', { ...wireFields(), dependencies: pack(dot(low, 1, 1), dot(low, 1, 2)) }],
    ['a dependency on the own log', { ...wireFields(), dependencies: pack(dot(own, 7)) }],
    ['1025 dependencies', { ...wireFields(), dependencies: packDots(dotsOf(1025)) }],
  ]
  for (const [what, header] of spoilt) {
    it(`refuses ${what}`, () => refused(wireEnvelope(header), 'ERR_MALFORMED'))
  }

  it('takes what lies just within the limits', () => {
    const last = { ...wireFields(), seq: 2n ** 40n - 1n, previous, lamport: limit - 1n, epoch: limit }
    assert.equal(open(wireEnvelope(last)).header.seq, 2 ** 40 - 1)
    const old = { ...wireFields(), previous, old: pack(dot(own, 8, 9)) }
    assert.deepEqual(open(wireEnvelope(old)).header.old, dot(own, 8, 9))
    const dependencies = pack(dot(low, 1), dot(low, 2))
    assert.equal(open(wireEnvelope({ ...wireFields(), dependencies })).header.dependencies.length, 2)
    const olderSelf = pack(dot(own, 6))
    assert.equal(
      open(wireEnvelope({ ...wireFields(), dependencies: olderSelf })).header.dependencies.length,
      1,
    )
  })

  it('counts a batch when it looks at the last seq and Lamport counter', () => {
    const two = [ascii('a'), ascii('b')]
    refused(wireEnvelope({ ...wireFields(two), seq: 2n ** 40n - 1n, previous }, two), 'ERR_MALFORMED')
    refused(wireEnvelope({ ...wireFields(two), lamport: limit - 1n }, two), 'ERR_MALFORMED')
    assert.equal(
      open(wireEnvelope({ ...wireFields(two), lamport: limit - 2n }, two)).lastLamport,
      2 ** 52 - 1,
    )
  })

  it('refuses unknown fields in the envelope and in the header', () => {
    const unknown = [0xf8, 0x01, 1]
    const header = toBinary(HeaderSchema, create(HeaderSchema, wireFields()))
    refused(wireEnvelope(new Uint8Array([...header, ...unknown])), 'ERR_MALFORMED')
    refused(new Uint8Array([...wireEnvelope(header), ...unknown]), 'ERR_MALFORMED')
  })

  it('refuses a field that comes twice', () => {
    const bytes = encodeEnvelope(sealed())
    refused(new Uint8Array([...bytes, ...bytes]), 'ERR_MALFORMED')
  })

  it('refuses payloads that are not those of the header: other, fewer, more, cut elsewhere', () => {
    const payloads = [ascii('ab'), ascii('cd')]
    for (const wrong of [
      [ascii('ab'), ascii('ce')],
      [ascii('ab')],
      [...payloads, new Uint8Array()],
      [ascii('a'), ascii('bcd')],
      [],
    ]) {
      refused(wireEnvelope(wireFields(payloads), wrong), 'ERR_PAYLOAD_MISMATCH')
    }
    refused(wireEnvelope(wireFields(), [ascii('hellO')]), 'ERR_PAYLOAD_MISMATCH')
  })

  it('refuses what is too large by what the header says', () => {
    refused(wireEnvelope({ ...wireFields(), sizes: [mebibyte + 1] }), 'ERR_TOO_LARGE')
    refused(wireEnvelope({ ...wireFields(), sizes: [mebibyte, 1] }), 'ERR_TOO_LARGE')
    refused(wireEnvelope({ ...wireFields(), sizes: [2 ** 32 - 1] }), 'ERR_TOO_LARGE')
  })

  it('refuses a header and a signature beyond their limits', () => {
    refused(wireEnvelope(new Uint8Array(26 * 1024)), 'ERR_TOO_LARGE')
    const { bytes } = sealed()
    assert.throws(() => openSignedHeader({ header: bytes, signature: new Uint8Array(129) }, sha256), {
      code: 'ERR_TOO_LARGE',
    })
  })

  it('refuses a million dependencies, or of payloads, before it makes anything of them', () => {
    const dependencies = wireEnvelope({ ...wireFields(), dependencies: new Uint8Array(24_000_000) })
    const payloads = new Uint8Array(2 * mebibyte)
    for (let at = 0; at < payloads.length; at += 2) payloads[at] = (3 << 3) | 2
    for (const bytes of [dependencies, payloads]) {
      const before = process.memoryUsage().heapUsed
      assert.throws(() => open(bytes), WireError)
      assert.ok(process.memoryUsage().heapUsed - before < 1_000_000)
    }
  })
})

describe('a signed header alone', () => {
  it('proves itself without payloads', () => {
    fc.assert(
      fc.property(envelopes, (envelope) => {
        const { payloads: _, ...expected } = envelope
        const opened = openSignedHeader({ header: envelope.bytes, signature: envelope.signature }, sha256)
        assert.deepEqual(opened, expected)
        assert.ok(headerIsSigned(opened, cryptoOf(bob)))
      }),
    )
  })

  it('names cluster, group and author as they were given', () => {
    const { header, authorKey } = sealed()
    assert.deepEqual([header.cluster, header.group, header.author], [cluster, group, alice])
    assert.equal(authorKey, authorKeyOf(alice, sha256))
  })
})
