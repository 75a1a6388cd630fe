import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { PluginStreamEvent } from '../../../../plugins/contract.ts'
import { LockSessions } from '../../../../plugins/mutex/control/lock-sessions.ts'
import type { HeldEvent } from '../../../../plugins/mutex/control/schemas.ts'
import { eventually } from '../../../support/eventually.ts'
import { type FakeLock, FakeMutex } from './fake-mutex.ts'
import { ignoringTerm, killVictims, runs, sleeping, startVictim, type Victim } from './victims.ts'

interface Client {
  readonly held: HeldEvent
  readonly lock: FakeLock
  readonly events: AsyncGenerator<PluginStreamEvent, void, undefined>
  hangUp(): void
}

describe('lock sessions', () => {
  let mutex: FakeMutex
  let sessions: LockSessions

  beforeEach(() => {
    mutex = new FakeMutex()
    sessions = new LockSessions()
  })

  afterEach(async () => {
    await sessions.close()
    await killVictims()
  })

  async function hold(name = 'deploy', leaseMs = 20_000): Promise<Client> {
    const aborter = new AbortController()
    const events = sessions.hold(mutex, { name, leaseMs, isTry: false }, aborter.signal)
    const { value } = await events.next()
    assert.equal(value?.event, 'held')
    return {
      held: value?.data as HeldEvent,
      lock: mutex.last as FakeLock,
      events,
      hangUp: () => aborter.abort(),
    }
  }

  /** Holds the lock, with a process under it. */
  async function guard(script: string, leaseMs?: number): Promise<Client & { victim: Victim }> {
    const client = await hold('deploy', leaseMs)
    const victim = await startVictim(script)
    sessions.guard(client.held.session, victim.group.name)
    return { ...client, victim }
  }

  /** Of the moment of its release: nobody of the group ran any more. */
  async function releasedAfter(lock: FakeLock, ...pids: number[]): Promise<void> {
    let running: readonly number[] | undefined
    const release = lock.release.bind(lock)
    lock.release = async () => {
      running ??= pids.filter(runs)
      await release()
    }
    await eventually('the lock is released', () => lock.releasedAt !== undefined)
    assert.deepEqual(running, [])
  }

  it('tell who holds it with what token, for how long, and by what session', async () => {
    const { held, lock } = await hold()
    const { session, validForMs, ...rest } = held
    assert.deepEqual(rest, { lock: 'deploy', token: 1, leaseMs: 20_000 })
    assert.equal(validForMs, lock.validForMs)
    assert.match(session, /^[\w-]{22}$/)
  })

  it('release when they are asked to, and end the stream', async () => {
    const { held, lock, events } = await hold()
    assert.deepEqual(await sessions.release(held.session), { released: true })
    assert.notEqual(lock.releasedAt, undefined)
    assert.deepEqual(await events.next(), { done: true, value: undefined })
    await assert.rejects(sessions.release(held.session), { code: 'ERR_LOCK_SESSION' })
  })

  it('end what a command has left behind before they release', async () => {
    const { held, lock, victim } = await guard('sleep 100 & echo ready $!')
    const released = releasedAfter(lock, ...victim.pids)
    await sessions.release(held.session)
    await released
  })

  it('kill the group of a client that hangs up, and release when it is gone', async () => {
    const { hangUp, lock, victim } = await guard(`${ignoringTerm.replace('ready', 'ready $$')}`)
    const released = releasedAfter(lock, victim.pid)
    hangUp()
    await released
    assert.equal(victim.child.signalCode, 'SIGKILL')
  })

  it('release at once when a client without a command hangs up', async () => {
    const { hangUp, lock } = await hold()
    hangUp()
    await eventually('the lock is released', () => lock.releasedAt !== undefined)
  })

  it('give the lock up that a client was granted while it hung up', async () => {
    const first = await hold()
    const aborter = new AbortController()
    const events = sessions.hold(mutex, { name: 'deploy', isTry: false }, aborter.signal)
    const pending = events.next()
    await eventually('it waits', async () => (await mutex.locks()).locks[0]?.waiters.length === 1)
    // Granted in the turn in which the client goes; nobody reads on.
    first.hangUp()
    await eventually('it is granted', () => mutex.last !== first.lock)
    aborter.abort()
    await pending
    await eventually('it is released', () => mutex.last?.releasedAt !== undefined)
    await (await hold()).lock.release()
  })

  it('let a client that hangs up wait no longer', async () => {
    const { held } = await hold()
    const aborter = new AbortController()
    const waiting = sessions.hold(mutex, { name: 'deploy', isTry: false }, aborter.signal).next()
    waiting.catch(() => {})
    await eventually('it waits', async () => (await mutex.locks()).locks[0]?.waiters.length === 1)
    aborter.abort()
    await assert.rejects(waiting)
    await sessions.release(held.session)
    assert.deepEqual((await mutex.locks()).locks, [])
  })

  it('count a client as dead that is not heard of for as long as it was told', async () => {
    const { held, lock, victim, events } = await guard(ignoringTerm, 600)
    const toldAt = performance.now()
    const { validForMs } = sessions.heartbeat(held.session)
    await releasedAfter(lock, victim.pid)
    const took = performance.now() - toldAt
    assert.ok(took >= validForMs - 5, `${took} ms of ${validForMs}`)
    assert.deepEqual((await events.next()).value, { event: 'lost', data: { reason: 'silent' } })
    assert.throws(() => sessions.heartbeat(held.session), { code: 'ERR_LOCK_SESSION' })
  })

  it('keep the lock of a client that is heard of', async () => {
    const { held, lock } = await hold('deploy', 500)
    const end = performance.now() + 900
    await eventually('the time is over', () => {
      sessions.heartbeat(held.session)
      return performance.now() > end
    })
    assert.equal(lock.releasedAt, undefined)
  })

  it('ask the command to end before the lock is lost, and tell the client', async () => {
    const told = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.02; done"
    const { held, lock, victim, events } = await guard(told, 1500)
    lock.failRenewals()
    sessions.heartbeat(held.session)
    const lost = await events.next()
    assert.deepEqual(lost.value, { event: 'lost', data: { reason: 'lost' } })
    assert.ok(lock.validForMs > 0, 'there is time left')
    await releasedAfter(lock, victim.pid)
    assert.equal(victim.child.exitCode, 3)
  })

  it('kill a command that does not end, while the lock is still valid', async () => {
    const { held, lock, victim } = await guard(ignoringTerm, 2500)
    const leftMs = once(victim.child, 'exit').then(() => lock.validForMs)
    lock.failRenewals()
    sessions.heartbeat(held.session)
    await releasedAfter(lock, victim.pid)
    assert.equal(victim.child.signalCode, 'SIGKILL')
    assert.ok((await leftMs) > 0)
  })

  it('kill at once when the lock is lost without notice', async () => {
    const { lock, victim } = await guard(ignoringTerm)
    const before = performance.now()
    lock.lose()
    await eventually('it ended', () => !runs(victim.pid))
    assert.ok(performance.now() - before < 1000)
  })

  it('give a holder without a command time to take notice of the loss', async () => {
    const { held, lock, events, hangUp } = await hold('deploy', 1500)
    lock.failRenewals()
    sessions.heartbeat(held.session)
    assert.deepEqual((await events.next()).value, { event: 'lost', data: { reason: 'lost' } })
    assert.equal(lock.releasedAt, undefined)
    hangUp()
    await eventually('it is released', () => lock.releasedAt !== undefined)
  })

  it('take one group a session, and none once it ends', async () => {
    const { held, victim } = await guard(sleeping)
    assert.throws(() => sessions.guard(held.session, victim.group.name), { code: 'ERR_LOCK_GROUP' })
    const ending = sessions.release(held.session)
    assert.throws(() => sessions.guard(held.session, victim.group.name), { code: 'ERR_LOCK_SESSION' })
    await ending
  })

  it('know no session that they did not make', async () => {
    await hold()
    for (const id of ['', 'x', '__proto__']) {
      assert.throws(() => sessions.heartbeat(id), { code: 'ERR_LOCK_SESSION' })
    }
  })

  it('do not wait where they are only to try', async () => {
    const { held } = await hold()
    const attempt = () => sessions.hold(mutex, { name: 'deploy', isTry: true }, new AbortController().signal)
    await assert.rejects(attempt().next(), { code: 'ERR_LOCK_HELD' })
    await sessions.release(held.session)
    assert.equal((await attempt().next()).value?.event, 'held')
  })

  it('are 128 at most, whether they hold or wait, and make room as they end', async () => {
    const clients: Client[] = []
    for (let at = 0; at < 128; at++) clients.push(await hold(`lock ${at}`))
    await assert.rejects(hold('one more'), { code: 'ERR_TOO_MANY' })
    clients[0]?.hangUp()
    await eventually('there is room', () => hold('one more').catch(() => undefined))
  })

  it('end commands, release, and let nobody wait when the daemon ends', async () => {
    const gentle = await guard("trap 'exit 3' TERM; echo ready; while :; do sleep 0.02; done")
    const other = await hold('other')
    const stubborn = await startVictim(ignoringTerm)
    sessions.guard(other.held.session, stubborn.group.name)
    const waiting = sessions
      .hold(mutex, { name: 'deploy', isTry: false }, new AbortController().signal)
      .next()
    waiting.catch(() => {})
    await eventually('it waits', async () => (await mutex.locks('deploy')).locks[0]?.waiters.length === 1)
    const before = performance.now()
    await sessions.close()
    assert.ok(performance.now() - before < 2000)
    assert.equal(gentle.victim.child.exitCode, 3)
    assert.equal(runs(stubborn.pid), false)
    assert.notEqual(gentle.lock.releasedAt, undefined)
    assert.notEqual(other.lock.releasedAt, undefined)
    assert.deepEqual((await gentle.events.next()).value, { event: 'lost', data: { reason: 'stopping' } })
    await assert.rejects(waiting, { code: 'ERR_STOPPING' })
    await assert.rejects(hold('late'), { code: 'ERR_STOPPING' })
  })
})
