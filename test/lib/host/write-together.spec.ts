import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import type { MessageStream } from '@libp2p/interface'
import { writeTogether } from '../../../lib/host/write-together.ts'

describe('writing together', () => {
  /** A socket that notes what each write to the system would be. */
  function connected() {
    const writes: string[] = []
    const socket = new Writable({
      write(chunk: Buffer, _encoding, done) {
        writes.push(chunk.toString())
        done()
      },
      writev(chunks: readonly { readonly chunk: Buffer }[], done) {
        writes.push(chunks.map(({ chunk }) => chunk.toString()).join(''))
        done()
      },
    })
    writeTogether({ socket } as unknown as MessageStream)
    return { socket, writes }
  }
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  it('is one write a turn of the event loop, in the order of writing', async () => {
    const { socket, writes } = connected()
    for (const text of ['a', 'b', 'c']) socket.write(Buffer.from(text))
    assert.deepEqual(writes, [])
    await turn()
    assert.deepEqual(writes, ['abc'])
    socket.write(Buffer.from('d'))
    await turn()
    socket.write(Buffer.from('e'))
    await turn()
    assert.deepEqual(writes, ['abc', 'd', 'e'])
  })

  it('still says when too much waits', () => {
    const { socket } = connected()
    assert.equal(socket.write(Buffer.alloc(10)), true)
    assert.equal(socket.write(Buffer.alloc(1024 * 1024)), false)
  })

  it('loses nothing when the socket is ended in the same turn', async () => {
    const { socket, writes } = connected()
    socket.write(Buffer.from('last '))
    socket.end(Buffer.from('words'))
    await turn()
    assert.equal(writes.join(''), 'last words')
  })

  it('leaves alone what writes to no socket', () => {
    writeTogether({} as unknown as MessageStream)
  })
})
