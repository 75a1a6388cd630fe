import assert from 'node:assert/strict'
import type { Stream } from '@libp2p/interface'
import { PublishQueue } from '../../../lib/host/publish-queue.ts'
import { eventually } from '../../support/eventually.ts'

const mebibyte = 1024 * 1024

/** A queue before streams that hold as much as they are told. */
function rig(...held: readonly number[]) {
  const streams = held.map((writeBufferLength) => ({ writeBufferLength }))
  const sent: Uint8Array[] = []
  const queue = new PublishQueue({
    send: async (_, data) => void sent.push(data),
    streams: () => streams as unknown as Stream[],
  })
  return { queue, streams, sent }
}

describe('the queue of own gossip', () => {
  it('hands over at once while there is room', () => {
    const { queue, sent } = rig(0, mebibyte - 1)
    assert.equal(queue.push('t', new Uint8Array(3)), true)
    assert.deepEqual([sent.length, queue.queuedBytes], [1, 0])
    queue.stop()
  })

  it('waits for a full stream, and goes on when that has drained', async () => {
    const { queue, streams, sent } = rig(0, mebibyte)
    for (let i = 0; i < 3; i += 1) queue.push('t', Uint8Array.of(i))
    assert.deepEqual([sent.length, queue.queuedBytes], [0, 3])
    streams[1] = { writeBufferLength: 0 }
    queue.drained()
    await eventually('all three', () => sent.length === 3)
    assert.deepEqual(
      sent.map((data) => data[0]),
      [0, 1, 2],
    )
    queue.stop()
  })

  it('takes 16 MiB and no more, and 16,384 messages', () => {
    const bytes = rig(mebibyte)
    const taken = Array.from({ length: 20 }, () => bytes.queue.push('t', new Uint8Array(mebibyte)))
    assert.equal(taken.filter(Boolean).length, 16)
    bytes.queue.stop()
    const messages = rig(mebibyte)
    for (let i = 0; i < 16_384; i += 1) assert.equal(messages.queue.push('t', new Uint8Array(1)), true)
    assert.equal(messages.queue.push('t', new Uint8Array(1)), false)
    messages.queue.stop()
  })

  it('waits two seconds for a stream that stays full, and then no more for that one', async function () {
    this.timeout(10_000)
    const { queue, sent } = rig(0, mebibyte)
    const start = performance.now()
    queue.push('t', new Uint8Array(1))
    await eventually('the message', () => sent.length === 1)
    const waitedMs = performance.now() - start
    assert.ok(waitedMs >= 2000 && waitedMs < 6000, `${waitedMs} ms`)
    queue.push('t', new Uint8Array(1))
    await eventually('the next, at once', () => sent.length === 2, 500)
    queue.stop()
  })

  it('is empty and closed when stopped', () => {
    const { queue, sent } = rig(mebibyte)
    queue.push('t', new Uint8Array(1))
    queue.stop()
    assert.deepEqual([queue.push('t', new Uint8Array(1)), queue.queuedBytes, sent.length], [false, 0, 0])
  })
})
