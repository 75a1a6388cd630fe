// A peer of p2pd with its locks, by the library's public entries, with its state on the disk as a daemon's is. See locking.mjs.
import { setTimeout as delay } from 'node:timers/promises'
import { createPeer } from 'p2pd'
import { mutex } from 'p2pd/mutex'
import { locking } from './locking.mjs'

locking(async ({ index, size, secret, join, dataDir }) => {
  const peer = await createPeer({
    cluster: 'bench',
    secret,
    name: `n${index}`,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    join,
    dataDir,
    profile: 'local',
    plugins: { mutex: mutex() },
  })
  const locks = peer.plugins.mutex
  return {
    about: { addresses: peer.addresses },
    async ready() {
      const isReady = ({ voters, reachable, self }) =>
        voters.length === size && reachable && self === 'serving'
      while (!isReady(locks.electorate())) await delay(50)
    },
    acquire: (lock, leaseMs) => locks.acquire(lock, leaseMs === undefined ? {} : { leaseMs }),
  }
})
