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

  it('is told when it begins, by the mere passing of time, and at the first word of anybody', () => {
    const lab = new Lab()
    const peers = ['a', 'b', 'c', 'd'].map((name) => new ScriptedPeer(name))
    lab.start()
    for (const peer of peers) lab.connect(peer)
    lab.take()
    const told: boolean[] = []
    for (let passed = 0; passed < 12_000; passed += 50) {
      const before = lab.core.health.isolated
      lab.run(50)
      for (const event of lab.events()) if (event.type === 'isolated') told.push(event.isolated)
      lab.take()
      if (lab.core.health.isolated && !before) assert.ok(told.length <= 1)
    }
    assert.deepEqual(told, [true])
    lab.hear(peers[0] as ScriptedPeer)
    const [over] = lab.events().filter((event) => event.type === 'isolated')
    assert.equal(over?.isolated, false)
    assert.equal(lab.core.health.isolated, false)
  })

  it('is not told of a death that others vouch for', () => {
    const lab = new Lab()
    const peers = ['a', 'b', 'c', 'd'].map((name) => new ScriptedPeer(name))
    lab.start()
    for (const peer of peers) lab.connect(peer)
    lab.runWhile(30_000, peers.slice(1))
    assert.deepEqual(
      lab.events().filter((event) => event.type === 'isolated'),
      [],
    )
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
