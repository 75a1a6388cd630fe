import assert from 'node:assert/strict'
import { mutexLimits } from '../../../../../plugins/mutex/core/limits.ts'
import { Asker, electorate, grantIn, has, OneArbiter, servedDisk } from './one-arbiter.ts'

describe('an arbiter of locks', () => {
  describe('and those who claim what is not theirs', () => {
    it('frees no vote because another peer lists the request', () => {
      const one = OneArbiter.serving()
      const holder = new Asker(one, 'holder')
      const thief = new Asker(one, 'thief')
      holder.sync()
      grantIn(holder.ask(5))
      thief.sync()
      thief.ask(9)
      thief.sync([holder.listed(5), thief.listed(9)])
      assert.equal(one.voteOf('a')?.peer, holder.peer)
    })

    it('ends no request because another peer says so', () => {
      const one = OneArbiter.serving()
      const holder = new Asker(one, 'holder')
      const thief = new Asker(one, 'thief')
      holder.sync()
      const vote = grantIn(holder.ask(5))
      const { request } = vote
      thief.sync()
      thief.say({ type: 'cancel', request, lock: 'a' })
      thief.say({ type: 'release', request, lock: 'a', token: 1, grants: [] })
      thief.say({ type: 'relinquish', vote })
      assert.equal(one.voteOf('a')?.peer, holder.peer)
    })

    it('serves nobody first who claims, in asking, to have entered', () => {
      const one = OneArbiter.serving()
      const [first, second, cheat] = ['first', 'second', 'cheat'].map((name) => new Asker(one, name))
      assert.ok(first !== undefined && second !== undefined && cheat !== undefined)
      for (const peer of [first, second, cheat]) peer.sync()
      first.ask(5)
      second.ask(7)
      cheat.ask(50, { token: 1 })
      first.release(5, 1)
      assert.equal(one.voteOf('a')?.peer, second.peer)
    })

    it('takes a lock a job, thousands of them within a lease', () => {
      const one = OneArbiter.serving()
      const worker = new Asker(one, 'worker')
      worker.sync()
      for (let job = 1; job <= mutexLimits.locks + 100; job += 1) {
        const lock = `job ${job}`
        const items = worker.ask(job, { lock, timestamp: one.tick() })
        assert.ok(has(items, 'grant'), `${lock}: ${JSON.stringify(items)}`)
        worker.release(job, 1, lock)
      }
    })
  })

  describe('at the end of its service', () => {
    it('confirms nothing that waited for a higher ceiling when it is sealed', () => {
      const one = OneArbiter.serving()
      const peer = new Asker(one, 'peer')
      peer.sync()
      const vote = grantIn(peer.ask(1))
      assert.deepEqual(peer.say({ type: 'confirm', vote, token: 1_000_000 }), [])
      one.arbiter.seal()
      const { floor } = one.arbiter.report()
      one.acknowledge()
      assert.deepEqual(peer.hear(), [])
      assert.equal(one.arbiter.report().floor, floor)
    })

    it('confirms nothing that waited for a higher ceiling when it has stopped', () => {
      const one = OneArbiter.serving()
      const peer = new Asker(one, 'peer')
      peer.sync()
      const vote = grantIn(peer.ask(1))
      assert.deepEqual(peer.say({ type: 'confirm', vote, token: 1_000_000 }), [])
      one.arbiter.stop()
      one.acknowledge()
      assert.deepEqual(peer.hear(), [])
    })
  })

  describe('after a clean stop', () => {
    const grant = { generation: 1, counter: 3 }

    it('asks a vote back for a better request, and has the old one wait in its place', () => {
      const holder = { peer: 'late', generation: 1, counter: 7 } as ReturnType<Asker['listed']>['request']
      const vote = { lock: 'a', request: holder, grant, level: 5, leaseMs: 10_000, remainingMs: 9000 }
      const one = new OneArbiter(servedDisk({}, { abstainsForMs: 0, inherited: [], votes: [vote] }), 2)
      one.serve()
      const late = new Asker(one, 'late')
      const early = new Asker(one, 'early')
      assert.ok(has(late.sync([late.listed(7, { timestamp: 70, grant })]), 'answer'))
      early.sync()
      assert.ok(!has(early.ask(6, { timestamp: 60 }), 'grant'))
      assert.ok(has(late.hear(), 'inquire'))
      late.say({ type: 'relinquish', vote: { request: holder, grant } })
      assert.ok(has(early.hear(), 'grant'))
    })

    it('goes on blocking for whoever holds from before, also when the vote for it was lost on the way', () => {
      const holder = { peer: 'holder', generation: 1, counter: 7 } as ReturnType<Asker['listed']>['request']
      const held = { lock: 'a', request: holder, remainingMs: 9000 }
      const one = new OneArbiter(servedDisk({}, { abstainsForMs: 0, inherited: [held], votes: [] }), 2)
      one.serve()
      const [late, early] = [new Asker(one, 'holder'), new Asker(one, 'early')]
      const listed = late.listed(7, { timestamp: 70, token: 27 })
      assert.ok(has(late.sync([listed]), 'grant'))
      early.sync()
      assert.ok(!has(early.ask(6, { timestamp: 60 }), 'grant'))
      // A new session, in which it names no vote: the one that was given never came.
      assert.ok(has(late.sync([listed]), 'grant'))
      assert.ok(!has(early.hear(), 'grant'))
      late.release(7, 27)
      assert.ok(has(early.hear(), 'grant'))
    })

    it('forgets what it left as soon as a later version is installed, though it has not served yet', () => {
      const disk = servedDisk({}, { abstainsForMs: 0, inherited: [], votes: [] })
      const one = new OneArbiter(disk, 2)
      const holder = new Asker(one, 'holder').listed(1).request
      const held = { lock: 'a', request: holder, remainingMs: 9000 }
      one.arbiter.seal()
      const report = { floor: 7, grants: [held], unknownForMs: 0, longestLeaseMs: 10_000 }
      one.arbiter.install({ ...electorate, version: 2 }, [report])
      // Ended before it served: what it had inherited is nowhere on its disk.
      const next = new OneArbiter(disk, 3)
      assert.ok(next.arbiter.state.abstainsForMs >= held.remainingMs)
      next.serve()
      const peer = new Asker(next, 'peer')
      peer.sync([], 2)
      assert.ok(!has(peer.ask(1), 'grant'))
    })
  })
})
