import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { PeerId } from '../../../lib/protocols/core.ts'
import type { MutexFailure } from '../../../plugins/mutex/core/messages.ts'
import { mutexMetrics } from '../../../plugins/mutex/metrics.ts'
import type { Clocks } from '../../../plugins/mutex/suspend-watch.ts'
import { eventually } from '../../support/eventually.ts'
import { FakeCore, other, self, third } from './fake-core.ts'

describe('the locks of an app', () => {
  let core: FakeCore
  let asleep = 0
  const clocks: Clocks = {
    monotonic: () => performance.now(),
    wall: () => Date.now(),
    boot: () => Math.floor((performance.now() + asleep) / 10) * 10,
    rest: () => {},
  }

  beforeEach(() => {
    asleep = 0
    core = new FakeCore(clocks).start()
  })

  afterEach(() => core.service.end())

  const held = async (name = 'deploy', forMs = 5000) => {
    const lock = core.service.acquire(name)
    core.grant(1, forMs)
    return await lock
  }

  describe('acquire', () => {
    it('asks with the configured lease, and gives name, token and time', async () => {
      const asked = core.service.acquire('deploy')
      assert.deepEqual(core.last('acquire'), {
        type: 'acquire',
        token: core.last('acquire').token,
        lock: 'deploy',
        leaseMs: 10_000,
        waitMs: undefined,
      })
      core.grant(42)
      const lock = await asked
      assert.deepEqual([lock.name, lock.token, lock.leaseMs], ['deploy', 42, 10_000])
      assert.ok(lock.validForMs > 4000 && lock.validForMs <= 5000)
      assert.equal(lock.signal.aborted, false)
    })

    it('asks for no more than the electorate grants when the caller names no lease', () => {
      core.electorate = { ...core.electorate, maxLeaseMs: 2000 }
      core.service.acquire('deploy').catch(() => {})
      assert.equal(core.last('acquire').leaseMs, 2000)
    })

    it('refuses names, leases and waits that are none, before anything is sent', async () => {
      const names = ['', 'x'.repeat(257), 'ü'.repeat(129), 'a\nb', 'a\u0085b', '\ud800', 7, undefined]
      for (const name of names) {
        await assert.rejects(core.service.acquire(name as string), { code: 'ERR_LOCK_NAME' })
      }
      for (const leaseMs of [499, 20_001, Number.NaN, -1]) {
        await assert.rejects(core.service.acquire('x', { leaseMs }), { code: 'ERR_LEASE' })
      }
      for (const waitMs of [-1, Number.NaN]) {
        await assert.rejects(core.service.acquire('x', { waitMs }), { code: 'ERR_BAD_OPTION' })
      }
      await assert.rejects(core.service.locks('a\tb'), { code: 'ERR_LOCK_NAME' })
      assert.deepEqual(core.all('acquire'), [])
      const { failed } = core.service.counters()
      assert.deepEqual([failed.ERR_LOCK_NAME, failed.ERR_LEASE], [names.length, 4])
    })

    it('takes names of 256 bytes, and the shortest and the longest lease', () => {
      core.service.acquire('ü'.repeat(128), { leaseMs: 500 }).catch(() => {})
      core.service.acquire('a b', { leaseMs: 20_000, waitMs: 0 }).catch(() => {})
      core.service.acquire('whole', { leaseMs: 700.4 }).catch(() => {})
      assert.deepEqual(
        core.all('acquire').map(({ leaseMs }) => leaseMs),
        [500, 20_000, 700],
      )
    })

    it('says why it failed, each with its code', async () => {
      const failures: readonly (readonly [MutexFailure, string])[] = [
        [{ type: 'held' }, 'ERR_LOCK_HELD'],
        [{ type: 'no-electorate' }, 'ERR_NO_ELECTORATE'],
        [{ type: 'stopped' }, 'ERR_STOPPED'],
        [{ type: 'refused', reason: 'timestamp-too-far' }, 'ERR_LOCK_REFUSED'],
        [{ type: 'refused', reason: 'too-many' }, 'ERR_TOO_MANY'],
        [{ type: 'refused', reason: 'lease-too-long' }, 'ERR_LEASE'],
      ]
      for (const [failure, code] of failures) {
        const asked = core.service.acquire('deploy')
        core.emit({ type: 'failed', token: core.last('acquire').token, failure })
        await assert.rejects(asked, (error: { readonly code: string; readonly hint: string }) => {
          assert.equal(error.code, code)
          assert.ok(code === 'ERR_STOPPED' || error.hint.length > 10)
          return true
        })
        assert.equal(core.service.counters().failed[code], 1)
      }
    })

    it('says that the own abstention is why a lock is not to be had, when it is', async () => {
      const hold = async () => {
        const asked = core.service.acquire('deploy', { waitMs: 1 })
        core.emit({ type: 'failed', token: core.last('acquire').token, failure: { type: 'held' } })
        return await asked.catch((error: Error) => error.message)
      }
      assert.match(String(await hold()), /somebody holds it/)
      core.electorate = { ...core.electorate, abstainsForMs: 7100 }
      assert.match(String(await hold()), /abstains for 8 s more/)
    })

    it('names the voters that are missing', async () => {
      const asked = core.service.acquire('deploy')
      const { token } = core.last('acquire')
      core.emit({ type: 'failed', token, failure: { type: 'no-quorum', missing: [other, third] } })
      await assert.rejects(asked, {
        code: 'ERR_NO_QUORUM',
        message: `1 of 3 voters answer, and it takes more than half; missing: berta (${other}), ${third}`,
      })
    })

    it('waits until this life is settled, and counts that time as waited', async () => {
      core = new FakeCore(clocks)
      const [first, given] = [new AbortController(), core.service.acquire('a', { waitMs: 10_000 })]
      const aborted = core.service.acquire('b', { signal: first.signal })
      first.abort(new Error('enough'))
      await assert.rejects(aborted, { message: 'enough' })
      assert.deepEqual(core.commands, [])
      core.start()
      assert.deepEqual(
        core.commands.map(({ type }) => type),
        ['start', 'acquire'],
      )
      const { waitMs } = core.last('acquire')
      assert.ok(waitMs !== undefined && waitMs < 10_000)
      core.grant()
      await given
    })

    it('gives up when told to, and whatever comes after that is nobody’s', async () => {
      const controller = new AbortController()
      const asked = core.service.acquire('deploy', { signal: controller.signal })
      const { token } = core.last('acquire')
      controller.abort(new Error('enough'))
      await assert.rejects(asked, { message: 'enough' })
      assert.equal(core.last('release').token, token)
      core.grant()
      core.emit({ type: 'failed', token, failure: { type: 'held' } })
      const { acquired, held, waiting, failed } = core.service.counters()
      assert.deepEqual([acquired, held, waiting], [0, 0, 0])
      assert.ok(Object.values(failed).every((count) => count === 0))
      await assert.rejects(core.service.acquire('deploy', { signal: controller.signal }), {
        message: 'enough',
      })
      assert.equal(core.all('acquire').length, 1)
    })

    it('does not let go of a lock whose caller aborts after it was granted', async () => {
      const controller = new AbortController()
      const asked = core.service.acquire('deploy', { signal: controller.signal })
      core.grant()
      controller.abort()
      const lock = await asked
      assert.ok(lock.validForMs > 0)
      assert.deepEqual(core.all('release'), [])
    })

    it('gives nothing, or the lock, to who only tries', async () => {
      const tried = core.service.tryAcquire('deploy')
      assert.equal(core.last('acquire').waitMs, 0)
      core.emit({ type: 'failed', token: core.last('acquire').token, failure: { type: 'held' } })
      assert.equal(await tried, undefined)
      const again = core.service.tryAcquire('deploy')
      core.grant(3)
      assert.equal((await again)?.token, 3)
      const third = core.service.tryAcquire('deploy')
      const failure = { type: 'no-quorum', missing: [] } as const
      core.emit({ type: 'failed', token: core.last('acquire').token, failure })
      await assert.rejects(third, { code: 'ERR_NO_QUORUM' })
    })

    it('has a limit on what is held and waited for', async () => {
      const asked = Array.from({ length: 1024 }, (_, i) => core.service.acquire(`lock ${i}`))
      for (const one of asked) one.catch(() => {})
      await assert.rejects(core.service.acquire('one more'), { code: 'ERR_TOO_MANY' })
      assert.equal(core.service.counters().waiting, 1024)
    })
  })

  describe('a lock that is held', () => {
    it('is released once, and resolves when the voters have been told', async () => {
      const lock = await held()
      let told = false
      const releasing = Promise.all([lock.release(), lock.release(), lock[Symbol.asyncDispose]()]).then(
        () => {
          told = true
        },
      )
      assert.equal(lock.validForMs, 0)
      assert.equal(core.all('release').length, 1)
      await new Promise(setImmediate)
      assert.equal(told, false)
      core.emit({ type: 'released', token: core.last('release').token })
      await releasing
      assert.equal(lock.signal.aborted, false)
      await lock.release()
      const { released, lost, held: still } = core.service.counters()
      assert.deepEqual([released, lost, still], [1, 0, 0])
    })

    it('is valid for as long as the core says by the clock of now, renewals included', async () => {
      const lock = await held('deploy', 50)
      const { token } = core.last('acquire')
      assert.ok(lock.validForMs <= 50)
      core.valid.set(token, performance.now() + 9000)
      assert.ok(lock.validForMs > 8000)
      core.valid.set(token, performance.now() - 1)
      assert.equal(lock.validForMs, 0)
      core.valid.delete(token)
      assert.equal(lock.validForMs, 0)
    })

    it('says that it is lost, and takes a release after that', async () => {
      const lock = await held()
      const { token } = core.last('acquire')
      core.emit({ type: 'lost', token, reason: 'expired' })
      assert.equal(lock.signal.aborted, true)
      assert.equal(lock.signal.reason.code, 'ERR_LOCK_LOST')
      assert.equal(lock.validForMs, 0)
      assert.deepEqual(core.all('release'), [], 'its owner may still be at work')
      await lock.release()
      await lock.release()
      assert.deepEqual(core.all('release'), [{ type: 'release', token }])
      assert.equal(core.service.counters().lost, 1)
      core.emit({ type: 'released', token })
      assert.equal(core.service.counters().released, 0)
    })

    it('is lost by the clock, though the event of the core waits for the disk', async () => {
      const [short, long] = [await held('short', 60), await held('long', 5000)]
      const [first] = core.all('acquire')
      await eventually('lost', () => short.signal.aborted)
      assert.equal(short.signal.reason.code, 'ERR_LOCK_LOST')
      assert.equal(long.signal.aborted, false)
      core.emit({ type: 'lost', token: first?.token ?? 0, reason: 'expired' })
      assert.equal(core.service.counters().lost, 1)
    })

    it('is not lost while renewals move its end', async () => {
      const lock = await held('deploy', 400)
      const { token } = core.last('acquire')
      for (let i = 0; i < 10; i += 1) {
        core.valid.set(token, performance.now() + 400)
        await delay(50)
        assert.equal(lock.signal.aborted, false)
      }
      await eventually('lost', () => lock.signal.aborted)
    })

    it('is not lost to who has released it', async () => {
      const lock = await held()
      const releasing = lock.release()
      core.emit({ type: 'lost', token: core.last('acquire').token, reason: 'expired' })
      await releasing
      assert.equal(lock.signal.aborted, false)
      assert.equal(core.service.counters().lost, 0)
    })

    it('is lost at the look that finds that the machine slept, before the core says so', async () => {
      const [one, two] = [await held('one'), await held('two')]
      asleep = 60
      assert.equal(one.validForMs, 0)
      assert.equal(core.all('slept').length, 1)
      for (const lock of [one, two]) {
        assert.equal(lock.signal.reason?.code, 'ERR_LOCK_LOST')
        assert.match(lock.signal.reason.message, /slept/)
      }
      for (const { token } of core.all('acquire')) core.emit({ type: 'lost', token, reason: 'slept' })
      assert.equal(core.service.counters().lost, 2)
    })

    it('is lost soon after a sleep also to a holder that never looks', async () => {
      const lock = await held()
      asleep = 60
      await eventually('lost', () => lock.signal.aborted)
      assert.equal(core.all('slept').length, 1)
    })

    it('is asked for anew when its lease ran out before its caller could be told', async () => {
      const asked = core.service.acquire('deploy', { waitMs: 9000 })
      const late = core.grant(5, -1)
      assert.equal(core.last('release').token, late)
      assert.ok((core.last('acquire').waitMs ?? 0) < 9000)
      core.grant(6)
      assert.equal((await asked).token, 6)
      assert.deepEqual(core.all('slept'), [])
    })

    it('is asked for anew when the machine slept between request and grant', async () => {
      const asked = core.service.acquire('deploy')
      asleep = 60
      const before = core.grant(5)
      assert.deepEqual(
        core.commands.map(({ type }) => type),
        ['start', 'acquire', 'release', 'slept', 'acquire'],
      )
      assert.equal(core.last('release').token, before)
      core.emit({ type: 'lost', token: before, reason: 'slept' })
      core.grant(6)
      const lock = await asked
      assert.equal(lock.token, 6)
      assert.ok(lock.validForMs > 0)
      assert.equal(core.service.counters().acquired, 1)
    })
  })

  describe('the voters', () => {
    it('are shown as the core sees them, and told to whoever watches', () => {
      const seen: number[] = []
      const end = core.service.watchElectorate(({ version }) => seen.push(version))
      core.service.watchElectorate(() => {
        throw new Error('of the app')
      })
      core.emit({ type: 'electorate', view: { ...core.electorate, version: 4 } })
      end()
      core.emit({ type: 'electorate', view: { ...core.electorate, version: 5 } })
      assert.deepEqual(seen, [4])
      assert.equal(core.troubles.length, 2)
      assert.equal(core.service.electorate(), core.electorate)
    })

    it('are changed by hand', async () => {
      core.answer = (command) => {
        if (command.type !== 'wish') return
        core.electorate = { ...core.electorate, version: 4 }
        core.emit({ type: 'wished', token: command.token, outcome: 'done', reason: '' })
      }
      assert.equal((await core.service.addVoter(other)).version, 4)
      assert.deepEqual(core.last('wish').wish, { type: 'add', peer: other })
      await assert.rejects(core.service.addVoter('nobody' as PeerId), { code: 'ERR_BAD_PEER_ID' })
      await core.service.removeVoter(third)
      assert.deepEqual(core.last('wish').wish, { type: 'remove', peer: third })
    })

    it('refuse a change with the reason, or for want of a quorum', async () => {
      const refuse = (reason: string) => {
        core.answer = (command) => {
          if (command.type === 'wish' || command.type === 'recover')
            core.emit({ type: 'wished', token: command.token, outcome: 'refused', reason })
        }
      }
      refuse('it votes already')
      await assert.rejects(core.service.addVoter(other), {
        code: 'ERR_VOTERS_REFUSED',
        message: /it votes already/,
      })
      await assert.rejects(core.service.recoverVoter(), { code: 'ERR_VOTERS_REFUSED' })
      assert.deepEqual(core.troubles, [])
      const voters = [self, other, third].map((peer) => ({ peer, answering: peer === self }))
      core.electorate = { ...core.electorate, reachable: false, voters }
      refuse('no-quorum')
      await assert.rejects(core.service.removeVoter(third), {
        code: 'ERR_NO_QUORUM',
        message: new RegExp(`berta \\(${other}\\), ${third}$`),
      })
    })

    it('leave an entry in the log when one is recovered by hand', async () => {
      core.answer = (command) => {
        if (command.type === 'recover')
          core.emit({ type: 'wished', token: command.token, outcome: 'done', reason: '' })
      }
      await core.service.recoverVoter()
      assert.deepEqual(
        core.troubles.map((trouble) => (trouble as { readonly code: string }).code),
        ['ERR_VOTER_RECOVERED'],
      )
    })

    it('let go of who leaves, or do not, unless it insists', async () => {
      let outcome: 'done' | 'refused' = 'done'
      core.answer = (command) => {
        if (command.type === 'wish')
          core.emit({ type: 'wished', token: command.token, outcome, reason: 'incomplete' })
      }
      await core.service.leave({ force: false })
      assert.deepEqual(core.last('wish').wish, { type: 'leave', peer: self })
      outcome = 'refused'
      await assert.rejects(core.service.leave({ force: false }), { code: 'ERR_LEAVE_INCOMPLETE' })
      await core.service.leave({ force: true })
      await new FakeCore().service.leave({ force: false })
    })

    it('tell which locks are held, to whom it still interests', async () => {
      const controller = new AbortController()
      const gone = core.service.locks('deploy', { signal: controller.signal })
      controller.abort(new Error('enough'))
      await assert.rejects(gone, { message: 'enough' })
      const asked = core.service.locks()
      assert.equal(core.last('inspect').lock, undefined)
      const [late, { token }] = [core.all('inspect')[0], core.last('inspect')]
      const view = { lock: 'deploy', holder: other, token: 3, expiresInMs: 900, waiters: [self] }
      core.emit({ type: 'inspected', token: late?.token ?? 0, locks: [], complete: false })
      core.emit({ type: 'inspected', token, locks: [view], complete: true })
      assert.deepEqual(await asked, { locks: [view], complete: true })
    })
  })

  describe('the end', () => {
    it('is waited for, and tells whoever waits or holds', async () => {
      const lock = await held()
      const waiting = core.service.acquire('other')
      const asking = core.service.locks()
      core.answer = ({ type }) => {
        if (type === 'stop') setImmediate(() => core.emit({ type: 'stopped' }))
      }
      const refused = Promise.all(
        [waiting, asking].map((promise) => assert.rejects(promise, { code: 'ERR_STOPPED' })),
      )
      await core.service.stop()
      await refused
      assert.equal(lock.signal.reason?.code, 'ERR_LOCK_LOST')
      assert.deepEqual(core.all('release'), [], 'its owner may still be at work: the lease has to run out')
      for (const late of [core.service.acquire('late'), core.service.locks(), core.service.addVoter(other)]) {
        await assert.rejects(late, { code: 'ERR_STOPPED' })
      }
    })

    it('comes within 1.5 s also when the disk hangs', async () => {
      const begun = performance.now()
      await core.service.stop()
      const tookMs = performance.now() - begun
      assert.ok(tookMs > 1400 && tookMs < 1900, `${tookMs}`)
    })

    it('comes at once before the beginning, and to who is releasing', async () => {
      const early = new FakeCore()
      const waiting = early.service.acquire('deploy')
      const refused = assert.rejects(waiting, { code: 'ERR_STOPPED' })
      await early.service.stop()
      await refused
      assert.deepEqual(early.commands, [])
      const lock = await held()
      const releasing = lock.release()
      core.service.end()
      await releasing
      assert.equal(lock.signal.aborted, false)
    })
  })

  it('counts what others do wrong, strikes who lies, and shows all of it as metrics', async () => {
    core.emit({ type: 'misbehaved', peer: other, reason: 'forged-grant' })
    core.emit({ type: 'misbehaved', peer: other, reason: 'forged-grant' })
    core.emit({ type: 'misbehaved', peer: third, reason: 'too-many' })
    assert.deepEqual(core.struck, [other, other], 'to ask for much is no lie')
    await held()
    core.electorate = { ...core.electorate, abstainsForMs: 1500 }
    const shown = new Map(
      mutexMetrics.flatMap(({ name, labels = [], samples }) =>
        samples(core.service).map(({ labels: values = {}, value }) => {
          assert.deepEqual(Object.keys(values), labels)
          return [[name, ...Object.values(values)].join(' '), value] as const
        }),
      ),
    )
    const expected = {
      'p2pd_mutex_misbehaviours_total forged-grant': 2,
      'p2pd_mutex_misbehaviours_total not-held': 0,
      'p2pd_mutex_failed_total ERR_NO_QUORUM': 0,
      p2pd_mutex_acquired_total: 1,
      p2pd_mutex_held: 1,
      p2pd_mutex_waiting: 0,
      p2pd_mutex_electorate_version: 3,
      p2pd_mutex_voters_answering: 3,
      p2pd_mutex_reachable: 1,
      p2pd_mutex_abstaining_seconds: 1.5,
      p2pd_mutex_conflicts: 0,
    }
    for (const [name, value] of Object.entries(expected)) assert.equal(shown.get(name), value, name)
    assert.ok(mutexMetrics.every(({ name, type }) => name.endsWith('_total') === (type === 'counter')))
  })
})
