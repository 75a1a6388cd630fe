import assert from 'node:assert/strict'
import { NoAnswerError, Pings, type PingsInit } from '../../lib/pings.ts'
import type { DialOutcome } from '../../lib/protocols/membership/messages.ts'
import { ids } from '../daemon/support/fake-peer.ts'

describe('pings', () => {
  const path = { address: '/ip4/192.0.2.1/tcp/4001', direction: 'outbound' } as const
  const [peer] = ids
  let did: string[]

  function pings(changes: Partial<PingsInit> = {}, rttMs: number | undefined = 2): Pings {
    const made: Pings = new Pings({
      isConnected: () => true,
      dial: async () => ({ type: 'connected', peer, address: undefined }),
      release: () => void did.push('release'),
      measure: (_peer, token) => made.answered(token, rttMs),
      pathOf: () => path,
      ...changes,
    })
    return made
  }

  beforeEach(() => {
    did = []
  })

  it('take the connection that there is', async () => {
    assert.deepEqual(await pings().ping(peer, undefined), { rttMs: 2, path: { ...path, dialled: false } })
    assert.deepEqual(did, [])
  })

  it('make one where there is none, and give it back', async () => {
    const pong = await pings({ isConnected: () => false }).ping(peer, undefined)
    assert.deepEqual(pong, { rttMs: 2, path: { ...path, dialled: true } })
    assert.deepEqual(did, ['release'])
  })

  it('say why nobody answers', async () => {
    const refused: DialOutcome = { type: 'failed', reason: 'refused' }
    const isRefused = (error: unknown) => error instanceof NoAnswerError && error.reason === 'refused'
    await assert.rejects(
      pings({ isConnected: () => false, dial: async () => refused }).ping(peer, undefined),
      isRefused,
    )
    const silent = pings({ measure: (_peer, token) => silent.answered(token, undefined) })
    await assert.rejects(silent.ping(peer, undefined), { code: 'ERR_NO_ANSWER', reason: 'silent' })
  })

  it('end with their signal also while a dial hangs, and with the peer', async () => {
    const hangs = pings({ isConnected: () => false, dial: () => new Promise(() => {}) })
    await assert.rejects(hangs.ping(peer, AbortSignal.timeout(5)), { name: 'TimeoutError' })
    const stopped = pings({ measure: () => {} })
    const waiting = stopped.ping(peer, undefined)
    assert.deepEqual([stopped.waitsFor(peer), stopped.waitsFor(ids[1])], [true, false])
    stopped.end()
    await assert.rejects(waiting, { code: 'ERR_NO_ANSWER' })
    assert.equal(stopped.waitsFor(peer), false)
  })
})
