import assert from 'node:assert/strict'
import '../../../lib/host/with-resolvers.ts'
import type { MessageStream, Stream, StreamMuxer } from '@libp2p/interface'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { batchWindowUpdates } from '../../../lib/host/window-updates.ts'
import { eventually } from '../../support/eventually.ts'

interface Pair {
  readonly sender: Stream
  readonly receiver: Stream
  /** Bytes of the stream that have come. */
  received(): number
  /** Frames from the receiver to the sender. */
  answers(): number
  close(): Promise<void>
}

async function connect(prepare: (receiver: Stream) => void): Promise<Pair> {
  const [here, there] = multiaddrConnectionPair()
  const muxer = (end: MessageStream): StreamMuxer =>
    yamux({ enableKeepAlive: false })().createStreamMuxer(end)
  const [client, server] = [muxer(here), muxer(there)]
  const accepted = new Promise<Stream>((resolve) => {
    server.addEventListener('stream', ({ detail }) => resolve(detail), { once: true })
  })
  const sender = await client.createStream()
  let received = 0
  let answers = 0
  sender.send(Uint8Array.of(1))
  const receiver = await accepted
  receiver.addEventListener('message', ({ data }) => {
    received += data.byteLength
  })
  await eventually('the stream is open', () => received === 1)
  here.addEventListener('message', () => {
    answers += 1
  })
  prepare(receiver)
  return {
    sender,
    receiver,
    received: () => received,
    answers: () => answers,
    close: async () => {
      await client.close()
      await server.close()
    },
  }
}

describe('the updates of a yamux window', () => {
  it('do not come for every short frame', async () => {
    const pair = await connect(batchWindowUpdates)
    for (let sent = 0; sent < 100; sent++) {
      pair.sender.send(new Uint8Array(100))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await eventually('all has come', () => pair.received() === 1 + 100 * 100)
    assert.equal(pair.answers(), 0)
    await pair.close()
  })

  it('come in time for a stream that is never short of data', async () => {
    const pair = await connect(batchWindowUpdates)
    const [chunk, chunks] = [new Uint8Array(16 * 1024), 256]
    for (let sent = 0; sent < chunks; sent++) {
      if (!pair.sender.send(chunk)) await pair.sender.onDrain()
    }
    await eventually('all has come', () => pair.received() === 1 + chunk.byteLength * chunks)
    assert.ok(pair.answers() <= 40, `${pair.answers()} updates for 4 MiB and a window of 256 KiB`)
    await pair.close()
  })

  it('come after a pause, when it used up the window', async () => {
    const pair = await connect(batchWindowUpdates)
    pair.receiver.pause()
    const [chunk, chunks] = [new Uint8Array(16 * 1024), 32]
    let sent = 0
    const sending = (async () => {
      for (; sent < chunks; sent++) {
        if (!pair.sender.send(chunk)) await pair.sender.onDrain()
      }
    })()
    // The chunk that finds the window used up waits for what the pause holds back.
    await eventually('the window is used up', () => chunk.byteLength * (sent + 1) >= 256 * 1024)
    pair.receiver.resume()
    await sending
    await eventually('all has come', () => pair.received() === 1 + chunk.byteLength * chunks)
    await pair.close()
  })
})
