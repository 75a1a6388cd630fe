import assert from 'node:assert/strict'
import { checkGenerations } from '../../../testnet/checkers/generations.ts'
import { bounds, properties, returned, script } from './histories.ts'

describe('the generations checker', () => {
  it('accepts a return in a higher generation, and counts the lives that it judged', () => {
    const { violations, figures } = checkGenerations(returned().events, bounds)
    assert.deepEqual(violations, [])
    assert.equal(figures.lives, 4)
  })

  it('rejects a return in the same generation, by the row of the peer itself', () => {
    const history = script().formed('a', 'b').ends(300, 'killed', 'b').started(400, 'b', 2).ready(500, 'b')
    history.view(500, 'b', 'b', 'alive', 1, 0)
    assert.deepEqual(properties(checkGenerations(history.events, bounds)), ['generations-increase'])
  })

  it('rejects a return in a lower generation, by what it said when ready', () => {
    const history = script().started(0, 'a').ready(1, 'a', 7).ends(2, 'killed', 'a')
    history.started(3, 'a', 2).ready(4, 'a', 6)
    assert.deepEqual(properties(checkGenerations(history.events, bounds)), ['generations-increase'])
  })

  it('compares with every earlier life', () => {
    const history = script().started(0, 'a').ready(1, 'a', 7).ends(2, 'killed', 'a')
    history.started(3, 'a', 2).ready(4, 'a', 5).ends(5, 'killed', 'a').started(6, 'a', 3).ready(7, 'a', 6)
    assert.equal(checkGenerations(history.events, bounds).violations.length, 2)
  })

  it('does not judge a life that ended before it was ready', () => {
    const history = script().started(0, 'a').ready(1, 'a', 7).ends(2, 'killed', 'a')
    history.started(3, 'a', 2).view(4, 'a', 'a', 'alive', 3, 0).ends(5, 'killed', 'a')
    const { violations, figures } = checkGenerations(history.events, bounds)
    assert.deepEqual(violations, [])
    assert.equal(figures.lives, 1)
  })

  it('lets a rolled-back peer learn of its earlier lives before it is ready', () => {
    const history = script().started(0, 'a').ready(1, 'a', 7).ends(2, 'killed', 'a')
    history.started(3, 'a', 2).view(4, 'a', 'a', 'alive', 3, 0).view(5, 'a', 'a', 'alive', 8, 0).ready(6, 'a')
    assert.deepEqual(properties(checkGenerations(history.events, bounds)), [])
  })
})
