import assert from 'node:assert/strict'
import type { PeerId } from '../../../../../lib/protocols/core.ts'
import { mutexDefaults } from '../../../../../plugins/mutex/core/config.ts'
import { Acceptor } from '../../../../../plugins/mutex/core/electorate/acceptor.ts'
import { compareBallots } from '../../../../../plugins/mutex/core/electorate/ballot.ts'
import { ProvenChain } from '../../../../../plugins/mutex/core/electorate/chain.ts'
import { foundation } from '../../../../../plugins/mutex/core/electorate/founding.ts'
import type { Ballot, Decision } from '../../../../../plugins/mutex/core/electorate/messages.ts'
import { Standing } from '../../../../../plugins/mutex/core/electorate/standing.ts'
import {
  type ElectorateUnits,
  standardElectorateUnits,
} from '../../../../../plugins/mutex/core/electorate/units.ts'
import type { ElectorateHost } from '../../../../../plugins/mutex/core/ports.ts'
import { Keys } from '../../../../../testnet/sim/keys.ts'
import { Random } from '../../../../../testnet/sim/random.ts'
import { duel } from './duel.ts'
import { cluster } from './world.ts'

const keys = new Keys(new Random(3))
const voters = [keys.identity(), keys.identity(), keys.identity()]
const [founder] = voters as [PeerId, PeerId, PeerId]
const { charter, signature } = foundation({
  self: founder,
  cluster,
  crypto: keys.crypto(founder),
  nonce: '0123456789abcdef0123456789abcdef',
  config: mutexDefaults,
})

/** An acceptor that can be restarted: what it has not written, it forgets. */
class Voter {
  readonly #self: PeerId
  readonly #units: ElectorateUnits
  readonly #disk = new Map<string, Uint8Array>()
  acceptor: Acceptor

  constructor(self: PeerId, units: ElectorateUnits) {
    this.#self = self
    this.#units = units
    this.acceptor = this.restart()
  }

  restart(): Acceptor {
    const crypto = keys.crypto(this.#self)
    const host = {
      self: this.#self,
      crypto,
      durable: new Map(this.#disk),
      write: (key: string, value: Uint8Array) => this.#disk.set(key, value),
    }
    const standing = new Standing(host as unknown as ElectorateHost, this.#units)
    standing.chain = ProvenChain.restore(charter, signature, [], crypto)
    this.acceptor = new Acceptor(standing)
    this.acceptor.start()
    return this.acceptor
  }
}

/** Three proposers take turns at three acceptors, in any order; messages get lost, acceptors restart. */
function contest(seed: number, changes: Partial<ElectorateUnits> = {}): readonly string[] {
  const random = new Random(seed)
  const units = { ...standardElectorateUnits, ...changes }
  const acceptors = voters.map((self) => new Voter(self, units))
  const attempts: {
    ballot: Ballot
    value: Decision
    promises: Set<number>
    best: Ballot | undefined
    accepts: Set<number>
  }[] = []
  const chosen = new Set<string>()
  for (let step = 0; step < 60; step++) {
    const at = random.whole(0, 2)
    const { acceptor } = acceptors[at] as Voter
    const attempt = random.chance(0.15) ? undefined : attempts[random.whole(0, attempts.length - 1)]
    if (random.chance(0.15)) {
      acceptors[at]?.restart()
    } else if (attempt === undefined) {
      const value: Decision = { type: 'voters', voters: [voters[random.whole(0, 2)] as PeerId], replaced: [] }
      const ballot = { round: step, peer: random.pick(voters), generation: 1 }
      attempts.push({ ballot, value, promises: new Set(), best: undefined, accepts: new Set() })
    } else if (attempt.promises.size < 2) {
      const answer = acceptor.prepare(attempt.ballot)
      if (answer.type === 'preempted') continue
      attempt.promises.add(at)
      const { accepted } = answer
      if (accepted === undefined) continue
      if (attempt.best !== undefined && compareBallots(attempt.best, accepted.ballot) > 0) continue
      attempt.best = accepted.ballot
      attempt.value = accepted.decision
    } else {
      if (acceptor.accept(attempt.ballot, attempt.value).type === 'preempted') continue
      attempt.accepts.add(at)
      if (attempt.accepts.size >= 2) chosen.add(JSON.stringify(attempt.value))
    }
  }
  return [...chosen]
}

/** Seeds at which two values were chosen. */
function broken(seeds: number, changes?: Partial<ElectorateUnits>): number {
  let count = 0
  for (let seed = 1; seed <= seeds; seed++) if (contest(seed, changes).length > 1) count += 1
  return count
}

describe('an acceptor', () => {
  it('lets one value be chosen, whatever gets lost and whoever restarts', () => {
    assert.equal(broken(600), 0)
  })

  it('would let two be chosen if its promises, or what it accepted, were not on disk', () => {
    assert.ok(broken(600, { promiseIsDurable: false }) > 0)
    assert.ok(broken(600, { acceptIsDurable: false }) > 0)
  })

  it('knows after a restart what it accepted, and which links bear its accept', () => {
    const voter = new Voter(founder, standardElectorateUnits)
    const ballot = { round: 4, peer: founder, generation: 2 }
    const decision: Decision = { type: 'voters', voters, replaced: [] }
    assert.equal(voter.acceptor.accept(ballot, decision).type, 'accepted')
    const again = voter.restart()
    assert.deepEqual(again.state, { version: 1, promised: ballot, accepted: { ballot, decision } })
    assert.ok(again.remembers(1, ballot))
    assert.ok(!again.remembers(1, { ...ballot, round: 5 }))
    assert.ok(!again.remembers(2, ballot))
    assert.deepEqual(again.prepare({ ...ballot, round: 3 }), { type: 'preempted', promised: ballot })
  })
})

describe('voters that propose against each other', () => {
  it('decide once a version, whoever restarts in between, and go on', () => {
    for (let seed = 1; seed <= 12; seed++) duel(seed)
  })
})
