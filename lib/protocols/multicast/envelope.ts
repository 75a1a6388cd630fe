/**
 * Envelopes: a signed header, and the payloads that its hash covers.
 *
 * Signature and hashes cover the received bytes of the header, behind a domain
 * tag; nothing is re-encoded to verify or to relay, because protobuf is not
 * canonical. Every static limit is checked here: what passes is refused by
 * nobody for its form, and what does not pass is refused by everybody.
 */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { WireError } from '../../wire/errors.ts'
import { EnvelopeSchema, HeaderSchema, type Header as WireHeader } from '../../wire/gen/multicast_pb.ts'
import { checkShape, shapeOf } from '../../wire/shape.ts'
import type { Crypto } from '../core.ts'
import { decoding, malformed, tooLarge } from './decoding.ts'
import { ascii, authorKeyOf, entryKey, fromHex, packDots, type Sha256, toHex, unpackDots } from './dots.ts'
import { counter, hashBytes, hexOf, idBytes, packHybrid, peerId, seqOf, unpackHybrid } from './fields.ts'
import { multicastLimits } from './limits.ts'
import type { AuthorKey, DotKey, Envelope, Header, SignedHeader } from './messages.ts'

const version = 1
const domainTag = ascii('p2pd multicast header 1\0')

/** Header and signature, as decoded from any message that holds them. */
interface WireSigned {
  readonly header: Uint8Array
  readonly signature: Uint8Array
}

const closed = ['Envelope', 'Header']
const envelopeShape = shapeOf(EnvelopeSchema, {
  repeats: { 'Envelope.payloads': multicastLimits.payloads },
  closed,
})
const headerShape = shapeOf(HeaderSchema, { repeats: { 'Header.sizes': multicastLimits.payloads }, closed })
/** Each once, and the payloads. */
const mostFields = 2 + multicastLimits.payloads

/**
 * Signs. The payloads are kept as they are given, not copied. Throws `WireError`
 * for what breaks a limit: nobody would take it.
 */
export function sealEnvelope(
  header: Omit<Header, 'sizes' | 'payloadsHash'>,
  payloads: readonly Uint8Array[],
  crypto: Crypto,
): Envelope {
  const sizes = payloads.map((payload) => payload.length)
  checkSizes(sizes)
  const full: Header = { ...header, sizes, payloadsHash: toHex(crypto.sha256(joined(payloads))) }
  const authorKey = authorKeyOf(header.author, crypto.sha256)
  checkHeader(full, authorKey)
  const bytes = encodeHeader(full)
  const signature = crypto.sign(signedPart(bytes))
  return { ...signedHeader(full, authorKey, bytes, signature, crypto.sha256), payloads }
}

/** As received: nothing is encoded anew. */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  return toBinary(EnvelopeSchema, create(EnvelopeSchema, envelopeToWire(envelope)))
}

/**
 * Decodes within the static limits and checks the payloads' hash; the signature
 * is not yet verified. What it returns is a copy. Throws `WireError`:
 * ERR_MALFORMED, ERR_TOO_LARGE, ERR_PAYLOAD_MISMATCH.
 */
export function openEnvelope(bytes: Uint8Array, sha256: Sha256): Envelope {
  return decoding('envelope', () => {
    checkShape(bytes, envelopeShape, mostFields)
    return openWireEnvelope(fromBinary(EnvelopeSchema, bytes), sha256)
  })
}

/** As `openEnvelope`, of a message that was decoded, and looked at before, with all of its frame. */
export function openWireEnvelope(
  wire: WireSigned & { readonly payloads: readonly Uint8Array[] },
  sha256: Sha256,
): Envelope {
  const signed = openSignedHeader(wire, sha256)
  checkPayloads(signed.header, wire.payloads)
  // The only copy: all payloads in one piece, which is what the hash covers.
  const whole = joined(wire.payloads)
  if (toHex(sha256(whole)) !== signed.header.payloadsHash) throw mismatch('of another hash')
  return { ...signed, payloads: cut(wire.payloads.length === 1 ? copy(whole) : whole, signed.header.sizes) }
}

