// Three peers talk at once. Each question is answered by everybody who reads it,
// and nobody ever reads an answer before its question.
//   node examples/chat.mjs
import { randomBytes } from 'node:crypto'
import { createPeer } from 'p2pd'

const signal = AbortSignal.timeout(30_000)
const listen = ['/ip4/127.0.0.1/tcp/0']
const common = { cluster: 'chat', secret: randomBytes(32), listen, profile: 'local', signal }
const ada = await createPeer({ ...common, name: 'ada' })
const bob = await createPeer({ ...common, name: 'bob', join: ada.addresses })
const eve = await createPeer({ ...common, name: 'eve', join: ada.addresses })
const peers = [ada, bob, eve]
const nameOf = (peerId) => peers.find((peer) => peer.peerId === peerId).name

try {
  const rooms = await Promise.all(peers.map((peer) => peer.group('chat', { signal })))
  const talks = rooms.map((room, at) => talk(peers[at].name, room))
  await Promise.all(rooms.map((room) => room.publish('how are you?')))
  await Promise.all(talks)
  console.log('nobody read an answer before its question')
} finally {
  await Promise.all(peers.map((peer) => peer.stop()))
}

/** Three questions, and three answers to each. What was said before this peer came is in its log, too. */
async function talk(name, room) {
  const questions = new Set()
  let answers = 0
  for await (const { data, sender, lamport } of room.messages({ from: 'earliest', signal })) {
    const text = Buffer.from(data).toString()
    console.log(`${name} reads, at logical time ${lamport}: ${nameOf(sender)}: ${text}`)
    const asker = /^fine, (\w+)$/.exec(text)?.[1]
    if (asker === undefined) {
      questions.add(nameOf(sender))
      await room.publish(`fine, ${nameOf(sender)}`)
    } else if (questions.has(asker)) answers += 1
    else throw new Error(`${name} read an answer before its question`)
    if (questions.size === 3 && answers === 9) return
  }
  throw new Error(`${name} did not read everything in time`)
}
