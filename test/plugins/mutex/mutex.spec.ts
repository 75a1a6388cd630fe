import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { Lock } from '../../../plugins/mutex/api.ts'
import { mutex } from '../../../plugins/mutex/index.ts'
import { eventually } from '../../support/eventually.ts'
import { removeTempDirs, tempDir } from '../../support/temp-dir.ts'
import { type LockPeer, quick, startPeer, startThree, stopPeers, threeVote } from './cluster.ts'

const { leaseMs } = quick

/** What the lock protects: says so when two are in it, or a token is not above the last. */
class Resource {
  readonly tokens: number[] = []
  #inside = 0

  async enter(lock: Lock): Promise<void> {
    assert.equal(this.#inside, 0, 'two are in the critical section')
    assert.ok(lock.token > (this.tokens.at(-1) ?? 0), `${lock.token} after ${this.tokens}`)
    assert.ok(lock.validForMs > 0)
    this.#inside += 1
    this.tokens.push(lock.token)
    await delay(1)
    this.#inside -= 1
  }
}

async function entries(peer: LockPeer, count: number, resource: Resource): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const lock = await peer.plugins.mutex.acquire('deploy')
    await resource.enter(lock)
    await lock.release()
  }
}

const lost = (lock: Lock) =>
  new Promise<unknown>((resolve) => {
    if (lock.signal.aborted) resolve(lock.signal.reason)
    else lock.signal.addEventListener('abort', () => resolve(lock.signal.reason))
  })

