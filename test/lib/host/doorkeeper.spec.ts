import assert from 'node:assert/strict'
import type { Stream } from '@libp2p/interface'
import { newCounters } from '../../../lib/host/counters.ts'
import { Doorkeeper, maxAnswers } from '../../../lib/host/doorkeeper.ts'
import type { PeerId } from '../../../lib/protocols/core.ts'
import { eventually } from '../../support/eventually.ts'

/** As much of a stream as is looked at, by which nothing ever comes. */
class SilentStream {
  isOpen = true
  #fail: ((error: Error) => void) | undefined

  abort(error: Error): void {
    this.isOpen = false
    this.#fail?.(error)
  }

  [Symbol.asyncIterator]() {
    return {
      next: () =>
        new Promise<never>((_resolve, reject) => {
          this.#fail = reject
        }),
    }
  }
}

describe('who asks an app’s node for a proof and says nothing', () => {
  it('makes room for others when there are many, oldest first, and is counted', async () => {
    let now = 0
    const counters = newCounters()
    const doorkeeper = new Doorkeeper(
      {
        self: 'self' as PeerId,
        secret: new Uint8Array(32),
        cluster: 'test',
        admits: () => true,
        counters,
      },
      () => now,
    )
    const ask = (count: number): SilentStream[] =>
      Array.from({ length: count }, () => {
        const stream = new SilentStream()
        void doorkeeper.answer(stream as unknown as Stream, 'other' as PeerId, () => {})
        return stream
      })
    const open = (streams: readonly SilentStream[]) => streams.filter(({ isOpen }) => isOpen).length
    const first = ask(maxAnswers)
    now = 999
    assert.equal(open(ask(1)), 0)
    assert.deepEqual([open(first), counters.refusedHandshakes.crowded], [maxAnswers, 1])
    now = 1000
    const later = ask(10)
    assert.deepEqual([open(first), open(later)], [maxAnswers - 10, 10])
    assert.ok(first.slice(0, 10).every(({ isOpen }) => !isOpen))
    await eventually('the count', () => counters.refusedHandshakes.handshake === 10)
    await eventually('the end of all', () => open(later) + open(first) === 0)
  })
})
