import { startRawPeer, testProtocol } from './raw-peer.ts'

/** A peer in a process of its own that sends back what it gets; ends with its parent. */
process.on('disconnect', () => process.exit())
const peer = await startRawPeer({
  receive: (self, from, frame) => {
    self.links.send(from, testProtocol, frame)
  },
})
process.send?.({ id: peer.id, address: peer.address })
