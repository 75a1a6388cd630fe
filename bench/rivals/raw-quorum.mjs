// The limit: libp2p as it comes, behind the same transport, secret and encryption. One asks all others at once, over
// streams that stay open, and goes on when as many have answered as make a majority with itself. See locking.mjs.
import '../../dist/lib/host/with-resolvers.js'
import { noise } from '@chainsafe/libp2p-noise'
import { identify } from '@libp2p/identify'
import { preSharedKey } from '@libp2p/pnet'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { locking } from './locking.mjs'

const protocol = '/quorum/1'
/** As long as a request of ours, and as its grant. */
const frame = new Uint8Array(96).fill(7)

locking(async ({ join, secret, size }) => {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionProtector: preSharedKey({ psk: swarmKey(secret) }),
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() },
  })
  await node.handle(protocol, (stream) => {
    stream.addEventListener('message', () => stream.send(frame))
  })
  const streams = []
  let answers = 0
  let enough = () => {}
  const majority = Math.floor(size / 2) + 1
  const connect = async (address) => {
    const connection = await node.dial(multiaddr(address))
    const stream = await connection.newStream(protocol)
    stream.addEventListener('message', () => {
      answers += 1
      if (answers === majority - 1) enough()
    })
    streams.push(stream)
  }
  for (const address of join) await connect(address)
  return {
    about: { addresses: node.getMultiaddrs().map(String) },
    async ready() {},
    trip: () =>
      new Promise((resolve) => {
        answers = 0
        enough = resolve
        for (const stream of streams) stream.send(frame)
      }),
  }
})

function swarmKey(secret) {
  return new TextEncoder().encode(`/key/swarm/psk/1.0.0/\n/base16/\n${secret}`)
}
