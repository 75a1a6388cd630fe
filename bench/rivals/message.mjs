// The payload of a message, 100 bytes, little-endian:
//
//   0  4  'p2pb'
//   4  1  kind           5  1  sender          6  1  phase
//   8  4  seq: 1, 2, 3 … a sender and phase
//  12  4  what it answers: that message's seq, 0 for none     16  1  and its sender
//  20  8  when it was published, ms of the machine's monotonic clock, which all processes share
//  28  4  a member: so many of its messages had been delivered at the sender, from the first on without a hole

export const payloadBytes = 100
export const kinds = { hello: 0, talk: 1 }
const vectorAt = 28
export const maxMembers = (payloadBytes - vectorAt) / 4
export const magic = Buffer.from('p2pb')

export function now() {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}

export function encode({ kind, sender, phase = 0, seq, answers, upTo = [] }) {
  const bytes = new Uint8Array(payloadBytes)
  const view = new DataView(bytes.buffer)
  bytes.set(magic)
  bytes[4] = kind
  bytes[5] = sender
  bytes[6] = phase
  view.setUint32(8, seq, true)
  if (answers !== undefined) {
    view.setUint32(12, answers.seq, true)
    bytes[16] = answers.sender
  }
  view.setFloat64(20, now(), true)
  for (const [member, count] of upTo.entries()) view.setUint32(vectorAt + member * 4, count, true)
  return bytes
}

/** Undefined for what `encode` did not make. */
export function read(bytes) {
  if (bytes.length !== payloadBytes || magic.some((byte, at) => bytes[at] !== byte)) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const answered = view.getUint32(12, true)
  return {
    kind: bytes[4],
    sender: bytes[5],
    phase: bytes[6],
    seq: view.getUint32(8, true),
    answers: answered === 0 ? undefined : { sender: bytes[16], seq: answered },
    publishedAt: view.getFloat64(20, true),
    upTo: (member) => view.getUint32(vectorAt + member * 4, true),
  }
}
