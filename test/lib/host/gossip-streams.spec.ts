import assert from 'node:assert/strict'
import type { Connection, Stream } from '@libp2p/interface'
import { GossipStreams } from '../../../lib/host/gossip-streams.ts'

type Registrar = Parameters<GossipStreams['observe']>[0]
type Topology = Parameters<Registrar['register']>[1]

/** A stream that notes what is sent, until its multiplexer is gone. */
class FakeStream extends EventTarget {
  readonly sent: string[] = []
  status = 'open'
  writeStatus = 'writable'
  writableNeedsDrain = false
  writeBufferLength = 0
  broken = false
  aborted: Error | undefined

  send(data: Uint8Array): boolean {
    if (this.broken) throw new Error('the connection is closed')
    this.sent.push(new TextDecoder().decode(data))
    return true
  }

  async closeRead(): Promise<void> {}

  abort(error: Error): void {
    this.aborted = error
    this.writeStatus = 'closed'
  }
}

/** As gossipsub gets it. */
async function opened(): Promise<{ readonly fake: FakeStream; readonly stream: Stream }> {
  const fake = new FakeStream()
  const connection = {
    remotePeer: { toString: () => 'peer' },
    newStream: async () => fake as unknown as Stream,
  } as unknown as Connection
  let topology: Topology | undefined
  const registrar = {
    register: async (_: string, given: Topology) => {
      topology = given
    },
  } as unknown as Registrar
  const observed = await new Promise<Connection>((resolve) => {
    const { register } = new GossipStreams().observe(registrar)
    void register('/meshsub', { onConnect: (_peer, seen) => resolve(seen) })
    topology?.onConnect?.(connection.remotePeer, connection)
  })
  return { fake, stream: await observed.newStream('/meshsub') }
}

const bytes = (text: string) => new TextEncoder().encode(text)
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('streams of gossip', () => {
  it('send what is written in one turn as one, in order, and large pieces at once', async () => {
    const { fake, stream } = await opened()
    for (const word of ['a', 'b', 'c']) stream.send(bytes(word))
    assert.deepEqual(fake.sent, [])
    await turn()
    assert.deepEqual(fake.sent, ['abc'])
    stream.send(bytes('d'))
    stream.send(bytes('x'.repeat(64 * 1024)))
    stream.send(bytes('e'))
    await turn()
    assert.deepEqual(
      fake.sent.slice(1).map(({ length }) => length),
      [64 * 1024 + 1, 1],
    )
  })

  it('do not bring the process down when the connection goes before the turn ends', async () => {
    const { fake, stream } = await opened()
    stream.send(bytes('a'))
    fake.broken = true
    await turn()
    assert.match(fake.aborted?.message ?? '', /closed/)
  })
})
