import assert from 'node:assert/strict'
import { z } from 'zod'
import type { PeerId } from '../../../../lib/index.ts'
import { P2pdError } from '../../../../lib/wire/errors.ts'
import type { PluginRequest, PluginRoute } from '../../../../plugins/contract.ts'
import type { MutexApi } from '../../../../plugins/mutex/api.ts'
import { LockControl } from '../../../../plugins/mutex/control/lock-control.ts'
import { lockRoutes } from '../../../../plugins/mutex/control/lock-routes.ts'
import type { LocksAnswer, RecoverAnswer, VotersAnswer } from '../../../../plugins/mutex/control/schemas.ts'
import { FakeMutex, holder, voter } from './fake-mutex.ts'

const names: Readonly<Record<string, string>> = { [holder]: 'm1', [voter]: 'm2' }

describe("the locks' routes", () => {
  let mutex: FakeMutex
  let routes: readonly PluginRoute<MutexApi>[]

  beforeEach(() => {
    mutex = new FakeMutex()
    routes = new LockControl().routes({ z, P2pdError })
  })

  function routeOf(name: keyof typeof lockRoutes): PluginRoute<MutexApi> {
    const { method, path } = lockRoutes[name]
    const found = routes.find((route) => route.method === method && route.path === path)
    assert.ok(found, `${method} ${path}`)
    return found
  }

  /** The answer, which must be exactly what the schema says. */
  async function ask<Answer>(name: keyof typeof lockRoutes, asked: object = {}): Promise<Answer> {
    const route = routeOf(name)
    assert.ok('handle' in route)
    const request: PluginRequest<MutexApi> = {
      api: mutex,
      params: {},
      query: route.query?.parse(route.method === 'GET' ? asked : {}),
      body: route.body?.parse(route.method === 'POST' ? asked : {}),
      lastEventId: undefined,
      signal: new AbortController().signal,
      peerOf: (reference) => {
        const [peer] = Object.entries(names).find(([, called]) => called === reference) ?? []
        if (peer === undefined) throw new P2pdError('ERR_UNKNOWN_PEER', 'nobody')
        return peer as PeerId
      },
      nameOf: (peer) => names[peer] ?? '',
    }
    return route.answer?.parse(await route.handle(request)) as Answer
  }

  const refused = (name: keyof typeof lockRoutes, body: object) =>
    assert.equal(routeOf(name).body?.safeParse(body).success, false, JSON.stringify(body))

  it('are those that a client knows', () => {
    assert.deepEqual(
      routes.map(({ method, path }) => `${method} ${path}`).sort(),
      Object.values(lockRoutes)
        .map(({ method, path }) => `${method} ${path}`)
        .sort(),
    )
  })

  it('list locks, all or one', async () => {
    await mutex.acquire('a', { leaseMs: 1000 })
    await mutex.acquire('b', { leaseMs: 1000 })
    void mutex.acquire('b')
    const row = (name: string, token: number, waiters: string[]) => ({
      name,
      holder,
      token,
      expiresInMs: 800,
      waiters,
    })
    assert.deepEqual(await ask<LocksAnswer>('locks'), {
      locks: [row('a', 1, []), row('b', 2, [voter])],
      complete: true,
    })
    assert.deepEqual((await ask<LocksAnswer>('locks', { name: 'b' })).locks, [row('b', 2, [voter])])
  })

  it('show voters by name, and what is wrong with them', async () => {
    const id = 'ffffffffffffffffffffffffffffffff' as NonNullable<typeof mutex.view.id>
    mutex.view = {
      ...mutex.view,
      self: 'void',
      void: 'rolled-back',
      conflict: { id, peer: voter },
      change: { phase: 'sealing', voters: [holder] },
    }
    const { voters, conflict, change, void: why } = await ask<VotersAnswer>('voters')
    assert.deepEqual(voters, [
      { peerId: holder, name: 'm1', answering: true },
      { peerId: voter, name: 'm2', answering: false },
    ])
    assert.deepEqual(
      [conflict, change, why],
      [{ id, peerId: voter, name: 'm2' }, { phase: 'sealing', voters: [holder] }, 'rolled-back'],
    )
  })

  it('show a peer that knows of no electorate', async () => {
    mutex.view = {
      id: undefined,
      version: 0,
      founder: undefined,
      maxLeaseMs: undefined,
      voters: [],
      reachable: false,
      self: 'none',
      abstainsForMs: 0,
      void: undefined,
      conflict: undefined,
      change: undefined,
    }
    const { id, version, founder, maxLeaseMs } = await ask<VotersAnswer>('voters')
    assert.deepEqual([id, version, founder, maxLeaseMs], [null, 0, null, null])
  })

  it('show signed votes that contradict each other, and count those that are too long to show', async () => {
    const signed = (length: number) => ({
      bytes: new Uint8Array(length).fill(1),
      signature: new Uint8Array(64),
    })
    const conflict = (length: number) => ({
      arbiter: voter,
      lock: 'deploy',
      first: signed(length),
      second: signed(length),
    })
    mutex.proofs = [conflict(3), conflict(2 ** 20), conflict(3)]
    const { conflictingVotes } = await ask<VotersAnswer>('voters')
    assert.equal(conflictingVotes.count, 3)
    assert.equal(conflictingVotes.proofs.length, 2)
    const [proof] = conflictingVotes.proofs
    assert.deepEqual([proof?.voter, proof?.name, proof?.lock], [voter, 'm2', 'deploy'])
    assert.equal(proof?.first.bytes, 'AQEB')
  })

  it('add and remove voters by what people call them', async () => {
    await ask('addVoter', { peer: 'm2' })
    await assert.rejects(ask('removeVoter', { peer: 'm1' }), { code: 'ERR_VOTERS_REFUSED' })
    await assert.rejects(ask('addVoter', { peer: 'm3' }), { code: 'ERR_UNKNOWN_PEER' })
    assert.deepEqual(mutex.asked, [`add ${voter}`, `remove ${holder}`])
  })

  it('remove a voter by its id that is a member no longer', async () => {
    const gone = '12D3KooWHdiAxVd8uMQR1hGWXccidmfCwLqcMpGwR6QkTP6QRMuD' as PeerId
    mutex.view = { ...mutex.view, voters: [{ peer: gone, answering: false }] }
    await assert.rejects(ask('removeVoter', { peer: gone }), { code: 'ERR_VOTERS_REFUSED' })
    assert.deepEqual(mutex.asked, [`remove ${gone}`])
  })

  it('say what recovering gives up', async () => {
    const { givenUp } = await ask<RecoverAnswer>('recoverVoter')
    assert.match(givenUp, /is forgotten/)
    assert.deepEqual(mutex.asked, ['recover'])
  })

  it('refuse what breaks their schemas', () => {
    for (const body of [{ waitMs: -1 }, { waitMs: 1.5 }, { leaseMs: 0 }, { try: 'yes' }, { shared: true }]) {
      refused('hold', body)
    }
    // Signals to these would reach far more than a group.
    for (const pgid of [-1, 0, 1, 1.5, 2 ** 31]) refused('guard', { pgid, startTime: 1 })
    refused('guard', { pgid: 2 })
    refused('addVoter', { peer: '' })
    refused('recoverVoter', { force: true })
  })

  it('know no session that was not begun', async () => {
    for (const name of ['heartbeat', 'release'] as const) {
      await assert.rejects(ask(name), { code: 'ERR_LOCK_SESSION' })
    }
  })
})
