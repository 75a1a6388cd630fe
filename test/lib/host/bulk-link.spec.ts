import assert from 'node:assert/strict'
import { bulkLimits } from '../../../lib/host/links.ts'
import { maxBulkFrameBytes } from '../../../lib/wire/limits.ts'
import { eventually } from '../../support/eventually.ts'
import { connect, type RawPeer, startRawPeer, stopRawPeers, testProtocol } from './raw-peer.ts'

const bulk = 'bulk'
const windowBytes = 256 * 1024

interface BulkPair {
  readonly a: RawPeer
  readonly b: RawPeer
  /** What has come of bulk, and how much of it there was at the arrival of each control frame. */
  readonly got: { bytes: number; readonly frames: Uint8Array[]; readonly atControl: number[] }
}

async function bulkPair(): Promise<BulkPair> {
  const got: BulkPair['got'] = { bytes: 0, frames: [], atControl: [] }
  const receive = () => void got.atControl.push(got.bytes)
  const [a, b] = await Promise.all([startRawPeer(), startRawPeer({ receive })])
  for (const peer of [a, b]) {
    await peer.links.register({
      ...bulkLimits,
      name: bulk,
      maxFrameBytes: maxBulkFrameBytes,
      receive: (_, frame) => {
        got.bytes += frame.byteLength
        got.frames.push(frame)
      },
    })
  }
  await connect(a, b)
  await eventually('a link', () => a.links.send(b.id, bulk, new Uint8Array(1)))
  await eventually('its first frame', () => got.bytes > 0)
  await eventually('a control link', () => a.links.send(b.id, testProtocol, new Uint8Array(1)))
  await eventually('its first frame, too', () => got.atControl.splice(0).length > 0)
  got.bytes = 0
  got.frames.length = 0
  return { a, b, got }
}

describe('a bulk link', () => {
  afterEach(stopRawPeers)

  it('brings frames of the largest size whole, in order and without losing its stream', async () => {
    const { a, b, got } = await bulkPair()
    const frames = [1, 2, 3].map((byte) => new Uint8Array(maxBulkFrameBytes).fill(byte))
    for (const frame of frames) assert.equal(a.links.send(b.id, bulk, frame), true)
    await eventually('all frames', () => got.frames.length === 3)
    assert.ok(got.frames.every((frame, i) => Buffer.compare(frame, frames[i] as Uint8Array) === 0))
    for (let i = 0; i < 40; i += 1) {
      await eventually('room', () => a.links.queuedBytes(b.id) < windowBytes)
      assert.equal(a.links.send(b.id, bulk, new Uint8Array(1024 * 1024)), true)
    }
    await eventually('the rest', () => got.frames.length === 43)
  })

  it('refuses what exceeds its queue, and says so', async () => {
    const { a, b } = await bulkPair()
    const taken = Array.from({ length: 12 }, () => a.links.send(b.id, bulk, new Uint8Array(1024 * 1024)))
    assert.ok(taken.includes(true) && taken.includes(false))
    assert.equal(a.counters.dropped['queue-full'], taken.filter((one) => !one).length)
    assert.ok(a.links.queuedBytes(b.id) <= bulkLimits.queueBytes)
  })

  it('lets a control frame wait behind little more than one window', async () => {
    const { a, b, got } = await bulkPair()
    const chunk = new Uint8Array(64 * 1024)
    const feed = () => {
      while (a.links.queuedBytes(b.id) < 4 * 1024 * 1024) a.links.send(b.id, bulk, chunk)
    }
    const behind: number[] = []
    for (let round = 0; round < 30; round += 1) {
      // Long enough under way for windows to have grown, had they been let.
      await eventually('a round of bulk', () => {
        feed()
        return got.bytes > round * 1024 * 1024
      })
      const before = got.bytes
      a.links.send(b.id, testProtocol, new Uint8Array(8))
      while (got.atControl.length === round) {
        feed()
        await new Promise((resolve) => setImmediate(resolve))
      }
      behind.push((got.atControl[round] ?? 0) - before)
    }
    const most = Math.max(...behind)
    assert.ok(most <= 3 * windowBytes, `control frames waited behind ${behind} bytes`)
  })
})
