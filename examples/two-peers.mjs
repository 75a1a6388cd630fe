// Two peers in one process find each other, one leaves, the other sees it go.
//   node examples/two-peers.mjs
import { randomBytes } from 'node:crypto'
import { createPeer } from 'p2pd'

const cluster = 'example'
const secret = randomBytes(32)
const listen = ['/ip4/127.0.0.1/tcp/0']
const signal = AbortSignal.timeout(20_000)

const ada = await createPeer({ cluster, secret, listen, name: 'ada', profile: 'local', signal })
const bob = await createPeer({
  cluster,
  secret,
  listen,
  name: 'bob',
  profile: 'local',
  join: ada.addresses,
  signal,
})

try {
  await bob.joined({ signal })
  await Promise.all([seen(ada, 'bob', 'alive'), seen(bob, 'ada', 'alive')])
  console.log('ada sees', describe(ada))
  console.log('bob sees', describe(bob))

  const { rttMs } = await ada.ping(bob.peerId, { signal })
  console.log(`a round trip takes ${rttMs.toFixed(1)} ms`)

  await bob.leave()
  await seen(ada, 'bob', 'left')
  console.log('ada sees', describe(ada))
} finally {
  // In TypeScript, `await using peer = await createPeer(…)` does the same.
  await Promise.all([ada.stop(), bob.stop()])
}

/** Waits until `peer` shows the member of that name so: the table first, then every change to it. */
async function seen(peer, name, status) {
  for await (const update of peer.watch({ signal })) {
    const rows = update.type === 'snapshot' ? update.members : [update.member]
    if (rows.some((row) => row.name === name && row.status === status)) return
  }
  throw new Error(`${peer.name} never saw ${name} ${status}`)
}

function describe(peer) {
  return peer
    .members()
    .map(({ name, status }) => `${name} ${status}`)
    .join(', ')
}
