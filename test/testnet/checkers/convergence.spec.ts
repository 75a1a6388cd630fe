import assert from 'node:assert/strict'
import { checkConvergence } from '../../../testnet/checkers/convergence.ts'
import { bounds, properties, returned, script } from './histories.ts'

describe('the convergence checker', () => {
  it('accepts views that become one in time, and says when they did', () => {
    const { violations, figures } = checkConvergence(returned().events, bounds)
    assert.deepEqual(violations, [])
    assert.equal(figures.convergenceMs, 200)
    assert.deepEqual(
      figures.agreements.filter(({ ms }) => ms > 0).map(({ after, peer, ms }) => [after, peer, ms]),
      [
        ['ready', 'c', 100],
        ['killed', 'c', 600],
        ['ready', 'c', 200],
      ],
    )
  })

  it('rejects a member that one observer never shows', () => {
    const history = script().started(0, 'a').started(0, 'b').ready(100, 'a').ready(100, 'b')
    history.view(200, 'a', 'b', 'alive', 1, 0).end(2000)
    const { violations, figures } = checkConvergence(history.events, bounds)
    assert.deepEqual(
      violations.map(({ property }) => property),
      ['convergence'],
    )
    assert.match(violations[0]?.message ?? '', /last about a \(a: nothing, b: nothing\)/)
    assert.equal(figures.convergenceMs, undefined)
  })

  it('rejects a suspicion that stays', () => {
    const history = script().formed('a', 'b', 'c').view(500, 'a', 'b', 'suspect', 1, 0).end(2000)
    assert.deepEqual(properties(checkConvergence(history.events, bounds)), ['convergence'])
  })

  it('rejects two incarnations of one member that stay', () => {
    const history = script().formed('a', 'b', 'c').view(500, 'a', 'b', 'alive', 1, 1).end(2000)
    assert.deepEqual(properties(checkConvergence(history.events, bounds)), ['convergence'])
  })

  it('rejects that a member differs with all others about itself', () => {
    const history = script().formed('a', 'b', 'c').view(500, 'b', 'b', 'alive', 1, 1).end(2000)
    assert.deepEqual(properties(checkConvergence(history.events, bounds)), ['convergence'])
  })

  it('rejects a peer that is gone and still shown', () => {
    const history = script().formed('a', 'b', 'c').ends(500, 'killed', 'c')
    history.view(600, 'a', 'c', 'dead', 1, 0).end(2000)
    assert.deepEqual(properties(checkConvergence(history.events, bounds)), ['convergence'])
  })

  it('rejects a peer that is gone and still suspected', () => {
    const history = script().formed('a', 'b').ends(500, 'killed', 'b')
    history.view(600, 'a', 'b', 'suspect', 1, 0).end(2000)
    assert.deepEqual(properties(checkConvergence(history.events, bounds)), ['convergence'])
  })

  it('runs the clock on while views differ in ever new ways', () => {
    const history = script().formed('a', 'b', 'c').view(500, 'a', 'b', 'suspect', 1, 0)
    history.view(1200, 'c', 'b', 'suspect', 1, 0).view(1400, 'a', 'c', 'suspect', 1, 0).end(2000)
    assert.deepEqual(properties(checkConvergence(history.events, bounds)), ['convergence'])
  })

  it('rejects a returned peer that is shown dead by one', () => {
    const history = script().formed('a', 'b').ends(500, 'killed', 'b').view(600, 'a', 'b', 'dead', 1, 0)
    history.started(700, 'b', 2).ready(800, 'b').view(900, 'b', 'a', 'alive', 1, 0).end(2000)
    assert.deepEqual(properties(checkConvergence(history.events, bounds)), ['convergence'])
  })

  it('rejects views that became one too late', () => {
    const history = script().formed('a', 'b').view(500, 'a', 'b', 'alive', 1, 1)
    history.view(1700, 'b', 'b', 'alive', 1, 1).end(2000)
    assert.deepEqual(properties(checkConvergence(history.events, bounds)), ['convergence'])
  })

  it('accepts a difference that lasts less than the bound', () => {
    const history = script().formed('a', 'b').view(500, 'a', 'b', 'alive', 1, 1)
    history.view(900, 'b', 'b', 'alive', 1, 1).end(2000)
    assert.deepEqual(properties(checkConvergence(history.events, bounds)), [])
  })

  it('starts the clock anew with each disturbance', () => {
    const history = script().started(0, 'a').ready(1, 'a').started(2, 'b').ready(3, 'b')
    history.started(900, 'c').ready(950, 'c').end(1900)
    assert.deepEqual(properties(checkConvergence(history.events, bounds)), [])
    assert.deepEqual(properties(checkConvergence(history.end(1960).events, bounds)), ['convergence'])
  })

  it('says nothing about peers that are frozen, and judges them when they go on', () => {
    const history = script().formed('a', 'b', 'c').freezes(300, 'paused', 'b')
    history.view(400, 'a', 'b', 'suspect', 1, 0).view(400, 'c', 'b', 'suspect', 1, 0).end(5000)
    assert.deepEqual(properties(checkConvergence(history.events, bounds)), [])
    history.freezes(5000, 'resumed', 'b').end(7000)
    assert.deepEqual(properties(checkConvergence(history.events, bounds)), ['convergence'])
  })

  it('says nothing while the network is cut or degraded, and judges after the heal', () => {
    for (const trouble of [script().cut(0, ['a'], ['b']), script().degraded(0)]) {
      const history = script().formed('a', 'b')
      history.events.push(...trouble.events.map((event) => ({ ...event, at: 300 })))
      history.view(400, 'a', 'b', 'dead', 1, 0).end(5000)
      assert.deepEqual(properties(checkConvergence(history.events, bounds)), [])
      history.healed(5000).end(7000)
      assert.deepEqual(properties(checkConvergence(history.events, bounds)), ['convergence'])
    }
  })

  it('lets a restarted observer begin with an empty view', () => {
    const history = script().formed('a', 'b').ends(300, 'killed', 'a').view(350, 'b', 'a', 'dead', 1, 0)
    history.started(400, 'a', 2).ready(500, 'a').view(600, 'b', 'a', 'alive', 2, 0).end(2000)
    const { violations } = checkConvergence(history.events, bounds)
    assert.equal(violations.length, 1)
    assert.match(violations[0]?.message ?? '', /b \(b: alive 1.0, a: nothing\)/)
  })

  it('does not ask for oneself in the own view', () => {
    const history = script().started(0, 'a').started(0, 'b').ready(100, 'a').ready(100, 'b')
    history.view(200, 'a', 'b', 'alive', 1, 0).view(200, 'b', 'a', 'alive', 1, 0).end(5000)
    assert.deepEqual(properties(checkConvergence(history.events, bounds)), [])
  })
})
