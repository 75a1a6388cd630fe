import assert from 'node:assert/strict'
import '../../../lib/host/with-resolvers.ts'
import { connect as connectTcp } from 'node:net'
import { noise } from '@chainsafe/libp2p-noise'
import type { ConnectionEncrypter, ConnectionGater, Libp2p } from '@libp2p/interface'
import { preSharedKey } from '@libp2p/pnet'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { swarmKey } from '../../../lib/host/node.ts'
import { eventually } from '../../support/eventually.ts'
import { connect, type RawPeer, startRawPeer, stopRawPeers, testProtocol, testSecret } from './raw-peer.ts'

type MakeEncrypter = (components: Parameters<ReturnType<typeof noise>>[0]) => ConnectionEncrypter

interface Ways {
  readonly encrypter?: MakeEncrypter
  readonly gater?: ConnectionGater
}

const never = new Promise<never>(() => {})
/** Agrees on Noise, and then says nothing. */
const speechless: MakeEncrypter = (components) => {
  const inner = noise()(components)
  return {
    protocol: inner.protocol,
    secureInbound: (stream, options) => inner.secureInbound(stream, options),
    secureOutbound: () => never,
  }
}
const nodes: Libp2p[] = []

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop()))
  await stopRawPeers()
})

/** Knows the secret, and speaks no protocol of p2pd. */
async function stranger({ encrypter = noise(), gater = {} }: Ways = {}): Promise<Libp2p> {
  const node = await createLibp2p({
    transports: [tcp()],
    connectionProtector: preSharedKey({ psk: swarmKey(testSecret) }),
    connectionEncrypters: [encrypter],
    streamMuxers: [yamux()],
    connectionGater: gater,
  })
  nodes.push(node)
  return node
}

/** Dials that come to nothing, so many. */
async function besiege(target: RawPeer, count: number, ways: Ways): Promise<void> {
  const node = await stranger(ways)
  for (let i = 0; i < count; i += 1) {
    node.dial(multiaddr(target.address), { force: true, signal: AbortSignal.timeout(20_000) }).catch(() => {})
  }
}

async function honestDials(target: RawPeer, count: number): Promise<number> {
  const from = await startRawPeer()
  let through = 0
  for (let i = 0; i < count; i += 1) {
    if ((await connect(from, target, 'replace')).type === 'connected') through += 1
  }
  return through
}

const portOf = ({ address }: RawPeer): number => Number(address.split('/').at(-1))

describe('a handshake that is not finished', () => {
  const handshakeMs = 700
  const kinds: readonly (readonly [string, Ways])[] = [
    ['at Noise', { encrypter: speechless }],
    ['at the multiplexer', { gater: { denyOutboundEncryptedConnection: () => never } }],
  ]

  for (const [where, ways] of kinds) {
    it(`${where} ends in time, is counted, and keeps nobody out`, async () => {
      const target = await startRawPeer({ handshakeMs })
      await besiege(target, 30, ways)
      assert.equal(await honestDials(target, 10), 10)
      await eventually('the count', () => target.counters.refusedHandshakes.handshake === 30)
      assert.equal(target.connections.peers().length, 1)
    })
  }

  it('ends in time when a byte comes now and then', async () => {
    const target = await startRawPeer({ handshakeMs })
    let closed = 0
    for (let i = 0; i < 20; i += 1) {
      const socket = connectTcp(portOf(target), '127.0.0.1')
      const timer = setInterval(() => socket.write('n'), 100)
      socket
        .on('error', () => {})
        .on('close', () => {
          clearInterval(timer)
          closed += 1
        })
    }
    assert.equal(await honestDials(target, 10), 10)
    await eventually('the end of all', () => closed === 20)
    assert.equal(target.counters.refusedHandshakes.handshake, 20)
  })
})

describe('a connection over which nothing comes', () => {
  it('is closed and counted, and one over which something came is not', async () => {
    const target = await startRawPeer({ muteMs: 300 })
    const honest = await startRawPeer()
    await connect(honest, target)
    await eventually('a frame', () => {
      honest.links.send(target.id, testProtocol, Uint8Array.of(1))
      return target.received.length > 0
    })
    const mute = await stranger()
    const connection = await mute.dial(multiaddr(target.address))
    await eventually('the end', () => connection.status !== 'open')
    assert.equal(target.counters.refusedHandshakes.mute, 1)
    assert.deepEqual(target.connections.peers(), [honest.id])
  })
})
