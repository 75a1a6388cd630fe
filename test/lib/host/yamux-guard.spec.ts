import assert from 'node:assert/strict'
import '../../../lib/host/with-resolvers.ts'
import { AbstractMessageStream, multiaddrConnectionPair, type SendResult } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { maxBacklogBytes } from '../../../lib/host/backlog.ts'
import { type Counters, newCounters } from '../../../lib/host/counters.ts'
import { guardYamux } from '../../../lib/host/yamux-guard.ts'
import { eventually } from '../../support/eventually.ts'

/** An encrypted connection that others have dialled; a test is at its other end. */
class Wire extends AbstractMessageStream {
  sentBytes = 0
  isFull = false

  constructor() {
    super({ log: multiaddrConnectionPair()[0].log, direction: 'inbound' })
  }

  receive(...parts: readonly Uint8Array[]): void {
    for (const part of parts) this.onData(part)
  }

  override sendData(data: { readonly byteLength: number }): SendResult {
    if (this.isFull) return { sentBytes: 0, canSendMore: false }
    this.sentBytes += data.byteLength
    return { sentBytes: data.byteLength, canSendMore: true }
  }

  override sendReset(): void {}
  override sendPause(): void {}
  override sendResume(): void {}
  override async close(): Promise<void> {}
}

const [data, windowUpdate, ping] = [0, 1, 2]
const syn = 1

function frame(type: number, flags: number, stream: number, length: number): Uint8Array {
  const header = Buffer.alloc(12)
  header.writeUInt8(type, 1)
  header.writeUInt16BE(flags, 2)
  header.writeUInt32BE(stream, 4)
  header.writeUInt32BE(length, 8)
  return header
}

const windowBytes = 256 * 1024
const limits = {
  maxFrameBytes: windowBytes,
  maxEarlyBytes: 4096,
  brief: new Set(['/brief']),
  burst: 20,
  perSecond: 1,
}

describe('a multiplexed connection', () => {
  let counters: Counters
  let wire: Wire

  beforeEach(() => {
    counters = newCounters()
    wire = new Wire()
    const factory = guardYamux(yamux({ enableKeepAlive: false, maxInboundStreams: 4 }), limits, counters)()
    const muxer = factory.createStreamMuxer(wire)
    muxer.addEventListener('stream', ({ detail }) => {
      detail.addEventListener('message', () => {})
      if (Number(detail.id) === 1) detail.protocol = '/agreed'
      if (Number(detail.id) === 5) detail.protocol = '/brief'
    })
  })

  it('takes frames as large as a window, in pieces of any size', () => {
    wire.receive(frame(windowUpdate, syn, 1, 0))
    const whole = Buffer.concat([frame(data, 0, 1, windowBytes), new Uint8Array(windowBytes)])
    wire.receive(whole.subarray(0, 5), whole.subarray(5, 13), whole.subarray(13))
    wire.receive(...[...frame(windowUpdate, 0, 1, 0)].map((byte) => Uint8Array.of(byte)))
    for (let i = 0; i < 10_000; i += 1) wire.receive(frame(data, 0, 1, 1), Uint8Array.of(i & 255))
    assert.deepEqual([wire.status, counters.linksCut], ['open', 0])
  })

  it('ends with the header of a frame that is larger, and keeps none of it', () => {
    wire.receive(frame(windowUpdate, syn, 1, 0))
    wire.receive(frame(data, 0, 1, windowBytes + 1))
    assert.deepEqual([wire.status, counters.dropped.oversized, counters.linksCut], ['aborted', 1, 1])
    wire.receive(new Uint8Array(windowBytes))
    assert.equal(wire.readBufferLength, 0)
  })

  it('ends when that header belongs to no stream, and comes byte by byte', () => {
    wire.receive(...[...frame(data, 0, 77, 2 ** 32 - 1)].map((byte) => Uint8Array.of(byte)))
    assert.deepEqual([wire.status, counters.dropped.oversized], ['aborted', 1])
  })

  it('ends with much on a stream whose protocol is not agreed on', () => {
    for (const stream of [1, 3, 5]) {
      wire.receive(frame(windowUpdate, syn, stream, 0))
      wire.receive(frame(data, 0, stream, 4096), new Uint8Array(4096))
      assert.equal(wire.status, 'open')
    }
    wire.receive(frame(data, 0, 1, 1), new Uint8Array(1))
    assert.equal(wire.status, 'open')
    wire.receive(frame(data, 0, 3, 1))
    assert.deepEqual([wire.status, counters.dropped.misbehaved], ['aborted', 1])
  })

  it('ends with much on a stream whose protocol says little', () => {
    wire.receive(frame(windowUpdate, syn, 5, 0))
    wire.receive(frame(data, 0, 5, 4096), new Uint8Array(4096))
    assert.equal(wire.status, 'open')
    wire.receive(frame(data, 0, 5, 1))
    assert.deepEqual([wire.status, counters.dropped.misbehaved], ['aborted', 1])
  })

  it('ends with much on a stream that has only just begun', () => {
    const whole = [frame(windowUpdate, syn, 3, 0), frame(data, 0, 3, 4097), new Uint8Array(4097)]
    wire.receive(Buffer.concat(whole))
    assert.deepEqual([wire.status, counters.dropped.misbehaved], ['aborted', 1])
  })

  it('remembers no stream that is gone', () => {
    for (let stream = 2; stream < 2000; stream += 2)
      wire.receive(frame(data, 0, stream, 4096), new Uint8Array(4096))
    wire.receive(frame(data, 0, 4, 1), new Uint8Array(1))
    assert.equal(wire.status, 'open')
  })

  for (const [what, type] of [
    ['pings', ping],
    ['streams', windowUpdate],
  ] as const) {
    it(`ends with more ${what} than anybody needs`, () => {
      const one = (i: number) => frame(type ?? 0, syn, type === ping ? 0 : 2 * i + 1, 0)
      for (let i = 0; i < limits.burst; i += 1) wire.receive(one(i))
      assert.equal(wire.status, 'open')
      const answered = wire.sentBytes
      wire.receive(one(limits.burst))
      assert.deepEqual([wire.status, counters.dropped.misbehaved, counters.linksCut], ['aborted', 1, 1])
      assert.ok(answered <= 2 * limits.burst * 12)
    })
  }

  it('ends when more waits for the peer than a layer may hold', async () => {
    wire.isFull = true
    wire.send(new Uint8Array(maxBacklogBytes))
    assert.equal(wire.status, 'open')
    wire.send(Uint8Array.of(1))
    await eventually('the end', () => wire.status === 'aborted')
    assert.deepEqual([wire.writeBufferLength, counters.dropped['queue-full'], counters.linksCut], [0, 1, 1])
  })
})
