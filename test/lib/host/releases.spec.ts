import assert from 'node:assert/strict'
import { Releases } from '../../../lib/host/releases.ts'
import type { PeerId } from '../../../lib/protocols/core.ts'
import { encodeFrame } from '../../../lib/wire/frame.ts'
import { eventually } from '../../support/eventually.ts'
import { connect, type RawPeer, startRawPeer, stopRawPeers, testProtocol } from './raw-peer.ts'

interface Side {
  readonly raw: RawPeer
  readonly releases: Releases
  readonly needed: Set<PeerId>
}

const sides: Side[] = []

afterEach(async () => {
  for (const { releases } of sides.splice(0)) releases.stop()
  await stopRawPeers()
})

async function start(knowsReleases = true): Promise<Side> {
  const raw = await startRawPeer()
  const needed = new Set<PeerId>()
  const releases = new Releases({ ...raw, isNeeded: (peer) => needed.has(peer), lookMs: 200 })
  if (knowsReleases) await releases.start()
  const side = { raw, releases, needed }
  sides.push(side)
  return side
}

async function pair(knowsReleases = true): Promise<[Side, Side]> {
  const [a, b] = [await start(), await start(knowsReleases)]
  await connect(a.raw, b.raw)
  await eventually('both see it', () => b.raw.connections.of(a.raw.id).length === 1)
  return [a, b]
}

const closings = (...pair: readonly Side[]) =>
  pair.map(({ raw }) => raw.closings.map(({ closedBy }) => closedBy))

describe('a connection that is released', () => {
  it('goes when nobody uses it, and neither side takes that for a death', async () => {
    const [a, b] = await pair()
    a.releases.release(b.raw.id)
    await eventually('the end', () => a.raw.closings.length > 0 && b.raw.closings.length > 0)
    assert.deepEqual(closings(a, b), [['local'], ['local']])
  })

  it('is closed by the asker alone where the other knows nothing of it', async () => {
    const [a, b] = await pair(false)
    a.releases.release(b.raw.id)
    await eventually('the end', () => a.raw.closings.length > 0 && b.raw.closings.length > 0)
    assert.deepEqual(closings(a, b), [['local'], ['remote']])
  })

  const uses: Record<string, (a: Side, b: Side) => void | Promise<void>> = {
    'its own frames': (a, b) => void a.raw.links.send(b.raw.id, testProtocol, Uint8Array.of(1)),
    "the other's frames": async (a, b) => {
      b.raw.links.send(a.raw.id, testProtocol, Uint8Array.of(1))
      await eventually('a frame', () => a.raw.received.length > 0)
    },
    'a ping of its own': (a, b) => void a.needed.add(b.raw.id),
    'a ping of the other': (a, b) => void b.needed.add(a.raw.id),
    'a mesh of gossip': async (a, b) => {
      for (const { raw } of [a, b]) raw.gossip.subscribe('group')
      await eventually('the mesh', () => a.raw.gossip.isMeshed(b.raw.id) && b.raw.gossip.isMeshed(a.raw.id))
    },
  }

  for (const [use, begin] of Object.entries(uses)) {
    it(`stays for ${use}`, async () => {
      const [a, b] = await pair()
      await begin(a, b)
      const asked = b.raw.connections.of(a.raw.id)[0]
      a.releases.release(b.raw.id)
      // Whoever asked has had its answer when another stream of the same connection has been there.
      const before = b.raw.received.length
      const stream = await a.raw.connections.of(b.raw.id)[0]?.newStream('/p2pd/test/1')
      stream?.send(encodeFrame(Uint8Array.of(2), 100))
      await eventually('a frame', () => b.raw.received.length > before)
      assert.equal(asked?.status, 'open')
      assert.deepEqual(closings(a, b), [[], []])
    })
  }

  it('goes later, when it is used no more, unless it was wanted again', async () => {
    const [a, b] = await pair()
    const other = await start()
    await connect(a.raw, other.raw)
    for (const peer of [b.raw.id, other.raw.id]) {
      a.needed.add(peer)
      a.releases.release(peer)
    }
    a.needed.clear()
    a.releases.keep(other.raw.id)
    await eventually('the end', () => b.raw.closings.length > 0)
    assert.equal(a.raw.connections.of(other.raw.id).length, 1)
  })
})
