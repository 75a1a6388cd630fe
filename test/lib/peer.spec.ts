import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { cp } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { createPeer, type Peer, type PeerOptions } from '../../lib/index.ts'
import { eventually } from '../support/eventually.ts'
import { removeTempDirs, tempDir } from '../support/temp-dir.ts'

const secret = '5a'.repeat(32)
const base = { cluster: 'test', secret, listen: ['/ip4/127.0.0.1/tcp/0'], profile: 'local' } as const

const running: Peer[] = []

async function start(options: Partial<PeerOptions> = {}): Promise<Peer> {
  const peer = await createPeer({ ...base, ...options })
  running.push(peer)
  return peer
}

async function three(): Promise<[Peer, Peer, Peer]> {
  const a = await start({ name: 'a' })
  const b = await start({ name: 'b', join: a.addresses })
  const c = await start({ name: 'c', join: a.addresses })
  await eventually('three in every view', () => [a, b, c].every((peer) => alive(peer).length === 3))
  return [a, b, c]
}

const alive = (peer: Peer) => peer.members().filter((member) => member.status === 'alive')
const viewOf = (peer: Peer, other: Peer) => peer.members().find((member) => member.peer === other.peerId)

/** Whether what this machine says to the group of multicast DNS comes back to it from an address that others could dial. */
async function passesMulticast(): Promise<boolean> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  const heard = new Promise<boolean>((resolve) => {
    socket.on('message', (bytes, { address }) => {
      if (bytes.toString() === secret) resolve(!address.startsWith('127.'))
    })
    socket.on('error', () => resolve(false))
    socket.bind(5353, () => {
      try {
        socket.addMembership('224.0.0.251')
      } catch {
        return resolve(false)
      }
      socket.send(secret, 5353, '224.0.0.251', (error) => {
        if (error !== null) resolve(false)
      })
    })
    setTimeout(() => resolve(false), 1000)
  })
  return await heard.finally(() => socket.close())
}

const hasIp6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))

