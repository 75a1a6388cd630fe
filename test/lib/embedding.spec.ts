import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { createPeer, type Peer, type PeerOptions, swarmKey } from '../../lib/index.ts'
import type { PeerPlugin } from '../../lib/plugin.ts'
import { eventually } from '../support/eventually.ts'
import { type AppNode, chunksOf, echo, echoed, startApp, stopApps } from './app-node.ts'
import { type NoteApi, notes } from './note-plugin.ts'

const secret = new Uint8Array(32).fill(0x5a)
const base = { cluster: 'test', secret, profile: 'local' } as const

type Noting = Peer<{ notes: PeerPlugin<NoteApi> }>

const running: Pick<Peer, 'stop'>[] = []

async function startIn({ node, identity }: AppNode, options: Partial<PeerOptions> = {}): Promise<Noting> {
  const peer = await createPeer({
    ...base,
    libp2p: node,
    identity,
    newIdentity: true,
    ...options,
    plugins: { notes: notes() },
  })
  running.push(peer)
  return peer
}

const alive = (peer: Peer) => peer.members().filter((member) => member.status === 'alive').length

/** Two peers that see each other, each in an app's node. */
async function pair(options: { readonly swarmKey?: Uint8Array } = {}): Promise<{
  readonly apps: readonly [AppNode, AppNode]
  readonly peers: readonly [Noting, Noting]
}> {
  const apps = [await startApp(options), await startApp(options)] as const
  const a = await startIn(apps[0], { name: 'a' })
  const b = await startIn(apps[1], { name: 'b', join: a.addresses })
  await eventually('each other', () => alive(a) === 2 && alive(b) === 2)
  return { apps, peers: [a, b] }
}

/** The connection of a node that is there and knows nothing of the secret. */
async function strange(to: AppNode, protocol: string): Promise<{ app: AppNode; stream: Stream }> {
  const app = await startApp()
  return { app, stream: await app.node.dialProtocol(multiaddr(to.address), protocol) }
}

/** Whether the other side has ended it. */
async function ends(stream: Stream): Promise<boolean> {
  try {
    for await (const _ of chunksOf(stream));
  } catch {
    // Reset, not closed.
  }
  return stream.status !== 'open' || stream.readStatus === 'closed'
}

