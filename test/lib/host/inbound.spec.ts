import assert from 'node:assert/strict'
import { connect as connectTcp, type Socket } from 'node:net'
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
    assert.ok(sockets.size < 260, `${sockets.size} sockets are held`)
  })

  it('are refused and counted when one address opens more than it may in a second', async () => {
    const target = await startRawPeer()
    await eventually('the count', () => {
      for (let i = 0; i < 25; i += 1) loiter(target, '127.0.0.9', '')
      return target.counters.refusedHandshakes.crowded >= 200
    })
    // Another address is not refused for it.
    assert.ok((await honestDials(target, 10)) >= 9)
  })
})
