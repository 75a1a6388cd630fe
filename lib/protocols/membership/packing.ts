/**
 * Cutting what is to be said into packets that fit a frame.
 */
import type { Body, Packet, Signed, Update } from './messages.ts'

/**
 * Bytes of signed statements in one packet: the frame's 64 KiB without the rest.
 * A single update with all accusations has 42 KiB at most. Records of others may
 * be that large, so their number alone bounds nothing.
 */
const packetBytes = 60 * 1024

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
  return body.otherLife === undefined ? 0 : sizeOfSigned(body.otherLife)
}

function sizeOfSigned({ bytes, signature }: Signed<unknown>): number {
  const overhead = 16
  return bytes.length + signature.length + overhead
}
