import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { RPC } from '@chainsafe/libp2p-gossipsub/message'
import { messageId } from '../../../lib/host/gossip-service.ts'
import { encodeFrame, FrameDecoder } from '../../../lib/wire/frame.ts'
import { eventually } from '../../support/eventually.ts'
import { connect, type RawPeer, type RawPeerOptions, startRawPeer, stopRawPeers } from './raw-peer.ts'

const topic = 'group'
const bytes = (text: string) => new TextEncoder().encode(text)
const text = (data: Uint8Array) => new TextDecoder().decode(data)
const texts = (peer: RawPeer) => peer.heard.map(({ data }) => text(data))

/** Started, subscribed, each connected to all before it, and everybody shown to everybody. */
async function cluster(count: number, options: RawPeerOptions = {}): Promise<RawPeer[]> {
  const peers = await Promise.all(Array.from({ length: count }, () => startRawPeer(options)))
  for (const peer of peers) peer.gossip.subscribe(topic)
  // One after the other: a hundred handshakes at once in one process outlast the dials.
  for (const [i, from] of peers.entries()) {
    await Promise.all(peers.slice(0, i).map((to) => connect(from, to)))
  }
  await eventually('all subscriptions', () => peers.every((peer) => peer.shown.size === count - 1))
  return peers
}

async function pair(options: RawPeerOptions = {}): Promise<[RawPeer, RawPeer]> {
  const [a, b] = await cluster(2, options)
  assert.ok(a !== undefined && b !== undefined)
  return [a, b]
}

