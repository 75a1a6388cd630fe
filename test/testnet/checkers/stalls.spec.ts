import assert from 'node:assert/strict'
import { checkAccuracy } from '../../../testnet/checkers/accuracy.ts'
import type { MembershipBounds } from '../../../testnet/checkers/history.ts'
import { checkStalls } from '../../../testnet/checkers/stalls.ts'
import { bounds, properties, type Script, script } from './histories.ts'

const judged: MembershipBounds = { ...bounds, stalls: { shownMs: 500, memberMs: 3000 } }

/** `c` stands still from 1000 on; `a` shows it as stalled at once. */
function paused(machine = false): Script {
  const history = script().formed('a', 'b', 'c')
  history.events.push({ at: 1000, type: 'paused', peer: 'c', machine })
  return stalled(history, 1300, 'a')
}

function stalled(history: Script, at: number, observer: string): Script {
  const row = { subject: 'c', status: 'suspect', generation: 1, incarnation: 0, stalled: true } as const
  history.events.push({ at, type: 'view', observer, ...row })
  return history
}

describe('the checker of stalls', () => {
  it('accepts that everybody shows it in time, and tells how soon', () => {
    const verdict = checkStalls(stalled(paused(), 1450, 'b').end(5000).events, judged)
    assert.deepEqual(verdict, {
      violations: [],
      figures: { stalls: [{ peer: 'c', firstMs: 300, lastMs: 450 }] },
    })
  })

  it('objects to who never shows it, and to who does so late', () => {
    assert.deepEqual(properties(checkStalls(paused().end(5000).events, judged)), ['stalls-shown'])
    const late = stalled(paused(), 1600, 'b').end(5000)
    assert.deepEqual(properties(checkStalls(late.events, judged)), ['stalls-shown'])
  })

  it('asks nothing of a stop that ends in time, nor of who is disturbed meanwhile', () => {
    assert.deepEqual(
      properties(checkStalls(paused().freezes(1400, 'resumed', 'c').end(5000).events, judged)),
      [],
    )
    assert.deepEqual(properties(checkStalls(paused().ends(1400, 'killed', 'c').end(5000).events, judged)), [])
    assert.deepEqual(properties(checkStalls(paused().ends(1400, 'killed', 'b').end(5000).events, judged)), [])
    assert.deepEqual(properties(checkStalls(paused().cut(1400, ['a'], ['b']).end(5000).events, judged)), [])
  })

  it('asks nothing when the whole machine stands still, for then nothing tells it from a cut', () => {
    assert.deepEqual(properties(checkStalls(paused(true).end(5000).events, judged)), [])
  })

  it('has accuracy object to a death of who stands still, until its time as a member is over', () => {
    const died = (at: number, machine = false) => paused(machine).view(at, 'a', 'c', 'dead', 1, 0).events
    assert.deepEqual(properties(checkAccuracy(died(2000), judged)), ['accuracy'])
    assert.deepEqual(properties(checkAccuracy(died(4100), judged)), [])
    assert.deepEqual(properties(checkAccuracy(died(2000, true), judged)), [])
    assert.deepEqual(properties(checkAccuracy(died(2000), bounds)), [])
  })

  it('has accuracy object to a death after a short stop is over', () => {
    const history = paused().freezes(1800, 'resumed', 'c').view(1900, 'a', 'c', 'dead', 1, 0)
    assert.deepEqual(properties(checkAccuracy(history.events, judged)), ['accuracy'])
  })
})