describe('locks between peers', () => {
  afterEach(async () => {
    await stopPeers()
    await removeTempDirs()
  })

  it('refuse options that make no sense', () => {
    for (const options of [
      { leaseMs: 10 },
      { maxVoters: 2 },
      { leaseMs: 100_000 },
      { expect: 0 },
      { laeseMs: 1000 } as object,
    ]) {
      assert.throws(() => mutex(options), { code: 'ERR_BAD_OPTION' })
    }
  })

  describe('of one peer', () => {
    it('are granted at once, with tokens that rise also over a restart', async () => {
      const dataDir = await tempDir()
      let peer = await startPeer({ dataDir })
      const resource = new Resource()
      await entries(peer, 5, resource)
      await peer.stop()
      peer = await startPeer({ dataDir })
      await entries(peer, 5, resource)
      const other = await peer.plugins.mutex.acquire('other')
      const { locks, complete } = await peer.plugins.mutex.locks()
      assert.equal(complete, true)
      assert.deepEqual(
        locks.map(({ lock, holder, token, waiters }) => [lock, holder, token, waiters]),
        [['other', peer.peerId, other.token, []]],
      )
      assert.equal(await peer.plugins.mutex.tryAcquire('other'), undefined)
    })

    it('make one caller wait for the other, and give up at the end of its patience', async () => {
      const { mutex: locks } = (await startPeer()).plugins
      const first = await locks.acquire('deploy')
      await assert.rejects(locks.acquire('deploy', { waitMs: 200 }), { code: 'ERR_LOCK_HELD' })
      const second = locks.acquire('deploy')
      await first.release()
      assert.ok((await second).token > first.token)
      assert.deepEqual([locks.counters().held, locks.counters().waiting], [1, 0])
    })
  })

  describe('of three peers', () => {
    it('are held by one at a time, whoever wants them', async () => {
      const peers = await startThree()
      const resource = new Resource()
      await Promise.all(peers.map((peer) => entries(peer, 20, resource)))
      assert.equal(resource.tokens.length, 60)
      for (const peer of peers) {
        const { acquired, released, lost: gone, misbehaved } = peer.plugins.mutex.counters()
        assert.deepEqual([acquired, released, gone], [20, 20, 0])
        assert.ok(
          Object.values(misbehaved).every((count) => count === 0),
          JSON.stringify(misbehaved),
        )
      }
    })

    it('are renewed for as long as they are held, and shown to everybody', async () => {
      const [a, b, c] = await startThree()
      await using lock = await a.plugins.mutex.acquire('deploy')
      const waiting = c.plugins.mutex.acquire('deploy', { waitMs: 1.3 * leaseMs })
      const refused = assert.rejects(waiting, { code: 'ERR_LOCK_HELD' })
      await eventually('the waiter', async () => {
        const { locks } = await b.plugins.mutex.locks('deploy')
        return locks[0]?.waiters.includes(c.peerId)
      })
      const { locks, complete } = await b.plugins.mutex.locks()
      assert.deepEqual(
        [locks.length, locks[0]?.holder, locks[0]?.token, complete],
        [1, a.peerId, lock.token, true],
      )
      assert.equal(await b.plugins.mutex.tryAcquire('deploy'), undefined)
      await refused
      assert.ok(lock.validForMs > leaseMs / 3, `${lock.validForMs}`)
      assert.equal(lock.signal.aborted, false)
    })

    it('go to the next when who waits first gives up', async () => {
      const [a, b, c] = await startThree()
      const lock = await a.plugins.mutex.acquire('deploy')
      const controller = new AbortController()
      const second = b.plugins.mutex.acquire('deploy', { signal: controller.signal })
      const aborted = assert.rejects(second, { name: 'AbortError' })
      await eventually('b waits', async () =>
        (await a.plugins.mutex.locks()).locks[0]?.waiters.includes(b.peerId),
      )
      const third = c.plugins.mutex.acquire('deploy')
      controller.abort()
      await aborted
      await lock.release()
      assert.ok((await third).token > lock.token)
    })

    it('go on when an arbiter stops', async () => {
      const [a, b, c] = await startThree()
      const resource = new Resource()
      await entries(a, 3, resource)
      await c.stop()
      await Promise.all([a, b].map((peer) => entries(peer, 5, resource)))
      assert.equal(resource.tokens.length, 13)
    })

    it('are the next one’s when their holder stops, after the lease, and its holder is told', async () => {
      const [a, b] = await startThree()
      const lock = await b.plugins.mutex.acquire('deploy')
      const next = a.plugins.mutex.acquire('deploy')
      const stoppedAt = performance.now()
      await b.stop()
      assert.equal(((await lost(lock)) as { readonly code: string }).code, 'ERR_LOCK_LOST')
      assert.equal(lock.validForMs, 0)
      assert.ok((await next).token > lock.token)
      assert.ok(performance.now() - stoppedAt < leaseMs + 1500)
    })

    it('are lost before anybody else can have them when the quorum is gone, and then nobody gets any', async () => {
      const [a, b, c] = await startThree()
      const lock = await a.plugins.mutex.acquire('deploy')
      await Promise.all([b.stop(), c.stop()])
      const beganAt = performance.now()
      const namesTheMissing = (error: Error & { readonly code: string }) => {
        assert.equal(error.code, 'ERR_NO_QUORUM')
        assert.match(error.message, /^1 of 3/)
        for (const [name, { peerId }] of Object.entries({ b, c })) {
          assert.ok(error.message.includes(`${name} (${peerId})`), error.message)
        }
        return true
      }
      const { mutex: locks } = a.plugins
      await Promise.all([
        assert.rejects(locks.acquire('other'), namesTheMissing),
        assert.rejects(locks.tryAcquire('another'), namesTheMissing),
        assert.rejects(locks.removeVoter(b.peerId), namesTheMissing),
        lost(lock).then((reason) => {
          assert.equal((reason as { readonly code: string }).code, 'ERR_LOCK_LOST')
          assert.ok(performance.now() - beganAt < leaseMs + 500)
        }),
      ])
      assert.ok(performance.now() - beganAt < 6000)
      assert.equal(locks.electorate().reachable, false)
      assert.equal((await locks.locks()).complete, false)
    })

    it('have tokens that rise when all voters stop and return', async () => {
      const dirs = [await tempDir(), await tempDir(), await tempDir()]
      let peers = await startThree(dirs)
      const resource = new Resource()
      await Promise.all(peers.map((peer) => entries(peer, 3, resource)))
      await Promise.all(peers.map((peer) => peer.stop()))
      peers = (await Promise.all(dirs.map((dataDir) => startPeer({ dataDir })))) as typeof peers
      await threeVote(peers)
      await Promise.all(peers.map((peer) => entries(peer, 3, resource)))
      assert.equal(resource.tokens.length, 18)
    })

    it('are founded together by peers that expect each other, and by nobody before all are there', async () => {
      const knobs = { expect: 3 }
      const a = await startPeer({ name: 'a' }, knobs)
      const b = await startPeer({ name: 'b', join: a.addresses }, knobs)
      await assert.rejects(b.plugins.mutex.acquire('deploy'), { code: 'ERR_NO_ELECTORATE' })
      const c = await startPeer({ name: 'c', join: [...a.addresses, ...b.addresses] }, knobs)
      await threeVote([a, b, c])
      assert.equal(new Set([a, b, c].map((peer) => peer.plugins.mutex.electorate().id)).size, 1)
      const resource = new Resource()
      await Promise.all([a, b, c].map((peer) => entries(peer, 2, resource)))
    })

    it('let a voter leave when those who stay have taken over, and only then', async () => {
      const [a, b, c] = await startThree()
      const lock = await a.plugins.mutex.acquire('deploy')
      await c.leave()
      const alone = () => [a, b].every((peer) => peer.plugins.mutex.electorate().voters.length === 1)
      await eventually('one voter', alone)
      assert.ok(lock.validForMs > 0)
      await lock.release()
      const [voter, other] = a.plugins.mutex.electorate().voters[0]?.peer === a.peerId ? [a, b] : [b, a]
      await voter.stop()
      await eventually('the farewell', () => !other.plugins.mutex.electorate().reachable)
      await assert.rejects(other.plugins.mutex.acquire('deploy'), { code: 'ERR_NO_QUORUM' })
    })

    it('keep a voter that they cannot do without, unless it insists', async () => {
      const [a, b, c] = await startThree()
      await Promise.all([b.stop(), c.stop()])
      await assert.rejects(a.leave(), { code: 'ERR_LEAVE_INCOMPLETE' })
      await assert.rejects(a.plugins.mutex.acquire('deploy'), { code: 'ERR_NO_QUORUM' })
      await a.leave({ force: true })
      await a.closed
    })

    it('come back when a voter is exchanged by hand, and are held over the change', async () => {
      const [a, b, c] = await startThree()
      const d = await startPeer({ name: 'd', join: a.addresses })
      const lock = await b.plugins.mutex.acquire('deploy')
      await a.plugins.mutex.removeVoter(c.peerId)
      await a.plugins.mutex.addVoter(d.peerId)
      await eventually('d votes', () =>
        [a, b].every((peer) =>
          peer.plugins.mutex.electorate().voters.some((voter) => voter.peer === d.peerId),
        ),
      )
      await delay(leaseMs)
      assert.ok(lock.validForMs > 0)
      const next = d.plugins.mutex.acquire('deploy')
      await lock.release()
      assert.ok((await next).token > lock.token)
    })
  })
})
