import assert from 'node:assert/strict'
import { type IsolationInput, isIsolated, lagOf } from '../../../../lib/protocols/membership/awareness.ts'
import { profiles } from '../../../../lib/protocols/membership/config.ts'
import { Lab, ScriptedPeer } from './lab.ts'

const silent: IsolationInput = {
  n: 5,
  suspects: 4,
  silentForMs: 4000,
  unrefusedForMs: Number.POSITIVE_INFINITY,
  suspicionMinMs: 3000,
}

describe('being the sick one', () => {
  it('takes silence from everybody, and many suspects', () => {
    assert.equal(isIsolated(silent), true)
    assert.equal(isIsolated({ ...silent, silentForMs: 2000 }), false)
    assert.equal(isIsolated({ ...silent, suspects: 2 }), false)
    assert.equal(isIsolated({ ...silent, n: 2, suspects: 1 }), false, 'of two, neither can tell')
    assert.equal(isIsolated({ ...silent, n: 3, suspects: 2 }), true)
    assert.equal(isIsolated({ ...silent, n: 50, suspects: 9 }), false, 'a fifth of many')
    assert.equal(isIsolated({ ...silent, n: 50, suspects: 10 }), true)
  })

  it('is disproved by a refusal, which another machine sent', () => {
    assert.equal(isIsolated({ ...silent, unrefusedForMs: 100 }), false)
  })

  it('is not believed by a member whose dials are refused', () => {
    const lab = new Lab()
    const peers = ['a', 'b', 'c', 'd'].map((name) => new ScriptedPeer(name))
    lab.start()
    for (const peer of peers) lab.connect(peer)
    const run = (ms: number, reason: 'timeout' | 'refused') => {
      for (let passed = 0; passed < ms; passed += 50) {
        lab.run(50)
        const dials = lab.requests().flatMap((request) => (request.type === 'dial' ? [request.id] : []))
        lab.take()
        for (const id of dials) lab.command({ type: 'dialled', id, outcome: { type: 'failed', reason } })
      }
    }
    run(8000, 'timeout')
    assert.equal(lab.core.health.isolated, true)
    run(3000, 'refused')
    assert.equal(lab.core.health.isolated, false)
  })
})

describe('the lag of the own loop', () => {
  it('voids what is outstanding beyond half the time-out, and is an absence beyond the suspicion minimum', () => {
    assert.equal(lagOf(250, profiles.lan), 'none')
    assert.equal(lagOf(251, profiles.lan), 'late')
    assert.equal(lagOf(3000, profiles.lan), 'late')
    assert.equal(lagOf(3001, profiles.lan), 'away')
  })
})
