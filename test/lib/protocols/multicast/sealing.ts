/** Authors, headers and envelopes for the tests of what travels. */

import { createHash } from 'node:crypto'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { ascii } from '../../../../lib/protocols/bytes.ts'
import type { HybridStamp } from '../../../../lib/protocols/clocks/hybrid.ts'
import type { Crypto, PeerId } from '../../../../lib/protocols/core.ts'
import { authorKeyOf } from '../../../../lib/protocols/multicast/dots.ts'
import { sealEnvelope } from '../../../../lib/protocols/multicast/envelope.ts'
import type { AuthorKey, DotKey, Envelope, Header } from '../../../../lib/protocols/multicast/messages.ts'
import { EnvelopeSchema, HeaderSchema } from '../../../../lib/wire/gen/multicast_pb.ts'

export const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest())

export const cluster = '0123456789abcdef'.repeat(2)
export const group = 'fedcba9876543210'.repeat(2)
export const hashA = 'a5'.repeat(32)

/** 52 characters, as long as a real one. */
export function peer(name: string): PeerId {
  return `12D3KooW${name.padEnd(44, 'x')}` as PeerId
}

/** Real hashes, make-believe signatures: whoever has an author's crypto signs in its name. */
export function cryptoOf(author: PeerId): Crypto & { readonly verified: () => number } {
  let verified = 0
  const stamp = (signer: string, bytes: Uint8Array) => {
    const half = createHash('sha256').update(signer).update(bytes).digest()
    return new Uint8Array([...half, ...half])
  }
  return {
    sha256,
    sign: (bytes) => stamp(author, bytes),
    verify(signer, bytes, signature) {
      verified += 1
      return Buffer.compare(stamp(signer, bytes), signature) === 0
    },
    verified: () => verified,
  }
}

export type Unsealed = Omit<Header, 'sizes' | 'payloadsHash'>

export const alice = peer('alice')
export const bob = peer('bob')
export const keyOf = (author: PeerId): AuthorKey => authorKeyOf(author, sha256)

/** The header of alice's first message. */
export function unsealed(change: Partial<Unsealed> = {}): Unsealed {
  const plain: Unsealed = {
    cluster,
    group,
    author: alice,
    epoch: 1_785_000_000_000,
    seq: 1,
    previous: undefined,
    lamport: 1,
    hybrid: undefined,
    dependencies: [],
    old: undefined,
  }
  return { ...plain, ...change }
}

export function sealed(change: Partial<Unsealed> = {}, payloads: readonly Uint8Array[] = [ascii('hello')]) {
  const header = unsealed(change)
  return sealEnvelope(header, payloads, cryptoOf(header.author))
}

/** Fields of an honest header on the wire, to be spoilt one at a time. */
export function wireFields(payloads: readonly Uint8Array[] = [ascii('hello')]) {
  return {
    version: 1,
    cluster: Buffer.from(cluster, 'hex'),
    group: Buffer.from(group, 'hex'),
    author: alice as string,
    epoch: 7n,
    seq: 1n,
    sizes: payloads.map((payload) => payload.length),
    payloadsHash: sha256(Buffer.concat(payloads)),
    lamport: 1n,
  } satisfies MessageInitShape<typeof HeaderSchema>
}

/** Signed, whatever it says; `header` may be bytes that no encoder makes. */
export function wireEnvelope(
  header: MessageInitShape<typeof HeaderSchema> | Uint8Array,
  payloads: readonly Uint8Array[] = [ascii('hello')],
): Uint8Array {
  const bytes = header instanceof Uint8Array ? header : toBinary(HeaderSchema, create(HeaderSchema, header))
  const signature = cryptoOf(alice).sign(Buffer.concat([ascii('p2pd multicast header 1\0'), bytes]))
  return toBinary(
    EnvelopeSchema,
    create(EnvelopeSchema, { header: bytes, signature, payloads: [...payloads] }),
  )
}

export const epochs = fc.integer({ min: 0, max: 2 ** 52 })
export const seqs = fc.integer({ min: 1, max: 2 ** 40 - 1 })
export const authors = fc
  .uint8Array({ minLength: 12, maxLength: 12 })
  .map((bytes) => Buffer.from(bytes).toString('hex') as AuthorKey)
export const dots: fc.Arbitrary<DotKey> = fc.record(
  { author: authors, epoch: epochs, seq: seqs },
  { noNullPrototype: true },
)
export const ids = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => Buffer.from(bytes).toString('hex'))

const hybrids: fc.Arbitrary<HybridStamp> = fc.record(
  { ms: fc.integer({ min: 0, max: 2 ** 48 - 1 }), counter: fc.integer({ min: 0, max: 2 ** 16 - 1 }) },
  { noNullPrototype: true },
)

/** Envelopes as an honest author seals them, of every form. */
export const envelopes: fc.Arbitrary<Envelope> = fc
  .record({
    author: fc.constantFrom(alice, bob),
    epoch: epochs,
    first: fc.constantFrom('first', 'first of a later life', 'later'),
    seq: fc.integer({ min: 2, max: 2 ** 40 - 64 }),
    lamport: fc.integer({ min: 1, max: 2 ** 52 - 64 }),
    hybrid: fc.option(hybrids, { nil: undefined }),
    dependencies: fc.uniqueArray(dots, { maxLength: 8, selector: (dot) => dot.author }),
    payloads: fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 64 }),
    oldSeq: seqs,
  })
  .map(({ author, epoch, first, seq, lamport, hybrid, dependencies, payloads, oldSeq }) => {
    const old = { author: keyOf(author), epoch: epoch === 0 ? 1 : epoch - 1, seq: oldSeq }
    const header = unsealed({
      author,
      epoch,
      lamport,
      hybrid,
      seq: first === 'later' ? seq : 1,
      previous: first === 'first' ? undefined : hashA,
      old: first === 'first of a later life' ? old : undefined,
      dependencies: dependencies.sort((a, b) => (a.author < b.author ? -1 : 1)),
    })
    return sealEnvelope(header, payloads, cryptoOf(author))
  })
