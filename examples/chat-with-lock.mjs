// Chat and a lock in one program: two peers write minutes together, one at a time.
//   node examples/chat-with-lock.mjs
import { randomBytes } from 'node:crypto'
import { createPeer } from 'p2pd'
import { mutex } from 'p2pd/mutex'

const signal = AbortSignal.timeout(60_000)
const listen = ['/ip4/127.0.0.1/tcp/0']
const common = { cluster: 'minutes', secret: randomBytes(32), listen, profile: 'local', signal }
const ada = await createPeer({ ...common, name: 'ada', plugins: { mutex: mutex() } })
const bob = await createPeer({ ...common, name: 'bob', plugins: { mutex: mutex() }, join: ada.addresses })
/** The resource: it refuses whoever comes with an older token than it has seen. */
const minutes = { pages: 0, highestToken: 0 }

try {
  await Promise.all([write(ada), write(bob), read(bob)])
} finally {
  await Promise.all([ada.stop(), bob.stop()])
}

async function write(peer) {
  const room = await peer.group('minutes', { signal })
  for (let i = 0; i < 3; i += 1) {
    const lock = await peer.plugins.mutex.acquire('minutes', { signal })
    try {
      if (lock.token <= minutes.highestToken) throw new Error('an old token: somebody else holds the lock')
      minutes.highestToken = lock.token
      minutes.pages += 1
      await room.publish(`page ${minutes.pages}, under token ${lock.token}`)
    } finally {
      await lock.release()
    }
  }
}

async function read(peer) {
  const room = await peer.group('minutes', { signal })
  let pages = 0
  for await (const { data, sender } of room.messages({ from: 'earliest', signal })) {
    console.log(sender === ada.peerId ? 'ada:' : 'bob:', Buffer.from(data).toString())
    pages += 1
    if (pages === 6) return
  }
}
