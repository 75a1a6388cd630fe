import assert from 'node:assert/strict'
import fc from 'fast-check'
import { diagram } from '../../../testnet/spacetime/diagram.ts'
import { randomTalk, Talk } from '../checkers/talk.ts'
import { draws, tracesOf } from './traces.ts'

function conversation(): Talk {
  const talk = new Talk('n1', 'n2', 'n3', 'n4')
  const question = talk.publish('n2')
  talk.deliverAt(['n1', 'n3'], question)
  const answer = talk.publish('n3')
  talk.deliverAt(['n2', 'n1'], answer)
  const remark = talk.publish('n4')
  talk.deliverAt(['n1', 'n2'], remark)
  talk.deliverAt(['n4'], question)
  talk.deliverAt(['n4'], answer)
  talk.deliverAt(['n3'], remark)
  return talk
}

describe('the space-time diagram', () => {
  it('shows who published, who delivered at once, and who later', () => {
    assert.deepEqual(diagram(tracesOf(conversation())), [
      '  n1            n2            n3            n4',
      '  │             │             │             │',
      '  ◀─────────────●1────────────▶             │',
      '  ◀─────────────◀────────────2●             │',
      '  ◀─────────────◀─────────────◀────────────3●',
      '  │             ├1┄┄┄┄┄┄┄┄┄┄┄┄┼┄┄┄┄┄┄┄┄┄┄┄┄┄▶',
      '  │             │             ├2┄┄┄┄┄┄┄┄┄┄┄┄▶',
      '  │             │             │             │',
      '  ● publishes   ▶ delivers   ┄┄▶ delivers later',
    ])
  })

  it('is ASCII where nothing else can be shown', () => {
    const lines = diagram(tracesOf(conversation()), { ascii: true })
    assert.match(lines.join(''), /^[\x20-\x7e]*$/)
  })

  it('never exceeds its frame, whatever it is given', () => {
    const size = fc.integer({ min: 2, max: 24 })
    const run = fc.property(
      size,
      fc.integer({ min: 1, max: 40 }),
      fc.nat(),
      fc.boolean(),
      (n, m, seed, ascii) => {
        const lines = diagram(tracesOf(randomTalk(n, m, draws(seed))), { ascii })
        assert.ok(lines.length <= 16)
        for (const line of lines) assert.ok([...line].length <= 78, line)
      },
    )
    fc.assert(run, { numRuns: 100 })
  })
})
