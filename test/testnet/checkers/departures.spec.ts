import assert from 'node:assert/strict'
import { checkDepartures } from '../../../testnet/checkers/departures.ts'
import { bounds, properties, returned, script } from './histories.ts'

describe('the departures checker', () => {
  for (const ending of ['left', 'stopped'] as const) {
    it(`accepts a peer that ${ending} and is shown left`, () => {
      const history = script().formed('a', 'b').ends(300, ending, 'b').view(400, 'a', 'b', 'left', 1, 0)
      assert.deepEqual(properties(checkDepartures(history.events, bounds)), [])
    })
  }

  it('rejects a running peer that is shown left', () => {
    const history = script().formed('a', 'b').view(400, 'a', 'b', 'left', 1, 0)
    assert.deepEqual(properties(checkDepartures(history.events, bounds)), ['left-by-own-will'])
  })

  it('rejects a killed peer that is shown left', () => {
    const history = script().formed('a', 'b').ends(300, 'killed', 'b').view(400, 'a', 'b', 'left', 1, 0)
    assert.deepEqual(properties(checkDepartures(history.events, bounds)), ['left-by-own-will'])
  })

  it('ignores what an observer that was killed is recorded to say afterwards', () => {
    const history = script().formed('a', 'b').ends(300, 'killed', 'a').view(400, 'a', 'b', 'left', 1, 0)
    assert.deepEqual(properties(checkDepartures(history.events, bounds)), [])
  })

  it('rejects that an earlier leave is held against a later life', () => {
    const history = script().formed('a', 'b').ends(300, 'left', 'b').view(400, 'a', 'b', 'left', 1, 0)
    history.started(500, 'b', 2).ready(600, 'b', 2).view(700, 'a', 'b', 'alive', 2, 0)
    assert.deepEqual(properties(checkDepartures(history.events, bounds)), [])
    history.view(800, 'a', 'b', 'left', 2, 0)
    assert.deepEqual(properties(checkDepartures(history.events, bounds)), ['left-by-own-will'])
  })

  it('accepts the leave of an earlier life that is shown after the return', () => {
    const history = returned().ends(5000, 'stopped', 'c').started(5100, 'c', 3).ready(5200, 'c', 3)
    history.view(5300, 'a', 'c', 'left', 2, 0)
    assert.deepEqual(properties(checkDepartures(history.events, bounds)), [])
  })

  it('accepts a life that somebody dismissed, and no other life of that peer', () => {
    const dismissed = (generation: number) => {
      const history = script().formed('a', 'b').ends(300, 'killed', 'b').view(400, 'a', 'b', 'dead', 1, 0)
      history.events.push({ at: 500, type: 'dismissed', peer: 'b', generation })
      return history.view(600, 'a', 'b', 'left', 1, 0).events
    }
    assert.deepEqual(properties(checkDepartures(dismissed(1), bounds)), [])
    assert.deepEqual(properties(checkDepartures(dismissed(2), bounds)), ['left-by-own-will'])
    assert.deepEqual(properties(checkDepartures(dismissed(2), { ...bounds, anybodyDismisses: true })), [])
  })
})
