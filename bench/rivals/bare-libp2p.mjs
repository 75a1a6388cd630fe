// The least that could be a peer: libp2p with what ours has below its own protocols. It dials whom it is told, asks
// each something, and says so when all have answered. Bundled and run by bare-start.mjs, as the daemon is.

import { noise } from '@chainsafe/libp2p-noise'
import { identify } from '@libp2p/identify'
import { preSharedKey } from '@libp2p/pnet'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const protocol = '/bench/echo/1'
const question = new Uint8Array(60)

export async function start(targets) {
  const psk = new TextEncoder().encode(`/key/swarm/psk/1.0.0/\n/base16/\n${'5a'.repeat(32)}`)
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionProtector: preSharedKey({ psk }),
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify() },
  })
  await node.handle(protocol, (stream) => {
    stream.addEventListener('message', () => stream.send(question))
  })
  await Promise.all(targets.map((target) => ask(node, target)))
  process.stdout.write(`${JSON.stringify({ event: 'ready', address: String(node.getMultiaddrs()[0]) })}\n`)
}

async function ask(node, target) {
  const connection = await node.dial(multiaddr(target))
  const stream = await connection.newStream(protocol)
  const answered = new Promise((resolve) => stream.addEventListener('message', resolve, { once: true }))
  stream.send(question)
  await answered
}
