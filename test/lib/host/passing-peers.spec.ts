import assert from 'node:assert/strict'
import { multiaddr } from '@multiformats/multiaddr'
import { PassingPeers } from '../../../lib/host/passing-peers.ts'
import { eventually } from '../../support/eventually.ts'
import { startApp, stopApps } from '../app-node.ts'

describe('what libp2p notes of a peer', () => {
  afterEach(stopApps)

  it('stays while the peer is connected, and is gone soon after it', async () => {
    const { node, address } = await startApp()
    const passing = new PassingPeers(node)
    const others = [await startApp(), await startApp(), await startApp()]
    for (const other of others) await other.node.dial(multiaddr(address))
    const noted = async () => (await node.peerStore.all()).map(({ id }) => id.toString())
    await eventually('the notes', async () => (await noted()).length === 3)
    const [staying, ...going] = others.map((other) => other.node)
    for (const other of going) await other.stop()
    await eventually('the end of two', async () => (await noted()).length === 1)
    assert.deepEqual(await noted(), [staying?.peerId.toString()])
    passing.stop()
  })

  it('goes with the life in which it was noted', async () => {
    const [{ node }, other] = [await startApp(), await startApp()]
    await node.peerStore.save(other.node.peerId, { protocols: ['/x'] })
    const passing = new PassingPeers(node)
    await passing.forgetFormer()
    assert.deepEqual(await node.peerStore.all(), [])
    assert.notEqual(await node.peerStore.get(node.peerId), undefined)
    passing.stop()
  })
})
