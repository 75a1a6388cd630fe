/**
 * Packets to bytes and back.
 *
 * Decoding refuses what breaks a limit and what this version cannot name; it
 * does not verify signatures, which is the core's business. A field that a newer
 * version adds outside a signed body is ignored.
 */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { WireError } from '../../wire/errors.ts'
import {
  PacketSchema,
  type Belief as WireBelief,
  type Heartbeat as WireHeartbeat,
  type Packet as WirePacket,
  type Rider as WireRider,
  Standing as WireStanding,
  type Sync as WireSync,
  type Update as WireUpdate,
} from '../../wire/gen/membership_pb.ts'
import type { Codec } from '../core.ts'
import { maxAccusationsPerCharge } from './member.ts'
import {
  type Belief,
  type Body,
  bucketCount,
  type Heartbeat,
  type Packet,
  type Rider,
  type Standing,
  type Update,
} from './messages.ts'
import { counter, malformed, named, openAccusation, openRecord, peerId, toWire } from './statements.ts'

export const packetLimits = {
  /** The control frame's limit; a view that does not fit goes in several packets. */
  bytes: 64 * 1024,
  updates: 512,
  /** Of each kind as many as are kept. */
  accusationsPerUpdate: 3 * maxAccusationsPerCharge,
  /** Into which a view's digest is split. */
  buckets: bucketCount,
  riders: 4,
  riderBytes: 12 * 1024,
} as const

export const packetCodec: Codec<Packet> = {
  encode: (packet) =>
    toBinary(
      PacketSchema,
      create(PacketSchema, {
        generation: BigInt(packet.generation),
        updates: packet.updates.map(updateToWire),
        kind: bodyToWire(packet.body),
      }),
    ),
  decode(bytes) {
    if (bytes.length > packetLimits.bytes) throw malformed(`a packet of ${bytes.length} bytes`)
    try {
      return toPacket(fromBinary(PacketSchema, bytes))
    } catch (error) {
      if (error instanceof WireError) throw error
      throw new WireError('ERR_MALFORMED', 'membership: not a packet', { cause: error })
    }
  },
}

function toPacket(wire: WirePacket): Packet {
  if (wire.updates.length > packetLimits.updates)
    throw malformed(`${wire.updates.length} updates in a packet`)
  return {
    generation: counter(wire.generation, 'generation'),
    updates: wire.updates.map(toUpdate),
    body: toBody(wire.kind),
  }
}

function toUpdate(wire: WireUpdate): Update {
  if (wire.record === undefined) throw malformed('an update without a record')
  if (wire.accusations.length > packetLimits.accusationsPerUpdate) {
    throw malformed(`${wire.accusations.length} accusations in an update`)
  }
  return {
    record: openRecord(wire.record),
    accusations: wire.accusations.map(openAccusation),
    contact: wire.contact,
  }
}

function updateToWire(update: Update) {
  return {
    record: toWire(update.record),
    accusations: update.accusations.map(toWire),
    contact: update.contact,
  }
}

function toBody(kind: WirePacket['kind']): Body {
  switch (kind.case) {
    case 'ping':
    case 'ack':
      return toHeartbeat(kind.case, kind.value)
    case 'pingRequest':
      return { type: 'ping-request', seq: seq(kind.value.seq), subject: peerId(kind.value.subject) }
    case 'nack':
      return { type: 'nack', seq: seq(kind.value.seq) }
    case 'gossip':
      return { type: 'gossip' }
    case 'buckets':
      return { type: 'buckets', sums: toSums(kind.value.sums) }
    case 'sync':
      return toSync(kind.value)
    case 'leave':
      if (kind.value.record === undefined) throw malformed('a leave without a record')
      return { type: 'leave', seq: seq(kind.value.seq), record: openRecord(kind.value.record) }
    case 'leaveAck':
      return { type: 'leave-ack', seq: seq(kind.value.seq) }
    case undefined:
      throw malformed('a packet of an unknown kind')
  }
}

function bodyToWire(body: Body): NonNullable<MessageInitShape<typeof PacketSchema>['kind']> {
  switch (body.type) {
    case 'ping':
    case 'ack':
      return { case: body.type, value: heartbeatToWire(body) }
    case 'ping-request':
      return { case: 'pingRequest', value: { seq: BigInt(body.seq), subject: body.subject } }
    case 'nack':
      return { case: 'nack', value: { seq: BigInt(body.seq) } }
    case 'gossip':
      return { case: 'gossip', value: {} }
    case 'buckets':
      return { case: 'buckets', value: { sums: sumsToWire(body.sums) } }
    case 'sync':
      return { case: 'sync', value: syncToWire(body) }
    case 'leave':
      return { case: 'leave', value: { seq: BigInt(body.seq), record: toWire(body.record) } }
    case 'leave-ack':
      return { case: 'leaveAck', value: { seq: BigInt(body.seq) } }
  }
}

