import assert from 'node:assert/strict'
import type { PeerId } from '../../../../../lib/protocols/core.ts'
import { mutexDefaults } from '../../../../../plugins/mutex/core/config.ts'
import { ProvenChain } from '../../../../../plugins/mutex/core/electorate/chain.ts'
import { foundation } from '../../../../../plugins/mutex/core/electorate/founding.ts'
import type {
  Ballot,
  Charter,
  Decision,
  Link,
} from '../../../../../plugins/mutex/core/electorate/messages.ts'
import { acceptBytes, charterBytes, electorateIdOf } from '../../../../../plugins/mutex/core/statements.ts'
import { Keys } from '../../../../../testnet/sim/keys.ts'
import { Random } from '../../../../../testnet/sim/random.ts'

const cluster = '0123456789abcdef0123456789abcdef'
const nonce = 'ffffffffffffffffffffffffffffffff'
const keys = new Keys(new Random(7))
const peers = Array.from({ length: 9 }, () => keys.identity())
const [founder, second, third, fourth] = peers as [PeerId, PeerId, PeerId, PeerId]
const crypto = keys.crypto(founder)
const first = foundation({ self: founder, cluster, crypto, nonce, config: mutexDefaults })
const id = electorateIdOf(first.charter, crypto.sha256)

function open(): ProvenChain {
  const chain = ProvenChain.open(id, first.charter, first.signature, cluster, crypto)
  assert.ok(chain !== undefined)
  return chain
}

function ballotOf(peer: PeerId): Ballot {
  return { round: 1, peer, generation: 1 }
}

function voters(...list: PeerId[]): Decision {
  return { type: 'voters', voters: list, replaced: [] }
}

/** A link that `signers` signed. */
function link(version: number, decision: Decision, ...signers: PeerId[]): Link {
  const ballot = ballotOf(founder)
  const bytes = acceptBytes(id, version, ballot, decision)
  const accepts = signers.map((voter) => ({ voter, signature: keys.crypto(voter).sign(bytes) }))
  return { version, ballot, decision, accepts }
}

describe('the chain of an electorate', () => {
  it('begins with a charter that its founder signed, whose hash is the id', () => {
    const chain = open()
    assert.deepEqual(chain.electorate(), { id, version: 1, voters: [founder], charter: first.charter })
  })

  it('refuses a charter of another id, cluster, founder or signature, and one that promises nonsense', () => {
    const bad = (changes: Partial<Charter>, of = cluster): ProvenChain | undefined => {
      const charter = { ...first.charter, ...changes }
      const signature = crypto.sign(charterBytes(charter))
      return ProvenChain.open(electorateIdOf(charter, crypto.sha256), charter, signature, of, crypto)
    }
    assert.ok(bad({}) !== undefined)
    assert.equal(bad({}, 'fedcba9876543210fedcba9876543210'), undefined)
    assert.equal(bad({ founder: second }), undefined)
    assert.equal(bad({ maxLeaseMs: 3_600_001 }), undefined)
    assert.equal(bad({ maxLeaseMs: 1 }), undefined)
    assert.equal(bad({ driftBound: 0.5 }), undefined)
    assert.equal(bad({ maxVoters: 4 }), undefined)
    assert.equal(bad({ nonce: 'none' }), undefined)
    const other = { ...first.charter, nonce: 'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee' }
    const signature = crypto.sign(charterBytes(other))
    assert.equal(ProvenChain.open(id, other, signature, cluster, crypto), undefined)
  })

  it('goes on with what a quorum of its last voters accepted', () => {
    const chain = open()
    assert.equal(chain.extend(link(1, voters(founder, second, third), founder), crypto), 'taken')
    assert.equal(chain.extend(link(2, voters(second, third, fourth), second, third), crypto), 'taken')
    assert.equal(chain.version, 3)
    assert.deepEqual(chain.voters, [second, third, fourth])
    assert.deepEqual(chain.votersOf(2), [founder, second, third])
    assert.equal(chain.tenure(second), 2)
    assert.equal(chain.tenure(fourth), 3)
    assert.equal(chain.tenure(founder), 0)
    assert.equal(chain.extend(link(1, voters(founder, second, third), founder), crypto), 'known')
    assert.equal(chain.extend(link(4, voters(second), second, third), crypto), 'gap')
  })

  it('refuses a link without a quorum, of strangers, with a voter twice, or signed for something else', () => {
    const chain = open()
    chain.extend(link(1, voters(founder, second, third), founder), crypto)
    const next = voters(second, third, fourth)
    const good = link(2, next, second, third)
    const [one, two] = good.accepts as [Link['accepts'][0], Link['accepts'][0]]
    const refused = (changes: Partial<Link>): void => {
      assert.equal(chain.extend({ ...good, ...changes }, crypto), 'bad')
    }
    refused({ accepts: [one] })
    refused({ accepts: [one, one] })
    refused({ accepts: [one, { ...two, voter: fourth }] })
    refused({ accepts: link(2, next, second, fourth).accepts })
    refused({ accepts: [one, { voter: third, signature: new Uint8Array(64) }] })
    refused({ decision: voters(founder, second, fourth) })
    refused({ ballot: { ...good.ballot, round: 2 } })
    refused({ decision: voters(second, third) })
    refused({ decision: voters(second, second, third) })
    refused({ decision: voters(...peers) })
    refused({ decision: { type: 'voters', voters: [second, third, fourth], replaced: [second] } })
    refused({ decision: { type: 'dissolved', into: id } })
    assert.equal(chain.extend(good, crypto), 'taken')
  })

  it('ends when it is given up, which is a decision of version 1 alone', () => {
    const chain = open()
    const into = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' as typeof id
    assert.equal(chain.extend(link(1, { type: 'dissolved', into: id }, founder), crypto), 'bad')
    assert.equal(chain.extend(link(1, { type: 'dissolved', into }, founder), crypto), 'taken')
    assert.equal(chain.dissolvedInto, into)
    assert.equal(chain.version, 1)
    assert.equal(chain.extend(link(1, voters(founder, second, third), founder), crypto), 'known')
    assert.equal(chain.page(1).length, 1)
  })

  it('is told in pages', () => {
    const chain = open()
    for (let version = 1; version <= 100; version++) {
      const next = version % 2 === 1 ? second : founder
      assert.equal(chain.extend(link(version, voters(next), ...(chain.voters as PeerId[])), crypto), 'taken')
    }
    const copy = open()
    for (let pages = 0; copy.version < chain.version; pages++) {
      assert.ok(pages < 3)
      for (const one of chain.page(copy.version)) assert.equal(copy.extend(one, crypto), 'taken')
    }
    assert.deepEqual(copy.voters, chain.voters)
    assert.deepEqual(chain.page(0), chain.page(1))
    assert.deepEqual(chain.page(101), [])
  })
})
