import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { WireError } from '../../../../lib/wire/errors.ts'
import { frameCodec } from '../../../../plugins/mutex/core/codec.ts'
import type { ElectorateId } from '../../../../plugins/mutex/core/electorate/messages.ts'
import { mutexLimits } from '../../../../plugins/mutex/core/limits.ts'
import type {
  AnsweringItem,
  AskingItem,
  Evidence,
  Frame,
  Listed,
  PeerItem,
} from '../../../../plugins/mutex/core/messages.ts'
import { answeringItems, askingItems, frames, peerItems, quiet } from './frames.ts'

const session = { generation: 3, counter: 2 }

function asking(...items: readonly AskingItem[]): Frame {
  return { ...quiet, asking: { session, seq: 20_000, ack: 20_000, items } }
}

function answering(...items: readonly AnsweringItem[]): Frame {
  return { ...quiet, answering: { session, seq: 20_000, ack: 20_000, items } }
}

function throughTheWire(frame: Frame): Frame {
  return frameCodec.decode(frameCodec.encode(frame))
}

/** As long as real ones. */
const peer = (name: string) => `12D3KooW${name.padEnd(44, 'x')}` as PeerId
const alice = peer('alice')
const request = { peer: alice, generation: 3, counter: 70_000 }
const grant = { generation: 2, counter: 80_000 }
const vote = { request, grant }

