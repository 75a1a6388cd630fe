import assert from 'node:assert/strict'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Connection, Stream, StreamHandler } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { newCounters } from '../../../lib/host/counters.ts'
import type { DialStage } from '../../../lib/host/dial-watch.ts'
import { Doorkeeper } from '../../../lib/host/doorkeeper.ts'
import { GuestNode, type HostNode } from '../../../lib/host/guest-node.ts'
import { identityFromBytes } from '../../../lib/host/identity.ts'
import type { PeerId } from '../../../lib/protocols/core.ts'
import type { P2pdError } from '../../../lib/wire/errors.ts'
import { startApp, stopApps } from '../app-node.ts'

interface Guest {
  readonly node: GuestNode
  readonly handlers: ReadonlyMap<string, StreamHandler>
  readonly troubles: readonly P2pdError[]
}

/** In an app's node whose handlers are called by hand. */
async function guest(): Promise<Guest> {
  const { node: app, identity: key } = await startApp()
  const handlers = new Map<string, StreamHandler>()
  const libp2p: HostNode = {
    peerId: app.peerId,
    peerStore: app.peerStore,
    status: app.status,
    logger: app.logger,
    getMultiaddrs: () => app.getMultiaddrs(),
    dial: (target, options) => app.dial(target, options),
    handle: async (protocols, handler) => {
      for (const protocol of [protocols].flat()) handlers.set(protocol, handler)
    },
    unhandle: async () => handlers.clear(),
    addEventListener: () => {},
    removeEventListener: () => {},
  }
  const identity = identityFromBytes(key)
  const counters = newCounters()
  const troubles: P2pdError[] = []
  const node = new GuestNode({
    libp2p,
    identity,
    counters,
    doorkeeper: new Doorkeeper({
      self: identity.peerId,
      secret: new Uint8Array(32),
      cluster: 'test',
      admits: () => true,
      counters,
    }),
    ended: () => {},
    trouble: (error) => troubles.push(error),
  })
  return { node, handlers, troubles }
}

class FakeStream {
  readonly protocol = '/p2pd/test/1'
  aborted: Error | undefined

  abort(error: Error): void {
    this.aborted = error
  }
}

describe("a part of an app's node", () => {
  afterEach(stopApps)

  const unfit: Record<string, Partial<Connection>> = {
    'whose channel proves nobody': { encryption: '/plaintext/2.0.0', multiplexer: '/yamux/1.0.0' },
    'whose multiplexer has no back-pressure': { encryption: '/noise', multiplexer: '/mplex/6.7.0' },
    'of a relay': {
      encryption: '/noise',
      multiplexer: '/yamux/1.0.0',
      limits: { seconds: 60 },
    },
  }
  for (const [what, connection] of Object.entries(unfit)) {
    it(`neither asks nor answers on a connection ${what}, and says so once`, async () => {
      const { node, handlers, troubles } = await guest()
      let handled = 0
      await node.handle('/p2pd/test/1', () => void handled++, {})
      await node.open()
      let asked = 0
      const given = {
        remotePeer: { toString: () => 'somebody' as PeerId },
        streams: [],
        status: 'open',
        newStream: async () => {
          asked += 1
          throw new Error('not to be asked')
        },
        ...connection,
      } as unknown as Connection
      for (const protocol of ['/p2pd/test/1', '/p2pd/admission/1']) {
        const stream = new FakeStream()
        await handlers.get(protocol)?.(stream as unknown as Stream, given)
        assert.match(String(stream.aborted), /ERR_DENIED|proved|fit/)
      }
      assert.deepEqual([handled, asked, troubles.length], [0, 0, 1])
      assert.equal(troubles[0]?.code, 'ERR_BAD_OPTION')
      await node.close()
    })
  }
})

describe("a dial by an app's node", () => {
  afterEach(stopApps)

  async function failedDial(address: string): Promise<readonly DialStage[]> {
    const { node } = await guest()
    const stages: DialStage[] = []
    const watch = { reached: (stage: DialStage) => void stages.push(stage), ends: () => false }
    await assert.rejects(node.dial(multiaddr(address), { signal: AbortSignal.timeout(500), watch }))
    return stages
  }

  it('tells a machine that accepts from one where nobody listens, though libp2p does not', async () => {
    const sockets: Socket[] = []
    const silent = createServer((socket) => void sockets.push(socket.on('error', () => {})))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as AddressInfo
    assert.deepEqual(await failedDial(`/ip4/127.0.0.1/tcp/${port}`), ['connected'])
    for (const socket of sockets) socket.destroy()
    silent.close()
    assert.deepEqual(await failedDial('/ip4/127.0.0.1/tcp/1'), [])
  })
})
