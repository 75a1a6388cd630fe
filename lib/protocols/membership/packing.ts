/**
 * Cutting what is to be said into packets that fit a frame.
 */
import type { Body, Packet, Rider, Signed, Update } from './messages.ts'

/**
 * Bytes of signed statements in one packet: the frame's 64 KiB without the rest.
 * A single update with all accusations has 54 KiB at most. Records of others may
 * be that large, so their number alone bounds nothing.
 */
const packetBytes = 60 * 1024

/** Those of `riders` that fit a heartbeat beside `otherLife`; the next heartbeat comes soon. */
export function fitting(riders: readonly Rider[], otherLife: Signed<unknown> | undefined): Rider[] {
  let room = packetBytes - (otherLife === undefined ? 0 : sizeOfSigned(otherLife))
  return riders.filter((rider) => {
    const fits = sizeOfRider(rider) <= room
    if (fits) room -= sizeOfRider(rider)
    return fits
  })
}

/** One packet with `body`; the updates that do not fit beside it follow as gossip. */
export function pack(generation: number, body: Body, updates: readonly Update[]): Packet[] {
  const packets: Packet[] = []
  let packet: { body: Body; updates: Update[] } = { body, updates: [] }
  let room = packetBytes - sizeOfBody(body)
  for (const update of updates) {
    const size = sizeOf(update)
    if (size > room) {
      packets.push({ generation, ...packet })
      packet = { body: { type: 'gossip' }, updates: [] }
      room = packetBytes
    }
    packet.updates.push(update)
    room -= size
  }
  packets.push({ generation, ...packet })
  return packets
}

function sizeOf(update: Update): number {
  return [update.record, ...update.accusations].reduce((sum, signed) => sum + sizeOfSigned(signed), 0)
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