describe("a peer in an app's libp2p node", () => {
  afterEach(async () => {
    await Promise.all(running.splice(0).map((peer) => peer.stop()))
    await stopApps()
  })

  it('is a member as any other: table, pings, groups and plugins', async () => {
    const { apps, peers } = await pair()
    const [a, b] = peers
    assert.equal(a.peerId, apps[0].node.peerId.toString())
    assert.deepEqual(a.addresses, [apps[0].address])
    assert.ok((await a.ping(b.peerId)).rttMs < 1000)
    const groups = await Promise.all(peers.map((peer) => peer.group('talk')))
    await groups[0]?.publish('hello')
    for await (const { data } of groups[1]?.messages({ from: 'earliest' }) ?? []) {
      assert.equal(new TextDecoder().decode(data), 'hello')
      break
    }
    a.plugins.notes.say(b.peerId, 'good morning')
    await eventually('the greeting', () => b.plugins.notes.notes.includes('heard good morning'))
    await eventually('a message by gossip', async () => {
      await groups[0]?.publish('and by gossip')
      return b.counters().gossip.accept > 0
    })
  })

  it("leaves the app's own protocols alone, also between the same two nodes", async () => {
    const { apps } = await pair()
    const stream = await apps[0].node.dialProtocol(apps[1].node.peerId, echo)
    assert.equal(await echoed(stream, 'hello'), 'hello')
    const { app, stream: strangers } = await strange(apps[0], echo)
    assert.equal(await echoed(strangers, 'hello'), 'hello')
    assert.equal(app.node.getConnections().length, 1)
  })

  it('stops without its node, takes its handlers away, and can be started there again', async () => {
    const { apps, peers } = await pair()
    const [a, b] = peers
    const stream = await apps[0].node.dialProtocol(apps[1].node.peerId, echo)
    await b.stop()
    await eventually('the end', () => alive(a) === 1)
    assert.equal(apps[1].node.status, 'started')
    assert.deepEqual(
      apps[1].node.getProtocols().filter((protocol) => protocol.startsWith('/p2pd/')),
      [],
    )
    assert.equal(await echoed(stream, 'still here'), 'still here')
    const again = await startIn(apps[1], { name: 'b', join: a.addresses })
    await eventually('each other again', () => alive(a) === 2 && alive(again) === 2)
    await again.stop()
    await a.stop()
    assert.equal(await echoed(stream, 'and still'), 'and still')
  })

  it('closes what it opened when nobody else uses it', async () => {
    const { apps, peers } = await pair()
    assert.ok(apps[0].node.getConnections().length > 0)
    await Promise.all(peers.map((peer) => peer.stop()))
    await eventually('no connection', () => apps[0].node.getConnections().length === 0)
  })

  it('does not hear whoever cannot prove the secret', async () => {
    const { apps, peers } = await pair()
    const [a] = peers
    for (const protocol of ['/p2pd/membership/1', '/p2pd/multicast/1', '/p2pd/gossip/1', '/p2pd/notes/1']) {
      const { stream } = await strange(apps[0], protocol)
      stream.send(Uint8Array.of(3, 1, 2, 3))
      assert.ok(await ends(stream), protocol)
    }
    assert.equal(a.counters().refusedHandshakes.handshake, 4)
    assert.equal(a.counters().dropped.malformed, 0)
    assert.equal(a.counters().connections, 1)
    assert.equal(alive(a), 2)
  })

  it('lets nobody in who makes a proof up, sends it back, or says too much', async () => {
    const app = await startApp()
    const a = await startIn(app)
    const tries: readonly ((answer: Uint8Array) => Uint8Array)[] = [
      () => randomBytes(32),
      (answer) => answer.subarray(32),
      (answer) => answer.subarray(0, 32),
      (answer) => answer,
    ]
    for (const [at, forge] of tries.entries()) {
      const { stream } = await strange(app, '/p2pd/admission/1')
      stream.send(randomBytes(32))
      let answer = new Uint8Array(0)
      for await (const chunk of chunksOf(stream)) {
        answer = Uint8Array.from([...answer, ...chunk])
        if (answer.byteLength === 64) break
        assert.ok(answer.byteLength < 64)
      }
      stream.send(forge(answer))
      assert.ok(await ends(stream))
      await eventually('a refusal', () => a.counters().refusedHandshakes.handshake === at + 1)
    }
    assert.equal(a.counters().connections, 0)
  })

  it('keeps a peer out that has another secret, in either direction', async () => {
    const apps = [await startApp(), await startApp()] as const
    const a = await startIn(apps[0])
    const other = { secret: new Uint8Array(32).fill(1), membership: { joinWaitMs: 500 } }
    const b = await startIn(apps[1], { ...other, join: a.addresses })
    await b.joined()
    a.join(b.addresses)
    await eventually('a refusal of both', () =>
      [a, b].every((peer) => peer.counters().refusedHandshakes.handshake > 0),
    )
    assert.deepEqual([alive(a), alive(b)], [1, 1])
    assert.deepEqual(
      [a, b].map((peer) => peer.counters().connections),
      [0, 0],
    )
  })

  it('cuts off whom it denies, but not the app from it', async () => {
    const { apps, peers } = await pair()
    const [a, b] = peers
    const stream = await apps[0].node.dialProtocol(apps[1].node.peerId, echo)
    await a.admission.deny(b.peerId)
    await eventually('the cut', () => a.counters().connections === 0)
    assert.equal(await echoed(stream, 'hello'), 'hello')
    b.join(a.addresses)
    await eventually('a refusal', () => a.counters().refusedHandshakes.denied > 0)
    assert.equal(a.counters().connections, 0)
  })

  it("is in one cluster with peers of a node of their own, when the app's has pnet", async () => {
    const { apps, peers } = await pair({ swarmKey: swarmKey(secret) })
    const own = await createPeer({ ...base, listen: ['/ip4/127.0.0.1/tcp/0'], plugins: { notes: notes() } })
    running.push(own)
    own.join(peers[0].addresses)
    const all = [...peers, own]
    await eventually('three in every view', () => all.every((peer) => alive(peer) === 3))
    await eventually('all links', () => all.every((peer) => peer.counters().connections >= 2))
    const group = await own.group('talk')
    const readers = await Promise.all(peers.map((peer) => peer.group('talk')))
    await group.publish('hello')
    for (const reader of readers) {
      for await (const { sender } of reader.messages({ from: 'earliest' })) {
        assert.equal(sender, own.peerId)
        break
      }
    }
    for (const peer of peers) own.plugins.notes.say(peer.peerId, 'hello')
    await eventually('both', () => peers.every((peer) => peer.plugins.notes.notes.includes('heard hello')))
    for (const peer of peers) peer.plugins.notes.say(own.peerId, 'hello')
    await eventually(
      'both answers',
      () => own.plugins.notes.notes.filter((note) => note === 'heard hello').length === 2,
    )
    assert.equal(apps[0].node.getProtocols().includes('/p2pd/notes/1'), true)
  })

  it('is missed soon when its node is gone, and says why it has ended', async () => {
    const { apps, peers } = await pair()
    const [a, b] = peers
    await apps[1].node.stop()
    await assert.rejects(b.closed, { code: 'ERR_NODE_STOPPED' })
    await eventually('dead', () => a.members().find(({ peer }) => peer === b.peerId)?.status === 'dead')
  })

  it('refuses a node that cannot be its own', async () => {
    const app = await startApp()
    const other = await startApp()
    const silent = await startApp({ listen: [] })
    const stopped = await startApp()
    await stopped.node.stop()
    const bad = { code: 'ERR_BAD_OPTION' }
    const { identity } = app
    await assert.rejects(createPeer({ ...base, libp2p: app.node }), bad)
    await assert.rejects(createPeer({ ...base, libp2p: app.node, identity: other.identity }), bad)
    await assert.rejects(createPeer({ ...base, libp2p: app.node, identity, listen: [app.address] }), bad)
    await assert.rejects(createPeer({ ...base, libp2p: silent.node, identity: silent.identity }), bad)
    await assert.rejects(createPeer({ ...base, libp2p: stopped.node, identity: stopped.identity }), bad)
    const announced = await startIn(silent, { announce: ['/ip4/127.0.0.1/tcp/9'] })
    assert.equal(announced.addresses.length, 1)
    await startIn(app)
    await assert.rejects(startIn(app), bad)
  })
})