/** Decodes within the static limits; the signature is not yet verified. What it returns is a copy. Throws `WireError`. */
export function openSignedHeader(wire: WireSigned, sha256: Sha256): SignedHeader {
  const { headerBytes, signatureBytes } = multicastLimits
  if (wire.header.length > headerBytes) throw tooLarge(`a header of ${wire.header.length} bytes`)
  if (wire.signature.length > signatureBytes) throw tooLarge(`a signature of ${wire.signature.length} bytes`)
  return decoding('header', () => {
    checkShape(wire.header, headerShape, headerShape.fields.length)
    const header = toHeader(fromBinary(HeaderSchema, wire.header))
    const authorKey = authorKeyOf(header.author, sha256)
    checkHeader(header, authorKey)
    // Copies: what protobuf gives are views, and one kept header would keep its whole frame in memory.
    return signedHeader(header, authorKey, copy(wire.header), copy(wire.signature), sha256)
  })
}

/** Whether the author that the header names signed these very bytes. */
export function headerIsSigned(header: SignedHeader, crypto: Crypto): boolean {
  return crypto.verify(header.header.author, signedPart(header.bytes), header.signature)
}

export function signedHeaderToWire(signed: SignedHeader) {
  return { header: signed.bytes, signature: signed.signature }
}

export function envelopeToWire(envelope: Envelope): MessageInitShape<typeof EnvelopeSchema> {
  return { header: envelope.bytes, signature: envelope.signature, payloads: [...envelope.payloads] }
}

function signedHeader(
  header: Header,
  authorKey: AuthorKey,
  bytes: Uint8Array,
  signature: Uint8Array,
  sha256: Sha256,
): SignedHeader {
  const more = header.sizes.length - 1
  return {
    header,
    bytes,
    signature,
    hash: toHex(sha256(bytes)),
    authorKey,
    entry: entryKey(authorKey, header.epoch),
    last: header.seq + more,
    lastLamport: header.lamport + more,
  }
}

function signedPart(bytes: Uint8Array): Uint8Array {
  const part = new Uint8Array(domainTag.length + bytes.length)
  part.set(domainTag)
  part.set(bytes, domainTag.length)
  return part
}

function encodeHeader(header: Header): Uint8Array {
  return toBinary(
    HeaderSchema,
    create(HeaderSchema, {
      version,
      cluster: fromHex(header.cluster),
      group: fromHex(header.group),
      author: header.author,
      epoch: BigInt(header.epoch),
      seq: BigInt(header.seq),
      sizes: [...header.sizes],
      payloadsHash: fromHex(header.payloadsHash),
      lamport: BigInt(header.lamport),
      dependencies: packDots(header.dependencies),
      ...(header.previous === undefined ? {} : { previous: fromHex(header.previous) }),
      ...(header.hybrid === undefined ? {} : { hybrid: packHybrid(header.hybrid) }),
      ...(header.old === undefined ? {} : { old: packDots([header.old]) }),
    }),
  )
}

function toHeader(wire: WireHeader): Header {
  if (wire.version !== version) throw malformed(`a header of version ${wire.version}`)
  return {
    cluster: hexOf(wire.cluster, idBytes, 'cluster'),
    group: hexOf(wire.group, idBytes, 'group'),
    author: peerId(wire.author),
    epoch: counter(wire.epoch, 'epoch'),
    seq: seqOf(wire.seq),
    sizes: wire.sizes,
    payloadsHash: hexOf(wire.payloadsHash, hashBytes, 'hash of payloads'),
    previous: wire.previous.length === 0 ? undefined : hexOf(wire.previous, hashBytes, 'previous hash'),
    lamport: counter(wire.lamport, 'Lamport counter'),
    hybrid: wire.hybrid === undefined ? undefined : unpackHybrid(wire.hybrid),
    dependencies: unpackDots(wire.dependencies, multicastLimits.dependencies),
    old: unpackDots(wire.old, 1)[0],
  }
}

