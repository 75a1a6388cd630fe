import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Awareness } from '../../../../lib/protocols/membership/awareness.ts'
import { Credibility } from '../../../../lib/protocols/membership/credibility.ts'
import { Digest } from '../../../../lib/protocols/membership/digest.ts'
import { Dissemination, retransmitLimit } from '../../../../lib/protocols/membership/dissemination.ts'
import { comparePrecedence, type Rank } from '../../../../lib/protocols/membership/precedence.ts'
import { ProbeSchedule } from '../../../../lib/protocols/membership/probe-schedule.ts'
import { RoundTrip } from '../../../../lib/protocols/membership/round-trip.ts'
import { suspicionTimeoutMs } from '../../../../lib/protocols/membership/suspicion.ts'
import { id } from './lab.ts'

const rank = fc.record(
  {
    generation: fc.nat(3),
    incarnation: fc.nat(3),
    status: fc.constantFrom('alive' as const, 'suspect' as const, 'dead' as const, 'left' as const),
  },
  { noNullPrototype: true },
)

describe('precedence', () => {
  const merge = (a: Rank, b: Rank) => (comparePrecedence(a, b) >= 0 ? a : b)

  it('merges in any order and any number of times to the same', () => {
    fc.assert(
      fc.property(rank, rank, rank, (a, b, c) => {
        assert.deepEqual(merge(a, b), merge(b, a))
        assert.deepEqual(merge(merge(a, b), c), merge(a, merge(b, c)))
        assert.deepEqual(merge(a, a), a)
      }),
    )
  })
})

describe('the suspicion time-out', () => {
  const base = {
    n: 5,
    healthyOthers: 4,
    accusers: 1,
    credibleAccusers: 1,
    minMs: 3000,
    maxFactor: 6,
    isolated: false,
  }

  it('falls from the maximum to the minimum with three confirmations', () => {
    const at = (accusers: number) => suspicionTimeoutMs({ ...base, accusers, credibleAccusers: accusers })
    assert.equal(at(1), 18_000)
    assert.equal(at(4), 3000)
    assert.equal(at(9), 3000)
    assert.ok(at(2) < at(1) && at(3) < at(2) && at(4) < at(3))
    // max − (max − min)·log(2)/log(4)
    assert.ok(Math.abs(at(2) - 10_500) < 1e-6)
  })

  it('is the minimum when nobody could confirm, the maximum when this member may be the sick one', () => {
    assert.equal(suspicionTimeoutMs({ ...base, healthyOthers: 1 }), 3000)
    assert.equal(suspicionTimeoutMs({ ...base, accusers: 4, credibleAccusers: 4, isolated: true }), 18_000)
  })

  it('is not shortened by those who cried wolf', () => {
    assert.equal(suspicionTimeoutMs({ ...base, accusers: 3, credibleAccusers: 1 }), 18_000)
    assert.ok(suspicionTimeoutMs({ ...base, accusers: 3, credibleAccusers: 2 }) < 18_000)
  })

  it('grows with the logarithm of the cluster beyond ten', () => {
    const confirmed = { ...base, accusers: 4, credibleAccusers: 4 }
    assert.equal(suspicionTimeoutMs({ ...confirmed, n: 10 }), 3000)
    assert.equal(suspicionTimeoutMs({ ...confirmed, n: 100 }), 6000)
  })
})

describe('awareness', () => {
  it('stays between 0 and 8', () => {
    const awareness = new Awareness()
    for (let i = 0; i < 20; i++) awareness.probeFailed()
    assert.deepEqual([awareness.score, awareness.multiplier], [8, 9])
    for (let i = 0; i < 20; i++) awareness.probeSucceeded()
    assert.deepEqual([awareness.score, awareness.multiplier], [0, 1])
  })

  it('counts refutations at most once a period, which grows with it', () => {
    const awareness = new Awareness()
    for (const now of [0, 10, 900, 1000, 1500, 1999]) awareness.refuted(now, 1000)
    assert.equal(awareness.score, 1)
    for (const now of [2000, 2500, 4999]) awareness.refuted(now, 1000)
    assert.equal(awareness.score, 2)
  })
})

describe('credibility', () => {
  it('mutes for 60 s after three lone refutations in 60 s', () => {
    const credibility = new Credibility()
    credibility.refutedAlone('x', 0)
    credibility.refutedAlone('x', 30_000)
    credibility.refutedAlone('x', 61_000)
    assert.equal(credibility.isMuted('x', 61_000), false, 'the first is too old')
    credibility.refutedAlone('x', 62_000)
    assert.equal(credibility.isMuted('x', 62_000), true)
    assert.equal(credibility.isMuted('x', 122_000), false)
    assert.equal(credibility.isMuted('y', 62_000), false)
  })

  it('forgets what is too old to count, also of accusers that nobody asks about any more', () => {
    const credibility = new Credibility()
    for (let i = 0; i < 10; i++) credibility.refutedAlone(`once ${i}`, 0)
    for (let i = 0; i < 30; i++) credibility.refutedAlone(`muted ${i % 10}`, 10)
    assert.equal(credibility.size, 20)
    credibility.refutedAlone('z', 60_020)
    assert.equal(credibility.size, 1)
  })

  it('remembers no more accusers than its limit, however many there are', () => {
    const credibility = new Credibility()
    for (let i = 0; i < 3 * Credibility.most; i++) credibility.refutedAlone(`x${i}`, i / 1000)
    assert.ok(credibility.size <= Credibility.most)
    for (let i = 0; i < 9 * Credibility.most; i++) credibility.refutedAlone(`y${Math.floor(i / 3)}`, 100)
    assert.ok(credibility.size <= 2 * Credibility.most)
  })
})