const streams = (peer: RawPeer, other: RawPeer, direction: 'inbound' | 'outbound') =>
  peer.connections
    .of(other.id)
    .flatMap((connection) => connection.streams)
    .filter((stream) => /^\/(meshsub|p2pd\/gossip)\//.test(stream.protocol) && stream.direction === direction)

describe('gossip', () => {
  afterEach(stopRawPeers)

  it('reaches all of fifteen peers on one address, from each of them, once', async function () {
    this.timeout(30_000)
    const peers = await cluster(15)
    for (const [i, peer] of peers.entries()) assert.ok(peer.gossip.publish(topic, bytes(`from ${i}`)))
    await eventually('all messages', () => peers.every((peer) => peer.heard.length >= 14))
    for (const [i, peer] of peers.entries()) {
      const others = peers.map((_, at) => `from ${at}`).filter((_, at) => at !== i)
      assert.deepEqual(texts(peer).toSorted(), others.toSorted())
    }
  })

  it('is passed on by a peer in between, and judged there first', async () => {
    const [a, b, c] = await Promise.all([startRawPeer(), startRawPeer(), startRawPeer()])
    for (const peer of [a, b, c]) peer.gossip.subscribe(topic)
    await Promise.all([connect(a, b), connect(c, b)])
    await eventually(
      'the subscriptions',
      () => b.shown.size === 2 && a.shown.size === 1 && c.shown.size === 1,
    )
    a.gossip.publish(topic, bytes('far'))
    const [heard] = await eventually('the message', () => (c.heard.length > 0 ? c.heard : undefined))
    assert.equal(heard?.from, b.id)
    assert.deepEqual(texts(b), ['far'])
  })

  it('stops at whoever ignores or rejects it, and only a rejection costs the sender', async () => {
    const judge: RawPeerOptions['judge'] = ({ data }) =>
      text(data).startsWith('bad') ? 'reject' : text(data) === 'meh' ? 'ignore' : 'accept'
    const [a, b, c] = await Promise.all([startRawPeer(), startRawPeer({ judge }), startRawPeer()])
    for (const peer of [a, b, c]) peer.gossip.subscribe(topic)
    await Promise.all([connect(a, b), connect(c, b)])
    await eventually(
      'the subscriptions',
      () => b.shown.size === 2 && a.shown.size === 1 && c.shown.size === 1,
    )
    const { penalties } = b.node.gossip
    for (const message of ['meh', 'good']) a.gossip.publish(topic, bytes(message))
    await eventually('the good one', () => c.heard.length > 0)
    assert.equal(penalties.score(a.id), 0)
    for (const message of ['bad 1', 'bad 2', 'bad 3']) a.gossip.publish(topic, bytes(message))
    await eventually('the refusals', () => b.counters.gossip.reject === 3)
    assert.equal(penalties.score(a.id), -90)
    assert.equal(penalties.score(c.id), 0)
    c.gossip.publish(topic, bytes('fine'))
    await eventually('the fine one', () => texts(b).includes('fine'))
    assert.deepEqual(texts(c), ['good'])
    assert.deepEqual(b.counters.gossip, { published: 0, accept: 2, ignore: 1, reject: 3 })
  })

  it('lets neither a forged copy nor the true one under another topic block the true one', async () => {
    const judge: RawPeerOptions['judge'] = ({ data, topic: under }) =>
      text(data) === 'true' && under === topic ? 'accept' : 'ignore'
    const [a, b] = await pair({ judge })
    for (const peer of [a, b]) peer.gossip.subscribe('other')
    await eventually('the other topic', () => a.shown.has(`${b.id} other`))
    a.gossip.publish(topic, bytes('true, but for the end'))
    a.gossip.publish('other', bytes('true'))
    a.gossip.publish(topic, bytes('true'))
    await eventually('all three', () => b.heard.length === 3)
    assert.deepEqual(b.counters.gossip, { published: 0, accept: 1, ignore: 2, reject: 0 })
    const ids = [messageId('ab', bytes('c')), messageId('a', bytes('bc')), messageId('a', bytes('bd'))]
    assert.equal(new Set(ids.map((id) => Buffer.from(id).toString('hex'))).size, 3)
  })

  it('is published to nobody without complaint, and twice the same goes out once', async () => {
    const alone = await startRawPeer()
    alone.gossip.subscribe(topic)
    assert.equal(alone.gossip.publish(topic, bytes('hello?')), true)
    assert.equal(alone.gossip.publish('not subscribed', bytes('hello?')), true)
    assert.deepEqual(alone.gossip.subscribers(topic), [])
    const [a, b] = await pair()
    for (const message of ['one', 'one', 'two']) assert.equal(a.gossip.publish(topic, bytes(message)), true)
    await eventually('the last', () => texts(b).includes('two'))
    assert.deepEqual(texts(b), ['one', 'two'])
  })

  it('brings a burst of 8 MiB in messages of 1 MiB whole and in order', async () => {
    const [a, b] = await pair()
    const burst = Array.from({ length: 8 }, () => randomBytes(1024 * 1024))
    for (const data of burst) assert.equal(a.gossip.publish(topic, data), true)
    await eventually('the burst', () => b.heard.length === 8)
    assert.ok(b.heard.every(({ data }, i) => Buffer.compare(data, burst[i] as Buffer) === 0))
    assert.deepEqual([a.counters.gossipReopened, a.gossip.queuedBytes], [0, 0])
  })

  it('takes no more than 16 MiB of what cannot be sent', async () => {
    const [a, b] = await pair()
    const [stream] = streams(b, a, 'inbound')
    assert.ok(stream !== undefined)
    stream.pause()
    const taken = Array.from({ length: 40 }, () => a.gossip.publish(topic, randomBytes(1024 * 1024)))
    assert.equal(taken.filter(Boolean).length, 17, 'one on its way and sixteen that wait')
    assert.equal(a.counters.dropped['gossip-full'], 23)
    stream.resume()
    await eventually('what was taken', () => b.heard.length === 17)
  })

  it('shows a subscription while the peer is there, and takes it back', async () => {
    const [a, b] = await pair()
    assert.deepEqual(a.gossip.subscribers(topic), [b.id])
    b.gossip.subscribe('second')
    await eventually('the second', () => a.shown.has(`${b.id} second`))
    b.gossip.unsubscribe(topic)
    await eventually('its end', () => !a.shown.has(`${b.id} ${topic}`))
    a.gossip.publish(topic, bytes('unheard'))
    await b.stop()
    await eventually('the end of all', () => a.shown.size === 0)
    assert.deepEqual([a.gossip.subscribers('second'), b.heard], [[], []])
  })

  it('has at most 256 topics of its own, of bounded names, and remembers as many of a peer', async () => {
    const [a, b] = await Promise.all([startRawPeer(), startRawPeer()])
    for (let i = 0; i < 256; i += 1) a.gossip.subscribe(`topic ${i}`)
    a.gossip.subscribe('topic 7')
    assert.throws(() => a.gossip.subscribe('one more'), { code: 'ERR_TOO_MANY' })
    assert.throws(() => b.gossip.subscribe('x'.repeat(129)), RangeError)
    assert.throws(() => b.gossip.publish(topic, new Uint8Array(2 ** 21 + 1)), RangeError)
    await connect(a, b)
    await eventually('all subscriptions', () => b.shown.size === 256)
    // gossipsub itself knows no limit of its own topics.
    for (let i = 0; i < 300; i += 1) a.node.gossip.pubsub.subscribe(`more ${i}`)
    a.node.gossip.pubsub.unsubscribe('topic 0')
    await eventually('the last', () => !b.shown.has(`${a.id} topic 0`))
    assert.ok(b.shown.size <= 288, `${b.shown.size} subscriptions remembered`)
  })
})

/** Whatever `from` likes to send, past its own gossipsub. */
function forge(from: RawPeer, to: RawPeer, rpc: Partial<RPC>): void {
  const [stream] = streams(from, to, 'outbound')
  stream?.send(encodeFrame(RPC.encode({ subscriptions: [], messages: [], ...rpc }), 2 ** 21))
}

/** Not what a heartbeat says of its own accord about its mesh. */
const isAnswer = ({ messages, subscriptions, control }: RPC): boolean =>
  messages.length > 0 ||
  subscriptions.length > 0 ||
  [control?.iwant, control?.ihave, control?.idontwant].some((list) => list !== undefined && list.length > 0)

describe('what is no gossip of ours', () => {
  afterEach(stopRawPeers)

  const control = { ihave: [], iwant: [], graft: [], prune: [], idontwant: [] }
  const data = bytes('x')
  const forgeries: Record<string, Partial<RPC>> = {
    'a topic that nobody has subscribed to': { messages: [{ topic: 'foreign', data }] },
    'a signature of gossipsub': { messages: [{ topic, data, signature: new Uint8Array(64) }] },
    'a request for what was sent': { control: { ...control, iwant: [{ messageIDs: [new Uint8Array(32)] }] } },
    'an announcement of what was not': {
      control: { ...control, ihave: [{ topicID: topic, messageIDs: [new Uint8Array(32)] }] },
    },
    'too many subscriptions': {
      subscriptions: Array.from({ length: 300 }, (_, i) => ({ topic: `t${i}`, subscribe: true })),
    },
    'too many messages': {
      messages: Array.from({ length: 65 }, (_, i) => ({ topic, data: Uint8Array.of(i) })),
    },
  }

  for (const [kind, rpc] of Object.entries(forgeries)) {
    it(`is neither judged nor answered: ${kind}`, async () => {
      const [a, b] = await pair()
      const sent = streams(b, a, 'outbound')[0]
      assert.ok(sent !== undefined)
      let answers = 0
      const send = sent.send.bind(sent)
      const decoder = new FrameDecoder(2 ** 21)
      sent.send = (bytes) => {
        for (const frame of decoder.push(bytes.subarray())) if (isAnswer(RPC.decode(frame))) answers += 1
        return send(bytes)
      }
      forge(a, b, rpc)
      a.gossip.publish(topic, bytes('ours'))
      await eventually('ours', () => b.heard.length > 0)
      assert.deepEqual([texts(b), answers, b.shown.size], [['ours'], 0, 1])
    })
  }

  it('and what was ours is not remembered beyond a heartbeat', async () => {
    const [a, b] = await pair()
    const { pubsub } = b.node.gossip
    const { score } = pubsub as unknown as { score: { deliveryRecords: { queue: { length: number } } } }
    let published = 0
    // A heartbeat of its own may come in between.
    await eventually('something to forget', () => {
      a.gossip.publish(topic, bytes(`${published++}`))
      return score.deliveryRecords.queue.length > 0
    })
    pubsub.dispatchEvent(new CustomEvent('gossipsub:heartbeat'))
    assert.equal(score.deliveryRecords.queue.length, 0)
  })
})

describe('a gossip stream that is lost', () => {
  afterEach(stopRawPeers)

  /** Messages go both ways again; those that were under way when a stream broke are lost, as gossip may. */
  const works = async (a: RawPeer, b: RawPeer, message: string) => {
    await eventually('both to be shown again', () => a.shown.size === 1 && b.shown.size === 1)
    let tries = 0
    const heard = (who: RawPeer, from: string) =>
      texts(who).some((text) => text.startsWith(`${message} ${from}`))
    await eventually('a message each way', () => {
      tries += 1
      a.gossip.publish(topic, bytes(`${message} from a ${tries}`))
      b.gossip.publish(topic, bytes(`${message} from b ${tries}`))
      return heard(b, 'from a') && heard(a, 'from b')
    })
  }

  it('is opened anew on the same connection', async () => {
    const [a, b] = await pair()
    const connections = a.connections.of(b.id)
    for (const stream of streams(a, b, 'outbound')) stream.abort(new Error('a limit'))
    assert.equal(a.shown.size, 0, 'not shown while it is away')
    await works(a, b, 'after an abort')
    for (const stream of streams(b, a, 'inbound')) stream.abort(new Error('a limit'))
    await eventually('the loss', () => a.shown.size === 0)
    await works(a, b, 'after a reset')
    assert.deepEqual(a.connections.of(b.id), connections)
    assert.ok(a.counters.gossipReopened >= 1 && a.counters.gossipResets === 0)
  })

  it('recovers from an oversized message, which leaves its writer talking to nobody', async function () {
    this.timeout(20_000)
    const [a, b] = await pair()
    // Past our own limit, as only a broken or malicious peer would.
    await a.node.gossip.publish(topic, new Uint8Array(2 ** 21 + 2 ** 17), true)
    await eventually('the loss', () => b.shown.size === 0)
    await works(a, b, 'after it')
    assert.deepEqual([a.connections.of(b.id).length, a.counters.gossipResets], [1, 0])
  })
})
