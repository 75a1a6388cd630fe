import assert from 'node:assert/strict'
import { checkCompleteness } from '../../../testnet/checkers/completeness.ts'
import { checkConvergence } from '../../../testnet/checkers/convergence.ts'
import { checkMembership } from '../../../testnet/checkers/membership.ts'
import { bounds, properties, type Script, script } from './histories.ts'

/** Three that were there from the beginning, which one line says. */
function crowd(): Script {
  const history = script()
  const members = ['a', 'b', 'c'].map((peer) => ({ peer, generation: 1, incarnation: 0 }))
  history.events.push({ at: 0, type: 'formed', members })
  return history
}

describe('a crowd whose beginning is said in one line', () => {
  it('is judged like one whose every row was told', () => {
    const found = crowd()
      .ends(1000, 'killed', 'c')
      .view(1400, 'a', 'c', 'dead', 1, 0)
      .view(1500, 'b', 'c', 'dead', 1, 0)
      .end(5000)
    assert.deepEqual(checkMembership(found.events, bounds).violations, [])
    const { detections } = checkCompleteness(found.events, bounds).figures
    assert.deepEqual(
      detections.map(({ peer, firstMs, lastMs, observers }) => ({ peer, firstMs, lastMs, observers })),
      [{ peer: 'c', firstMs: 400, lastMs: 500, observers: 2 }],
    )
  })

  it('is found out when somebody never notices a death', () => {
    const missed = crowd().ends(1000, 'killed', 'c').view(1400, 'a', 'c', 'dead', 1, 0).end(5000)
    assert.deepEqual(properties(checkCompleteness(missed.events, bounds)), ['completeness'])
    assert.deepEqual(properties(checkConvergence(missed.events, bounds)), ['convergence'])
  })

  it('has no part in what a member shows after its restart', () => {
    const history = crowd()
      .ends(1000, 'killed', 'c')
      .view(1400, 'a', 'c', 'dead', 1, 0)
      .ends(1500, 'killed', 'b')
      .view(1600, 'a', 'b', 'dead', 1, 0)
      .started(2000, 'b', 2)
      .ready(2100, 'b', 2)
      .end(5000)
    assert.deepEqual(properties(checkCompleteness(history.events, bounds)), [])
  })
})
