import assert from 'node:assert/strict'
import { checkAccuracy } from '../../../testnet/checkers/accuracy.ts'
import { bounds, properties, returned, script } from './histories.ts'

describe('the accuracy checker', () => {
  it('accepts that a killed peer is shown dead, before and after its return', () => {
    const late = returned().view(5000, 'a', 'c', 'dead', 1, 0)
    assert.deepEqual(properties(checkAccuracy(late.events, bounds)), [])
  })

  it('rejects a running peer that is shown dead', () => {
    const history = script().formed('a', 'b', 'c').view(900, 'a', 'b', 'dead', 1, 0)
    assert.deepEqual(properties(checkAccuracy(history.events, bounds)), ['accuracy'])
  })

  it('rejects a peer that shows itself dead', () => {
    const history = script().formed('a', 'b').view(900, 'b', 'b', 'dead', 1, 0)
    assert.deepEqual(properties(checkAccuracy(history.events, bounds)), ['accuracy'])
  })

  it('rejects a returned peer that is shown dead in its new generation', () => {
    const history = returned().view(5000, 'a', 'c', 'dead', 2, 0)
    assert.deepEqual(properties(checkAccuracy(history.events, bounds)), ['accuracy'])
  })

  it('excuses a frozen peer, and for the grace after it goes on', () => {
    const history = script().formed('a', 'b', 'c').freezes(1000, 'paused', 'b')
    history.view(1500, 'a', 'b', 'dead', 1, 0).freezes(2000, 'resumed', 'b')
    history.view(2200, 'c', 'b', 'dead', 1, 0)
    assert.deepEqual(properties(checkAccuracy(history.events, bounds)), [])
    history.view(2400, 'c', 'b', 'dead', 1, 1)
    assert.deepEqual(properties(checkAccuracy(history.events, bounds)), ['accuracy'])
  })

  it('excuses those on two sides of a cut, in either direction, and nobody else', () => {
    const history = script().formed('a', 'b', 'c').cut(1000, ['a'], ['b', 'c'])
    history.view(1500, 'a', 'b', 'dead', 1, 0).view(1500, 'b', 'a', 'dead', 1, 0)
    assert.deepEqual(properties(checkAccuracy(history.events, bounds)), [])
    history.view(1600, 'b', 'c', 'dead', 1, 0)
    assert.deepEqual(properties(checkAccuracy(history.events, bounds)), ['accuracy'])
  })

  it('excuses a cut that healed for the grace and no longer', () => {
    const history = script().formed('a', 'b', 'c').cut(1000, ['a'], ['b', 'c']).healed(2000)
    history.view(2200, 'a', 'b', 'dead', 1, 0)
    assert.deepEqual(properties(checkAccuracy(history.events, bounds)), [])
    history.view(2400, 'a', 'c', 'dead', 1, 0)
    assert.deepEqual(properties(checkAccuracy(history.events, bounds)), ['accuracy'])
  })

  it('does not excuse a false death by a lossy network', () => {
    const history = script().formed('a', 'b').degraded(1000).view(1500, 'a', 'b', 'dead', 1, 0)
    assert.deepEqual(properties(checkAccuracy(history.events, bounds)), ['accuracy'])
  })

  it('counts false suspicions and those refuted, and does not reject them', () => {
    const history = script().formed('a', 'b', 'c')
    history.view(500, 'a', 'b', 'suspect', 1, 0).view(520, 'c', 'b', 'suspect', 1, 0)
    history.view(600, 'a', 'b', 'alive', 1, 1)
    const { violations, figures } = checkAccuracy(history.events, bounds)
    assert.deepEqual(violations, [])
    assert.deepEqual(figures, { falseSuspicions: 2, refuted: 1 })
  })

  it('counts a suspicion that moves to a higher incarnation once', () => {
    const history = script().formed('a', 'b').view(500, 'a', 'b', 'suspect', 1, 0)
    history.view(600, 'a', 'b', 'suspect', 1, 1)
    assert.equal(checkAccuracy(history.events, bounds).figures.falseSuspicions, 1)
  })

  it('does not count a deserved suspicion', () => {
    const history = script().formed('a', 'b').ends(500, 'killed', 'b').view(600, 'a', 'b', 'suspect', 1, 0)
    assert.equal(checkAccuracy(history.events, bounds).figures.falseSuspicions, 0)
  })

  it('ignores what an observer that was killed is recorded to say afterwards', () => {
    const history = script().formed('a', 'b').ends(500, 'killed', 'a').view(501, 'a', 'b', 'dead', 1, 0)
    assert.deepEqual(properties(checkAccuracy(history.events, bounds)), [])
  })
})
