/**
 * Packets of the repair link to bytes and back, and what rides on heartbeats.
 *
 * Decoding refuses what breaks a limit before it makes an object of it; it does
 * not verify signatures, which is the core's business. A field that a newer
 * version adds is ignored, but not in an envelope and not in a signed header.
 */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { PacketSchema, RiderSchema, type Packet as WirePacket } from '../../wire/gen/multicast_pb.ts'
import { maxBulkFrameBytes } from '../../wire/limits.ts'
import { checkShape, shapeOf } from '../../wire/shape.ts'
import type { Codec, Crypto } from '../core.ts'
import { decoding, malformed, tooLarge } from './decoding.ts'
import { fromHex, packDots, readUint, type Sha256, toHex, unpackDots, writeHex, writeUint } from './dots.ts'
import { envelopeToWire, openSignedHeader, openWireEnvelope, signedHeaderToWire } from './envelope.ts'
import {
  authorOf,
  counter,
  digestBytes,
  entryToWire,
  frontierDotToWire,
  hexOf,
  idBytes,
  rangeToWire,
  toEntry,
  toFrontierDot,
  toRange,
} from './fields.ts'
import { multicastLimits } from './limits.ts'
import type { GroupTail, MulticastPacket, PacketBody, Proof } from './messages.ts'

const packetShape = shapeOf(PacketSchema, {
  repeats: {
    'Summary.forked': multicastLimits.vectorEntries,
    'Vector.entries': multicastLimits.vectorEntries,
    'Pull.ranges': multicastLimits.ranges,
    'Supply.envelopes': multicastLimits.supplyEnvelopes,
    'Supply.floors': multicastLimits.vectorEntries,
    // It answers inquiries too.
    'Supply.headers': multicastLimits.dots,
    'Supply.delivered': multicastLimits.vectorEntries,
    'Envelope.payloads': multicastLimits.payloads,
    'Proofs.proofs': multicastLimits.proofs,
    'Baseline.entries': multicastLimits.baselineHeaders,
    'Baseline.frontier': multicastLimits.dependencies,
    'Baseline.delivered': multicastLimits.vectorEntries,
    'FrontierDot.below': multicastLimits.vectorEntries,
  },
  closed: ['Envelope', 'SignedHeader'],
})

/** `decode` throws `WireError`: ERR_MALFORMED, ERR_TOO_LARGE, ERR_PAYLOAD_MISMATCH. */
export function multicastCodec(crypto: Pick<Crypto, 'sha256'>): Codec<MulticastPacket> {
  return {
    encode: ({ group, body }) =>
      toBinary(PacketSchema, create(PacketSchema, { group: fromHex(group), kind: bodyToWire(body) })),
    decode(bytes) {
      if (bytes.length > maxBulkFrameBytes) throw tooLarge(`a packet of ${bytes.length} bytes`)
      return decoding('packet', () => {
        checkShape(bytes, packetShape, multicastLimits.frameFields)
        const wire = fromBinary(PacketSchema, bytes, { readUnknownFields: false })
        return { group: hexOf(wire.group, idBytes, 'group'), body: toBody(wire.kind, crypto.sha256) }
      })
    },
  }
}

type WireKind = WirePacket['kind']

function toBody(kind: WireKind, sha256: Sha256): PacketBody {
  switch (kind.case) {
    case 'summary':
      return {
        type: 'summary',
        digest: hexOf(kind.value.digest, digestBytes, 'digest'),
        forked: kind.value.forked.map(authorOf),
        reply: kind.value.reply,
      }
    case 'vector':
      return { type: 'vector', entries: kind.value.entries.map(toEntry), reply: kind.value.reply }
    case 'pull':
      return { type: 'pull', id: id(kind.value.id), ranges: kind.value.ranges.map(toRange) }
    case 'supply':
      return toSupply(kind.value, sha256)
    case 'inquiry':
      return {
        type: 'inquiry',
        id: id(kind.value.id),
        dots: unpackDots(kind.value.dots, multicastLimits.dots),
      }
    case 'proofs':
      return { type: 'proofs', proofs: kind.value.proofs.map((proof) => toProof(proof, sha256)) }
    case 'baselineRequest':
      return { type: 'baseline-request', id: id(kind.value.id), done: kind.value.done }
    case 'baseline':
      return toBaseline(kind.value, sha256)
    case 'push':
      if (kind.value.envelope === undefined) throw malformed('a push without an envelope')
      return { type: 'push', envelope: openWireEnvelope(kind.value.envelope, sha256) }
    case undefined:
      throw malformed('a packet of an unknown kind')
  }
}

