import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { create, toBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'
import type { Crypto, PeerId } from '../../../../lib/protocols/core.ts'
import { WireError } from '../../../../lib/wire/errors.ts'
import { AcceptBodySchema, CharterSchema, VoteStatementsSchema } from '../../../../lib/wire/gen/mutex_pb.ts'
import type { Charter, ElectorateId } from '../../../../plugins/mutex/core/electorate/messages.ts'
import { mutexLimits } from '../../../../plugins/mutex/core/limits.ts'
import type { VoteStatement } from '../../../../plugins/mutex/core/messages.ts'
import {
  acceptBytes,
  charterBytes,
  decodeVotes,
  electorateIdOf,
  encodeVotes,
  signVotes,
  votesAreSigned,
} from '../../../../plugins/mutex/core/statements.ts'
import { throughTheLibrary } from './by-library.ts'
import { ballots, charters, counts, decisions, electorateIds, names, record, votes } from './frames.ts'

const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest())

/** Make-believe: whoever has a peer's crypto signs in its name. */
function cryptoOf(peer: PeerId): Crypto {
  const stamp = (signer: string, bytes: Uint8Array) =>
    new Uint8Array(createHash('sha512').update(signer).update(bytes).digest())
  return {
    sha256,
    sign: (bytes) => stamp(peer, bytes),
    verify: (signer, bytes, signature) => Buffer.compare(stamp(signer, bytes), signature) === 0,
  }
}

const statements = record<VoteStatement>({
  electorate: electorateIds,
  version: counts.map((version) => Math.max(1, version)),
  lock: names,
  vote: votes,
  proposal: counts,
})

const alice = 'alice' as PeerId
const bob = 'bob' as PeerId
const electorate = '0123456789abcdef'.repeat(2) as ElectorateId
const charter: Charter = {
  cluster: 'ab'.repeat(16),
  founder: alice,
  nonce: 'cd'.repeat(16),
  quorumSystem: 'majority',
  maxLeaseMs: 60_000,
  driftBound: 0.1,
  maxVoters: 7,
}
const statement: VoteStatement = {
  electorate,
  version: 1,
  lock: 'a',
  vote: { request: { peer: alice, generation: 1, counter: 1 }, grant: { generation: 1, counter: 1 } },
  proposal: 1,
}
const ballot = { round: 1, peer: alice, generation: 1 }

/** Behind the domain tag, which ends with a zero. */
function body(bytes: Uint8Array, tag: string): Uint8Array {
  assert.equal(Buffer.from(bytes.subarray(0, tag.length + 1)).toString('latin1'), `${tag}\0`)
  return bytes.subarray(tag.length + 1)
}

describe('what is signed about locks', () => {
  it('begins with a tag for its kind, and has one form', () => {
    fc.assert(
      fc.property(charters, electorateIds, counts, ballots, decisions, (some, id, version, of, decision) => {
        const founding = body(charterBytes(some), 'p2pd mutex charter 1')
        assert.deepEqual(Buffer.from(throughTheLibrary(CharterSchema, founding)), Buffer.from(founding))
        const accept = body(acceptBytes(id, version, of, decision), 'p2pd mutex accept 1')
        assert.deepEqual(Buffer.from(throughTheLibrary(AcceptBodySchema, accept)), Buffer.from(accept))
      }),
    )
  })

  it('is of other bytes when anything in it is another', () => {
    const changes: readonly Partial<Charter>[] = [
      { cluster: 'ac'.repeat(16) },
      { founder: bob },
      { nonce: 'ce'.repeat(16) },
      { maxLeaseMs: 60_001 },
      { driftBound: 0.1000001 },
      { maxVoters: 5 },
    ]
    const ids = changes.map((change) => electorateIdOf({ ...charter, ...change }, sha256))
    assert.equal(new Set([electorateIdOf(charter, sha256), ...ids]).size, changes.length + 1)

    const voters = { type: 'voters', voters: [alice, bob], replaced: [] } as const
    const accepts = [
      acceptBytes(electorate, 1, ballot, voters),
      acceptBytes('ff'.repeat(16) as ElectorateId, 1, ballot, voters),
      acceptBytes(electorate, 2, ballot, voters),
      acceptBytes(electorate, 1, { ...ballot, round: 2 }, voters),
      acceptBytes(electorate, 1, { ...ballot, peer: bob }, voters),
      acceptBytes(electorate, 1, { ...ballot, generation: 2 }, voters),
      acceptBytes(electorate, 1, ballot, { ...voters, voters: [bob, alice] }),
      acceptBytes(electorate, 1, ballot, { ...voters, voters: [alice], replaced: [bob] }),
      acceptBytes(electorate, 1, ballot, { type: 'dissolved', into: electorate }),
    ]
    assert.equal(new Set(accepts.map((bytes) => Buffer.from(bytes).toString('hex'))).size, accepts.length)
  })

  it('gives an electorate its id: half a hash of what the founder signed', () => {
    const id = electorateIdOf(charter, sha256)
    assert.match(id, /^[0-9a-f]{32}$/)
    assert.equal(
      id,
      Buffer.from(sha256(charterBytes(charter)))
        .toString('hex')
        .slice(0, 32),
    )
  })

  it('is signed by an arbiter for its votes, and for nothing else', () => {
    const signed = signVotes([statement], cryptoOf(alice))
    assert.ok(votesAreSigned(alice, signed, cryptoOf(bob)))
    assert.ok(!votesAreSigned(bob, signed, cryptoOf(bob)))
    const other = { ...signed, bytes: encodeVotes([{ ...statement, proposal: 2 }]) }
    assert.ok(!votesAreSigned(alice, other, cryptoOf(bob)))
    // Without its tag it is nobody's statement.
    assert.ok(!cryptoOf(bob).verify(alice, signed.bytes, signed.signature))
  })
})

