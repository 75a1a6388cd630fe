import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Agenda } from '../../../lib/protocols/agenda.ts'

describe('agenda', () => {
  it('gives timers in the order of their instants, equal ones in the order of scheduling', () => {
    const agenda = new Agenda<string>()
    agenda.schedule('b', 20, 'b')
    agenda.schedule('c', 20, 'c')
    agenda.schedule('a', 10, 'a')
    assert.equal(agenda.deadline, 10)
    assert.deepEqual(
      [agenda.takeDue(20), agenda.takeDue(20), agenda.takeDue(20), agenda.takeDue(20)],
      ['a', 'b', 'c', undefined],
    )
    assert.equal(agenda.deadline, undefined)
  })

  it('takes what may come early together with what is due, and alone at its end', () => {
    const agenda = new Agenda<string>()
    agenda.scheduleLoosely('loose', 10, 30, 'loose')
    agenda.schedule('early', 5, 'early')
    agenda.schedule('due', 20, 'due')
    assert.deepEqual([agenda.takeDue(5), agenda.takeDue(5)], ['early', undefined])
    assert.equal(agenda.deadline, 20)
    assert.deepEqual(
      [agenda.takeDue(20), agenda.takeDue(20), agenda.takeDue(99)],
      ['due', 'loose', undefined],
    )
    agenda.scheduleLoosely('loose', 110, 130, 'loose')
    assert.equal(agenda.deadline, 130)
    assert.deepEqual([agenda.takeDue(130), agenda.takeDue(130)], ['loose', undefined])
  })

  it('forgets what was cancelled, also of what may come early', () => {
    const agenda = new Agenda<string>()
    agenda.scheduleLoosely('a', 10, 30, 'first')
    agenda.scheduleLoosely('a', 20, 40, 'second')
    assert.equal(agenda.takeDue(15), undefined)
    agenda.scheduleLoosely('b', 10, 30, 'b')
    agenda.cancel('b')
    assert.deepEqual([agenda.takeDue(25), agenda.takeDue(50)], ['second', undefined])
    agenda.scheduleLoosely('c', 10, 30, 'c')
    agenda.clear()
    assert.equal(agenda.takeDue(30), undefined)
    assert.equal(agenda.deadline, undefined)
  })

  it('does not grow with what is put off again and again', () => {
    const agenda = new Agenda<string>()
    for (let at = 0; at < 10_000; at++) {
      agenda.schedule('far', 1e9 + at, 'far')
      agenda.schedule('near', at, 'near')
    }
    assert.ok(agenda.size <= 4 + Agenda.deadAllowed + 1, `${agenda.size}`)
    assert.deepEqual(
      [agenda.takeDue(1e10), agenda.takeDue(1e10), agenda.takeDue(1e10)],
      ['near', 'far', undefined],
    )
  })

  it('behaves like a sorted list of keys, whatever is scheduled, moved and cancelled', () => {
    const key = fc.integer({ min: 0, max: 9 }).map(String)
    const operation = fc.oneof(
      fc.record({ type: fc.constant('schedule' as const), key, at: fc.nat(50) }),
      fc.record({ type: fc.constant('atLatest' as const), key, at: fc.nat(50) }),
      fc.record({ type: fc.constant('cancel' as const), key }),
      fc.record({ type: fc.constant('take' as const), now: fc.nat(50) }),
    )
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
        const agenda = new Agenda<string>()
        let oracle: { key: string; at: number; order: number }[] = []
        let order = 0
        const put = (k: string, at: number) => {
          oracle = oracle.filter((t) => t.key !== k).concat({ key: k, at, order: order++ })
          oracle.sort((a, b) => a.at - b.at || a.order - b.order)
        }
        for (const op of operations) {
          if (op.type === 'schedule') {
            agenda.schedule(op.key, op.at, op.key)
            put(op.key, op.at)
          } else if (op.type === 'atLatest') {
            agenda.scheduleAtLatest(op.key, op.at, op.key)
            const current = oracle.find((t) => t.key === op.key)
            if (current === undefined || current.at > op.at) put(op.key, op.at)
          } else if (op.type === 'cancel') {
            agenda.cancel(op.key)
            oracle = oracle.filter((t) => t.key !== op.key)
          } else {
            const expected =
              oracle[0] !== undefined && oracle[0].at <= op.now ? oracle.shift()?.key : undefined
            assert.equal(agenda.takeDue(op.now), expected)
          }
          assert.equal(agenda.deadline, oracle[0]?.at)
        }
      }),
    )
  })
})