function bodyToWire(body: PacketBody): NonNullable<MessageInitShape<typeof PacketSchema>['kind']> {
  switch (body.type) {
    case 'summary':
      return {
        case: 'summary',
        value: { digest: fromHex(body.digest), forked: body.forked.map(fromHex), reply: body.reply },
      }
    case 'vector':
      return { case: 'vector', value: { entries: body.entries.map(entryToWire), reply: body.reply } }
    case 'pull':
      return { case: 'pull', value: { id: BigInt(body.id), ranges: body.ranges.map(rangeToWire) } }
    case 'supply':
      return { case: 'supply', value: supplyToWire(body) }
    case 'inquiry':
      return { case: 'inquiry', value: { id: BigInt(body.id), dots: packDots(body.dots) } }
    case 'proofs':
      return { case: 'proofs', value: { proofs: body.proofs.map(proofToWire) } }
    case 'baseline-request':
      return { case: 'baselineRequest', value: { id: BigInt(body.id), done: body.done } }
    case 'baseline':
      return { case: 'baseline', value: baselineToWire(body) }
    case 'push':
      return { case: 'push', value: { envelope: envelopeToWire(body.envelope) } }
  }
}

type Supply = Extract<PacketBody, { type: 'supply' }>
type WireSupply = Extract<WireKind, { case: 'supply' }>['value']

function toSupply(wire: WireSupply, sha256: Sha256): Supply {
  return {
    type: 'supply',
    id: id(wire.id),
    envelopes: wire.envelopes.map((envelope) => openWireEnvelope(envelope, sha256)),
    headers: wire.headers.map((header) => openSignedHeader(header, sha256)),
    floors: wire.floors.map(toEntry),
    delivered: wire.delivered.map(toEntry),
  }
}

function supplyToWire(supply: Supply) {
  return {
    id: BigInt(supply.id),
    envelopes: supply.envelopes.map(envelopeToWire),
    headers: supply.headers.map(signedHeaderToWire),
    floors: supply.floors.map(entryToWire),
    delivered: supply.delivered.map(entryToWire),
  }
}

type Baseline = Extract<PacketBody, { type: 'baseline' }>
type WireBaseline = Extract<WireKind, { case: 'baseline' }>['value']

function toBaseline(wire: WireBaseline, sha256: Sha256): Baseline {
  return {
    type: 'baseline',
    id: id(wire.id),
    none: wire.none,
    entries: wire.entries.map((header) => openSignedHeader(header, sha256)),
    frontier: wire.frontier.map(toFrontierDot),
    delivered: wire.delivered.map(toEntry),
    last: wire.last,
  }
}

function baselineToWire(baseline: Baseline) {
  return {
    id: BigInt(baseline.id),
    none: baseline.none,
    entries: baseline.entries.map(signedHeaderToWire),
    frontier: baseline.frontier.map(frontierDotToWire),
    delivered: baseline.delivered.map(entryToWire),
    last: baseline.last,
  }
}

type WireProof = Extract<WireKind, { case: 'proofs' }>['value']['proofs'][number]

/** Whether the two contradict each other is the core's to judge. Throws `WireError`. */
export function toProof(wire: WireProof, sha256: Sha256): Proof {
  if (wire.first === undefined || wire.second === undefined) throw malformed('half a proof')
  return { first: openSignedHeader(wire.first, sha256), second: openSignedHeader(wire.second, sha256) }
}

export function proofToWire(proof: Proof) {
  return { first: signedHeaderToWire(proof.first), second: signedHeaderToWire(proof.second) }
}

function id(value: bigint): number {
  return counter(value, 'request id')
}

const riderShape = shapeOf(RiderSchema, { repeats: {}, closed: [] })
const tailBytes = idBytes + 7 + 5 + digestBytes

/** What rides on a heartbeat: at most 256 tails, 11 268 bytes. */
export function encodeTails(tails: readonly GroupTail[]): Uint8Array {
  const groups = new Uint8Array(tails.length * tailBytes)
  for (const [i, tail] of tails.entries()) {
    const at = i * tailBytes
    writeHex(groups, at, tail.group)
    writeUint(groups, at + idBytes, 7, tail.epoch)
    writeUint(groups, at + idBytes + 7, 5, tail.seq)
    writeHex(groups, at + idBytes + 12, tail.digest)
  }
  return toBinary(RiderSchema, create(RiderSchema, { groups }))
}

/** Throws `WireError` ERR_MALFORMED. */
export function decodeTails(bytes: Uint8Array): readonly GroupTail[] {
  return decoding('rider', () => {
    checkShape(bytes, riderShape, multicastLimits.groups)
    const { groups } = fromBinary(RiderSchema, bytes, { readUnknownFields: false })
    const count = groups.length / tailBytes
    if (!Number.isInteger(count) || count > multicastLimits.groups) {
      throw malformed(`tails of groups in ${groups.length} bytes`)
    }
    return Array.from({ length: count }, (_, i) => toTail(groups.subarray(i * tailBytes)))
  })
}

function toTail(bytes: Uint8Array): GroupTail {
  const epoch = readUint(bytes, idBytes, 7)
  if (epoch > multicastLimits.counter) throw malformed('an epoch beyond 2^52')
  return {
    group: toHex(bytes.subarray(0, idBytes)),
    epoch,
    seq: readUint(bytes, idBytes + 7, 5),
    digest: toHex(bytes.subarray(idBytes + 12, tailBytes)),
  }
}
