import assert from 'node:assert/strict'
import { connect as connectTcp, type Socket } from 'node:net'
import type { MultiaddrConnection } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { newCounters } from '../../../lib/host/counters.ts'
import { Inbound, maxPending } from '../../../lib/host/inbound.ts'
import { eventually } from '../../support/eventually.ts'
import { connect, type RawPeer, startRawPeer, stopRawPeers } from './raw-peer.ts'

const sockets = new Set<Socket>()
const timers = new Set<NodeJS.Timeout>()

afterEach(async () => {
  for (const timer of timers) clearInterval(timer)
  timers.clear()
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  await stopRawPeers()
})

/** A socket from that address of this machine which says `words` and no more. */
function loiter(to: RawPeer, localAddress: string, words: string): Socket {
  const socket = connectTcp({ port: portOf(to), host: '127.0.0.1', localAddress })
  sockets.add(socket)
  socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  if (words.length > 0) socket.write(words)
  return socket
}

const portOf = ({ address }: RawPeer): number => Number(address.split('/').at(-1))

function besiege(to: RawPeer, perSecond: number, localAddress: string, words = ''): void {
  timers.add(setInterval(() => loiter(to, localAddress, words), 1000 / perSecond))
}

/** So many dials one after the other by a peer that is not connected; how many got through. */
async function honestDials(to: RawPeer, count: number): Promise<number> {
  const from = await startRawPeer()
  let through = 0
  for (let i = 0; i < count; i += 1) {
    if ((await connect(from, to, 'replace')).type === 'connected') through += 1
  }
  return through
}

describe('sockets that say nothing', () => {
  it('let twenty-nine of thirty honest dials through, also from their own address', async () => {
    const target = await startRawPeer()
    for (let i = 0; i < 14; i += 1) loiter(target, '127.0.0.1', '')
    besiege(target, 4.5, '127.0.0.1')
    assert.ok((await honestDials(target, 30)) >= 29)
  })

  it('make room for others as soon as there are many, whatever they say', async function () {
    this.timeout(20_000)
    const target = await startRawPeer()
    const nonce = 'n'.repeat(24)
    for (let i = 0; i < 50; i += 1)
      loiter(target, i % 2 === 0 ? '127.0.0.9' : '127.0.0.1', i % 3 === 0 ? nonce : '')
    besiege(target, 50, '127.0.0.1')
    besiege(target, 50, '127.0.0.9', nonce)
    assert.ok((await honestDials(target, 10)) >= 9)
    await eventually('the count', () => target.counters.refusedHandshakes.handshake > 40)
    // And those that wait to be accepted or are about to be closed.
    assert.ok(sockets.size < maxPending + 150, `${sockets.size} sockets are held`)
  })
})

/** As much of a connection as is looked at. */
class FakeConnection extends EventTarget {
  readonly remoteAddr: Multiaddr
  isOpen = true

  constructor(address: string) {
    super()
    this.remoteAddr = multiaddr(`${address}/tcp/1`)
  }

  abort(error?: Error): void {
    this.isOpen = false
    this.dispatchEvent(Object.assign(new Event('close'), { error }))
  }
}

