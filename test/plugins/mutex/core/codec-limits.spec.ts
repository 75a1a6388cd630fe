import assert from 'node:assert/strict'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import * as schema from '../../../../lib/wire/gen/mutex_pb.ts'
import { frameCodec } from '../../../../plugins/mutex/core/codec.ts'
import { mutexLimits } from '../../../../plugins/mutex/core/limits.ts'

type Init = MessageInitShape<typeof schema.FrameSchema>
type Asked = NonNullable<MessageInitShape<typeof schema.AskingItemSchema>['kind']>
type Answered = NonNullable<MessageInitShape<typeof schema.AnsweringItemSchema>['kind']>
type Said = NonNullable<MessageInitShape<typeof schema.ItemSchema>['kind']>

const session = { generation: 1n, counter: 1n }
const asking = (...kinds: readonly Asked[]): Init => ({
  asking: { session, owner: 'alice', items: kinds.map((kind) => ({ kind })) },
})
const answering = (...kinds: readonly Answered[]): Init => ({
  answering: { session, owner: 'alice', items: kinds.map((kind) => ({ kind })) },
})
const saying = (...kinds: readonly Said[]): Init => ({ items: kinds.map((kind) => ({ kind })) })

function encoded(frame: Init): Uint8Array {
  return toBinary(schema.FrameSchema, create(schema.FrameSchema, frame))
}

function taken(frame: Init): void {
  frameCodec.decode(encoded(frame))
}

function refused(frame: Init, bytes = encoded(frame)): void {
  assert.throws(() => frameCodec.decode(bytes), { name: 'WireError', code: 'ERR_MALFORMED' })
}

const times = <T>(count: number, of: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => of(i))
const request = { generation: 1n, counter: 1n }
const grant = { generation: 1n, counter: 1n }
const vote = { request, grant }
const listed = { request, lock: 'a', leaseMs: 1n }
const id = new Uint8Array(16)
const signature = new Uint8Array(64)
const ballot = { round: 1n, peer: 'alice', generation: 1n }
const voters = (count: number) => ({ voters: { peers: times(count, (i) => `peer${i}`) } })
const charter = {
  cluster: id,
  nonce: id,
  founder: 'alice',
  quorumSystem: schema.QuorumSystem.MAJORITY,
  maxLeaseMs: 60_000n,
  driftBound: 0.1,
  maxVoters: 7,
}
const link = { version: 1n, ballot, decision: voters(3) }
const unknown = [{ no: 29, wireType: 0, data: Uint8Array.of(1) }]

const chain = (change: object): Init =>
  saying({ case: 'chain', value: { id, charter, signature, links: [], ...change } })
const release = (change: object): Init =>
  asking({ case: 'release', value: { request, lock: 'a', token: 1n, ...change } })
const locks = (count: number, change: object = {}): Init =>
  saying({ case: 'inspected', value: { locks: times(count, () => ({ lock: 'a', ...change })) } })

