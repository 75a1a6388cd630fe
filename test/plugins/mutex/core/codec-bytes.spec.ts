import assert from 'node:assert/strict'
import fc from 'fast-check'
import { FrameSchema } from '../../../../lib/wire/gen/mutex_pb.ts'
import { frameCodec } from '../../../../plugins/mutex/core/codec.ts'
import type { Frame } from '../../../../plugins/mutex/core/messages.ts'
import { asRead, asSaid, throughTheLibrary } from './by-library.ts'
import { frames } from './frames.ts'

describe('frames about locks, written and read by hand', () => {
  it('have the bytes of the protobuf library', () => {
    fc.assert(
      fc.property(frames, (frame) => {
        const bytes = frameCodec.encode(frame)
        assert.deepEqual(Buffer.from(throughTheLibrary(FrameSchema, bytes)), Buffer.from(bytes))
      }),
      { numRuns: 500 },
    )
  })

  it('hold what they say under the names of the schema', () => {
    fc.assert(
      fc.property(frames, (frame) => {
        assert.deepEqual(asRead(frameCodec.encode(frame)), asSaid(frame))
      }),
      { numRuns: 500 },
    )
  })

  it('are not taken when the library cannot read them, nor read otherwise than by it', () => {
    fc.assert(
      fc.property(frames, fc.nat(), fc.integer({ min: 1, max: 255 }), (frame, at, by) => {
        const bytes = frameCodec.encode(frame)
        if (bytes.length > 0) bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ by
        let taken: Frame
        try {
          taken = frameCodec.decode(bytes)
        } catch {
          return
        }
        assert.deepEqual(asRead(bytes), asSaid(taken))
      }),
      { numRuns: 1000 },
    )
  })
})
