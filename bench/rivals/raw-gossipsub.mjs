// js gossipsub as it comes, with its messages signed, behind the same transport, secret and encryption. See chat.mjs.
import '../../dist/lib/host/with-resolvers.js'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { noise } from '@chainsafe/libp2p-noise'
import { identify } from '@libp2p/identify'
import { preSharedKey } from '@libp2p/pnet'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { chat } from './chat.mjs'

const topic = 'all'

chat(async ({ join, secret }, deliver) => {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionProtector: preSharedKey({ psk: swarmKey(secret) }),
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      gossip: gossipsub({
        globalSignaturePolicy: 'StrictSign',
        // Else it throws while nobody is there, and silently drops whoever shares an address with others.
        allowPublishToZeroTopicPeers: true,
        scoreParams: { IPColocationFactorWeight: 0 },
      }),
    },
  })
  const { gossip } = node.services
  gossip.addEventListener('message', ({ detail }) => deliver(detail.data))
  gossip.subscribe(topic)
  for (const address of join) await node.dial(multiaddr(address))
  return {
    addresses: node.getMultiaddrs().map(String),
    publish: (bytes) => gossip.publish(topic, bytes),
  }
})

function swarmKey(secret) {
  return new TextEncoder().encode(`/key/swarm/psk/1.0.0/\n/base16/\n${secret}`)
}
