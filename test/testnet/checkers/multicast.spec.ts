import assert from 'node:assert/strict'
import fc from 'fast-check'
import { checkMulticast, multicastProperties } from '../../../testnet/checkers/multicast.ts'
import type { GroupHistory, MulticastBounds } from '../../../testnet/checkers/multicast-history.ts'
import { bounds, type Delivered, type Published, randomTalk, Talk } from './talk.ts'

function properties(history: GroupHistory, given: MulticastBounds = bounds): readonly string[] {
  return [...new Set(checkMulticast(history, given).violations.map(({ property }) => property))].sort()
}

/** Uniform in 0 ≤ x < 1; fast-check's own numbers keep to the edges. */
function draws(seed: number): () => number {
  let state = (seed % 2147483646) + 1
  return () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647
  }
}

/** `a` speaks, `b` answers, `c` hears. */
function answered(): { talk: Talk; question: Published; answer: Published } {
  const talk = new Talk('a', 'b', 'c')
  const question = talk.publish('a')
  talk.deliver('b', question)
  const answer = talk.publish('b')
  talk.deliver('a', answer)
  return { talk, question, answer }
}

describe('the checker of multicast', () => {
  it('passes what was delivered once, in causal order, to everybody', () => {
    const { talk, question, answer } = answered()
    talk.deliverAt(['c'], question)
    talk.deliverAt(['c'], answer)
    const { violations, figures } = checkMulticast(talk.events, bounds)
    assert.deepEqual(violations, [])
    assert.deepEqual(
      [figures.messages, figures.deliveries, figures.inversions, figures.vectors],
      [2, 6, 0, 8],
    )
    assert.ok((figures.longestWaitMs ?? 0) > 0)
  })

  it('passes whatever a correct group does', () => {
    const run = fc.property(
      fc.integer({ min: 2, max: 6 }),
      fc.integer({ min: 1, max: 25 }),
      fc.nat(),
      (peers, messages, seed) => {
        const talk = randomTalk(peers, messages, draws(seed))
        assert.deepEqual(checkMulticast(talk.events, bounds).violations, [])
      },
    )
    fc.assert(run, { numRuns: 100 })
  })

  it('counts what a listener has in the wrong order as naive comparison does', () => {
    let wrong = 0
    const place = fc.integer({ min: 0, max: 19 })
    const run = fc.property(place, place, fc.nat(), (one, other, seed) => {
      const talk = randomTalk(4, 20, draws(seed))
      const heard = talk.events.filter(
        (event): event is Delivered => event.type === 'delivered' && event.peer === 'p3',
      )
      const order = heard.map((_, index) => (index === one ? other : index === other ? one : index))
      const mixed = heard.map((event, index) => {
        const { at, index: position } = event
        return { ...(heard[order[index] ?? 0] ?? event), at, index: position }
      })
      const others = talk.events.filter((event) => !heard.some((delivered) => delivered === event))
      const found = checkMulticast([...others, ...mixed], bounds)
      const naive = mixed.filter((event, index) =>
        mixed.slice(index + 1).some((later) => {
          const needed = (event.vector?.[`${later.sender}#1`] ?? 0) >= later.seq
          return needed && later.sender !== event.sender
        }),
      )
      assert.equal(found.figures.inversions, naive.length)
      assert.equal(found.figures.deliveries, 80)
      if (naive.length > 0) wrong++
    })
    fc.assert(run, { numRuns: 100, seed: 8 })
    assert.ok(wrong > 30, `only ${wrong} orders were wrong`)
  })

  it('judges each group by itself', () => {
    const { talk, question, answer } = answered()
    talk.deliverAt(['c'], question)
    talk.deliverAt(['c'], answer)
    const other = talk.events.flatMap((event) => ('group' in event ? [{ ...event, group: 'other' }] : []))
    const { violations, figures } = checkMulticast([...talk.events, ...other], bounds)
    assert.deepEqual(violations, [])
    assert.equal(figures.groups, 2)
  })

  it('judges 64 peers and 2000 messages with their vectors in a moment', function () {
    this.timeout(20_000)
    const draw = draws(1)
    const talk = new Talk(...Array.from({ length: 64 }, (_, index) => `p${index}`))
    const names = Array.from({ length: 64 }, (_, index) => `p${index}`)
    for (let round = 0; round < 2000; round++) {
      const author = names[Math.floor(draw() * 64)] ?? 'p0'
      talk.deliverAt(
        names.filter((name) => name !== author),
        talk.publish(author),
      )
    }
    const startedAt = performance.now()
    const { violations, figures } = checkMulticast(talk.events, bounds)
    const tookMs = performance.now() - startedAt
    assert.deepEqual(violations, [])
    assert.equal(figures.deliveries, 128_000)
    assert.ok(tookMs < 5000, `took ${Math.round(tookMs)} ms`)
  })

  describe('integrity', () => {
    const only = ['integrity']

    it('finds a message that nobody published, and lets one be that was perhaps', () => {
      const talk = new Talk('a', 'b')
      const invented: Published = {
        ...{ at: 5, type: 'published', peer: 'a', life: 1, group: 'all', content: 'x', lamport: 1 },
        ...{ sender: 'a', epoch: 1, seq: 1 },
      }
      talk.deliverAt(['a', 'b'], invented)
      assert.deepEqual(properties(talk.events), only)
      const asked = { at: 4.5, type: 'attempted', peer: 'a', life: 1, group: 'all', content: 'x' } as const
      talk.events.splice(4, 0, asked)
      assert.deepEqual(properties(talk.events), [])
      talk.deliverAt(['a', 'b'], { ...invented, seq: 2, lamport: 2 })
      assert.deepEqual(properties(talk.events), only)
    })

    it('finds a message that is delivered twice in one life, and lets another life have it again', () => {
      const { talk, question, answer } = answered()
      talk.deliverAt(['c'], question)
      talk.deliverAt(['c'], answer)
      talk.deliver('c', question)
      assert.deepEqual(properties(talk.events), only)
      const anew = answered()
      anew.talk.deliverAt(['c'], anew.question)
      anew.talk.kill('c').enter('c')
      anew.talk.deliverAt(['c'], anew.question)
      anew.talk.deliverAt(['c'], anew.answer)
      assert.deepEqual(properties(anew.talk.events), [])
    })

    it('finds a delivery from below the baseline', () => {
      const { talk, question, answer } = answered()
      talk.enter('d', { 'a#1': 1 })
      talk.deliverAt(['c', 'd'], question)
      talk.deliverAt(['c', 'd'], answer)
      assert.deepEqual(properties(talk.events), only)
    })

    it('finds a position that is left out', () => {
      const { talk, question, answer } = answered()
      talk.deliver('c', question)
      talk.deliver('c', answer, { index: 3 })
      assert.deepEqual(properties(talk.events), only)
    })

    it('finds another content, and the same dot or epoch used again', () => {
      const { talk, question, answer } = answered()
      talk.deliver('c', question, { content: 'forged' })
      talk.deliver('c', answer)
      assert.deepEqual(properties(talk.events), only)
      const again = new Talk('a')
      const first = again.publish('a')
      again.add({ ...first, at: again.now(), content: 'other' })
      assert.deepEqual(properties(again.events), only)
      const reused = new Talk('a')
      reused.publish('a')
      reused.kill('a').return('a')
      reused.add({ ...first, at: reused.now(), life: 2, seq: 2, lamport: 2, content: 'later' })
      assert.ok(properties(reused.events, { ...bounds, quietAtEnd: false }).includes('integrity'))
    })

    it('asks nothing of liars, but of whoever convicts an honest author', () => {
      const { talk, question, answer } = answered()
      talk.deliver('c', question, { content: 'forked' })
      talk.deliver('c', answer)
      assert.deepEqual(properties(talk.events, { ...bounds, liars: ['a'] }), [])
      const { sender, epoch, seq } = question
      const proof = { ...{ sender, epoch, seq }, hashes: ['1', '2'] as const }
      const base = { at: talk.now(), type: 'equivocation', peer: 'c', life: 1, group: 'all' } as const
      talk.add({ ...base, ...proof })
      assert.deepEqual(properties(talk.events, { ...bounds, liars: ['a'] }), [])
      assert.deepEqual(properties(talk.events), only)
    })
  })

  describe('fifo', () => {
    it('finds a message ahead of its predecessor, and one that lacks it for good', () => {
      const talk = new Talk('a', 'b')
      const [first, second] = [talk.publish('a'), talk.publish('a')]
      talk.deliver('b', second)
      assert.deepEqual(properties(talk.events), ['agreement', 'fifo', 'truncation'])
      talk.deliver('b', first)
      assert.deepEqual(properties(talk.events), ['fifo'])
    })

    it('lets pass what was told to be lost', () => {
      const talk = new Talk('a', 'b')
      talk.publish('a')
      const second = talk.publish('a')
      talk.tell('b', 'a', 1, 1, 1)
      talk.deliver('b', second)
      const { violations, figures } = checkMulticast(talk.events, bounds)
      assert.deepEqual(violations, [])
      assert.equal(figures.truncated, 1)
    })
  })

  describe('causal order', () => {
    it('counts an answer that comes before its question', () => {
      const { talk, question, answer } = answered()
      talk.deliverAt(['c'], answer)
      talk.deliverAt(['c'], question)
      const { violations, figures } = checkMulticast(talk.events, bounds)
      assert.deepEqual(
        violations.map(({ property, message }) => [property, message]),
        [['causal-order', 'c delivers b#1:1 before a#1:1, which happened before it']],
      )
      assert.equal(figures.inversions, 1)
    })

    it('follows it through others, who may not have been asked', () => {
      const talk = new Talk('a', 'b', 'c', 'd')
      const first = talk.publish('a')
      talk.deliver('b', first)
      const second = talk.publish('b')
      talk.deliver('c', first)
      talk.deliver('c', second)
      const third = talk.publish('c')
      talk.deliver('d', third)
      assert.equal(checkMulticast(talk.events, { ...bounds, quietAtEnd: false }).figures.inversions, 1)
    })

    it('is content when what happened before lies below the baseline or was told to be lost', () => {
      const { talk, question, answer } = answered()
      talk.enter('d', { 'a#1': 1 })
      talk.deliver('d', answer)
      talk.tell('c', 'a', 1, 1, 1)
      talk.deliver('c', answer)
      assert.deepEqual(properties(talk.events), [])
      talk.deliver('c', question)
      assert.ok(properties(talk.events).includes('truncation'))
    })

    it('judges an author of whom no delivery is recorded by what it had seen when it was asked', () => {
      const { talk, question, answer } = answered()
      talk.deliverAt(['c'], answer)
      talk.deliverAt(['c'], question)
      const unseen = talk.events.filter(
        (event) => !(event.type === 'delivered' && event.peer === 'b' && event.sender === 'b'),
      )
      const found = checkMulticast(unseen, { ...bounds, quietAtEnd: false })
      assert.equal(found.figures.inversions, 1)
    })

    it('does not take two that were asked for at once for ordered as they were asked for', () => {
      const talk = new Talk('a', 'b')
      const asked = talk.now()
      const first = talk.publish('a')
      const second = talk.publish('a')
      talk.deliverAt(['b'], first)
      talk.deliverAt(['b'], second)
      talk.kill('a')
      // The second one was asked for before the first one, and the kill hid its delivery.
      const unseen = talk.events.filter((event) => {
        const own = event.type === 'delivered' && event.peer === 'a' && event.seq === 2
        return !own && event !== second
      })
      unseen.splice(4, 0, { ...second, at: asked })
      assert.deepEqual(properties(unseen), [])
    })

    it('finds what was known before it was published', () => {
      const a: Published = {
        ...{ at: 9, type: 'published', peer: 'a', life: 1, group: 'all', content: 'x', lamport: 1 },
        ...{ sender: 'a', epoch: 1, seq: 1 },
      }
      const b: Published = { ...a, peer: 'b', sender: 'b', content: 'y' }
      const talk = new Talk('a', 'b')
      talk.deliver('a', b)
      talk.deliver('b', a)
      talk.add(a)
      talk.add({ ...b, at: 10 })
      talk.deliver('a', a)
      talk.deliver('b', b)
      assert.ok(properties(talk.events).includes('causal-order'))
    })
  })

  describe('Lamport time', () => {
    it('is one above the highest before it, exactly', () => {
      for (const lamport of [1, 3]) {
        const talk = new Talk('a', 'b')
        talk.deliver('b', talk.publish('a'))
        const wrong = { ...talk.publish('b'), lamport }
        const events = talk.events.map((event) =>
          (event.type === 'published' || event.type === 'delivered') && event.sender === 'b'
            ? { ...event, lamport }
            : event,
        )
        assert.equal(wrong.seq, 1)
        assert.deepEqual(properties(events, { ...bounds, quietAtEnd: false }), ['lamport'])
      }
    })

    it('goes by what a liar said to the one who answers it', () => {
      for (const [lamport, found] of [
        [6, []],
        [5, ['lamport']],
        [7, ['lamport']],
      ] as const) {
        const talk = new Talk('a', 'b', 'liar')
        const { at, life, group, ...dot } = { ...talk.publish('liar'), at: talk.now() }
        const lie = { ...dot, at, life, group, lamport: 5 }
        talk.deliver('b', lie, { lamport: 9, content: 'forked' })
        talk.deliver('a', lie)
        talk.publish('a')
        const events = talk.events.map((event) =>
          'lamport' in event && event.sender === 'a' ? { ...event, lamport } : event,
        )
        assert.deepEqual(properties(events, { liars: ['liar'], quietAtEnd: false }), found)
      }
    })

    it('is the same for everybody', () => {
      const { talk, question, answer } = answered()
      talk.deliver('c', question, { lamport: 2 })
      talk.deliver('c', answer)
      assert.deepEqual(properties(talk.events), ['lamport'])
    })
  })

  describe('vectors', () => {
    it('are the past, no more and no less, unless they are said not to be whole', () => {
      const wrong = [{ 'b#1': 1 }, { 'a#1': 2, 'b#1': 1 }, { 'a#1': 1, 'b#1': 1, 'c#1': 1 }]
      for (const vector of wrong) {
        const { talk, question, answer } = answered()
        talk.deliver('c', question)
        talk.deliver('c', answer, { vector })
        assert.deepEqual(properties(talk.events), ['vectors'])
        const excused = talk.events.map((event) =>
          event.type === 'delivered' && event.vector === vector ? { ...event, vectorExact: false } : event,
        )
        assert.deepEqual(properties(excused), [])
      }
    })

    it('may leave out an older epoch as far as the newer one implies it', () => {
      const talk = new Talk('a', 'b')
      talk.deliver('b', talk.publish('a'))
      talk.kill('a').return('a')
      const next = talk.publish('a')
      talk.deliver('b', next, { vector: { 'a#2': 1 } })
      assert.deepEqual(properties(talk.events), [])
      const tail = talk.publish('b')
      talk.deliver('a', tail, { vector: { 'b#1': 1, 'a#2': 0 } })
      assert.deepEqual(properties(talk.events), ['vectors'])
    })
  })

  describe('agreement', () => {
    it('finds who lacks what others have, once it is quiet, and not before', () => {
      const { talk, question } = answered()
      talk.deliver('c', question)
      assert.deepEqual(properties(talk.events), ['agreement'])
      assert.deepEqual(properties(talk.events, { ...bounds, quietAtEnd: false }), [])
      talk.kill('c')
      assert.deepEqual(properties(talk.events), [])
    })

    it('finds what its author was told to be published and nobody has', () => {
      const talk = new Talk('a', 'b')
      const { sender, epoch, seq, ...rest } = talk.publish('a')
      talk.add({ ...rest, at: talk.now(), content: 'lost', sender, epoch, seq: seq + 1, lamport: 2 })
      talk.deliver('b', { sender, epoch, seq, ...rest })
      const found = checkMulticast(talk.events, bounds).violations
      assert.deepEqual(
        found.map(({ message }) => message),
        ['a', 'b'].map((peer) => `${peer} has no a#1:2 at the end, which a published`),
      )
    })

    it('does not ask for what was told to be lost', () => {
      const { talk, question } = answered()
      talk.deliver('c', question)
      talk.tell('c', 'b', 1, 1, 1)
      assert.deepEqual(properties(talk.events), [])
    })
  })

  describe('baselines', () => {
    it('hold what happened before what they hold', () => {
      const { talk, question, answer } = answered()
      talk.enter('d', { 'b#1': 1 })
      talk.deliverAt(['c'], question)
      talk.deliverAt(['c'], answer)
      assert.ok(properties(talk.events).includes('baseline'))
    })

    it('may leave out an older epoch that a newer one implies', () => {
      const talk = new Talk('a', 'b')
      talk.deliver('b', talk.publish('a'))
      talk.kill('a').return('a')
      talk.deliver('b', talk.publish('a'))
      talk.enter('c', { 'a#2': 1 })
      assert.deepEqual(properties(talk.events), [])
    })

    it('of one that returns hold nothing that was published after it had ended', () => {
      const { talk, question, answer } = answered()
      talk.deliverAt(['c'], question)
      talk.kill('c')
      const missed = talk.publish('a')
      talk.deliver('b', missed)
      talk.enter('c', { 'a#1': 2, 'b#1': 1 })
      assert.deepEqual(properties(talk.events), ['baseline'])
      const good = answered()
      good.talk.deliverAt(['c'], good.question)
      good.talk.kill('c')
      const late = good.talk.publish('a')
      good.talk.deliver('b', late)
      good.talk.return('c')
      good.talk.deliver('c', good.answer)
      good.talk.deliver('c', late)
      const { violations, figures } = checkMulticast(good.talk.events, bounds)
      assert.deepEqual(violations, [])
      assert.deepEqual(
        figures.catchUps.map(({ peer, life, missed: count }) => [peer, life, count]),
        [['c', 2, 2]],
      )
      assert.equal(answer.seq, 1)
    })
  })

  it('names its properties as its violations do', () => {
    assert.equal(new Set(multicastProperties).size, multicastProperties.length)
  })
})
