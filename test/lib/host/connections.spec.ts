import assert from 'node:assert/strict'
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net'
import { closedBy } from '../../../lib/host/connections.ts'
import type { KnockRequest } from '../../../lib/host/dialer.ts'
import { encodeFrame } from '../../../lib/wire/frame.ts'
import { eventually } from '../../support/eventually.ts'
import { forkEchoPeer, killChildPeers } from './child-peer.ts'
import { connect, type RawPeer, startRawPeer, stopRawPeers, testProtocol } from './raw-peer.ts'

afterEach(async () => {
  killChildPeers()
  await stopRawPeers()
})

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes)
const bytes = (message: string) => new TextEncoder().encode(message)

async function pair(): Promise<[RawPeer, RawPeer]> {
  const [a, b] = [await startRawPeer(), await startRawPeer()]
  assert.equal((await connect(a, b)).type, 'connected')
  await eventually('both see it', () => b.connections.of(a.id).length === 1)
  return [a, b]
}

/** Accepts and says nothing, so that a handshake with it takes all the time it is given. */
async function silentServer(): Promise<{ port: number; callers: () => number; close: () => void }> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return { port: (server.address() as AddressInfo).port, callers: () => sockets.length, close }
}

/** A wire to `address` that can be cut without anybody being told. */
async function cuttable(address: string) {
  const port = Number(address.split('/').at(-1))
  const sockets: Socket[] = []
  const server = createServer((near) => {
    const far = connectTcp(port, '127.0.0.1')
    sockets.push(
      near.on('error', () => {}),
      far.on('error', () => {}),
    )
    near.pipe(far).pipe(near)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}`,
    cut: () => {
      for (const socket of sockets) socket.unpipe().pause()
    },
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

describe('the end of a connection', () => {
  it('is the remote’s doing when its process is killed', async () => {
    const me = await startRawPeer()
    const child = await forkEchoPeer()
    const addresses = [child.address]
    await me.dialer.dial({ type: 'dial', id: 1, peer: child.id, addresses, mode: 'connect', timeoutMs: 5000 })
    const killedAt = performance.now()
    child.process.kill('SIGKILL')
    await eventually('the end', () => me.closings.length > 0)
    assert.deepEqual(me.closings, [{ peer: child.id, closedBy: 'remote' }])
    assert.ok(performance.now() - killedAt < 500)
    const knock: KnockRequest = {
      type: 'knock',
      id: 1,
      peer: child.id,
      address: child.address,
      timeoutMs: 500,
    }
    assert.equal(await me.dialer.knock(knock), 'refused')
  })

  it('is ours when we close it, and the remote’s for the other side', async () => {
    const [a, b] = await pair()
    const [connection] = a.connections.of(b.id)
    assert.ok(connection !== undefined)
    a.connections.close(connection)
    await eventually('both ends', () => a.closings.length > 0 && b.closings.length > 0)
    assert.deepEqual(a.closings, [{ peer: b.id, closedBy: 'local' }])
    assert.deepEqual(b.closings, [{ peer: a.id, closedBy: 'remote' }])
  })

  it('is ours when we cut it, and the remote’s for the other side', async () => {
    const [a, b] = await pair()
    a.connections.abort(b.id, new Error('cut'))
    await eventually('both ends', () => a.closings.length > 0 && b.closings.length > 0)
    assert.equal(a.closings[0]?.closedBy, 'local')
    assert.equal(b.closings[0]?.closedBy, 'remote')
  })

  it('is judged by the code of its error, because a received RST looks local', () => {
    assert.equal(closedBy(undefined), 'remote')
    for (const code of ['ECONNRESET', 'EPIPE']) {
      assert.equal(closedBy(Object.assign(new Error(), { code })), 'remote')
    }
    assert.equal(closedBy(Object.assign(new Error(), { code: 'ETIMEDOUT' })), 'local')
    assert.equal(closedBy(new Error('time-out')), 'local')
  })
})

describe('two peers that dial each other', () => {
  it('keep at least one connection, and soon just one', async () => {
    const [a, b] = [await startRawPeer(), await startRawPeer()]
    await Promise.all([connect(a, b), connect(b, a)])
    await eventually('one connection', () => a.connections.of(b.id).length === 1 && b.connections.count === 1)
    assert.deepEqual([a.closings, b.closings], [[], []])
    a.links.send(b.id, testProtocol, bytes('still there'))
    await eventually('a frame', () => b.received.length > 0)
  })

  it('never close both connections when both replace at once', async () => {
    const [a, b] = await pair()
    for (let i = 0; i < 5; i += 1) {
      const outcomes = await Promise.all([connect(a, b, 'replace'), connect(b, a, 'replace')])
      assert.deepEqual(
        outcomes.map((outcome) => outcome.type),
        ['connected', 'connected'],
      )
      assert.ok(a.connections.of(b.id).length >= 1)
    }
    assert.deepEqual([a.closings, b.closings], [[], []])
  })
})

describe('a dial', () => {
  it('reuses an open connection when it only wants to connect', async () => {
    const [a, b] = await pair()
    assert.deepEqual(await connect(a, b), { type: 'connected', peer: b.id, address: undefined })
  })

  it('replaces an old connection by the one that has answered', async () => {
    const [a, b] = await pair()
    const [old] = a.connections.of(b.id)
    await connect(a, b, 'replace')
    await eventually('the new one alone', () => a.connections.of(b.id).length === 1)
    assert.notEqual(a.connections.of(b.id)[0], old)
    assert.deepEqual(a.closings, [])
    a.links.send(b.id, testProtocol, bytes('over the new one'))
    await eventually('a frame', () => b.received.length > 0)
  })

  it('takes the links along at once when the old connection is cut, also when it is repeated', async () => {
    const [a, b] = [await startRawPeer(), await startRawPeer()]
    const wire = await cuttable(b.address)
    const first = { type: 'dial', id: 1, peer: b.id, addresses: [wire.address], mode: 'connect' } as const
    assert.equal((await a.dialer.dial({ ...first, timeoutMs: 2000 })).type, 'connected')
    a.links.send(b.id, testProtocol, bytes('first'))
    await eventually('the first', () => b.received.length === 1)
    wire.cut()
    const cutAt = performance.now()
    await eventually('a second of silence', () => performance.now() - cutAt > 1000)
    for (const round of [1, 2]) {
      await connect(a, b, 'replace')
      const sentAt = performance.now()
      await eventually('the new connection', () => b.connections.of(a.id).length > round)
      a.links.send(b.id, testProtocol, bytes(`round ${round}`))
      // It was not told that the old one is closed.
      b.links.send(a.id, testProtocol, bytes(`round ${round}`))
      const isHere = (peer: RawPeer) => text(peer.received.at(-1)?.frame) === `round ${round}`
      await eventually('a frame each way', () => isHere(a) && isHere(b))
      assert.ok(performance.now() - sentAt < 800, `${performance.now() - sentAt} ms in round ${round}`)
    }
    wire.close()
  })

  it('tells apart who is not there, who is somebody else, and who is itself', async () => {
    const [a, b, c] = [await startRawPeer(), await startRawPeer(), await startRawPeer()]
    const dial = (peer: RawPeer | undefined, address: string, timeoutMs = 1000) =>
      a.dialer.dial({ type: 'dial', id: 1, peer: peer?.id, addresses: [address], mode: 'connect', timeoutMs })
    const reason = async (...args: Parameters<typeof dial>) => {
      const outcome = await dial(...args)
      return outcome.type === 'failed' ? outcome.reason : outcome.type
    }
    assert.equal(await reason(b, '/ip4/127.0.0.1/tcp/1'), 'refused')
    assert.equal(await reason(b, c.address), 'other-identity')
    assert.equal(await reason(undefined, `${c.address}/p2p/${b.id}`), 'other-identity')
    assert.equal(await reason(undefined, a.address), 'self')
    assert.equal(await reason(b, 'nonsense'), 'unreachable')
    assert.equal(await reason(undefined, `${b.address}/p2p/${b.id}`), 'connected')
    assert.equal(c.counters.connectionsOpened, 0)
    b.denied.add(a.id)
    b.connections.abort(a.id, new Error('denied'))
    await eventually('the cut', () => a.connections.of(b.id).length === 0)
    assert.equal(await reason(b, b.address), 'denied')
    assert.equal(b.counters.refusedHandshakes.denied, 1)
  })

  it('gives up a host that accepts and says nothing when its time is over', async () => {
    const a = await startRawPeer()
    const silent = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const bound = silent.address()
    const address = `/ip4/127.0.0.1/tcp/${typeof bound === 'object' ? bound?.port : 0}`
    const startedAt = performance.now()
    const b = await startRawPeer()
    const first = {
      type: 'dial',
      id: 1,
      peer: b.id,
      addresses: [address],
      mode: 'connect',
      timeoutMs: 300,
    } as const
    assert.deepEqual(await a.dialer.dial(first), { type: 'failed', reason: 'unanswered' })
    assert.ok(performance.now() - startedAt < 1500)
    const both = await a.dialer.dial({ ...first, addresses: [address, b.address], timeoutMs: 2000 })
    assert.deepEqual(both, { type: 'connected', peer: b.id, address: b.address })
    assert.equal(
      await a.dialer.knock({ type: 'knock', id: 2, peer: b.id, address, timeoutMs: 200 }),
      'inconclusive',
    )
    silent.close()
  })

  it('does not go to this machine’s own doors because a record says so', async () => {
    const outside = await startRawPeer({ listen: '/ip4/0.0.0.0/tcp/0' })
    const target = await startRawPeer()
    const onlyLoopback = outside.address.includes('/127.')
    const outcome = await connect(outside, target)
    assert.equal(outcome.type, onlyLoopback ? 'connected' : 'failed')
    outside.dialer.trust([target.address])
    assert.equal((await connect(outside, target)).type, 'connected')
  })
})

describe('a knock', () => {
  it('does not wait behind dials that nobody answers', async () => {
    const a = await startRawPeer()
    const silent = await Promise.all(Array.from({ length: 40 }, silentServer))
    const addresses = silent.map(({ port }) => `/ip4/127.0.0.1/tcp/${port}`)
    const dials = addresses.map((address) =>
      a.dialer.dial({
        type: 'dial',
        id: 1,
        peer: undefined,
        addresses: [address],
        mode: 'connect',
        timeoutMs: 2000,
      }),
    )
    await eventually('all places are taken', () => silent.filter(({ callers }) => callers() > 0).length >= 32)
    const { port, close } = await silentServer()
    close()
    const address = `/ip4/127.0.0.1/tcp/${port}`
    const outcome = await a.dialer.knock({ type: 'knock', id: 2, peer: a.id, address, timeoutMs: 500 })
    for (const server of silent) server.close()
    await Promise.all(dials)
    assert.equal(outcome, 'refused')
  })

  it('learns who answers and leaves no connection behind', async () => {
    const [a, b, c] = [await startRawPeer(), await startRawPeer(), await startRawPeer()]
    const knock = (peer: RawPeer, address: string) =>
      a.dialer.knock({ type: 'knock', id: 1, peer: peer.id, address, timeoutMs: 1000 })
    assert.equal(await knock(b, b.address), 'answered')
    assert.equal(await knock(b, c.address), 'other-identity')
    assert.equal(await knock(b, a.address), 'other-identity')
    assert.equal(await knock(b, '/ip4/127.0.0.1/tcp/1'), 'refused')
    assert.deepEqual(
      [a, b, c].map((peer) => peer.counters.connectionsOpened),
      [0, 0, 0],
    )
  })
})

describe('an outsider', () => {
  it('with another secret never gets in, and is counted', async () => {
    const insider = await startRawPeer()
    const outsider = await startRawPeer({ secret: new Uint8Array(32).fill(8) })
    const outcome = await connect(outsider, insider)
    assert.equal(outcome.type, 'failed')
    await eventually('the count', () => insider.counters.refusedHandshakes.handshake === 1)
    assert.equal(insider.connections.count, 0)
    assert.equal((await connect(insider, outsider)).type, 'failed')
  })
})

describe('a link', () => {
  it('carries frames both ways, in order, over one stream each', async () => {
    const [a, b] = await pair()
    for (let i = 0; i < 200; i += 1) a.links.send(b.id, testProtocol, bytes(`a${i}`))
    b.links.send(a.id, testProtocol, bytes('b'))
    await eventually('all frames', () => b.received.length === 200 && a.received.length === 1)
    assert.deepEqual(
      b.received.map(({ frame }) => text(frame)),
      Array.from({ length: 200 }, (_, i) => `a${i}`),
    )
    assert.equal(b.received[0]?.from, a.id)
    const streams = a.connections.of(b.id)[0]?.streams.filter((stream) => stream.protocol === '/p2pd/test/1')
    assert.deepEqual(streams?.map((stream) => stream.direction).sort(), ['inbound', 'outbound'])
  })

  it('drops and counts what is sent to nobody', async () => {
    const [a, b] = [await startRawPeer(), await startRawPeer()]
    assert.equal(a.links.send(b.id, testProtocol, bytes('x')), false)
    assert.equal(a.counters.dropped['not-connected'], 1)
  })

  it('stops when the other does not read, drops the rest, and goes on when it does', async () => {
    const [a, b] = await pair()
    a.links.send(b.id, testProtocol, bytes('first'))
    await eventually('the link', () => b.received.length === 1)
    const inbound = b.connections
      .of(a.id)[0]
      ?.streams.find((stream) => stream.protocol === '/p2pd/test/1' && stream.direction === 'inbound')
    assert.ok(inbound !== undefined)
    inbound.pause()
    const frame = new Uint8Array(60_000)
    let sent = 0
    await eventually('a full queue', () => {
      while (sent < 1000 && a.links.send(b.id, testProtocol, frame)) sent += 1
      return a.counters.dropped['queue-full'] > 0
    })
    assert.ok(sent < 200, `${sent} frames were taken`)
    assert.ok(a.links.queuedBytes(b.id) <= 256 * 1024)
    inbound.resume()
    await eventually('all that was taken', () => b.received.length === sent + 1)
    a.links.send(b.id, testProtocol, bytes('last'))
    await eventually('the last', () => text(b.received.at(-1)?.frame) === 'last')
    assert.equal(a.closings.length, 0)
  })

  it('opens again when its stream breaks', async () => {
    const [a, b] = await pair()
    a.links.send(b.id, testProtocol, bytes('one'))
    await eventually('one', () => b.received.length === 1)
    for (const stream of b.connections.of(a.id)[0]?.streams ?? []) stream.abort(new Error('broken'))
    await eventually('two', () => {
      a.links.send(b.id, testProtocol, bytes('two'))
      return b.received.length > 1
    })
    assert.equal(a.closings.length, 0)
  })

  it('opens again over the next connection', async () => {
    const [a, b] = await pair()
    a.connections.abort(b.id, new Error('cut'))
    await eventually('the end', () => a.closings.length === 1 && b.closings.length === 1)
    await connect(b, a)
    await eventually('the next connection', () => a.connections.of(b.id).length === 1)
    a.links.send(b.id, testProtocol, bytes('again'))
    await eventually('a frame', () => b.received.length === 1)
  })

  it('leaves no stream behind when its connection goes', async () => {
    const [a, b] = await pair()
    for (let i = 0; i < 5; i += 1) {
      await connect(a, b, 'replace')
      await eventually(
        'one connection',
        () => a.connections.of(b.id).length === 1 && b.connections.count === 1,
      )
    }
    await eventually('two streams', () => {
      const streams = [...a.connections.of(b.id), ...b.connections.of(a.id)].flatMap((c) => c.streams)
      return streams.filter((stream) => stream.protocol === '/p2pd/test/1').length === 4
    })
  })
})

describe('bad frames', () => {
  async function rawStream(from: RawPeer, to: RawPeer) {
    const connection = from.connections.of(to.id)[0]
    assert.ok(connection !== undefined)
    return connection.newStream('/p2pd/test/1')
  }

  it('cost the stream when their length is above the limit, and the connection when that repeats', async () => {
    const [a, b] = await pair()
    for (let strike = 1; strike <= 3; strike += 1) {
      const stream = await rawStream(a, b)
      stream.send(encodeFrame(new Uint8Array(70_000), 100_000))
      await eventually('the count', () => b.counters.dropped.oversized === strike)
      if (strike < 3) assert.equal(b.connections.of(a.id).length, 1)
    }
    await eventually('the cut', () => b.connections.of(a.id).length === 0)
    assert.equal(b.counters.linksCut, 1)
    assert.equal(b.received.length, 0)
  })

  it('are dropped and counted when the codec refuses them, and cut the connection when that repeats', async () => {
    const { WireError } = await import('../../../lib/wire/errors.ts')
    const a = await startRawPeer()
    const b = await startRawPeer({
      receive: () => {
        throw new WireError('ERR_BAD_MESSAGE', 'garbage')
      },
    })
    await connect(a, b)
    for (let i = 0; i < 2; i += 1) a.links.send(b.id, testProtocol, bytes('garbage'))
    await eventually('the count', () => b.counters.dropped.malformed === 2)
    assert.equal(b.connections.count, 1)
    a.links.send(b.id, testProtocol, bytes('garbage'))
    await eventually('the cut', () => b.connections.count === 0)
    assert.equal(b.closings[0]?.closedBy, 'local')
  })

  it('are not looked at any more once they have cut the connection', async () => {
    const { WireError } = await import('../../../lib/wire/errors.ts')
    const a = await startRawPeer()
    const b = await startRawPeer({
      receive: () => {
        throw new WireError('ERR_BAD_MESSAGE', 'garbage')
      },
    })
    await connect(a, b)
    await eventually('both see it', () => b.connections.of(a.id).length === 1)
    const stream = await rawStream(a, b)
    // Frames of no bytes: the cheapest there are.
    stream.send(new Uint8Array(20_000))
    await eventually('the cut', () => b.connections.count === 0)
    assert.equal(b.counters.dropped.malformed, 3)
    assert.equal(b.counters.linksCut, 1)
  })
})
