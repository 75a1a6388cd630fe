import assert from 'node:assert/strict'
import type { DescMessage } from '@bufbuild/protobuf'
import fc from 'fast-check'
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { P2pdError } from '../../../../lib/wire/errors.ts'
import * as schema from '../../../../lib/wire/gen/mutex_pb.ts'
import type { Chain } from '../../../../plugins/mutex/core/electorate/messages.ts'
import type { VoteConflict } from '../../../../plugins/mutex/core/messages.ts'
import * as records from '../../../../plugins/mutex/core/records.ts'
import { throughTheLibrary } from './by-library.ts'
import {
  ballots,
  charters,
  counts,
  durations,
  grantNumbers,
  grants,
  links,
  list,
  names,
  peers,
  proposals,
  record,
  requestIds,
  signedVotes,
  stamps,
} from './frames.ts'

/** A kind of record: values of it, and its way to the disk and back. */
interface Kind {
  readonly desc: DescMessage
  /** As it is written, and as it is read again. */
  readonly stored: fc.Arbitrary<{ readonly value: unknown; readonly bytes: Uint8Array }>
  readonly decode: (bytes: Uint8Array) => unknown
}

function kind<T>(
  desc: DescMessage,
  values: fc.Arbitrary<T>,
  encode: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array) => T,
): Kind {
  return { desc, stored: values.map((value) => ({ value, bytes: encode(value) })), decode }
}

const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined })
const stoppedVotes = record<records.StoppedVote>({
  lock: names,
  request: requestIds,
  grant: grantNumbers,
  level: counts,
  remainingMs: durations,
  leaseMs: durations,
})

const kinds: Readonly<Record<string, Kind>> = {
  'the chain': kind(
    schema.ChainRecordSchema,
    record<Chain>({
      charter: charters,
      signature: fc.uint8Array({ minLength: 1, maxLength: 64 }),
      links: list(links),
    }),
    records.encodeChain,
    records.decodeChain,
  ),
  'a link': kind(schema.LinkRecordSchema, links, records.encodeLink, records.decodeLink),
  'the acceptor': kind(
    schema.AcceptorRecordSchema,
    record<records.AcceptorState>({ version: counts, promised: maybe(ballots), accepted: maybe(proposals) }),
    records.encodeAcceptor,
    records.decodeAcceptor,
  ),
  'the origin': kind(
    schema.OriginRecordSchema,
    record<records.Origin>({ type: fc.constantFrom('founder', 'joiner', 'expecting') }),
    records.encodeOrigin,
    records.decodeOrigin,
  ),
  'a stamp': kind(schema.StampRecordSchema, stamps, records.encodeStamp, records.decodeStamp),
  'the arbiter': kind(
    schema.ArbiterRecordSchema,
    record<records.ArbiterRecord>({
      installed: counts,
      sealed: counts,
      granted: fc.boolean(),
      ceiling: counts,
      longestLeaseMs: durations,
      void: fc.constantFrom(undefined, 'lost', 'rolled-back'),
    }),
    records.encodeArbiter,
    records.decodeArbiter,
  ),
  'a clean stop': kind(
    schema.StopRecordSchema,
    record<records.StopRecord>({
      abstainsForMs: durations,
      inherited: list(grants),
      votes: list(stoppedVotes),
    }),
    records.encodeStop,
    records.decodeStop,
  ),
  'proofs of contradiction': kind(
    schema.ConflictsRecordSchema,
    list(record<VoteConflict>({ arbiter: peers, lock: names, first: signedVotes, second: signedVotes })),
    records.encodeConflicts,
    records.decodeConflicts,
  ),
}

describe('what is kept of locks', () => {
  for (const [what, { desc, stored, decode }] of Object.entries(kinds)) {
    it(`is ${what}, which comes back as it was, with the bytes of the protobuf library`, () => {
      fc.assert(
        fc.property(stored, ({ value, bytes }) => {
          assert.deepEqual(decode(bytes), value)
          assert.deepEqual(Buffer.from(throughTheLibrary(desc, bytes)), Buffer.from(bytes))
        }),
        { numRuns: 50 },
      )
    })

    it(`is ${what}, and when it is damaged says so and what to do`, () => {
      const corrupt = (bytes: Uint8Array) =>
        assert.throws(
          () => decode(bytes),
          (error) =>
            error instanceof P2pdError && error.code === 'ERR_STORE_CORRUPT' && error.hint !== undefined,
        )
      corrupt(new Uint8Array())
      fc.assert(
        fc.property(stored, ({ bytes }) => {
          // Of another format; with a field that is not known; cut off within the last one.
          corrupt(new Uint8Array([8, 2, ...bytes.subarray(2)]))
          corrupt(new Uint8Array([...bytes, 0xe8, 1, 1]))
          if (bytes.length > 2) corrupt(new Uint8Array([...bytes, 0x12]))
        }),
        { numRuns: 20 },
      )
    })

    it(`is ${what}, and throws nothing else, whatever became of its bytes`, () => {
      fc.assert(
        fc.property(stored, fc.nat(), fc.integer({ min: 1, max: 255 }), ({ bytes }, at, by) => {
          bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ by
          try {
            decode(bytes)
          } catch (error) {
            assert.ok(error instanceof P2pdError)
            assert.equal(error.code, 'ERR_STORE_CORRUPT')
          }
        }),
      )
    })
  }

  it('may be more than a frame may hold', () => {
    const request = { peer: 'alice' as PeerId, generation: 1, counter: 1 }
    const inherited = Array.from({ length: 70_000 }, () => ({ lock: 'a', request, remainingMs: 1 }))
    const stop = { abstainsForMs: 0, inherited, votes: [] }
    assert.equal(records.decodeStop(records.encodeStop(stop)).inherited.length, 70_000)
  })
})
