import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { PeerId } from '../../../../../lib/protocols/core.ts'
import {
  type Candidate,
  type Situation,
  wanted,
} from '../../../../../plugins/mutex/core/electorate/policy.ts'

const ids = [...'abcdefghij'] as PeerId[]

function live(peer: PeerId, changes: Partial<Candidate> = {}): Candidate {
  return {
    peer,
    isLive: true,
    connectedMs: 60_000,
    deadMs: 0,
    isRetired: false,
    isSilent: false,
    isLeaving: false,
    ...changes,
  }
}

function dead(peer: PeerId, deadMs = 60_000): Candidate {
  return live(peer, { isLive: false, connectedMs: 0, deadMs })
}

function situation(voters: string, people: Candidate[], changes: Partial<Situation> = {}): Situation {
  return {
    voters: [...voters] as PeerId[],
    maxVoters: 7,
    people: new Map(people.map((candidate) => [candidate.peer, candidate])),
    adding: new Set(),
    removing: new Set(),
    sinceReplacedMs: Number.POSITIVE_INFINITY,
    readyForMs: 10_000,
    replaceAfterMs: 60_000,
    ...changes,
  }
}

function people(names: string, ...others: Candidate[]): Candidate[] {
  return [...([...names] as PeerId[]).map((peer) => live(peer)), ...others]
}

function next(of: Situation): string | undefined {
  const decision = wanted(of)
  return decision === undefined ? undefined : decision.voters.join('')
}

const [a, b, c, d, e] = ids as [PeerId, PeerId, PeerId, PeerId, PeerId]

describe('the policy of who votes', () => {
  it('adds two at a time, once both have been connected for long enough', () => {
    assert.equal(next(situation('a', people('a'))), undefined)
    assert.equal(next(situation('a', people('ab'))), undefined)
    assert.equal(next(situation('a', people('abc'))), 'abc')
    assert.equal(next(situation('a', people('ab', live(c, { connectedMs: 9999 })))), undefined)
    assert.equal(next(situation('abc', people('abcde'))), 'abcde')
    assert.equal(next(situation('abc', people('abcde'), { maxVoters: 3 })), undefined)
    assert.equal(next(situation('abcdefg', people('abcdefghi'))), undefined)
  })

  it('takes first who has been there longest', () => {
    const others = [
      live(b, { connectedMs: 20_000 }),
      live(c, { connectedMs: 30_000 }),
      live(d, { connectedMs: 25_000 }),
    ]
    assert.equal(next(situation('a', people('a', ...others))), 'acd')
  })

  it('takes last who did not say that it would vote', () => {
    const silent = live(b, { connectedMs: 90_000, isSilent: true })
    assert.equal(next(situation('a', people('acd', silent))), 'acd')
    assert.equal(next(situation('a', people('ac', silent))), 'acb')
  })

  it('does not grow while a voter is missing', () => {
    assert.equal(next(situation('abc', people('abde', dead(c, 1)))), undefined)
    assert.equal(next(situation('abc', people('abde', live(c, { isLive: false })))), undefined)
  })

  it('replaces one dead voter at a time, the most senior first, and not too often', () => {
    const both = people('ade', dead(b), dead(c))
    assert.deepEqual(wanted(situation('abc', both)), {
      type: 'voters',
      voters: [a, c, d],
      replaced: [b],
    })
    assert.equal(next(situation('abc', both, { sinceReplacedMs: 59_999 })), undefined)
    assert.equal(next(situation('abc', people('abd', dead(c, 59_999)))), undefined)
    assert.equal(next(situation('abc', people('ab', dead(c)))), undefined)
  })

  it('passes over who was replaced lately, unless no other is live', () => {
    const retired = live(d, { isRetired: true, connectedMs: 90_000 })
    assert.equal(next(situation('abc', people('abe', dead(c), retired))), 'abe')
    assert.equal(next(situation('abc', people('ab', dead(c), retired))), 'abd')
    assert.equal(next(situation('abc', people('abce', retired))), undefined)
    assert.equal(next(situation('abc', people('abce', retired), { adding: new Set([d]) })), 'abcde')
  })

  it('puts somebody else in the place of who leaves, or shrinks to what is left', () => {
    const leaver = live(c, { isLeaving: true })
    assert.equal(next(situation('abc', people('abd', leaver))), 'abd')
    assert.equal(next(situation('abc', people('ab', leaver))), 'a')
    assert.equal(next(situation('abcde', people('abde', leaver))), 'abd')
    assert.equal(next(situation('abcde', people('ab', leaver, dead(d), dead(e)))), 'a')
    assert.equal(next(situation('c', people('ab', leaver))), 'a')
    assert.equal(next(situation('abc', people('ade', leaver, dead(b)))), 'a', 'one cannot carry three')
    assert.equal(next(situation('c', people('', leaver, live(a, { connectedMs: 1 })))), undefined)
    assert.equal(next(situation('abc', people('abd', live(c), live(e, { isLeaving: true })))), undefined)
  })

  it('removes who is to be removed by hand, and counts that as replaced', () => {
    assert.deepEqual(wanted(situation('abc', people('abcd'), { removing: new Set([b]) })), {
      type: 'voters',
      voters: [a, c, d],
      replaced: [b],
    })
  })

  it('never wants an even number, a dead or a leaving newcomer, or one twice; and shrinks only for a leaver', () => {
    const candidates = ids.map((peer) =>
      fc.record({
        peer: fc.constant(peer),
        isLive: fc.boolean(),
        connectedMs: fc.constantFrom(0, 9999, 10_000, 90_000),
        deadMs: fc.constantFrom(0, 0, 1, 60_000),
        isRetired: fc.boolean(),
        isSilent: fc.boolean(),
        isLeaving: fc.constantFrom(false, false, false, true),
      }),
    )
    const property = fc.property(
      fc.tuple(...candidates),
      fc.constantFrom(1, 3, 5, 7),
      fc.constantFrom(1, 3, 5, 7),
      fc.subarray(ids, { maxLength: 2 }),
      fc.subarray(ids, { maxLength: 2 }),
      (list, size, maxVoters, adding, removing) => {
        const voters = ids.slice(0, Math.min(size, maxVoters))
        const by = new Map(list.map((one) => [one.peer, one]))
        const of = situation(voters.join(''), list, {
          maxVoters,
          adding: new Set(adding),
          removing: new Set(removing),
        })
        const decision = wanted(of)
        if (decision === undefined) return
        assert.equal(decision.voters.length % 2, 1)
        assert.ok(decision.voters.length <= maxVoters)
        assert.equal(new Set(decision.voters).size, decision.voters.length)
        for (const peer of decision.voters) {
          if (voters.includes(peer)) continue
          assert.ok(by.get(peer)?.isLive === true && by.get(peer)?.isLeaving === false)
          assert.ok(!removing.includes(peer))
        }
        for (const peer of decision.replaced) {
          assert.ok(voters.includes(peer) && !decision.voters.includes(peer))
        }
        const goes = voters.some((peer) => by.get(peer)?.isLeaving === true || removing.includes(peer))
        if (!goes) assert.ok(decision.voters.length >= voters.length)
        const kept = decision.voters.filter((peer) => voters.includes(peer))
        assert.deepEqual(
          kept,
          voters.filter((peer) => kept.includes(peer)),
          'by seniority',
        )
      },
    )
    fc.assert(property, { numRuns: 500 })
  })
})
