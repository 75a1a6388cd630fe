/**
 * Cutting what is to be said into packets that fit a frame.
 */
import { packetLimits } from './codec.ts'
import type { Body, Packet, Rider, Signed, Update } from './messages.ts'

/**
 * Bytes of signed statements in one packet: the frame's 64 KiB without the rest.
 * A single update with all accusations has 54 KiB at most. Records of others may
 * be that large, so their number alone bounds nothing.
 */
const packetBytes = 60 * 1024

/** Those of `riders` that fit a heartbeat beside `otherLife`; the next heartbeat comes soon. */
export function fitting(riders: readonly Rider[], otherLife: Signed<unknown> | undefined): Rider[] {
  if (riders.length === 0) return []
  let room = packetBytes - (otherLife === undefined ? 0 : sizeOfSigned(otherLife))
  return riders.filter((rider) => {
    const fits = sizeOfRider(rider) <= room
    if (fits) room -= sizeOfRider(rider)
    return fits
  })
}

/**
 * One packet with `body`; the updates that do not fit beside it go as gossip, after
 * a heartbeat, for which somebody waits, and before a sync, which says that these were all.
 */
export function pack(generation: number, body: Body, updates: readonly Update[]): Packet[] {
  if (updates.length === 0) return [{ generation, updates, body }]
  const parts = parted(updates, packetBytes - sizeOfBody(body))
  const bodied = body.type === 'sync' ? parts.length - 1 : 0
  return parts.map((part, i) => ({
    generation,
    body: i === bodied ? body : { type: 'gossip' },
    updates: part,
  }))
}

/** In parts for a packet each; `room` is what the first one has. */
function parted(updates: readonly Update[], room: number): Update[][] {
  let part: Update[] = []
  const parts = [part]
  let left = room
  for (const update of updates) {
    const size = sizeOfUpdate(update)
    // Each has a record of some hundred bytes at least, so their number is rarely what parts them.
    if (size > left || part.length >= packetLimits.updates) {
      part = []
      parts.push(part)
      left = packetBytes
    }
    part.push(update)
    left -= size
  }
  return parts
}

export function sizeOfUpdate({ record, accusations }: Update): number {
  return accusations.reduce((sum, signed) => sum + sizeOfSigned(signed), sizeOfSigned(record))
}

function sizeOfBody(body: Body): number {
  if (body.type === 'leave') return sizeOfSigned(body.record)
  if (body.type !== 'ping' && body.type !== 'ack') return 0
  const otherLife = body.otherLife === undefined ? 0 : sizeOfSigned(body.otherLife)
  return body.riders.reduce((sum, rider) => sum + sizeOfRider(rider), otherLife)
}

function sizeOfRider({ body }: Rider): number {
  const overhead = 16
  return body.length + overhead
}

function sizeOfSigned({ bytes, signature }: Signed<unknown>): number {
  const overhead = 16
  return bytes.length + signature.length + overhead
}
