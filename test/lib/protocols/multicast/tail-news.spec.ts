import assert from 'node:assert/strict'
import type { PeerId } from '../../../../lib/protocols/core.ts'
import type { GroupTail } from '../../../../lib/protocols/multicast/messages.ts'
import { TailNews } from '../../../../lib/protocols/multicast/tail-news.ts'
import { Pump } from './pump.ts'

const b = 'b' as PeerId
const c = 'c' as PeerId

describe('tails on heartbeats', () => {
  const tail = (seq: number): GroupTail => ({ group: 'aa', epoch: 1, seq, digest: 'bb' })

  it('are told to each peer once', () => {
    const news = new TailNews()
    assert.equal(news.takes(b, [tail(1)], 0), true)
    assert.equal(news.takes(b, [tail(1)], 1000), false)
    assert.equal(news.takes(c, [tail(1)], 1000), true)
  })

  it('are told again when anything in them has changed, also back', () => {
    const news = new TailNews()
    const told: readonly GroupTail[][] = [
      [tail(1)],
      [tail(2)],
      [tail(1)],
      [{ ...tail(1), digest: 'cc' }],
      [{ ...tail(1), epoch: 2 }],
      [{ ...tail(1), group: 'ab' }],
      [tail(1), { ...tail(1), group: 'ab' }],
    ]
    for (const tails of told) assert.equal(news.takes(b, tails, 0), true)
  })

  it('are told again after half a minute, for a frame may have been dropped', () => {
    const news = new TailNews()
    news.takes(b, [tail(1)], 0)
    assert.equal(news.takes(b, [tail(1)], TailNews.repeatMs - 1), false)
    assert.equal(news.takes(b, [tail(1)], TailNews.repeatMs), true)
    assert.equal(news.takes(b, [tail(1)], TailNews.repeatMs + 1), false)
  })

  it('are told again over another connection, and to nobody without one', () => {
    const pump = new Pump()
    const [first, second] = [pump.add('a'), pump.add('b')]
    pump.connect(first, second)
    for (const node of [first, second]) node.join('x')
    pump.run(2000)
    const tell = (): number => first.core.tailNews(second.peer, pump.now).length
    assert.deepEqual([tell(), tell()], [1, 0])
    first.tell({ type: 'disconnected', peer: second.peer })
    assert.deepEqual([tell(), tell()], [1, 1])
    first.tell({ type: 'connected', peer: second.peer })
    assert.deepEqual([tell(), tell()], [1, 0])
  })
})