describe('a peer', () => {
  afterEach(async () => {
    await Promise.all(running.splice(0).map((peer) => peer.stop()))
    await removeTempDirs()
  })

  if (hasIp6) {
    it('listens at IPv6 addresses, and is found and told of by them', async () => {
      const listen = ['/ip6/::1/tcp/0']
      const a = await start({ name: 'a', listen })
      const b = await start({ name: 'b', listen, join: a.addresses })
      const c = await start({ name: 'c', listen, join: a.addresses })
      await eventually('three in every view', () => [a, b, c].every((peer) => alive(peer).length === 3))
      for (const { addresses } of b.members()) assert.match(addresses.join(), /^\/ip6\/::1\/tcp\/\d+$/)
      // They were told of each other, and have dialled what the record of the other names.
      await eventually('those who joined through one are connected', () => viewOf(b, c)?.connected === true)
      assert.ok((await b.ping(c.peerId)).rttMs >= 0)
    })
  }

  it('finds the others through one of them', async () => {
    const [a, b, c] = await three()
    assert.deepEqual(
      a
        .members()
        .map((member) => member.name)
        .sort(),
      ['a', 'b', 'c'],
    )
    assert.equal(a.clusterId, b.clusterId)
    assert.match(c.clusterId, /^[0-9a-f]{32}$/)
    await eventually('a link between the joiners', () => viewOf(b, c)?.connected)
    const { rttMs } = await b.ping(c.peerId)
    assert.ok(rttMs > 0 && rttMs < 1000)
  })

  it('dials whom it has no connection to when it is to ping that one', async () => {
    const membership = { meshUpTo: 2, rings: 1, randomDialMs: 600_000, dialBackNeighbours: 0 }
    const peers = [await start({ name: 'p0', membership })]
    const join = peers[0]?.addresses ?? []
    for (const name of ['p1', 'p2', 'p3']) peers.push(await start({ name, membership, join }))
    await eventually('four in every view', () => peers.every((peer) => alive(peer).length === 4))
    const apart = peers.flatMap((peer) =>
      alive(peer)
        .filter(({ self, connected }) => !self && !connected)
        .map((member) => ({ peer, other: member.peer })),
    )
    const [pair] = apart
    assert.ok(pair !== undefined, 'somebody is watched by others alone')
    const { rttMs, path } = await pair.peer.ping(pair.other)
    assert.ok(rttMs > 0)
    assert.equal(path?.dialled, true)
    const near = alive(pair.peer).find(
      ({ self, connected, peer }) => !self && connected && peer !== pair.other,
    )
    const pong = await pair.peer.ping(near?.peer ?? '')
    assert.equal(pong.path?.dialled, false)
  })

  it('streams its table: a snapshot, then each change', async () => {
    const a = await start({ name: 'a' })
    const controller = new AbortController()
    const updates = a.watch({ signal: controller.signal })
    const first = await updates.next()
    assert.ok(first.value?.type === 'snapshot' && first.value.members.length === 1)
    const b = await start({ name: 'b', join: a.addresses })
    const second = await updates.next()
    assert.ok(second.value?.type === 'member')
    assert.deepEqual([second.value.change, second.value.member.peer], ['joined', b.peerId])
    controller.abort()
    for await (const update of updates) assert.equal(update.type, 'member')
  })

  it('says that it stops, and the others know why', async () => {
    const [a, b, c] = await three()
    const startedAt = performance.now()
    await c.stop()
    assert.ok(performance.now() - startedAt < 5000)
    await eventually('left everywhere', () =>
      [a, b].every((peer) => viewOf(peer, c)?.status === 'left' && viewOf(peer, c)?.reason === 'stopping'),
    )
    await c.closed
  })

  it('leaves, and the others know that too', async () => {
    const [a, b, c] = await three()
    await c.leave()
    await eventually('gone everywhere', () => [a, b].every((peer) => viewOf(peer, c)?.reason === 'leaving'))
  })

  it('has tags that everybody sees, and changes them while it runs', async () => {
    const [a, b] = await three()
    assert.deepEqual(a.tags, {})
    a.setTags({ role: 'web', zone: 'eu-1' })
    assert.deepEqual(a.tags, { role: 'web', zone: 'eu-1' })
    await eventually('the tags', () => viewOf(b, a)?.tags.zone === 'eu-1')
    a.setTags({ role: 'db' })
    await eventually('the new ones alone', () => viewOf(b, a)?.tags.role === 'db')
    assert.deepEqual(viewOf(b, a)?.tags, { role: 'db' })
    assert.throws(() => a.setTags({ 'a b': '' }), { code: 'ERR_BAD_OPTION', message: /"a b"/ })
    assert.deepEqual(a.tags, { role: 'db' })
    const d = await start({ name: 'd', tags: { role: 'cache' }, join: a.addresses })
    await eventually('those given at the start', () => viewOf(b, d)?.tags.role === 'cache')
    for (const tags of [{ role: '\n' }, 'role=web' as never, ['role'] as never]) {
      await assert.rejects(createPeer({ ...base, tags }), { code: 'ERR_BAD_OPTION' })
    }
  })

  it('tells everybody of a name that two bear, and when it is over', async () => {
    const told: string[] = []
    const a = await start({ name: 'a' })
    a.addEventListener('name-conflict', ({ detail: { name, peers } }) => told.push(`${name} ${peers.length}`))
    const twins = [
      await start({ name: 'twin', join: a.addresses }),
      await start({ name: 'twin', join: a.addresses }),
    ]
    await eventually('the conflict', () => told.includes('twin 2'))
    await twins[0]?.leave()
    await eventually('its end', () => told.at(-1) === 'twin 1')
  })

  it('finds others in the local network when it is told to, and is found', async function () {
    if (!(await passesMulticast())) this.skip()
    const everywhere = { listen: ['/ip4/0.0.0.0/tcp/0'], mdns: true, cluster: 'mdns-test' }
    const a = await start({ name: 'a', ...everywhere })
    const b = await start({ name: 'b', ...everywhere })
    const deaf = await start({ name: 'deaf', ...everywhere, mdns: false })
    await eventually('each other', () => alive(a).length === 2 && alive(b).length === 2)
    assert.equal(alive(deaf).length, 1)
  })

  it('says of a dead member that it has left, and of nobody who lives', async () => {
    const [a, b, c] = await three()
    await assert.rejects(a.forceLeave(b.peerId), { code: 'ERR_NOT_DEAD' })
    await assert.rejects(a.forceLeave(a.peerId), { code: 'ERR_SELF' })
    await assert.rejects(a.forceLeave('nonsense'), { code: 'ERR_BAD_PEER_ID' })
    const stranger = '12D3KooWGrAMKX7eK8RXcCwGb2pSjkqKMfm1PwTcPScLGYA7nEeh'
    await assert.rejects(a.forceLeave(stranger), { code: 'ERR_UNKNOWN_PEER' })
    await c.leave()
    await eventually('gone', () => viewOf(a, c)?.reason === 'leaving')
    await a.forceLeave(c.peerId)
    assert.equal(viewOf(a, c)?.reason, 'leaving')
  })

  it('comes back with its identity, its port and its friends, without being told any of them', async () => {
    const dataDir = await tempDir()
    const a = await start({ name: 'a' })
    const b = await start({ name: 'b', dataDir, join: a.addresses })
    await eventually('each other', () => alive(a).length === 2 && alive(b).length === 2)
    const { peerId, addresses, generation } = b
    await b.stop()
    await eventually('the farewell', () => viewOf(a, b)?.status === 'left')
    const again = await start({ name: 'b', dataDir })
    assert.deepEqual([again.peerId, again.addresses], [peerId, addresses])
    await eventually('each other again', () => alive(a).length === 2 && alive(again).length === 2)
    assert.ok(again.generation > generation)
  })

  it('never listens on another port than the one that the others know', async () => {
    const dataDir = await tempDir()
    const b = await start({ dataDir })
    const [address] = b.addresses
    await b.stop()
    const thief = await start({ listen: [(address ?? '').replace(/\/p2p\/.*/, '')] })
    await assert.rejects(createPeer({ ...base, dataDir }), { code: 'ERR_PORT_IN_USE' })
    await thief.stop()
    assert.deepEqual((await start({ dataDir })).addresses, [address])
  })

  it('does not share a data directory', async () => {
    const dataDir = await tempDir()
    await start({ dataDir })
    await assert.rejects(createPeer({ ...base, dataDir }), { code: 'ERR_STORE_LOCKED' })
  })

  it('stops by itself when another process runs with its identity', async () => {
    const [dataDir, copy] = [await tempDir(), await tempDir()]
    const a = await start({ name: 'a' })
    const first = await start({ dataDir, join: a.addresses })
    await eventually('joined', () => alive(a).length === 2)
    await cp(join(dataDir, 'identity.key'), join(copy, 'identity.key'))
    const second = await start({ dataDir: copy, join: a.addresses })
    const ends = [first, second].map((peer) =>
      peer.closed.then(
        () => 'stopped',
        (error: { readonly code: string }) => error.code,
      ),
    )
    assert.equal(await Promise.race(ends), 'ERR_IDENTITY_IN_USE')
  })

  it('does not hear an outsider, with another secret or another name of the cluster', async () => {
    const a = await start({ name: 'a' })
    const outsiders = [
      await start({ secret: '5b'.repeat(32), join: a.addresses, membership: { joinWaitMs: 500 } }),
      await start({ cluster: 'other', join: a.addresses, membership: { joinWaitMs: 500 } }),
    ]
    for (const outsider of outsiders) await outsider.joined()
    assert.deepEqual(
      alive(a).map((member) => member.peer),
      [a.peerId],
    )
    for (const outsider of outsiders) assert.equal(alive(outsider).length, 1)
  })

  it('keeps out whom it denies', async () => {
    const [a, , c] = await three()
    await a.admission.deny(c.peerId)
    await eventually('the cut', () => viewOf(a, c)?.connected === false)
    await eventually('a refusal', () => a.counters().refusedHandshakes.denied > 0)
    assert.equal(viewOf(a, c)?.connected, false)
  })

  it('refuses options that make no sense, each with its code', async () => {
    const wrong: readonly (readonly [Partial<PeerOptions>, string])[] = [
      [{ secret: 'abc' }, 'ERR_BAD_OPTION'],
      [{ secret: new Uint8Array(31) }, 'ERR_BAD_OPTION'],
      [{ cluster: '' }, 'ERR_BAD_OPTION'],
      [{ name: 'a\nb' }, 'ERR_BAD_OPTION'],
      [{ name: 'a\u202eb' }, 'ERR_BAD_OPTION'],
      [{ listen: ['nonsense'] }, 'ERR_BAD_ADDRESS'],
      [{ join: ['/ip4/1.2.3.4/udp/1'] }, 'ERR_BAD_ADDRESS'],
      [{ identity: new Uint8Array(10) }, 'ERR_KEY_CORRUPT'],
    ]
    for (const [options, code] of wrong) await assert.rejects(createPeer({ ...base, ...options }), { code })
    const peer = await start()
    await assert.rejects(peer.ping('nobody'), { code: 'ERR_BAD_PEER_ID' })
    await assert.rejects(peer.ping(peer.peerId), { code: 'ERR_SELF' })
    assert.throws(() => peer.join(['x']), { code: 'ERR_BAD_ADDRESS' })
  })

  it('gives up starting when told to', async () => {
    await assert.rejects(createPeer({ ...base, signal: AbortSignal.abort() }), { name: 'AbortError' })
  })

  it('stops once, however often it is asked, and watchers end', async () => {
    const a = await start()
    const updates = a.watch()
    await Promise.all([a.stop(), a.stop(), a[Symbol.asyncDispose]()])
    const types: string[] = []
    for await (const update of updates) types.push(update.type)
    assert.equal(types[0], 'snapshot')
  })
})
