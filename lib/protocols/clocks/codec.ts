/** What a clock says with heartbeats, and what it keeps on disk. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { WireError } from '../../wire/errors.ts'
import { ClockRiderSchema, ClockStateSchema } from '../../wire/gen/clocks_pb.ts'
import { type HybridStamp, maxHybridMs, packHybrid, unpackHybrid } from './hybrid.ts'
import { maxLamport } from './lamport.ts'

/** A rider has 26 bytes at most; the rest is for what a newer version adds. */
export const maxClockRiderBytes = 256

export interface ClockRider {
  readonly lamport: number
  /** The sender's last stamp; undefined when it has none to tell. */
  readonly hybrid: HybridStamp | undefined
  /** The sender's wall clock, Unix ms. */
  readonly latestMs: number
}

export function encodeClockRider({ lamport, hybrid, latestMs }: ClockRider): Uint8Array {
  return toBinary(
    ClockRiderSchema,
    create(ClockRiderSchema, {
      lamport: BigInt(lamport),
      hybrid: hybrid === undefined ? 0n : packHybrid(hybrid),
      latestMs: BigInt(latestMs),
    }),
  )
}

/** Throws `WireError` for what does not decode and what no clock can say. */
export function decodeClockRider(bytes: Uint8Array): ClockRider {
  if (bytes.length > maxClockRiderBytes) throw malformed(`a rider of ${bytes.length} bytes`)
  const rider = decoded(() => fromBinary(ClockRiderSchema, bytes))
  return {
    lamport: whole(rider.lamport, maxLamport, 'a Lamport number'),
    hybrid: rider.hybrid === 0n ? undefined : unpackHybrid(rider.hybrid),
    latestMs: whole(rider.latestMs, maxHybridMs, 'a time'),
  }
}

/** The first millisecond that no stamp told so far has reached. */
export function encodeCeiling(ceilingMs: number): Uint8Array {
  return toBinary(ClockStateSchema, create(ClockStateSchema, { ceilingMs: BigInt(ceilingMs) }))
}

/** Throws `WireError` ERR_STORE_CORRUPT: a clock that cannot read how far it got must not start again below. */
export function decodeCeiling(bytes: Uint8Array): number {
  try {
    const { ceilingMs } = decoded(() => fromBinary(ClockStateSchema, bytes))
    return whole(ceilingMs, maxHybridMs + 1, 'a ceiling')
  } catch (cause) {
    throw new WireError('ERR_STORE_CORRUPT', 'the stored state of the hybrid clock cannot be read', {
      hint: 'restore the data directory, or move it away and join again as a new peer',
      cause,
    })
  }
}

function decoded<T>(decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    throw new WireError('ERR_MALFORMED', 'clocks: not a message', { cause })
  }
}

function whole(value: bigint, max: number, what: string): number {
  if (value > BigInt(max)) throw malformed(`${what} beyond ${max}`)
  return Number(value)
}

function malformed(what: string): WireError {
  return new WireError('ERR_MALFORMED', `clocks: ${what}`)
}
