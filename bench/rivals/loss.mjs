// TCP loses nothing, so what a network loses is lost here, at one place for both: where gossipsub hands a
// message to a peer's stream, one in so many goes nowhere. Ours loses as many of its own frames too:
// probes, heartbeats and repair. What keeps a peer connected (subscriptions, grafts) arrives.
import { magic, payloadBytes } from './message.mjs'

/** Field 2 of gossipsub's RPC, length-delimited: it begins with a message. */
const publishTag = 0x12

/** `lost` gets the payload of each message that goes nowhere. */
export async function loseMessages(rate, seed, lost) {
  const random = mulberry32(seed + 1)
  const { OutboundStream } = await import(
    new URL('./stream.js', import.meta.resolve('@chainsafe/libp2p-gossipsub'))
  )
  const push = OutboundStream.prototype.pushPrefixed
  OutboundStream.prototype.pushPrefixed = function (data) {
    const bytes = data instanceof Uint8Array ? data : data.subarray()
    if (bytes[prefixLength(bytes)] !== publishTag || random() >= rate) return push.call(this, data)
    const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(magic)
    if (at >= 0) lost(bytes.slice(at, at + payloadBytes))
  }
}

/** Frames of the links: `OutboundLink` is the class that sends them. */
export function loseFrames(OutboundLink, rate, seed) {
  const random = mulberry32(seed + 1001)
  const send = OutboundLink.prototype.send
  OutboundLink.prototype.send = function (frame) {
    return random() < rate || send.call(this, frame)
  }
}

function prefixLength(bytes) {
  let length = 0
  while (bytes[length] >= 0x80) length += 1
  return length + 1
}

/** The same losses in each run of the same talk; 32 bits are plenty. */
function mulberry32(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