/** The rules between fields, for what is sent as for what is received. */
function checkHeader(header: Header, authorKey: AuthorKey): void {
  const { counter: maxCount, seq: maxSeq } = multicastLimits
  checkSizes(header.sizes)
  const count = header.sizes.length
  if (header.seq < 1 || header.seq + count - 1 > maxSeq) throw malformed(`a seq of ${header.seq}`)
  if (header.epoch > maxCount) throw malformed('an epoch beyond 2^52')
  if (header.lamport < 1 || header.lamport + count > maxCount)
    throw malformed(`a Lamport counter of ${header.lamport}`)
  const follows = header.seq > 1 || header.old !== undefined
  if (follows !== (header.previous !== undefined)) throw malformed('a previous hash without a predecessor')
  if (header.old !== undefined) checkOld(header, header.old, authorKey)
  checkDependencies(header, authorKey)
}

function checkSizes(sizes: readonly number[]): void {
  if (sizes.length < 1 || sizes.length > multicastLimits.payloads) {
    throw malformed(`${sizes.length} payloads in an envelope`)
  }
  let total = 0
  for (const size of sizes) total += size
  if (total > multicastLimits.payloadBytes) throw tooLarge(`payloads of ${total} bytes`)
}

function checkOld(header: Header, old: DotKey, authorKey: AuthorKey): void {
  if (header.seq !== 1) throw malformed('an old dot behind the first of an epoch')
  if (old.author !== authorKey) throw malformed('an old dot of another author')
  if (old.epoch === header.epoch) throw malformed('an old dot of the same epoch')
}

function checkDependencies(header: Header, authorKey: AuthorKey): void {
  const { dependencies } = header
  if (dependencies.length > multicastLimits.dependencies) {
    throw malformed(`${dependencies.length} dependencies`)
  }
  let before: DotKey | undefined
  for (const dot of dependencies) {
    if (before !== undefined && !isBefore(before, dot)) throw malformed('dependencies out of order')
    if (dot.epoch === header.epoch && dot.author === authorKey) {
      throw malformed('a dependency on its own epoch')
    }
    before = dot
  }
}

/** By author and epoch alone: one dot of each says all. */
function isBefore(a: DotKey, b: DotKey): boolean {
  return a.author < b.author || (a.author === b.author && a.epoch < b.epoch)
}

function checkPayloads(header: Header, payloads: readonly Uint8Array[]): void {
  if (payloads.length !== header.sizes.length) throw mismatch(`${payloads.length} of them`)
  for (const [i, payload] of payloads.entries()) {
    if (payload.length !== header.sizes[i]) throw mismatch(`one of ${payload.length} bytes`)
  }
}

function mismatch(what: string): WireError {
  return new WireError('ERR_PAYLOAD_MISMATCH', `multicast: not the payloads that the header names: ${what}`)
}

/** Not `slice`: of a Buffer, which hosts hand in, that is a view. */
function copy(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes)
}

/** One after another; a single one as it is, without a copy. */
function joined(payloads: readonly Uint8Array[]): Uint8Array {
  const [first] = payloads
  if (first !== undefined && payloads.length === 1) return first
  const whole = new Uint8Array(payloads.reduce((total, payload) => total + payload.length, 0))
  let at = 0
  for (const payload of payloads) {
    whole.set(payload, at)
    at += payload.length
  }
  return whole
}

function cut(whole: Uint8Array, sizes: readonly number[]): readonly Uint8Array[] {
  if (sizes.length === 1) return [whole]
  let at = 0
  return sizes.map((size) => {
    at += size
    return whole.subarray(at - size, at)
  })
}
