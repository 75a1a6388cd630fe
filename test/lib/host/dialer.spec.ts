import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { DialMode, DialOutcome } from '../../../lib/protocols/membership/messages.ts'
import { eventually } from '../../support/eventually.ts'
import { forkEchoPeer, killChildPeers } from './child-peer.ts'
import { type RawPeer, startRawPeer, stopRawPeers } from './raw-peer.ts'

const servers: Server[] = []
const sockets: Socket[] = []
const children: ChildProcess[] = []

afterEach(async () => {
  killChildPeers()
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) server.close()
  await stopRawPeers()
})

/** A server that does this with whoever connects. */
async function serverThat(does: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}))
    does(socket)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}`
}

const isSilent = (): void => {}

let ids = 0

async function reasonOf(
  { dialer, id: self }: RawPeer,
  addresses: readonly string[],
  timeoutMs: number,
  mode: DialMode = 'replace',
): Promise<string> {
  ids += 1
  const outcome: DialOutcome = await dialer.dial({
    type: 'dial',
    id: ids,
    // Whoever: only an answer of somebody would be looked at.
    peer: undefined,
    addresses,
    mode,
    timeoutMs,
  })
  assert.ok(outcome.type === 'failed' || outcome.peer !== self)
  return outcome.type === 'failed' ? outcome.reason : outcome.type
}

describe('what a failed dial says', () => {
  it('is that a stopped process accepts and does not answer, also in a short time, until it goes on', async () => {
    const me = await startRawPeer()
    const child = await forkEchoPeer()
    child.process.kill('SIGSTOP')
    for (const limitMs of [300, 400, 600]) {
      assert.equal(await reasonOf(me, [child.address], limitMs), 'unanswered', `within ${limitMs} ms`)
    }
    child.process.kill('SIGCONT')
    assert.equal(await reasonOf(me, [child.address], 5000), 'connected')
  })

  it('is that nothing was connected where connects are dropped', async () => {
    const me = await startRawPeer()
    const child = fork(new URL('./full-backlog-child.js', import.meta.url))
    children.push(child)
    const [{ port }] = (await once(child, 'message')) as [AddressInfo]
    child.kill('SIGSTOP')
    // Two find room; the machine answers nobody after that.
    const room = Array.from({ length: 4 }, () => connectTcp(port, '127.0.0.1').on('error', () => {}))
    sockets.push(...room)
    await eventually('a full backlog', () => room.filter((socket) => !socket.connecting).length >= 2)
    assert.equal(await reasonOf(me, [`/ip4/127.0.0.1/tcp/${port}`], 400), 'timeout')
  })

  it('is a refusal only when all addresses refuse, and silence wherever there is any', async () => {
    const me = await startRawPeer()
    const nobody = '/ip4/127.0.0.1/tcp/1'
    const silent = await serverThat(isSilent)
    const closing = await serverThat((socket) => socket.end())
    assert.equal(await reasonOf(me, [nobody], 400), 'refused')
    assert.equal(await reasonOf(me, [nobody, '/ip6/::1/tcp/1'], 400), 'refused')
    assert.equal(await reasonOf(me, [nobody, closing], 400), 'unreachable')
    assert.equal(await reasonOf(me, [nobody, silent, closing], 400), 'unanswered')
  })

  it('is nothing about the process where something accepts for it and lets go, or is no p2pd', async () => {
    const me = await startRawPeer()
    const banner = 'SSH-2.0-OpenSSH_9.2p1 and more than a nonce is long\r\n'
    const closing = await serverThat((socket) => socket.end())
    const resetting = await serverThat((socket) => socket.resetAndDestroy())
    const talking = await serverThat((socket) => socket.write(banner))
    const web = await serverThat((socket) =>
      socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n'),
    )
    for (const address of [closing, resetting, talking, web]) {
      assert.equal(await reasonOf(me, [address], 400), 'unreachable')
    }
  })
})

describe('a short dial', () => {
  it('waits neither behind long ones nor behind others like it', async () => {
    const me = await startRawPeer()
    const silent = await Promise.all(Array.from({ length: 30 }, () => serverThat(isSilent)))
    const long = [...silent, ...silent].map((address) => reasonOf(me, [address], 3000))
    const startedAt = performance.now()
    const reasons = await Promise.all(silent.map((address) => reasonOf(me, [address], 500)))
    const tookMs = performance.now() - startedAt
    assert.deepEqual(new Set(reasons), new Set(['unanswered']))
    assert.ok(tookMs < 1500, `${tookMs} ms`)
    me.dialer.stop()
    await Promise.all(long)
  })

  it('for which there is no place says so, and not that the other is away', async () => {
    const me = await startRawPeer()
    const silent = await serverThat(isSilent)
    const reasons = await Promise.all(Array.from({ length: 60 }, () => reasonOf(me, [silent], 300)))
    const count = (reason: string) => reasons.filter((found) => found === reason).length
    assert.deepEqual([count('unanswered'), count('untried')], [48, 12])
  })

  it('is not over because this process stood still', async () => {
    const [me, other] = [await startRawPeer(), await forkEchoPeer()]
    const dial = reasonOf(me, [other.address], 1000)
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2100))
    assert.equal(await dial, 'connected')
  })
})

describe('a knock', () => {
  it('looks again at an address that accepts and resets, for the process may just be going', async () => {
    const me = await startRawPeer()
    let resets = 0
    const address = await serverThat((socket) => {
      resets += 1
      socket.resetAndDestroy()
      if (resets === 2) for (const server of servers.splice(0)) server.close()
    })
    const request = { type: 'knock', id: 1, peer: me.id, address, timeoutMs: 2000 } as const
    assert.equal(await me.dialer.knock(request), 'refused')
    assert.equal(resets, 2)
    const resetting = await serverThat((socket) => socket.resetAndDestroy())
    assert.equal(await me.dialer.knock({ ...request, address: resetting, timeoutMs: 300 }), 'inconclusive')
  })
})

describe('what a record may have this peer dial', () => {
  const hasIp6 = Object.values(networkInterfaces()).some((all) =>
    all?.some(({ address }) => address === '::1'),
  )

  /** Loopback of both families, as far as the machine has them, and how often somebody came. */
  async function door(): Promise<{ readonly port: number; readonly visits: () => number }> {
    let visits = 0
    const server = createServer((socket) => {
      visits += 1
      sockets.push(socket.on('error', () => {}))
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, hasIp6 ? '::' : '0.0.0.0', resolve))
    return { port: (server.address() as AddressInfo).port, visits: () => visits }
  }

  const ip6 = ['/ip6/::1', '/ip6/::ffff:127.0.0.1', '/ip6/::ffff:7f00:1']
  const here = ['/ip4/127.0.0.1', '/dns/localhost', ...(hasIp6 ? ip6 : [])]
  const all = ['/ip4/0.0.0.0', '/ip6/::', '/ip6/::ffff:0.0.0.0', '/dns/0']
  const linkLocal = ['/ip4/169.254.0.1', '/ip6/fe80::1', '/ip6/::ffff:169.254.0.1']
  const zoned = ['/dns/::1%lo', '/dns6/fe80::1%lo']

  it('is not its own machine, however that is written, and no link', async () => {
    const { port, visits } = await door()
    const me = await startRawPeer({ ownAddresses: ['/ip4/10.0.0.1/tcp/1', '/ip6/fd00::1/tcp/1'] })
    for (const host of [...here, ...all, ...linkLocal, ...zoned, '/ip6/ff02::1', '/ip4/224.0.0.1']) {
      assert.equal(await reasonOf(me, [`${host}/tcp/${port}`], 300), 'unreachable', host)
    }
    assert.equal(visits(), 0)
  })

  it('is its own machine where it is reached there itself, though never all of its addresses', async () => {
    const { port, visits } = await door()
    for (const own of ['/ip6/::1/tcp/1', '/ip4/127.0.0.1/tcp/1']) {
      const before = visits()
      const me = await startRawPeer({ ownAddresses: [own] })
      for (const host of here) {
        assert.equal(await reasonOf(me, [`${host}/tcp/${port}`], 100), 'unanswered', host)
      }
      assert.ok(visits() >= before + here.length)
      for (const host of [...all, ...linkLocal, ...zoned]) {
        assert.equal(await reasonOf(me, [`${host}/tcp/${port}`], 100), 'unreachable', host)
      }
    }
  })

  it('is whatever a person has named, in the words of that person', async () => {
    const { port, visits } = await door()
    const me = await startRawPeer({ ownAddresses: ['/ip6/fd00::1/tcp/1'] })
    const named = `${hasIp6 ? '/ip6/::1' : '/ip4/127.0.0.2'}/tcp/${port}`
    me.dialer.trust([named, `/dns/::1%lo/tcp/${port}`])
    assert.equal(await reasonOf(me, [named], 100), 'unanswered')
    assert.equal(visits(), 1)
    // A zone has no place in an address that is dialled.
    assert.equal(await reasonOf(me, [`/dns/::1%lo/tcp/${port}`], 100), 'unreachable')
    assert.equal(await reasonOf(me, [`/ip4/127.0.0.1/tcp/${port}`], 100), 'unreachable')
    assert.equal(visits(), 1)
  })
})
