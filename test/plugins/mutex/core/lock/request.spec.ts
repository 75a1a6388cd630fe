import assert from 'node:assert/strict'
import type { PeerId } from '../../../../../lib/protocols/core.ts'
import { mutexDefaults } from '../../../../../plugins/mutex/core/config.ts'
import type { Electorate, ElectorateId } from '../../../../../plugins/mutex/core/electorate/messages.ts'
import type { LockContext } from '../../../../../plugins/mutex/core/lock/lock-context.ts'
import { LockRequest, type OwnVote } from '../../../../../plugins/mutex/core/lock/request.ts'
import { standardLockUnits } from '../../../../../plugins/mutex/core/lock/units.ts'

const [a, b, c] = ['a', 'b', 'c'] as [PeerId, PeerId, PeerId]
const leaseMs = 1000
/** 1000 ms × 0.9 / 1.1 less 30 ms. */
const usableMs = standardLockUnits.usableMs(leaseMs, 0.1, 30)

function electorate(version: number, voters: readonly PeerId[]): Electorate {
  const charter = {
    cluster: '0'.repeat(32),
    founder: a,
    nonce: '0'.repeat(32),
    quorumSystem: 'majority' as const,
    maxLeaseMs: 60_000,
    driftBound: 0.1,
    maxVoters: 7,
  }
  return { id: '0'.repeat(32) as ElectorateId, version, voters, charter }
}

function at(now: number): LockContext {
  return { now, config: { ...mutexDefaults, marginMs: 30 }, units: standardLockUnits } as LockContext
}

function vote(arbiter: PeerId, sentAt: number, level = 1): OwnVote {
  const grant = { generation: 1, counter: 1 }
  return {
    arbiter,
    grant,
    proposal: level,
    level,
    asked: 0,
    leaseMs,
    sentAt,
    receivedAt: sentAt,
    grantedAt: sentAt,
    lastSentAt: sentAt,
  }
}

function asked(version = 1, voters: readonly PeerId[] = [a, b, c]): LockRequest {
  const request = new LockRequest(
    { token: 1, lock: 'lock', leaseMs, waitMs: undefined },
    { peer: a, generation: 1, counter: 1 },
  )
  request.turnTo(electorate(version, voters), at(0))
  return request
}

describe('a request for a lock', () => {
  it('is worth what a quorum of its votes is worth, counted from when the questions left', () => {
    const request = asked()
    assert.equal(request.validUntil(at(0)), undefined)
    request.take(vote(a, 100), 1)
    assert.equal(request.validUntil(at(0)), undefined)
    request.take(vote(b, 300), 1)
    assert.equal(request.validUntil(at(0)), 100 + usableMs)
    request.take(vote(c, 200), 1)
    assert.equal(request.validUntil(at(0)), 200 + usableMs)
  })

  it('leaves out votes that are over, at the moment that is looked at', () => {
    const request = asked()
    request.take(vote(a, 0), 1)
    request.take(vote(b, 500), 1)
    assert.equal(request.valid(at(usableMs - 1)).length, 2)
    assert.equal(request.valid(at(usableMs)).length, 1)
  })

  it('drops its votes at a new version, unless it has entered on them', () => {
    const waiting = asked()
    for (const voter of [a, b]) waiting.take(vote(voter, 0), 1)
    waiting.turnTo(electorate(2, [a, b, c]), at(0))
    assert.equal(waiting.validUntil(at(0)), undefined)

    const entered = asked()
    for (const voter of [a, b]) entered.take(vote(voter, 0), 1)
    entered.enter(1)
    entered.turnTo(electorate(2, [a, b, c]), at(0))
    assert.equal(entered.validUntil(at(0)), usableMs)
    entered.take(vote(c, 400), 2)
    assert.equal(entered.validUntil(at(0)), usableMs, 'votes of two versions are never added')
    entered.take(vote(b, 400), 2)
    assert.equal(entered.validUntil(at(0)), 400 + usableMs)
  })

  it('shows on which votes it has entered, and under whose signature', () => {
    const request = asked()
    request.take(vote(a, 0, 7), 1)
    request.take(vote(b, 0, 7), 1)
    request.enter(7)
    request.take(vote(c, 0, 8), 1)
    const signed = { bytes: new Uint8Array(3), signature: new Uint8Array(64) }
    request.sign(b, signed)
    assert.deepEqual(
      request.evidence.map(({ arbiter, proposal, signed: by }) => [arbiter, proposal, by]),
      [
        [a, 7, undefined],
        [b, 7, signed],
      ],
    )
  })
})

describe('the token of a quorum', () => {
  const isQuorum = (members: ReadonlySet<PeerId>): boolean => members.size >= 2
  const agreed = (...levels: number[]): number | undefined =>
    standardLockUnits.agreedToken(
      levels.map((level, index) => vote([a, b, c][index] as PeerId, 0, level)),
      isQuorum,
    )

  it('is what all of a quorum propose, and otherwise has to be confirmed', () => {
    assert.equal(agreed(5, 5), 5)
    assert.equal(agreed(5, 6), undefined)
    assert.equal(agreed(5, 6, 5), 5)
    assert.equal(agreed(5, 6, 6), 6)
    assert.equal(agreed(4, 5, 6), undefined)
    assert.equal(agreed(5), undefined)
  })
})
