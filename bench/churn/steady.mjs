// A peer that stays, and says what it holds. Started with --expose-gc, so that garbage does not count.
import { createPeer } from 'p2pd'
import { obey } from './lines.mjs'

let peer

await obey({
  async open({ name, secret, dataDir, join, membership }) {
    const listen = ['/ip4/127.0.0.1/tcp/0']
    const setting = { cluster: 'churn', name, secret, dataDir, join, listen, membership }
    peer = await createPeer({ ...setting, profile: 'local' })
    return { addresses: peer.addresses }
  },
  async holdings() {
    globalThis.gc()
    const members = peer.members()
    const resources = process.getActiveResourcesInfo()
    const timers = resources.filter((type) => type === 'Timeout').length
    const { heapUsed, rss } = process.memoryUsage()
    return {
      heapMib: heapUsed / 2 ** 20,
      rssMib: rss / 2 ** 20,
      handles: resources.length - timers,
      timers,
      alive: members.filter(({ status }) => status === 'alive').length,
      rows: members.length,
    }
  },
})
