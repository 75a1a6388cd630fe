// A peer of p2pd, by the library's public entry, with its state on the disk as a daemon's is. See chat.mjs.
import { createPeer } from 'p2pd'
import { OutboundLink } from '../../dist/lib/host/outbound-link.js'
import { chat } from './chat.mjs'
import { loseFrames } from './loss.mjs'

chat(async ({ index, secret, join, dataDir, loss }, deliver) => {
  if (loss > 0) loseFrames(OutboundLink, loss, index)
  const peer = await createPeer({
    cluster: 'bench',
    secret,
    name: `n${index}`,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    join,
    dataDir,
    profile: 'local',
  })
  const group = await peer.group('all')
  void readAll(group.messages({ from: 'earliest', vector: false }), deliver)
  return {
    addresses: peer.addresses,
    publish: (bytes) => group.publish(bytes),
  }
})

async function readAll(messages, deliver) {
  for await (const { data } of messages) deliver(data)
}
