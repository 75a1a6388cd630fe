import assert from 'node:assert/strict'
import { checkCompleteness } from '../../../testnet/checkers/completeness.ts'
import { bounds, properties, returned, script } from './histories.ts'

describe('the completeness checker', () => {
  it('accepts a death that everybody shows in time, and says when they did', () => {
    const { violations, figures } = checkCompleteness(returned().events, bounds)
    assert.deepEqual(violations, [])
    assert.deepEqual(figures.detections, [
      { peer: 'c', ending: 'killed', at: 1000, firstMs: 400, lastMs: 600, noticed: 2, observers: 2 },
    ])
  })

  for (const ending of ['killed', 'stopped', 'left'] as const) {
    it(`rejects a peer that was ${ending} and that one observer goes on showing alive`, () => {
      const history = script().formed('a', 'b', 'c').ends(1000, ending, 'c')
      history.view(1400, 'a', 'c', ending === 'killed' ? 'dead' : 'left', 1, 0).end(3000)
      const { violations, figures } = checkCompleteness(history.events, bounds)
      assert.deepEqual(
        violations.map(({ property }) => property),
        ['completeness'],
      )
      assert.match(violations[0]?.message ?? '', /^b showed c/)
      assert.equal(figures.detections[0]?.noticed, 1)
      assert.equal(figures.detections[0]?.observers, 2)
    })
  }

  it('rejects an observer that gets no further than suspicion', () => {
    const history = script().formed('a', 'b').ends(1000, 'killed', 'b')
    history.view(1400, 'a', 'b', 'suspect', 1, 0).end(3000)
    assert.deepEqual(properties(checkCompleteness(history.events, bounds)), ['completeness'])
  })

  it('rejects a death that is shown too late', () => {
    const history = script().formed('a', 'b').ends(1000, 'killed', 'b')
    history.view(2100, 'a', 'b', 'dead', 1, 0).end(3000)
    assert.deepEqual(properties(checkCompleteness(history.events, bounds)), ['completeness'])
  })

  it('rejects a death that is still unseen, too late, when the peer returns', () => {
    const history = script().formed('a', 'b').ends(1000, 'killed', 'b').started(2500, 'b', 2).end(2600)
    assert.deepEqual(properties(checkCompleteness(history.events, bounds)), ['completeness'])
  })

  it('accepts a death that is unseen because the peer returned soon', () => {
    const history = script().formed('a', 'b').ends(1000, 'killed', 'b').started(1500, 'b', 2)
    history.view(1900, 'a', 'b', 'alive', 2, 0).end(9000)
    assert.deepEqual(properties(checkCompleteness(history.events, bounds)), [])
  })

  it('rejects a dead peer that a newcomer learns of as alive and goes on showing', () => {
    const history = script().formed('a', 'b').ends(1000, 'killed', 'b').view(1100, 'a', 'b', 'dead', 1, 0)
    history.started(2000, 'd').ready(2100, 'd').view(2200, 'd', 'b', 'alive', 1, 0).end(4000)
    const { violations } = checkCompleteness(history.events, bounds)
    assert.match(violations[0]?.message ?? '', /^d showed b as there for 1800 ms/)
  })

  it('runs the clock of a newcomer from what it shows, not from the death', () => {
    const history = script().formed('a', 'b').ends(1000, 'killed', 'b').view(1100, 'a', 'b', 'dead', 1, 0)
    history.started(2000, 'd').ready(2100, 'd').view(2200, 'd', 'b', 'alive', 1, 0)
    history.view(3000, 'd', 'b', 'dead', 1, 0).end(4000)
    assert.deepEqual(properties(checkCompleteness(history.events, bounds)), [])
  })

  it('owes nothing of an observer that is killed, and forgets what it showed', () => {
    const history = script().formed('a', 'b').ends(1000, 'killed', 'b').ends(1500, 'killed', 'a')
    history.started(1600, 'a', 2).ready(1700, 'a').end(9000)
    assert.deepEqual(properties(checkCompleteness(history.events, bounds)), [])
  })

  it('rejects an observer that was late before it was killed', () => {
    const history = script().formed('a', 'b').ends(1000, 'killed', 'b').ends(2500, 'killed', 'a').end(2600)
    assert.deepEqual(properties(checkCompleteness(history.events, bounds)), ['completeness'])
  })

  it('excuses an observer while it is frozen, and starts its clock anew', () => {
    const history = script().formed('a', 'b').freezes(900, 'paused', 'a').ends(1000, 'killed', 'b')
    history.freezes(5000, 'resumed', 'a')
    assert.deepEqual(properties(checkCompleteness(history.end(5900).events, bounds)), [])
    assert.deepEqual(properties(checkCompleteness(history.end(6100).events, bounds)), ['completeness'])
  })

  it('excuses an observer while it is cut off, and starts its clock anew', () => {
    for (const [from, to] of [
      [['a'], ['b', 'c']],
      [['b', 'c'], ['a']],
    ] as const) {
      const history = script().formed('a', 'b', 'c').cut(900, from, to).ends(1000, 'killed', 'b')
      history.view(1100, 'c', 'b', 'dead', 1, 0).healed(5000)
      assert.deepEqual(properties(checkCompleteness(history.end(5900).events, bounds)), [])
      assert.deepEqual(properties(checkCompleteness(history.end(6100).events, bounds)), ['completeness'])
    }
  })

  it('does not count on observers that have ended themselves', () => {
    const history = script().formed('a', 'b').ends(500, 'killed', 'a').ends(600, 'killed', 'b').end(9000)
    const { violations, figures } = checkCompleteness(history.events, bounds)
    assert.deepEqual(violations, [])
    assert.equal(figures.detections.find(({ peer }) => peer === 'b')?.observers, 0)
  })

  it('runs the clock of a peer that was stopped and then killed from the stop', () => {
    const history = script().formed('a', 'b').ends(1000, 'stopped', 'b').ends(1900, 'killed', 'b').end(2100)
    assert.deepEqual(properties(checkCompleteness(history.events, bounds)), ['completeness'])
  })

  it('excuses everybody while the network is degraded', () => {
    const history = script().formed('a', 'b').degraded(900).ends(1000, 'killed', 'b').end(9000)
    assert.deepEqual(properties(checkCompleteness(history.events, bounds)), [])
    history.healed(9000).end(11_000)
    assert.deepEqual(properties(checkCompleteness(history.events, bounds)), ['completeness'])
  })
})
