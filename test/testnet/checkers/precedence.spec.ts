import assert from 'node:assert/strict'
import { checkPrecedence } from '../../../testnet/checkers/precedence.ts'
import { bounds, properties, returned, script } from './histories.ts'

describe('the resurrection checker', () => {
  it('accepts a death, and a return in a higher generation', () => {
    assert.deepEqual(properties(checkPrecedence(returned().events, bounds)), [])
  })

  it('accepts a refutation by a higher incarnation', () => {
    const history = script().formed('a', 'b').view(300, 'a', 'b', 'suspect', 1, 0)
    history.view(400, 'a', 'b', 'alive', 1, 1)
    assert.deepEqual(properties(checkPrecedence(history.events, bounds)), [])
  })

  for (const [from, to] of [
    ['dead', 'alive'],
    ['dead', 'suspect'],
    ['suspect', 'alive'],
    ['left', 'dead'],
    ['left', 'alive'],
  ] as const) {
    it(`rejects ${from} that turns ${to} at one incarnation`, () => {
      const history = script().formed('a', 'b').view(300, 'a', 'b', from, 1, 0).view(400, 'a', 'b', to, 1, 0)
      const { violations } = checkPrecedence(history.events, bounds)
      assert.equal(violations.length, 1)
      assert.match(violations[0]?.message ?? '', new RegExp(`${from} turns ${to}`))
    })
  }

  it('rejects a generation that falls', () => {
    const history = returned().view(5000, 'a', 'c', 'alive', 1, 7)
    assert.match(checkPrecedence(history.events, bounds).violations[0]?.message ?? '', /the generation falls/)
  })

  it('rejects an incarnation that falls', () => {
    const history = script().formed('a', 'b').view(300, 'a', 'b', 'alive', 1, 5)
    history.view(400, 'a', 'b', 'dead', 1, 4)
    assert.match(
      checkPrecedence(history.events, bounds).violations[0]?.message ?? '',
      /the incarnation falls in/,
    )
  })

  it('rejects an incarnation that falls with a new generation', () => {
    const history = script().formed('a', 'b').view(300, 'a', 'b', 'alive', 1, 5)
    history.view(400, 'a', 'b', 'alive', 2, 0)
    assert.match(
      checkPrecedence(history.events, bounds).violations[0]?.message ?? '',
      /with a new generation/,
    )
  })

  it('lets an incarnation fall with the new generation of a disk that went back, and only then', () => {
    const history = script().formed('a', 'b').view(300, 'a', 'b', 'alive', 1, 5).ends(400, 'killed', 'b')
    history.started(500, 'b', 2, true).view(600, 'a', 'b', 'alive', 2, 0)
    assert.deepEqual(properties(checkPrecedence(history.events, bounds)), [])
    history.view(700, 'a', 'b', 'alive', 2, 1).view(800, 'a', 'b', 'alive', 2, 0)
    assert.deepEqual(properties(checkPrecedence(history.events, bounds)), ['no-resurrection'])
  })

  it('judges a peer by its row for itself as well', () => {
    const history = script().formed('a', 'b').view(300, 'a', 'a', 'alive', 1, 5)
    history.view(400, 'a', 'a', 'alive', 1, 4)
    assert.deepEqual(properties(checkPrecedence(history.events, bounds)), ['no-resurrection'])
  })

  it('lets a restarted observer begin with an empty view', () => {
    const history = script().formed('a', 'b').ends(300, 'killed', 'b').view(400, 'a', 'b', 'dead', 1, 0)
    history.ends(500, 'killed', 'a').started(600, 'a', 2).view(700, 'a', 'b', 'alive', 1, 0)
    assert.deepEqual(properties(checkPrecedence(history.events, bounds)), [])
  })

  it('does not compare what two observers show', () => {
    const history = script().formed('a', 'b', 'c').view(300, 'a', 'b', 'alive', 1, 5)
    history.view(400, 'c', 'b', 'alive', 1, 4)
    assert.deepEqual(properties(checkPrecedence(history.events, bounds)), [])
  })

  it('rejects a life that ended and comes back to an observer with its own restart', () => {
    const restarted = (forgetful: boolean) =>
      script()
        .formed('a', 'b')
        .ends(300, 'killed', 'b')
        .view(400, 'a', 'b', 'dead', 1, 0)
        .ends(9000, 'killed', 'a')
        .started(9500, 'a', 2, forgetful)
        .view(9600, 'a', 'b', 'alive', 1, 0).events
    assert.match(
      checkPrecedence(restarted(false), bounds).violations[0]?.message ?? '',
      /before its own restart/,
    )
    assert.deepEqual(properties(checkPrecedence(restarted(true), bounds)), [])
    assert.deepEqual(properties(checkPrecedence(restarted(false), { ...bounds, tombstoneMs: 8000 })), [])
  })
})