describe('a frame about locks', () => {
  const lists: readonly [what: string, most: number, of: (count: number) => Init][] = [
    ['items of a requester', 8192, (n) => asking(...times(n, (): Asked => ({ case: 'ping', value: {} })))],
    [
      'items of an arbiter',
      8192,
      (n) => answering(...times(n, (): Answered => ({ case: 'reset', value: {} }))),
    ],
    ['items of no session', 8192, (n) => saying(...times(n, (): Said => ({ case: 'fetch', value: {} })))],
    [
      'requests of a sync',
      1024,
      (n) => asking({ case: 'sync', value: { requests: times(n, () => listed) } }),
    ],
    ['votes to renew', 1024, (n) => asking({ case: 'renewEach', value: { votes: times(n, () => vote) } })],
    [
      'votes not renewed',
      1024,
      (n) => answering({ case: 'renewed', value: { refused: times(n, () => vote) } }),
    ],
    ['grants of a release', 7, (n) => release({ grants: times(n, () => ({ arbiter: 'bob', grant })) })],
    ['locks that are inspected', 4096, (n) => locks(n)],
    ['waiters of a lock', 64, (n) => locks(1, { waiters: times(n, () => 'bob') })],
    ['links of a chain', 64, (n) => chain({ links: times(n, () => link) })],
    [
      'accepts of a link',
      7,
      (n) => chain({ links: [{ ...link, accepts: times(n, () => ({ voter: 'bob', signature })) }] }),
    ],
    ['voters of a decision', 7, (n) => chain({ links: [{ ...link, decision: voters(n) }] })],
    [
      'voters that were replaced',
      7,
      (n) => chain({ links: [{ ...link, decision: { ...voters(1), replaced: voters(n).voters } }] }),
    ],
    [
      'grants of a report',
      4096,
      (n) =>
        saying({
          case: 'report',
          value: {
            report: { grants: times(n, () => ({ lock: 'a', request: { ...request, peer: 'bob' } })) },
          },
        }),
    ],
  ]
  for (const [what, most, of] of lists) {
    it(`holds ${most} ${what} and no more`, () => {
      taken(of(most))
      refused(of(most + 1))
    })
  }

  const lengths: readonly [what: string, most: number, of: (length: number) => Init][] = [
    ['of an id', 16, (n) => ({ electorate: new Uint8Array(n) })],
    ['of a peer id', 64, (n) => saying({ case: 'head', value: { founder: 'a'.repeat(n) } })],
    ['of a name', 256, (n) => saying({ case: 'inspect', value: { lock: 'a'.repeat(n) } })],
    ['of a name in UTF-8', 256, (n) => saying({ case: 'inspect', value: { lock: `é${'a'.repeat(n - 2)}` } })],
    ['of a digest', 8, (n) => asking({ case: 'renew', value: new Uint8Array(n) })],
    ['of a signature', 64, (n) => chain({ signature: new Uint8Array(n) })],
    [
      'of signed statements',
      mutexLimits.statementBytes,
      (n) => answering({ case: 'signed', value: { statements: new Uint8Array(n), signature } }),
    ],
    [
      'of a reason',
      256,
      (n) =>
        saying({
          case: 'wishAnswer',
          value: { outcome: schema.Outcome.REFUSED, reason: 'a'.repeat(n) },
        }),
    ],
  ]
  for (const [what, most, of] of lengths) {
    it(`holds ${most} bytes ${what} and no more`, () => {
      taken(of(most))
      refused(of(most + 1))
    })
  }

  const exact = 2n ** 53n - 1n
  const numbers: readonly [what: string, most: bigint, of: (value: bigint) => Init][] = [
    ['a version', exact, (version) => ({ version })],
    ['a clock', exact, (clock) => ({ clock })],
    ['a stamp', exact, (write) => ({ stamp: { write } })],
    ['a session', exact, (counter) => ({ asking: { session: { counter } } })],
    ['a number of a frame', exact, (seq) => ({ answering: { session, seq } })],
    ['a request', exact, (counter) => asking({ case: 'cancel', value: { request: { counter }, lock: 'a' } })],
    ['a timestamp', exact, (timestamp) => asking({ case: 'request', value: { ...listed, timestamp } })],
    ['a token', exact, (token) => asking({ case: 'confirm', value: { vote, token } })],
    ['a lease', 86_400_000n, (leaseMs) => asking({ case: 'request', value: { ...listed, leaseMs } })],
    ['a granted lease', 86_400_000n, (leaseMs) => answering({ case: 'grant', value: { vote, leaseMs } })],
    [
      'an abstention',
      86_400_000n,
      (remainingMs) =>
        answering({ case: 'answer', value: { request, progress: schema.Progress.ABSTAINING, remainingMs } }),
    ],
    ['a round', exact, (round) => saying({ case: 'promise', value: { ballot: { ...ballot, round } } })],
    [
      'a time that remains',
      86_400_000n,
      (unknownForMs) => saying({ case: 'copy', value: { report: { unknownForMs } } }),
    ],
  ]
  for (const [what, most, of] of numbers) {
    it(`holds ${what} up to ${most} and no more`, () => {
      taken(of(most))
      for (const more of [most + 1n, 2n ** 53n, 2n ** 64n - 1n]) refused(of(more))
    })
  }

  const malformed: readonly [what: string, Init][] = [
    ['an id that is too short', { electorate: new Uint8Array(15) }],
    ['an empty name', asking({ case: 'cancel', value: { request, lock: '' } })],
    ['a name with a control character', asking({ case: 'cancel', value: { request, lock: 'a\u001b[2J' } })],
    ['a name that turns the line around', asking({ case: 'cancel', value: { request, lock: 'a\u202eb' } })],
    ['a peer id that is none', saying({ case: 'head', value: { founder: 'a b' } })],
    ['a reason that is not printable', saying({ case: 'objection', value: { ballot, reason: '\n' } })],
    ['an asking without a session', { asking: {} }],
    ['an answering without a session', { answering: {} }],
    ['an item of no kind', { asking: { session, items: [{}] } }],
    ['an answer of no kind', { answering: { session, items: [{}] } }],
    ['an item of no session and of no kind', { items: [{}] }],
    ['a request of nobody', { asking: { session, items: [{ kind: { case: 'request', value: listed } }] } }],
    ['a request without a lease', asking({ case: 'request', value: { request, lock: 'a' } })],
    ['a request without a lock', asking({ case: 'request', value: { request, leaseMs: 1n } })],
    ['a request without an id', asking({ case: 'request', value: { lock: 'a', leaseMs: 1n } })],
    ['a vote without a grant', asking({ case: 'relinquish', value: { request } })],
    ['a confirmation of nothing', asking({ case: 'confirm', value: { token: 1n } })],
    ['a release without a lock', release({ lock: '' })],
    ['a grant of nobody', release({ grants: [{ grant }] })],
    ['an empty digest', asking({ case: 'renew', value: new Uint8Array() })],
    ['a grant without a lease', answering({ case: 'grant', value: { vote } })],
    ['an answer that says nothing', answering({ case: 'answer', value: { request } })],
    [
      'an abstention of who has granted',
      answering({
        case: 'answer',
        value: { request, progress: schema.Progress.GRANTED, remainingMs: 1n },
      }),
    ],
    ['a refusal without a reason', answering({ case: 'refused', value: { request } })],
    [
      'a refusal for a reason that is unknown',
      answering({ case: 'refused', value: { request, reason: 7 as schema.Refusal } }),
    ],
    ['an unsigned vote', answering({ case: 'signed', value: { statements: id } })],
    ['a signature of nothing', answering({ case: 'signed', value: { signature } })],
    ['a chain without a charter', saying({ case: 'chain', value: { id, signature } })],
    ['a drift of half the time', chain({ charter: { ...charter, driftBound: 0.5 } })],
    ['a drift below none', chain({ charter: { ...charter, driftBound: -0.1 } })],
    ['a drift that is no number', chain({ charter: { ...charter, driftBound: Number.NaN } })],
    ['an even number of voters', chain({ charter: { ...charter, maxVoters: 4 } })],
    ['a charter without leases', chain({ charter: { ...charter, maxLeaseMs: 0n } })],
    ['a quorum system that is unknown', chain({ charter: { ...charter, quorumSystem: 2 } })],
    ['a decision for nobody', chain({ links: [{ ...link, decision: { voters: {} } }] })],
    ['an empty decision', chain({ links: [{ ...link, decision: {} }] })],
    ['two decisions in one', chain({ links: [{ ...link, decision: { ...voters(1), dissolvedInto: id } }] })],
    [
      'a voter named twice',
      chain({ links: [{ ...link, decision: { voters: { peers: ['alice', 'alice'] } } }] }),
    ],
    ['a link without a ballot', chain({ links: [{ version: 1n, decision: voters(1) }] })],
    ['a ballot of nobody', saying({ case: 'promise', value: { ballot: { round: 1n } } })],
    ['a wish of no kind', saying({ case: 'wish', value: { wish: { peer: 'bob' } } })],
    ['a start without a stamp', saying({ case: 'start', value: { base: {} } })],
    [
      'a grant of a report that is of nobody',
      saying({ case: 'report', value: { report: { grants: [{ lock: 'a', request }] } } }),
    ],
  ]
  for (const [what, frame] of malformed) {
    it(`is refused with ${what}`, () => refused(frame))
  }

  it('is refused with a field that is unknown, wherever it stands', () => {
    const frames: readonly (() => schema.Frame)[] = [
      () => create(schema.FrameSchema, asking({ case: 'request', value: listed })),
      () => create(schema.FrameSchema, answering({ case: 'grant', value: { vote, leaseMs: 1n } })),
      () => create(schema.FrameSchema, chain({ links: [link] })),
    ]
    for (const make of frames) {
      const depth = messagesIn(make()).length
      for (let at = 0; at < depth; at++) {
        const frame = make()
        taken(frame)
        const message = messagesIn(frame)[at]
        assert.ok(message)
        message.$unknown = unknown
        refused(frame)
      }
    }
  })

  it('is refused when anything in it comes twice', () => {
    const once = encoded({ version: 1n })
    refused({}, new Uint8Array([...once, ...once]))
    const item = [...encoded(asking({ case: 'ping', value: {} }))]
    refused({}, new Uint8Array([...item, ...item]))
    // Two kinds in one item: a ping, and a digest to renew by.
    const two = [0x2a, 4 + 4 + 10, 0x0a, 4, 8, 1, 16, 1, 0x2a, 12, 0x1a, 0, 0x22, 8, ...new Uint8Array(8)]
    refused({}, new Uint8Array(two))
  })

  it('is refused with text that is not UTF-8', () => {
    const good = encoded(saying({ case: 'inspect', value: { lock: 'aé' } }))
    const at = good.length - 2
    assert.equal(good[at], 0xc3)
    for (const pair of [
      [0xc3, 0x41],
      [0xc0, 0x80],
      [0xed, 0xa0],
      [0x80, 0x80],
    ]) {
      const bad = good.slice()
      bad.set(pair, at)
      refused({}, bad)
    }
  })

  it('may be of 2 MiB and no more', () => {
    assert.throws(() => frameCodec.decode(new Uint8Array(mutexLimits.frameBytes + 1)), {
      name: 'WireError',
      code: 'ERR_TOO_LARGE',
    })
  })

  it('holds 65,536 messages in all and no more, whatever they are in', () => {
    const sync = (count: number): Asked => ({ case: 'sync', value: { requests: times(count, () => listed) } })
    // Two of each request, two of each sync, and the asking with its session around them.
    const many = times(31, () => sync(1024))
    const left = (mutexLimits.frameMessages - 2 - 31 * (2 + 2 * 1024) - 2) / 2
    taken(asking(...many, sync(left)))
    refused(asking(...many, sync(left + 1)))
  })

  it('of the longest report fits', () => {
    const grants = times(mutexLimits.grants, () => ({
      lock: 'a'.repeat(256),
      request: {
        generation: BigInt(Number.MAX_SAFE_INTEGER),
        counter: BigInt(Number.MAX_SAFE_INTEGER),
        peer: 'a'.repeat(64),
      },
      remainingMs: 86_400_000n,
    }))
    const report = encoded(saying({ case: 'report', value: { report: { grants } } }))
    assert.ok(report.length < mutexLimits.frameBytes)
    frameCodec.decode(report)
  })
})

interface WithUnknown {
  $unknown?: typeof unknown
}

/** A message and all that are inside it. */
function messagesIn(value: unknown): WithUnknown[] {
  if (Array.isArray(value)) return value.flatMap(messagesIn)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return []
  const inner = Object.values(value).flatMap(messagesIn)
  return '$typeName' in value ? [value as WithUnknown, ...inner] : inner
}
