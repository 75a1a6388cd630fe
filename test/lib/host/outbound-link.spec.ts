import assert from 'node:assert/strict'
import type { Connection, Stream } from '@libp2p/interface'
import { newCounters } from '../../../lib/host/counters.ts'
import { controlLimits } from '../../../lib/host/links.ts'
import { OutboundLink } from '../../../lib/host/outbound-link.ts'
import { withResolvers } from '../../../lib/host/with-resolvers.ts'

/** As much of a stream as a link looks at. */
class ScriptedStream extends EventTarget {
  readonly status = 'open'
  readonly writeStatus = 'writable'
  readonly writableNeedsDrain = false
  writeBufferLength = 0
  readonly sent: Uint8Array[] = []
  async close(): Promise<void> {}
  async closeRead(): Promise<void> {}
  send(frame: Uint8Array): boolean {
    this.sent.push(frame)
    return true
  }
}

class ScriptedConnection {
  readonly status = 'open'
  readonly asked: ReturnType<typeof withResolvers<Stream>>[] = []
  newStream(): Promise<Stream> {
    const answer = withResolvers<Stream>()
    this.asked.push(answer)
    return answer.promise
  }
}

const use = (link: OutboundLink, connection: ScriptedConnection) =>
  link.use(connection as unknown as Connection)
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('a link that moves while its first stream is being opened', () => {
  it('opens one stream on the new connection, also when the first attempt fails late', async () => {
    const link = new OutboundLink('/p2pd/test/1', controlLimits, newCounters())
    const [former, current] = [new ScriptedConnection(), new ScriptedConnection()]
    use(link, former)
    use(link, current)
    former.asked[0]?.reject(new Error('too late'))
    await turn()
    const stream = new ScriptedStream()
    current.asked[0]?.resolve(stream as unknown as Stream)
    // Longer than the first retry, which nothing but a second stream would show.
    await new Promise((resolve) => setTimeout(resolve, 150))
    assert.equal(current.asked.length, 1)
    link.send(new Uint8Array(1))
    assert.equal(stream.sent.length, 1)
    link.close()
  })
})

describe('a link whose stream still holds the rest of a frame', () => {
  it('sends the next one when that has left, so that they do not add up', async () => {
    const link = new OutboundLink('/p2pd/test/1', controlLimits, newCounters())
    const [connection, stream] = [new ScriptedConnection(), new ScriptedStream()]
    use(link, connection)
    connection.asked[0]?.resolve(stream as unknown as Stream)
    await turn()
    link.send(new Uint8Array(1))
    stream.writeBufferLength = 1
    link.send(new Uint8Array(2))
    // As libp2p: it asks for more first, and only then sends what it holds.
    stream.dispatchEvent(new Event('drain'))
    await turn()
    assert.equal(stream.sent.length, 1)
    stream.writeBufferLength = 0
    stream.dispatchEvent(new Event('idle'))
    await turn()
    assert.equal(stream.sent.length, 2)
    link.close()
  })
})
