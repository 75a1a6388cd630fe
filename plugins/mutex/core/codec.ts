/**
 * Frames to bytes and back.
 *
 * Decoding refuses what breaks a limit before it makes an object of it, and every
 * field that this version does not know; it does not verify signatures, which is the core's
 * business. What it returns shares nothing with the bytes.
 *
 * With a name of nine bytes and an electorate, a frame with a request has 128 bytes, one
 * with a grant and its answer 145, one with a release on two grants 260, one with a renewal 52
 * and a ping 44. A peer id is 54 of them: its text, as everywhere else, which stands once for
 * all requests of a frame. As raw bytes it would be 14 shorter.
 */
import type { Codec } from '../../../lib/protocols/core.ts'
import { WireError } from '../../../lib/wire/errors.ts'
import { ProtoReader } from '../../../lib/wire/reader.ts'
import { ProtoWriter } from '../../../lib/wire/writer.ts'
import { mutexLimits } from './limits.ts'
import type { Frame, PeerItem } from './messages.ts'
import { readAnswering, writeAnswering } from './wire/answering.ts'
import { readAsking, writeAsking } from './wire/asking.ts'
import { readItem, writeItem } from './wire/items.ts'
import { append, decoding, readElectorateId } from './wire/scalars.ts'
import { readStamp, writeStamp } from './wire/votes.ts'

const writer = new ProtoWriter()

/** `decode` throws `WireError`: ERR_MALFORMED, ERR_TOO_LARGE. */
export const frameCodec: Codec<Frame> = {
  encode(frame) {
    writer.begin()
    if (frame.id !== undefined) writer.hex(1, frame.id)
    writer.uint(2, frame.version)
    writer.uint(3, frame.clock)
    if (frame.stamp !== undefined) writeStamp(writer, 4, frame.stamp)
    if (frame.asking !== undefined) writeAsking(writer, 5, frame.asking)
    if (frame.answering !== undefined) writeAnswering(writer, 6, frame.answering)
    for (const item of frame.items) writeItem(writer, 7, item)
    return writer.finish()
  },
  decode(bytes) {
    if (bytes.length > mutexLimits.frameBytes) {
      throw new WireError('ERR_TOO_LARGE', `mutex: a frame of ${bytes.length} bytes`)
    }
    return decoding('frame', () => readFrame(bytes))
  },
}

function readFrame(bytes: Uint8Array): Frame {
  const reader = new ProtoReader(bytes, 'Frame', 7, { left: mutexLimits.frameMessages })
  let id: Frame['id']
  let version = 0
  let clock = 0
  let stamp: Frame['stamp']
  let asking: Frame['asking']
  let answering: Frame['answering']
  const items: PeerItem[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) id = readElectorateId(reader)
    else if (field === 2) version = reader.count()
    else if (field === 3) clock = reader.count()
    else if (field === 4) stamp = readStamp(reader)
    else if (field === 5) asking = readAsking(reader)
    else if (field === 6) answering = readAnswering(reader)
    else if (field === 7) append(items, readItem(reader), mutexLimits.items, 'items')
    else reader.unknown()
  }
  return { id, version, clock, stamp, asking, answering, items }
}
