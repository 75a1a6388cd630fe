import assert from 'node:assert/strict'
import fc from 'fast-check'
import { WireError } from '../../../lib/wire/errors.ts'
import { encodeFrame, FrameDecoder } from '../../../lib/wire/frame.ts'
import { maxBulkFrameBytes } from '../../../lib/wire/limits.ts'

const limit = 70_000

function decodeAll(decoder: FrameDecoder, chunks: readonly Uint8Array[]): Uint8Array[] {
  return chunks.flatMap((chunk) => [...decoder.push(chunk)])
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts))
}

describe('frames on a link', () => {
  it('come out as they went in, however the bytes are cut', () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 })
    fc.assert(
      fc.property(bodies, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (frames, cuts) => {
        const bytes = concat(frames.map((frame) => encodeFrame(frame, limit)))
        const chunks: Uint8Array[] = []
        for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
          const size = cuts[turn % cuts.length] ?? 1
          chunks.push(bytes.subarray(at, at + size))
          at += size
        }
        assert.deepEqual(decodeAll(new FrameDecoder(limit), chunks), frames)
      }),
    )
  })

  it('may be as long as the limit, and not a byte longer', () => {
    const body = new Uint8Array(limit).fill(3)
    assert.deepEqual([...new FrameDecoder(limit).push(encodeFrame(body, limit))], [body])
    assert.throws(() => encodeFrame(new Uint8Array(limit + 1), limit), WireError)
    const tooLong = encodeFrame(new Uint8Array(limit + 1), limit + 1)
    assert.throws(() => [...new FrameDecoder(limit).push(tooLong)], { code: 'ERR_FRAME_TOO_LARGE' })
  })

  it('are delivered before the bad length behind them is refused', () => {
    const seen: Uint8Array[] = []
    const bytes = concat([encodeFrame(Uint8Array.of(1), limit), Uint8Array.of(0xff, 0xff, 0xff, 0x7f)])
    assert.throws(() => {
      for (const frame of new FrameDecoder(limit).push(bytes)) seen.push(frame)
    }, WireError)
    assert.deepEqual(seen, [Uint8Array.of(1)])
  })

  it('are refused by their length alone, before anything is allocated for them', () => {
    const before = process.memoryUsage().arrayBuffers
    for (let i = 0; i < 1000; i += 1) {
      assert.throws(() => [...new FrameDecoder(limit).push(Uint8Array.of(0xff, 0xff, 0xff, 0x7f))], WireError)
    }
    assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000)
  })

  it('take memory only as fast as their bytes arrive', () => {
    const decoders = Array.from({ length: 100 }, () => new FrameDecoder(maxBulkFrameBytes))
    const announced = encodeFrame(new Uint8Array(maxBulkFrameBytes), maxBulkFrameBytes).slice(0, 10)
    const before = process.memoryUsage().arrayBuffers
    for (const decoder of decoders) assert.deepEqual([...decoder.push(announced)], [])
    assert.ok(process.memoryUsage().arrayBuffers - before < 4_000_000)
  })

  it('have a length that ends and is not padded', () => {
    for (const bytes of [
      [0x80, 0x80, 0x80, 0x80],
      [0x81, 0x00],
    ]) {
      assert.throws(() => [...new FrameDecoder(limit).push(Uint8Array.from(bytes))], WireError)
    }
  })

  it('never make the decoder throw anything but a WireError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        try {
          for (const frame of new FrameDecoder(100).push(bytes)) assert.ok(frame.byteLength <= 100)
        } catch (error) {
          assert.ok(error instanceof WireError)
        }
      }),
    )
  })
})