describe('the codec of frames about locks', () => {
  for (const [type, items] of Object.entries(askingItems)) {
    it(`brings a ${type} back as it was`, () => {
      fc.assert(
        fc.property(items as fc.Arbitrary<AskingItem>, (item) => {
          assert.deepEqual(throughTheWire(asking(item)), asking(item))
        }),
        { numRuns: 50 },
      )
    })
  }

  for (const [type, items] of Object.entries(answeringItems)) {
    it(`brings the answer ${type} back as it was`, () => {
      fc.assert(
        fc.property(items as fc.Arbitrary<AnsweringItem>, (item) => {
          assert.deepEqual(throughTheWire(answering(item)), answering(item))
        }),
        { numRuns: 50 },
      )
    })
  }

  for (const [type, items] of Object.entries(peerItems)) {
    it(`brings a ${type} of no session back as it was`, () => {
      fc.assert(
        fc.property(items as fc.Arbitrary<PeerItem>, (item) => {
          assert.deepEqual(throughTheWire({ ...quiet, items: [item] }), { ...quiet, items: [item] })
        }),
        { numRuns: 50 },
      )
    })
  }

  it('brings a whole frame back, whoever its requests are of', () => {
    fc.assert(
      fc.property(frames, (frame) => {
        assert.deepEqual(throughTheWire(frame), frame)
      }),
      { numRuns: 200 },
    )
  })

  it('names the owner of many requests once', () => {
    const cancel = (counter: number, of = alice): AskingItem => ({
      type: 'cancel',
      request: { ...request, counter, peer: of },
      lock: 'a',
    })
    const sizeOf = (...items: readonly AskingItem[]) => frameCodec.encode(asking(...items)).length
    assert.ok(sizeOf(cancel(1), cancel(2)) - sizeOf(cancel(1)) < 20)
    assert.ok(sizeOf(cancel(1), cancel(2, peer('bob'))) - sizeOf(cancel(1)) > 60)
  })

  it('takes whole milliseconds: of leases fewer, of what remains more', () => {
    const listed: Listed = {
      request,
      lock: 'a',
      timestamp: 1,
      leaseMs: 999.9,
      hint: 0,
      grant: undefined,
      token: 0,
    }
    const asked = throughTheWire(asking({ type: 'request', request: listed })).asking?.items[0]
    assert.equal(asked?.type === 'request' ? asked.request.leaseMs : undefined, 999)
    const answer: AnsweringItem = {
      type: 'answer',
      request,
      answer: { type: 'abstaining', remainingMs: 999.1 },
    }
    const back = throughTheWire(answering(answer)).answering?.items[0]
    assert.deepEqual(back?.type === 'answer' ? back.answer : undefined, {
      type: 'abstaining',
      remainingMs: 1000,
    })
  })

  it('makes printable what is said to people, and cuts it off', () => {
    const reason = `${'no'.repeat(200)}`
    const item: PeerItem = {
      type: 'wish-answer',
      token: 1,
      outcome: 'refused',
      reason: `\u001b[2Jé${reason}`,
    }
    const [back] = throughTheWire({ ...quiet, items: [item] }).items
    assert.ok(back?.type === 'wish-answer')
    assert.equal(back.reason.length, 256)
    assert.ok(back.reason.startsWith('?[2J?nono'))
  })

  it('shares nothing with the bytes that it is given', () => {
    fc.assert(
      fc.property(frames, (frame) => {
        // A Buffer, as hosts hand in: its slices are views.
        const bytes = Buffer.from(frameCodec.encode(frame))
        const decoded = frameCodec.decode(bytes)
        bytes.fill(0xff)
        assert.deepEqual(decoded, frame)
      }),
    )
  })

  it('keeps the common frames small', () => {
    const common = {
      id: '0123456789abcdef'.repeat(2) as ElectorateId,
      version: 2,
      clock: 123_456,
    }
    const listed: Listed = {
      request,
      lock: 'orders/42',
      timestamp: 123_456,
      leaseMs: 10_000,
      hint: 60_000,
      grant: undefined,
      token: 0,
    }
    const evidence = (name: string): Evidence => ({
      arbiter: peer(name),
      grant,
      proposal: 60_001,
      signed: undefined,
    })
    const release: AskingItem = {
      type: 'release',
      request,
      lock: 'orders/42',
      token: 60_001,
      grants: [evidence('alice'), evidence('bob')],
    }
    const granting: AnsweringItem = {
      type: 'grant',
      vote,
      proposal: 60_001,
      clock: 123_456,
      leaseMs: 10_000,
      base: 20_000,
    }
    const sizes = [
      asking({ type: 'request', request: listed }),
      answering(granting, { type: 'answer', request, answer: { type: 'granted' } }),
      asking(release),
      asking({ type: 'renew', digest: '0011223344556677' }),
      asking({ type: 'ping' }),
    ].map((frame) => frameCodec.encode({ ...frame, ...common }).length)
    assert.deepEqual(sizes, [128, 145, 260, 52, 44])
  })

  it('refuses garbage with a WireError and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        takenOrRefused(bytes)
      }),
      { numRuns: 500 },
    )
  })

  it('takes a mutated frame or refuses it with a WireError, and what it takes it can write', () => {
    fc.assert(
      fc.property(
        frames,
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 3 }),
        (frame, flips) => {
          const bytes = frameCodec.encode(frame)
          for (const [at, by] of flips) {
            if (bytes.length > 0) bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ by
          }
          takenOrRefused(bytes)
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('takes a frame that was cut off or drawn out, or refuses it with a WireError', () => {
    fc.assert(
      fc.property(frames, fc.nat(), fc.uint8Array({ maxLength: 8 }), (frame, cut, more) => {
        const bytes = frameCodec.encode(frame)
        takenOrRefused(bytes.subarray(0, cut % (bytes.length + 1)))
        takenOrRefused(Buffer.concat([bytes, more]))
      }),
      { numRuns: 300 },
    )
  })

  it('refuses a frame of a million empty messages for next to nothing', () => {
    // Of asking, answering and the frame itself, and of nothing that is known.
    for (const [outer, inner] of [
      [5, 5],
      [6, 5],
      [7, 7],
      [15, 15],
    ] as const) {
      const frame = nested(outer, inner, mutexLimits.frameBytes - 8)
      const before = process.memoryUsage().heapUsed
      assert.throws(() => frameCodec.decode(frame), { code: 'ERR_MALFORMED' })
      assert.ok(process.memoryUsage().heapUsed - before < 4_000_000)
    }
  })

  it('copies nothing of a text or of a signature that is too long', () => {
    const length = mutexLimits.frameBytes - 32
    // A frame's id; the owner of an asking; the signature of a chain.
    for (const path of [[1], [5, 4], [7, 5, 3]]) {
      let frame: Uint8Array = new Uint8Array(length)
      for (const field of path.reverse()) frame = delimited(field, frame)
      const before = process.memoryUsage().arrayBuffers
      assert.throws(() => frameCodec.decode(frame), { code: 'ERR_MALFORMED' })
      assert.ok(process.memoryUsage().arrayBuffers - before < 100_000)
    }
  })
})

/** What is taken is within the limits: it comes back from another journey as it was. */
function takenOrRefused(bytes: Uint8Array): void {
  let frame: Frame
  try {
    frame = frameCodec.decode(bytes)
  } catch (error) {
    assert.ok(error instanceof WireError)
    return
  }
  assert.deepEqual(throughTheWire(frame), frame)
}

function nested(outer: number, inner: number, length: number): Uint8Array {
  const body = new Uint8Array(length)
  for (let at = 0; at < body.length; at += 2) body[at] = (inner << 3) | 2
  return outer === inner && outer !== 5 ? body : delimited(outer, body)
}

function delimited(field: number, body: Uint8Array): Uint8Array {
  const { length } = body
  const head = [(field << 3) | 2, (length & 127) | 128, ((length >> 7) & 127) | 128, (length >> 14) | 128, 0]
  return new Uint8Array(Buffer.concat([new Uint8Array(head), body]))
}
