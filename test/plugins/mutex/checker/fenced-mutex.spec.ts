import assert from 'node:assert/strict'
import { checkMutex, mutexProperties } from '../../../../plugins/mutex/checker/fenced-mutex.ts'
import type { MutexBounds } from '../../../../plugins/mutex/checker/history.ts'
import { bounds, Log } from './log.ts'

function broken(log: Log, given: Partial<MutexBounds> = {}): readonly string[] {
  const { violations } = checkMutex(log.events, { ...bounds, ...given })
  return violations.map(({ property }) => property)
}

describe('the checker of locks', () => {
  it('passes who enters one after the other with rising tokens, and counts', () => {
    const log = new Log().visit('a', 1).visit('b', 2).visit('a', 7)
    const { violations, figures } = checkMutex(log.events, bounds)
    assert.deepEqual(violations, [])
    const { events, locks, entries, released, requests, highestToken, medianWaitMs, longestWaitMs } = figures
    assert.deepEqual(
      { events, locks, entries, released, requests, highestToken, medianWaitMs, longestWaitMs },
      {
        ...{ events: 12, locks: 1, entries: 3, released: 3, requests: 3 },
        ...{ highestToken: 7, medianWaitMs: 10, longestWaitMs: 10 },
      },
    )
  })

  it('has nothing to say of nothing', () => {
    const { violations, figures } = checkMutex([], bounds)
    assert.deepEqual(violations, [])
    const { highestToken, longestWaitMs, jain, overtaking, takeovers } = figures
    assert.deepEqual([highestToken, longestWaitMs, jain, overtaking, takeovers], [null, null, null, null, []])
  })

  it('sorts what several processes stamped, and keeps the order of what has one time', () => {
    const log = new Log().visit('a', 1).visit('b', 2)
    assert.deepEqual(broken(Object.assign(new Log(), { events: log.events.toReversed() })), [])
    const at = 50
    const handover = new Log()
      .enter('a', 1)
      .add({ type: 'left', lock: 'door', peer: 'a', life: 1, token: 1, how: 'released', at })
    assert.deepEqual(
      broken(handover.add({ type: 'entered', lock: 'door', peer: 'b', life: 1, token: 2, at })),
      [],
    )
  })

  it('judges each lock by itself', () => {
    const log = new Log().enter('a', 1)
    log.add({ type: 'entered', lock: 'window', peer: 'b', life: 1, token: 1 })
    assert.deepEqual(broken(log), [])
  })

  it('names only properties that it lists', () => {
    assert.equal(new Set<string>(mutexProperties).size, mutexProperties.length)
    const known = new Set<string>(mutexProperties)
    const log = new Log().enter('a', 2).enter('b', 1).show(9, true).show(3, true).leave('c', 1)
    const found = broken(log)
    assert.equal(found.length, 6)
    assert.ok(found.every((property) => known.has(property)))
  })

  describe('exclusion', () => {
    it('finds two holders at once', () => {
      assert.deepEqual(broken(new Log().enter('a', 1).enter('b', 2).leave('a', 1).leave('b', 2)), [
        'exclusion',
      ])
    })

    it('finds who enters beside one that never left, whoever came and went between', () => {
      const log = new Log().enter('a', 1).enter('b', 2).leave('b', 2).enter('c', 3).leave('c', 3)
      assert.deepEqual(broken(log), ['exclusion', 'exclusion'])
    })

    it('takes another life of the same peer for somebody else', () => {
      const log = new Log().enter('a', 1)
      log.add({ type: 'entered', lock: 'door', peer: 'a', life: 2, token: 2 })
      assert.deepEqual(broken(log), ['exclusion'])
    })

    it('lets enter who comes when the time of the last one is over, although it has not noticed', () => {
      const log = new Log().enter('a', 1, undefined, { until: 100 }).wait(80)
      assert.deepEqual(broken(log.enter('b', 2).leave('a', 1, 'lost').leave('b', 2)), [])
    })

    it('counts the time that a renewal gave', () => {
      const log = new Log().enter('a', 1, undefined, { until: 100 }).renew('a', 1, 300).wait(80)
      assert.deepEqual(broken(log.enter('b', 2)), ['exclusion'])
    })

    it('is not asked of clocks that run as they like', () => {
      assert.deepEqual(broken(new Log().enter('a', 1).enter('b', 2), { timely: false }), [])
    })
  })

  describe('expiry', () => {
    it('finds a renewal after the end', () => {
      const log = new Log().enter('a', 1, undefined, { until: 100 }).wait(90).renew('a', 1, 300)
      assert.deepEqual(broken(log), ['expiry'])
    })
  })

  describe('tokens', () => {
    it('finds one below that of somebody who was there before', () => {
      assert.deepEqual(broken(new Log().visit('a', 5).visit('b', 4).visit('a', 6)), ['tokens'])
    })

    it('finds one that was there before, also with clocks that run as they like', () => {
      const log = new Log().visit('a', 5).visit('b', 5)
      assert.deepEqual(broken(log), ['tokens'])
      assert.deepEqual(broken(log, { timely: false }), ['tokens'])
      assert.deepEqual(broken(new Log().visit('a', 5).visit('b', 4), { timely: false }), [])
    })

    it('finds none at all', () => {
      assert.deepEqual(broken(new Log().visit('a', 0).visit('b', 1.5)), ['tokens', 'tokens'])
    })
  })

  describe('fencing', () => {
    const visited = (): Log => new Log().visit('a', 1).visit('b', 2)

    it('passes a resource that takes the highest and refuses what is below', () => {
      const { violations, figures } = checkMutex(
        visited().show(1, true).show(1, true).show(2, true).show(1, false).events,
        bounds,
      )
      assert.deepEqual(violations, [])
      assert.deepEqual([figures.shown, figures.refused], [4, 1])
    })

    it('finds an old token that is taken, whatever the clocks do', () => {
      assert.deepEqual(broken(visited().show(2, true).show(1, true), { timely: false }), ['fencing'])
    })

    it('finds a refusal without a reason', () => {
      assert.deepEqual(broken(visited().show(1, true).show(2, false)), ['fencing'])
      assert.deepEqual(broken(visited().show(2, true).show(2, false)), ['fencing'])
    })

    it('finds a token that nobody got', () => {
      assert.deepEqual(broken(visited().show(3, true)), ['fencing'])
    })

    it('tells resources of one lock apart', () => {
      assert.deepEqual(broken(visited().show(2, true, 'file').show(1, true, 'table')), [])
    })
  })

  describe('answers', () => {
    it('finds a request that is never answered, unless whoever asked is gone', () => {
      const log = new Log()
      log.ask('a')
      assert.deepEqual(broken(log), ['answers'])
      assert.deepEqual(broken(log, { quietAtEnd: false }), [])
      assert.deepEqual(broken(log.add({ type: 'gone', peer: 'a', life: 2 })), ['answers'])
      assert.deepEqual(broken(log.add({ type: 'gone', peer: 'a', life: 1 })), [])
    })

    it('finds one that is answered twice', () => {
      const log = new Log()
      assert.deepEqual(broken(log.answer(log.ask('a'), 'held').answer(1, 'cancelled')), ['answers'])
    })

    it('finds somebody who enters and is told otherwise, or the reverse', () => {
      const log = new Log()
      const request = log.ask('a')
      log.add({ type: 'entered', lock: 'door', peer: 'a', life: 1, token: 1, request })
      assert.deepEqual(broken(log.answer(request, 'no-quorum')), ['answers'])
      const told = new Log()
      assert.deepEqual(broken(told.answer(told.ask('a'), 'entered')), ['answers'])
    })

    it('finds who enters twice with one request', () => {
      const log = new Log()
      const request = log.ask('a')
      log.enter('a', 1, request).leave('a', 1)
      assert.deepEqual(
        broken(log.add({ type: 'entered', lock: 'door', peer: 'a', life: 1, token: 2, request })),
        ['answers'],
      )
    })
  })

  describe('quorum', () => {
    const lost = { type: 'quorum', reachable: false } as const
    const back = { type: 'quorum', reachable: true } as const

    it('lets enter who had asked before, and who enters once there may be one again', () => {
      const log = new Log()
      const early = log.ask('a')
      log.add(lost).enter('a', 1, early).leave('a', 1)
      const late = log.ask('b')
      assert.deepEqual(broken(log.add(back).enter('b', 2, late)), [])
    })

    it('finds who asks and enters without one', () => {
      assert.deepEqual(broken(new Log().add(lost).visit('a', 1)), ['quorum'])
      const onlyB = new Log().add({ ...lost, peer: 'b' })
      assert.deepEqual(broken(onlyB.visit('a', 1).visit('b', 2)), ['quorum'])
    })

    it('finds who is not told in time', () => {
      const log = new Log().add(lost)
      const request = log.ask('a')
      assert.deepEqual(broken(log.wait(100).answer(request, 'no-quorum')), ['quorum'])
      const inTime = new Log().add(lost)
      assert.deepEqual(broken(inTime.answer(inTime.ask('a'), 'no-quorum').wait(200).add(back)), [])
    })

    it('counts from when the last one went, of who asked before', () => {
      const log = new Log()
      const request = log.ask('a')
      log.wait(500).add(lost)
      assert.deepEqual(broken(log.wait(50).answer(request, 'no-quorum')), [])
      log.events.pop()
      assert.deepEqual(broken(log.wait(100).answer(request, 'no-quorum')), ['quorum'])
    })

    it('excuses who is gone, and who was saved by its return', () => {
      const log = new Log().add(lost)
      log.ask('a')
      log.add({ type: 'gone', peer: 'a', life: 1 })
      const other = log.ask('b')
      assert.deepEqual(broken(log.wait(50).add(back).wait(200).enter('b', 1, other)), [])
    })
  })

  describe('progress', () => {
    const calm = { type: 'calm', calm: true } as const

    it('finds who waits too long while nothing happens', () => {
      const log = new Log().add(calm)
      const request = log.ask('a')
      assert.deepEqual(broken(log.wait(100).enter('a', 1, request)), ['progress'])
    })

    it('begins to count when it gets calm, and ends with it', () => {
      const log = new Log()
      const request = log.ask('a')
      log.wait(500).add(calm).wait(50).add({ type: 'calm', calm: false })
      assert.deepEqual(broken(log.wait(500).enter('a', 1, request)), [])
    })

    it('finds who is told that there is no quorum although nothing happened', () => {
      const log = new Log().add(calm)
      assert.deepEqual(broken(log.answer(log.ask('a'), 'no-quorum')), ['progress'])
      const before = new Log()
      assert.deepEqual(broken(before.answer(before.ask('a'), 'no-quorum').add(calm)), [])
    })
  })

  describe('overtaking', () => {
    /** `b` waits at a quorum while `a` asks anew and enters so often. */
    const waiting = (times: number, before = new Log()): Log => {
      const request = before.ask('b')
      before.add({ type: 'queued', request })
      for (let token = 1; token <= times; token++) before.visit('a', token)
      return before.enter('b', times + 1, request).leave('b', times + 1)
    }

    it('lets each caller come once', () => {
      const { violations, figures } = checkMutex(waiting(1).events, bounds)
      assert.deepEqual([violations, figures.overtaking], [[], 1])
    })

    it('finds who comes twice', () => {
      assert.deepEqual(broken(waiting(2)), ['overtaking'])
      assert.equal(checkMutex(waiting(5).events, bounds).figures.overtaking, 5)
      assert.deepEqual(broken(waiting(5), { overtaking: Number.POSITIVE_INFINITY }), [])
    })

    it('finds it also of one that is never served', () => {
      const log = waiting(2)
      const endless = log.events.filter(
        (event) => !('peer' in event) || event.peer !== 'b' || event.type === 'asked',
      )
      const open = Object.assign(new Log(), { events: endless.slice(0, -1) })
      assert.deepEqual(broken(open, { quietAtEnd: false }), ['overtaking'])
    })

    it('tells callers of one peer apart', () => {
      const log = new Log()
      const request = log.ask('b')
      log.add({ type: 'queued', request }).visit('a', 1, 'a one').visit('a', 2, 'a two')
      assert.deepEqual(broken(log.enter('b', 3, request)), [])
    })

    it('does not count who had asked before', () => {
      const log = new Log()
      const [first, second] = [log.ask('a', { caller: 'one' }), log.ask('a', { caller: 'one too' })]
      const request = log.ask('b')
      log
        .add({ type: 'queued', request })
        .enter('a', 1, first)
        .leave('a', 1)
        .enter('a', 2, second)
        .leave('a', 2)
      const { violations, figures } = checkMutex(log.enter('b', 3, request).events, bounds)
      assert.deepEqual([violations, figures.overtaking], [[], 0])
    })

    it('looks at calms alone where the history knows of them', () => {
      assert.deepEqual(broken(waiting(2).add({ type: 'calm', calm: true })), [])
      assert.deepEqual(broken(waiting(2, new Log().add({ type: 'calm', calm: true })), { calmMs: 1000 }), [
        'overtaking',
      ])
    })
  })

  describe('votes', () => {
    const three = (): Log => new Log().add({ type: 'voters', version: 1, voters: ['x', 'y', 'z'] })
    const backed = (): { log: Log; request: number } => {
      const log = three()
      const request = log.ask('a')
      log.vote('x', request, 1000).vote('y', request, 1000)
      return { log, request }
    }

    it('pass who entered on a quorum and left before it ran out', () => {
      const { log, request } = backed()
      assert.deepEqual(
        broken(log.enter('a', 1, request, { version: 1 }).leave('a', 1).free('x', request)),
        [],
      )
    })

    it('are too few', () => {
      const log = three()
      const request = log.ask('a')
      log.vote('x', request, 1000).enter('a', 1, request, { version: 1 }).leave('a', 1)
      assert.deepEqual(broken(log), ['quorum-votes'])
    })

    it('are not of voters, or of one twice, or of two versions', () => {
      const strangers = three()
      const first = strangers.ask('a')
      strangers.vote('x', first, 1000).vote('stranger', first, 1000)
      assert.deepEqual(broken(strangers.enter('a', 1, first, { version: 1 }).leave('a', 1)), ['quorum-votes'])
      const twice = three()
      const second = twice.ask('a')
      twice.vote('x', second, 1000).vote('x', second, 1000)
      assert.deepEqual(broken(twice.enter('a', 1, second, { version: 1 }).leave('a', 1)), ['quorum-votes'])
      const mixed = three().add({ type: 'voters', version: 2, voters: ['x', 'y', 'z'] })
      const third = mixed.ask('a')
      mixed.vote('x', third, 1000).vote('y', third, 1000, 2)
      assert.deepEqual(broken(mixed.enter('a', 1, third, { version: 2 }).leave('a', 1)), ['quorum-votes'])
    })

    it('are two of one arbiter at once', () => {
      const { log } = backed()
      const other = log.ask('b')
      assert.deepEqual(broken(log.vote('x', other, 2000).answer(other, 'cancelled').answer(1, 'held')), [
        'one-vote',
      ])
    })

    it('may go to the next when they were freed or ran out', () => {
      const { log, request } = backed()
      const other = log.answer(request, 'cancelled').ask('b')
      log.free('x', request).vote('x', other, 2000).wait(1000).vote('y', other, 2000)
      assert.deepEqual(broken(log.answer(other, 'cancelled')), [])
    })

    it('cannot be extended once they ran out', () => {
      const { log, request } = backed()
      log.answer(request, 'cancelled').wait(1000).extend('x', request, 3000)
      assert.deepEqual(broken(log), ['one-vote'])
      assert.deepEqual(broken(log, { timely: false }), ['one-vote'])
    })

    it('run out below a holder that goes on', () => {
      const { log, request } = backed()
      log.enter('a', 1, request, { version: 1, until: 1100 })
      assert.deepEqual(broken(log), ['backing'])
      assert.deepEqual(broken(log, { timely: false }), [])
    })

    it('are extended below one that goes on', () => {
      const { log, request } = backed()
      log.enter('a', 1, request, { version: 1, until: 900 })
      assert.deepEqual(
        broken(log.extend('x', request, 1500).extend('y', request, 1500).renew('a', 1, 1400)),
        [],
      )
    })

    it('are taken over by the next version', () => {
      const { log, request } = backed()
      log.enter('a', 1, request, { version: 1, until: 900 })
      log.add({ type: 'voters', version: 2, voters: ['x', 'u', 'v'] })
      log.vote('u', request, 2000, 2).vote('v', request, 2000, 2)
      assert.deepEqual(broken(log.renew('a', 1, 1900)), [])
    })
  })

  describe('recording', () => {
    it('finds who leaves without having entered', () => {
      assert.deepEqual(broken(new Log().leave('a', 1)), ['recording'])
      assert.deepEqual(broken(new Log().visit('a', 1).leave('a', 1)), ['recording'])
    })

    it('finds what nobody asked for', () => {
      assert.deepEqual(broken(new Log().answer(9, 'held')), ['recording'])
      assert.deepEqual(broken(new Log().add({ type: 'queued', request: 9 })), ['recording'])
      assert.deepEqual(broken(new Log().visit('a', 1).enter('b', 2).leave('b', 2)), ['recording'])
      const log = new Log()
      log.add({ type: 'entered', lock: 'door', peer: 'a', life: 1, token: 1, request: 9 })
      assert.deepEqual(broken(log), ['recording'])
    })

    it("finds who enters with another one's request, or asks with one number twice", () => {
      const log = new Log()
      const request = log.ask('a')
      assert.deepEqual(
        broken(log.add({ type: 'entered', lock: 'door', peer: 'b', life: 1, token: 1, request })),
        ['recording', 'answers'],
      )
      const twice = new Log()
      twice
        .answer(twice.ask('a'), 'held')
        .add({ type: 'asked', lock: 'door', peer: 'a', life: 1, request: 1 })
      assert.deepEqual(broken(twice, { quietAtEnd: false }), ['recording'])
    })
  })

  describe('figures', () => {
    it('say who came after a holder that died or lost its lock, and when', () => {
      const log = new Log().enter('a', 1).leave('a', 1, 'died').wait(490).enter('b', 2).leave('b', 2, 'lost')
      const { takeovers, died, lost } = checkMutex(log.enter('c', 4).events, bounds).figures
      assert.deepEqual([died, lost], [1, 1])
      assert.deepEqual(takeovers, [
        { lock: 'door', peer: 'b', token: 2, ms: 500 },
        { lock: 'door', peer: 'c', token: 4, ms: 10 },
      ])
    })

    it('say how fairly callers were served', () => {
      const fair = new Log().visit('a', 1).visit('b', 2).visit('b', 3).visit('a', 4)
      assert.equal(checkMutex(fair.events, bounds).figures.jain, 1)
      const unfair = new Log().visit('a', 1).visit('a', 2)
      assert.equal(checkMutex(unfair.events, bounds).figures.jain, null)
      unfair.answer(unfair.ask('b'), 'held')
      assert.equal(checkMutex(unfair.events, bounds).figures.jain, 0.5)
    })

    it('count what was refused to callers', () => {
      const log = new Log()
      log.answer(log.ask('a'), 'held').answer(log.ask('b'), 'no-quorum').answer(log.ask('c'), 'held')
      const { held, noQuorum, requests } = checkMutex(log.events, bounds).figures
      assert.deepEqual([held, noQuorum, requests], [2, 1, 3])
    })
  })
})