function toSync({ reply, buckets, more }: WireSync): Body {
  return { type: 'sync', reply, buckets: toBuckets(buckets), more }
}

function syncToWire({ reply, buckets, more }: Extract<Body, { type: 'sync' }>) {
  return { reply, buckets: bucketsToWire(buckets), more }
}

function toSums(bytes: Uint8Array): readonly bigint[] {
  if (bytes.length !== 8 * packetLimits.buckets) throw malformed(`sums of ${bytes.length} bytes`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: packetLimits.buckets }, (_, bucket) => view.getBigUint64(8 * bucket))
}

function sumsToWire(sums: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(8 * packetLimits.buckets)
  const view = new DataView(bytes.buffer)
  for (const [bucket, sum] of sums.entries()) view.setBigUint64(8 * bucket, sum)
  return bytes
}

/** Undefined for all. */
function toBuckets(bits: Uint8Array): ReadonlySet<number> | undefined {
  if (bits.length === 0) return undefined
  if (8 * bits.length !== packetLimits.buckets) throw malformed(`buckets in ${bits.length} bytes`)
  const all = Array.from({ length: packetLimits.buckets }, (_, bucket) => bucket)
  return new Set(all.filter((bucket) => ((bits[bucket >> 3] ?? 0) >> (bucket & 7)) & 1))
}

function bucketsToWire(buckets: ReadonlySet<number> | undefined): Uint8Array {
  if (buckets === undefined) return new Uint8Array()
  const bits = new Uint8Array(packetLimits.buckets / 8)
  for (const bucket of buckets) bits[bucket >> 3] = (bits[bucket >> 3] ?? 0) | (1 << (bucket & 7))
  return bits
}

function toHeartbeat(type: Heartbeat['type'], wire: WireHeartbeat): Heartbeat {
  if (wire.belief === undefined) throw malformed('a heartbeat without a belief')
  return {
    type,
    seq: seq(wire.seq),
    digest: wire.digest,
    loopLagMs: wire.loopLagMs,
    belief: toBelief(wire.belief),
    otherLife: wire.otherLife === undefined ? undefined : openRecord(wire.otherLife),
    riders: toRiders(wire.riders),
  }
}

function toRiders(wire: readonly WireRider[]): Rider[] {
  if (wire.length > packetLimits.riders) throw malformed(`${wire.length} riders on a heartbeat`)
  return wire.map(({ kind, body }) => {
    if (body.length > packetLimits.riderBytes) throw malformed(`a rider of ${body.length} bytes`)
    // A copy: a view would keep the whole packet in memory.
    return { kind, body: body.slice() }
  })
}

function heartbeatToWire(heartbeat: Heartbeat) {
  const { belief } = heartbeat
  return {
    seq: BigInt(heartbeat.seq),
    digest: heartbeat.digest,
    loopLagMs: Math.min(2 ** 32 - 1, Math.round(heartbeat.loopLagMs)),
    belief: {
      generation: BigInt(belief.generation),
      incarnation: BigInt(belief.incarnation),
      standing: standings[belief.standing],
      ...(belief.heardAgoMs === undefined ? {} : { heardAgoMs: BigInt(Math.round(belief.heardAgoMs)) }),
    },
    ...(heartbeat.otherLife === undefined ? {} : { otherLife: toWire(heartbeat.otherLife) }),
    riders: heartbeat.riders.map(({ kind, body }) => ({ kind, body })),
  }
}

const standings = {
  unknown: WireStanding.UNKNOWN,
  alive: WireStanding.ALIVE,
  suspect: WireStanding.SUSPECT,
  dead: WireStanding.DEAD,
  left: WireStanding.LEFT,
} as const satisfies Record<Standing, WireStanding>

function toBelief(wire: WireBelief): Belief {
  return {
    generation: counter(wire.generation, 'generation'),
    incarnation: counter(wire.incarnation, 'incarnation'),
    standing: named(standings, wire.standing, 'standing'),
    heardAgoMs: wire.heardAgoMs === undefined ? undefined : counter(wire.heardAgoMs, 'age'),
  }
}

function seq(value: bigint): number {
  return counter(value, 'sequence number')
}