describe('the door', () => {
  let now = 0
  let counters = newCounters()
  let inbound = new Inbound(counters, () => now)
  beforeEach(() => {
    now = 0
    counters = newCounters()
    inbound = new Inbound(counters, () => now)
  })

  const knock = (address: string): FakeConnection | undefined => {
    const connection = new FakeConnection(address)
    return inbound.admit(connection as unknown as MultiaddrConnection) ? connection : undefined
  }
  const crowd = (address: string, count: number): FakeConnection[] =>
    Array.from({ length: count }, () => knock(address)).filter((connection) => connection !== undefined)
  const open = (connections: readonly FakeConnection[]): number =>
    connections.filter(({ isOpen }) => isOpen).length

  /** One after the other; who got in. */
  const enter = (address: string, count: number): FakeConnection[] => {
    const inside: FakeConnection[] = []
    for (let i = 0; i < count; i += 1) {
      now += 10
      const one = knock(address)
      if (one === undefined) continue
      inbound.opened(one)
      inside.push(one)
    }
    return inside
  }

  it('lets an address in 128 times at once and 128 times a second, and counts the rest', () => {
    assert.equal(crowd('/ip4/192.0.2.1', 200).length, 128)
    assert.equal(counters.refusedHandshakes.crowded, 72)
    assert.equal(crowd('/ip4/192.0.2.2', 1).length, 1)
    now = 500
    assert.equal(crowd('/ip4/192.0.2.1', 200).length, 64)
  })

  it('takes the addresses of one IPv6 network for one', () => {
    crowd('/ip6/2001:db8::1', 128)
    assert.equal(crowd('/ip6/2001:db8::2', 1).length, 0)
    assert.equal(crowd('/ip6/2001:db8:0:1::2', 1).length, 1)
  })

  it('puts out the oldest that has said nothing, then the oldest that has proved nothing, and nobody too soon', () => {
    const honest = crowd('/ip4/192.0.2.1', 128)
    assert.equal(open(honest), 128, 'no one has had time to speak')
    for (const one of honest.slice(0, 10)) inbound.progressed(one, 'heard')
    for (const one of honest.slice(10, 20)) inbound.progressed(one, 'known')
    now = 1000
    const late = crowd('/ip4/192.0.2.1', 113)
    assert.deepEqual([open(honest.slice(0, 10)), open(honest.slice(10)), open(late)], [5, 10, 113])
    assert.equal(counters.refusedHandshakes.handshake, 113)
    crowd('/ip4/192.0.2.1', 10)
    assert.deepEqual([open(honest), open(late)], [10, 113])
  })

  it('lets who knows the secret finish, however slowly, and counts it when it does not', () => {
    const slow = crowd('/ip4/192.0.2.1', 100)
    for (const one of slow) inbound.progressed(one, 'known')
    for (now = 1000; now < 9000; now += 1000) crowd('/ip4/192.0.2.1', 60)
    assert.equal(open(slow), 100)
    for (const one of slow.slice(0, 99)) inbound.opened(one)
    const { handshake } = counters.refusedHandshakes
    for (const one of slow) one.abort()
    assert.equal(counters.refusedHandshakes.handshake, handshake + 1)
  })

  it('ends no handshake of a crowd that knows the secret for the next of that crowd, unless it is late', () => {
    const slow: FakeConnection[] = []
    for (now = 0; now <= 1000; now += 1000) {
      slow.push(...crowd('/ip4/192.0.2.1', 128))
      for (const one of slow) inbound.progressed(one, 'known')
    }
    now = 2500
    assert.equal(crowd('/ip4/192.0.2.1', 1).length, 0)
    assert.equal(crowd('/ip4/198.51.100.1', 1).length, 1)
    now = 3000
    assert.equal(crowd('/ip4/192.0.2.1', 1).length, 1)
    assert.equal(open(slow), 254)
  })

  it('does not count who only wanted to see who answers, nor twice who is denied', () => {
    const [knocked, denied, late] = crowd('/ip4/192.0.2.1', 3)
    for (const one of [knocked, denied, late]) inbound.progressed(one ?? {}, 'proved')
    inbound.denied(denied ?? {})
    knocked?.abort(Object.assign(new Error('reset'), { code: 'ECONNRESET' }))
    denied?.abort()
    late?.abort(new Error('too late'))
    assert.deepEqual(counters.refusedHandshakes, { handshake: 1, denied: 1, crowded: 0, mute: 0 })
  })

  it('has room for another address while one holds all that it can', () => {
    const loiterers = Array.from({ length: 40 }, (_, i) => crowd(`/ip4/192.0.2.${i + 1}`, 30)).flat()
    assert.equal(loiterers.length, 256)
    now = 300
    assert.equal(crowd('/ip4/198.51.100.1', 5).length, 5)
    assert.equal(open(loiterers), 251)
  })

  it('lets no address have more than half of all connections', () => {
    const inside = enter('/ip4/192.0.2.1', 600)
    assert.equal(inside.length, 512)
    inside[0]?.abort()
    assert.notEqual(knock('/ip4/192.0.2.1'), undefined)
    assert.equal(counters.refusedHandshakes.handshake, 0)
  })

  it('has an end, and counts whom it refuses then', () => {
    enter('/ip4/192.0.2.1', 512)
    assert.equal(enter('/ip4/192.0.2.2', 512).length, 512)
    const { crowded } = counters.refusedHandshakes
    assert.equal(knock('/ip4/192.0.2.3'), undefined)
    assert.equal(counters.refusedHandshakes.crowded, crowded + 1)
  })
})
