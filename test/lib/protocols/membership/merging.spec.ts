import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Update } from '../../../../lib/protocols/membership/messages.ts'
import { outlives } from '../../../../lib/protocols/membership/precedence.ts'
import { Lab, ScriptedPeer } from './lab.ts'

const witnesses = ['v', 'w', 'x', 'y'].map((name) => new ScriptedPeer(name))
const relay = new ScriptedPeer('r')
const gossip = { type: 'gossip' } as const

interface Saying {
  readonly generation: number
  readonly incarnation: number
  readonly left: boolean
  readonly suspecters: readonly number[]
  readonly refusers: readonly number[]
  readonly dismissers: readonly number[]
}

const some = fc.subarray([0, 1, 2, 3])
const saying: fc.Arbitrary<Saying> = fc
  .record({
    generation: fc.integer({ min: 1000, max: 1002 }),
    incarnation: fc.nat(2),
    left: fc.boolean(),
    suspecters: some,
    refusers: some,
    dismissers: some,
  })
  // Who dismisses somebody has seen it dead, and tells by whom.
  .map((it) => (it.suspecters.length + it.refusers.length > 0 ? it : { ...it, dismissers: [] }))

function toUpdate(subject: ScriptedPeer, it: Saying): Update {
  const { generation, incarnation } = it
  const record = subject.record({ generation, incarnation, presence: it.left ? 'left' : 'alive' })
  const by = (who: readonly number[], charge: 'suspected' | 'refused' | 'dismissed') =>
    who.map((at) => (witnesses[at] as ScriptedPeer).accuse(record, { charge }))
  const accusations = [
    ...by(it.suspecters, 'suspected'),
    ...by(it.refusers, 'refused'),
    ...by(it.dismissers, 'dismissed'),
  ]
  return { record, accusations: it.left ? [] : accusations, contact: true }
}

/** The row of `subject` after a relay has told all that. */
function told(sayings: readonly Saying[]) {
  const subject = new ScriptedPeer('s')
  const lab = new Lab()
  lab.start()
  for (const peer of [relay, ...witnesses]) lab.connect(peer)
  lab.receive(relay, relay.packet(gossip, [subject.update({ record: subject.record({ generation: 900 }) })]))
  for (const it of sayings) lab.receive(relay, relay.packet(gossip, [toUpdate(subject, it)]))
  return { lab, subject }
}

function outcome(sayings: readonly Saying[]) {
  const { lab, subject } = told(sayings)
  const row = lab.member(subject)
  assert.ok(row !== undefined)
  const { status, reason, generation, incarnation, accusers } = row
  return { status, reason, generation, incarnation, accusers: status === 'left' ? [] : [...accusers].sort() }
}

/** When nobody ever hears of it again. */
function verdict(sayings: readonly Saying[]) {
  const { lab, subject } = told(sayings)
  for (let at = 0; at < 120; at++) {
    for (const request of lab.requests())
      if (request.type === 'dial')
        lab.command({ type: 'dialled', id: request.id, outcome: { type: 'failed', reason: 'timeout' } })
    lab.take()
    lab.run(500)
    lab.hear(relay, ...witnesses)
  }
  const row = lab.member(subject)
  assert.ok(row?.status === 'suspect' || row?.status === 'dead' || row?.status === 'left')
  return [row.status, row.reason, row.generation, row.incarnation]
}

describe('merging what is said of a member', () => {
  const sayings = fc.array(saying, { maxLength: 6 })
  const shuffledTwice = sayings.chain((list) =>
    fc.tuple(
      fc.constant(list),
      fc.shuffledSubarray(list, { minLength: list.length }),
      fc.shuffledSubarray(list),
    ),
  )

  it('gives the same in any order, in any grouping and any number of times', () => {
    fc.assert(
      fc.property(shuffledTwice, ([list, other, again]) => {
        assert.deepEqual(outcome([...other, ...again]), outcome(list))
      }),
      { numRuns: 50 },
    )
  })

  it('leads to the same verdict in the end', () => {
    fc.assert(
      fc.property(shuffledTwice, ([list, other, again]) => {
        assert.deepEqual(verdict([...other, ...again]), verdict(list))
      }),
      { numRuns: 6 },
    )
  })

  it('never lets anything said of a buried life bring it back', () => {
    const buried = { generation: 1001, incarnation: 1 }
    fc.assert(
      fc.property(sayings, (list) => {
        const subject = new ScriptedPeer('s')
        const lab = new Lab({}, { goneMs: 500 })
        lab.start()
        for (const peer of [relay, ...witnesses]) lab.connect(peer)
        const tell = (record: Update['record']) =>
          lab.receive(relay, relay.packet(gossip, [subject.update({ record })]))
        tell(subject.record(buried))
        tell(subject.record({ ...buried, presence: 'left' }))
        lab.runWhile(1000, [relay, ...witnesses])
        assert.equal(lab.member(subject), undefined)
        let back = false
        for (const it of list) {
          lab.receive(relay, relay.packet(gossip, [toUpdate(subject, it)]))
          // Of somebody who is unknown here only that it lives is news.
          if (!it.left && outlives(it, buried)) back = true
          assert.equal(lab.member(subject) !== undefined, back)
        }
      }),
      { numRuns: 50 },
    )
  })
})
