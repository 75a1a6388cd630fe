import assert from 'node:assert/strict'
import { reachability } from '../../../daemon/control/reachability.ts'
import type { MemberView, PeerId } from '../../../lib/index.ts'
import { NoAnswerError, type Pong } from '../../../lib/pings.ts'
import { P2pdError } from '../../../lib/wire/errors.ts'
import { ids, view } from '../support/fake-peer.ts'

describe('reachability', () => {
  const signal = new AbortController().signal
  const members: readonly MemberView[] = [
    view(ids[0], 'self', { self: true }),
    ...Array.from({ length: 100 }, (_, at) => view(`12D3KooW${at}` as PeerId, `m${at}`)),
  ]
  const hangs = (_peer: string, options: { readonly signal?: AbortSignal } = {}) =>
    new Promise<never>((_resolve, reject) =>
      options.signal?.addEventListener('abort', () => reject(options.signal?.reason)),
    )

  it('asks some at a time, and each once', async () => {
    let underWay = 0
    let most = 0
    const asked = new Set<string>()
    const ping = async (peer: string): Promise<Pong> => {
      underWay += 1
      most = Math.max(most, underWay)
      asked.add(peer)
      await new Promise((resolve) => setImmediate(resolve))
      underWay -= 1
      return { rttMs: 1.23456, path: undefined }
    }
    const answer = await reachability({ members: () => members, ping }, 1000, signal)
    assert.deepEqual([answer.asked, answer.answered, asked.size, most], [100, 100, 100, 32])
    assert.deepEqual([answer.members[0]?.rttMs, answer.members[0]?.path], [1.235, null])
  })

  it('says of each why it did not answer', async () => {
    const failures = [
      new NoAnswerError(ids[1], 'refused'),
      new NoAnswerError(ids[1], 'silent'),
      new P2pdError('ERR_TOO_MANY', 'too many pings at once'),
    ]
    const ping = async () => {
      throw failures.shift() ?? new Error('no more')
    }
    const some = members.slice(0, 4)
    const answer = await reachability({ members: () => some, ping }, 1000, signal)
    assert.equal(answer.answered, 0)
    assert.deepEqual(
      answer.members.map(({ why }) => why),
      ['refused', 'silent', 'too many pings at once'],
    )
  })

  it('ends in time whoever hangs, and says who was not asked', async () => {
    const answer = await reachability({ members: () => members, ping: hangs }, 60_000, signal, 20)
    assert.ok(answer.members.every(({ why }) => why === 'not-asked'))
    assert.equal(answer.members.length, 100)
  })

  it('ends with its client', async () => {
    const peer = { members: () => members, ping: hangs }
    await assert.rejects(reachability(peer, 60_000, AbortSignal.timeout(10)), { name: 'TimeoutError' })
  })

  it('does not hide a defect', async () => {
    const ping = async () => {
      throw new TypeError('a defect')
    }
    await assert.rejects(reachability({ members: () => members, ping }, 1000, signal), TypeError)
  })
})
