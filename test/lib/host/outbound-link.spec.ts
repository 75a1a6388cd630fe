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