describe('statements of votes', () => {
  it('come back as they were, with the bytes of the library', () => {
    fc.assert(
      fc.property(fc.array(statements, { minLength: 1, maxLength: 6 }), (some) => {
        const bytes = encodeVotes(some)
        assert.deepEqual(decodeVotes(bytes), some)
        assert.deepEqual(Buffer.from(throughTheLibrary(VoteStatementsSchema, bytes)), Buffer.from(bytes))
      }),
    )
  })

  it('say once what they share', () => {
    const two = encodeVotes([statement, { ...statement, lock: 'b' }]).length
    assert.ok(two - encodeVotes([statement]).length < 20)
  })

  it('are at least one and at most 256, also with the longest names', () => {
    const many = (count: number): VoteStatement[] =>
      Array.from({ length: count }, (_, i) => ({
        ...statement,
        lock: 'a'.repeat(256),
        proposal: Number.MAX_SAFE_INTEGER,
        vote: {
          request: { peer: alice, generation: Number.MAX_SAFE_INTEGER, counter: Number.MAX_SAFE_INTEGER - i },
          grant: { generation: Number.MAX_SAFE_INTEGER, counter: Number.MAX_SAFE_INTEGER - i },
        },
      }))
    const most = mutexLimits.statementsPerSignature
    assert.equal(decodeVotes(encodeVotes(many(most))).length, most)
    const malformed = { name: 'WireError', code: 'ERR_MALFORMED' }
    assert.throws(() => decodeVotes(encodeVotes(many(most + 1))), malformed)
    assert.throws(() => decodeVotes(new Uint8Array()), malformed)
    assert.throws(() => decodeVotes(new Uint8Array(mutexLimits.statementBytes + 1)), malformed)
  })

  it('are refused when the first leaves out what it cannot share', () => {
    const complete = {
      electorate: new Uint8Array(16),
      version: 1n,
      lock: 'a',
      request: { generation: 1n, counter: 1n, peer: 'alice' },
      grant: { generation: 1n, counter: 1n },
    }
    const encoded = (change: object) =>
      toBinary(
        VoteStatementsSchema,
        create(VoteStatementsSchema, { statements: [{ ...complete, ...change }] }),
      )
    decodeVotes(encoded({}))
    for (const change of [
      { electorate: new Uint8Array() },
      { version: 0n },
      { lock: '' },
      { request: { ...complete.request, peer: '' } },
      { request: undefined },
      { grant: undefined },
    ]) {
      assert.throws(() => decodeVotes(encoded(change)), { name: 'WireError', code: 'ERR_MALFORMED' })
    }
  })

  it('are taken or refused with a WireError, whatever became of their bytes', () => {
    const lists = fc.array(statements, { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(lists, fc.nat(), fc.integer({ min: 1, max: 255 }), (some, at, by) => {
        const bytes = encodeVotes(some)
        bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ by
        try {
          decodeVotes(bytes)
        } catch (error) {
          assert.ok(error instanceof WireError)
        }
      }),
      { numRuns: 500 },
    )
  })
})