describe('the round-trip estimate', () => {
  it('follows RFC 6298 and stays within its clamp', () => {
    const trip = new RoundTrip()
    assert.equal(trip.timeoutMs(100, 500), 500)
    trip.measured(40)
    assert.equal(trip.smoothedMs, 40)
    assert.equal(trip.timeoutMs(100, 500), 120)
    for (let i = 0; i < 100; i++) trip.measured(1)
    assert.equal(trip.timeoutMs(100, 500), 100)
    for (let i = 0; i < 100; i++) trip.measured(5000)
    assert.equal(trip.timeoutMs(100, 500), 500)
  })
})

describe('the probe schedule', () => {
  const candidates = (count: number, suspects = 0) =>
    Array.from({ length: count }, (_, i) => ({ peer: `p${i}`, suspect: i < suspects, isJudged: false }))

  it('probes everybody up to eight members', () => {
    assert.equal(new ProbeSchedule(Math.random).next(candidates(7), 8).length, 7)
  })

  it('above, probes each member once a round', () => {
    const schedule = new ProbeSchedule(Math.random)
    const probed = Array.from({ length: 20 }, () => schedule.next(candidates(20), 8))
    assert.ok(probed.every((subjects) => subjects.length === 1))
    assert.equal(new Set(probed.flat()).size, 20)
  })

  it('while holding a suspect probes eight, the not yet accused first', () => {
    const members = candidates(20, 2).map((m, i) => ({ ...m, isJudged: i === 0 }))
    const subjects = new ProbeSchedule(Math.random).next(members, 8)
    assert.equal(subjects.length, 8)
    assert.equal(new Set(subjects).size, 8)
    assert.equal(subjects[0], 'p1')
  })
})

describe('dissemination', () => {
  it('tells what was told least first, and forgets after the last telling', () => {
    const news = new Dissemination()
    news.enqueue('a', 3, false)
    assert.deepEqual(news.take(1), ['a'])
    news.enqueue('b', 3, false)
    assert.deepEqual(news.take(2), ['b', 'a'])
    assert.deepEqual(news.take(2), ['b', 'a'])
    assert.deepEqual(news.take(2), ['b'])
    assert.equal(news.size, 0)
  })

  it('tells no more at once than fits', () => {
    const news = new Dissemination()
    for (const peer of ['a', 'b', 'c', 'd']) news.enqueue(peer, 1, false)
    let room = 3
    assert.deepEqual(
      news.take(9, () => room-- > 0),
      ['a', 'b', 'c'],
    )
    assert.deepEqual(news.take(9), ['d'])
  })

  it('tells of who leaves before all else, however often that was told', () => {
    const news = new Dissemination()
    news.enqueue('a', 9, true)
    news.enqueue('b', 2, true, true)
    news.enqueue('c', 9, false)
    assert.deepEqual(news.takeAnnouncements(), ['b', 'a'])
    assert.deepEqual(news.take(2), ['b', 'a'])
    assert.deepEqual(news.take(2), ['b', 'c'])
    assert.deepEqual(news.take(1), ['a'])
    news.enqueue('d', 3, true)
    news.forget('d')
    assert.deepEqual(news.takeAnnouncements(), [])
    assert.deepEqual(news.take(9), ['c', 'a'], 'and nothing of whom there is nothing to tell')
  })

  it('tells each only what it does not know, and forgets when so many know it', () => {
    const news = new Dissemination()
    news.enqueue('a', 3, false)
    news.enqueue('b', 3, false)
    news.told('a', 'x')
    news.told('a', 'x')
    assert.deepEqual(news.take(2, undefined, 'x'), ['b'], 'who told it knows it')
    assert.deepEqual(news.take(2, undefined, 'x'), [])
    assert.deepEqual(news.take(2, undefined, 'y'), ['a', 'b'])
    assert.deepEqual(news.take(2, undefined, 'z'), ['a', 'b'])
    assert.equal(news.size, 0, 'x, y and z know both')
    news.enqueue('a', 2, false)
    news.told('a', 'x')
    news.enqueue('a', 2, false)
    assert.deepEqual(news.take(2, undefined, 'x'), ['a'], 'what is new of it again nobody knows')
    news.clear()
    assert.equal(news.size, 0)
  })

  it('announces once, and still tells what was announced', () => {
    const news = new Dissemination()
    news.enqueue('a', 1, true)
    news.enqueue('b', 1, false)
    assert.deepEqual(news.takeAnnouncements(), ['a'])
    assert.deepEqual(news.takeAnnouncements(), [])
    assert.deepEqual(news.take(9), ['a', 'b'])
  })

  it('holds one entry a member, and an announcement until it is made', () => {
    const news = new Dissemination()
    for (let i = 0; i < 1000; i++) news.enqueue(`m${i % 7}`, 3, i < 7)
    assert.equal(news.size, 7)
    assert.equal(news.takeAnnouncements().length, 7)
  })

  it('tells an update three times the logarithm of the members', () => {
    assert.deepEqual(
      [1, 5, 30, 1000].map((n) => retransmitLimit(3, n)),
      [3, 9, 15, 30],
    )
  })
})

describe('the digest', () => {
  it('is equal for equal views, whatever the order of changes', () => {
    const row = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1 alive', '2 alive', '2 left'))
    fc.assert(
      fc.property(fc.array(row), (changes) => {
        const digest = new Digest()
        for (const [peer, text] of changes) digest.set(id(peer), text)
        const fresh = new Digest()
        for (const [peer, text] of [...new Map(changes)].reverse()) fresh.set(id(peer), text)
        assert.equal(digest.value, fresh.value)
      }),
    )
  })

  it('differs when a row differs', () => {
    const [x, y] = [new Digest(), new Digest()]
    x.set(id('a'), '1')
    y.set(id('a'), '2')
    assert.notEqual(x.value, y.value)
  })
})
