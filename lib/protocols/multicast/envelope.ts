/**
 * Envelopes: a signed header, and the payloads that its hash covers.
 *
 * Signature and hashes cover the received bytes of the header, behind a domain
 * tag; nothing is re-encoded to verify or to relay, because protobuf is not
 * canonical. Every static limit is checked here: what passes is refused by
 * nobody for its form, and what does not pass is refused by everybody.
 */

import type { MessageInitShape } from '@bufbuild/protobuf'
import { WireError } from '../../wire/errors.ts'
import type { EnvelopeSchema } from '../../wire/gen/multicast_pb.ts'
import { maxPeerIdLength } from '../../wire/limits.ts'
import { ProtoReader } from '../../wire/reader.ts'
import { ProtoWriter } from '../../wire/writer.ts'
import { ascii } from '../bytes.ts'
import type { HybridStamp } from '../clocks/hybrid.ts'
import type { Crypto } from '../core.ts'
import { decoding, malformed, tooLarge } from './decoding.ts'
import { authorKeyOf, entryKey, packDots, type Sha256, toHex, unpackDots } from './dots.ts'
import { hashBytes, hexOf, idBytes, peerId } from './fields.ts'
import { multicastLimits } from './limits.ts'
import type { AuthorKey, DotKey, Envelope, Header, SignedHeader } from './messages.ts'

const version = 1
const domainTag = ascii('p2pd multicast header 1\0')

/** Header and signature, as decoded from any message that holds them. */
interface WireSigned {
  readonly header: Uint8Array
  readonly signature: Uint8Array
}

const writer = new ProtoWriter()

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
  writer.begin()
  writer.bytes(1, envelope.bytes)
  writer.bytes(2, envelope.signature)
  for (const payload of envelope.payloads) writer.bytes(3, payload)
  return writer.finish()
}

/**
 * Decodes within the static limits and checks the payloads' hash; the signature
 * is not yet verified. What it returns is a copy. Throws `WireError`:
 * ERR_MALFORMED, ERR_TOO_LARGE, ERR_PAYLOAD_MISMATCH.
 */
export function openEnvelope(bytes: Uint8Array, sha256: Sha256): Envelope {
  return decoding('envelope', () => {
    const reader = new ProtoReader(bytes, 'Envelope', 3)
    let header: Uint8Array = nothing
    let signature: Uint8Array = nothing
    const payloads: Uint8Array[] = []
    for (let field = reader.next(); field !== 0; field = reader.next()) {
      if (field === 1) header = reader.bytes()
      else if (field === 2) signature = reader.bytes()
      else if (field !== 3) reader.unknown()
      else if (payloads.push(reader.bytes()) > multicastLimits.payloads) throw malformed('too many payloads')
    }
    return openWireEnvelope({ header, signature, payloads }, sha256)
  })
}

const nothing = new Uint8Array(0)

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
    const header = decodeHeader(wire.header)
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
  writer.begin()
  writer.uint(1, version)
  writer.hex(2, header.cluster)
  writer.hex(3, header.group)
  writer.ascii(4, header.author)
  writer.uint(5, header.epoch)
  writer.uint(6, header.seq)
  writer.packedUints(7, header.sizes)
  writer.hex(8, header.payloadsHash)
  if (header.previous !== undefined) writer.hex(9, header.previous)
  writer.uint(10, header.lamport)
  if (header.hybrid !== undefined) {
    const { ms, counter } = header.hybrid
    writer.fixed64(11, (ms % 2 ** 16) * 2 ** 16 + counter, Math.floor(ms / 2 ** 16))
  }
  writer.bytesUnlessEmpty(12, packDots(header.dependencies))
  if (header.old !== undefined) writer.bytes(13, packDots([header.old]))
  return writer.finish()
}

function decodeHeader(bytes: Uint8Array): Header {
  const reader = new ProtoReader(bytes, 'Header')
  let found = 0
  let cluster = ''
  let group = ''
  let author = ''
  let epoch = 0
  let seq = 0
  let sizes: readonly number[] = []
  let payloadsHash = ''
  let previous: string | undefined
  let lamport = 0
  let hybrid: HybridStamp | undefined
  let dependencies: readonly DotKey[] = []
  let old: DotKey | undefined
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    switch (field) {
      case 1:
        found = reader.uint()
        break
      case 2:
        cluster = hexOf(reader.bytes(), idBytes, 'cluster')
        break
      case 3:
        group = hexOf(reader.bytes(), idBytes, 'group')
        break
      case 4:
        author = text(reader.bytes())
        break
      case 5:
        epoch = reader.uint()
        break
      case 6:
        seq = reader.uint()
        break
      case 7:
        sizes = reader.uints(multicastLimits.payloads)
        break
      case 8:
        payloadsHash = hexOf(reader.bytes(), hashBytes, 'hash of payloads')
        break
      case 9: {
        const hash = reader.bytes()
        if (hash.length > 0) previous = hexOf(hash, hashBytes, 'previous hash')
        break
      }
      case 10:
        lamport = reader.uint()
        break
      case 11: {
        const [low, high] = reader.fixed64()
        hybrid = { ms: high * 2 ** 16 + (low >>> 16), counter: low & 0xffff }
        break
      }
      case 12:
        dependencies = unpackDots(reader.bytes(), multicastLimits.dependencies)
        break
      case 13:
        old = unpackDots(reader.bytes(), 1)[0]
        break
      default:
        reader.unknown()
    }
  }
  if (found !== version) throw malformed(`a header of version ${found}`)
  if (cluster === '' || group === '' || payloadsHash === '')
    throw malformed('a header without its ids and hash')
  if (epoch > multicastLimits.counter) throw malformed('an epoch beyond 2^52')
  if (seq > multicastLimits.seq) throw malformed('a seq beyond 2^40 - 1')
  if (lamport > multicastLimits.counter) throw malformed('a Lamport counter beyond 2^52')
  return {
    cluster,
    group,
    author: peerId(author),
    epoch,
    seq,
    sizes,
    payloadsHash,
    previous,
    lamport,
    hybrid,
    dependencies,
    old,
  }
}

/** Of ASCII; anything else becomes what no peer id holds. */
function text(bytes: Uint8Array): string {
  if (bytes.length > maxPeerIdLength) throw malformed('a peer id that is none')
  let result = ''
  for (const byte of bytes) result += String.fromCharCode(byte)
  return result
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
