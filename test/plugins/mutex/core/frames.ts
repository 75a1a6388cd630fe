/** Frames of every kind, for the tests of what travels. */
import fc from 'fast-check'
import type { PeerId } from '../../../../lib/protocols/core.ts'
import type {
  Ballot,
  Charter,
  Decision,
  ElectorateId,
  Grant,
  Link,
  Report,
  RequestId,
  SignedAccept,
  Stamp,
  Wish,
} from '../../../../plugins/mutex/core/electorate/messages.ts'
import { isLockName } from '../../../../plugins/mutex/core/lock-name.ts'
import type {
  Answer,
  Answering,
  AnsweringItem,
  Asking,
  AskingItem,
  Evidence,
  Frame,
  GrantNumber,
  Listed,
  PeerItem,
  Refusal,
  SessionId,
  SignedVotes,
  Unavailability,
  VoteName,
} from '../../../../plugins/mutex/core/messages.ts'

export function record<T>(fields: { readonly [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true }) as fc.Arbitrary<T>
}

export const list = <T>(of: fc.Arbitrary<T>, maxLength = 4) => fc.array(of, { maxLength })
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined })

export const counts = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  fc.constant(Number.MAX_SAFE_INTEGER),
)
export const durations = fc.integer({ min: 0, max: 86_400_000 })
export const leases = fc.integer({ min: 1, max: 86_400_000 })
export const peers = fc.stringMatching(/^[0-9A-Za-z]{1,64}$/).map((text) => text as PeerId)
export const names = fc.oneof(
  fc.stringMatching(/^[ -~]{1,256}$/),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }).filter(isLockName),
)
export const ids = fc.stringMatching(/^[0-9a-f]{32}$/)
const bytes = (maxLength: number) => fc.uint8Array({ minLength: 1, maxLength })
export const electorateIds = ids.map((text) => text as ElectorateId)

export const stamps = record<Stamp>({ generation: counts, write: counts })
export const requestIds = record<RequestId>({ peer: peers, generation: counts, counter: counts })
export const grantNumbers = record<GrantNumber>({ generation: counts, counter: counts })
const sessions = record<SessionId>({ generation: counts, counter: counts })
export const votes = record<VoteName>({ request: requestIds, grant: grantNumbers })
export const signedVotes = record<SignedVotes>({ bytes: bytes(300), signature: bytes(64) })
const listed = record<Listed>({
  request: requestIds,
  lock: names,
  timestamp: counts,
  leaseMs: leases,
  hint: counts,
  grant: maybe(grantNumbers),
  token: counts,
})
const evidence = record<Evidence>({
  arbiter: peers,
  grant: grantNumbers,
  proposal: counts,
  signed: maybe(signedVotes),
})

type Kinds<Item extends { readonly type: string }> = {
  readonly [Type in Item['type']]: fc.Arbitrary<Extract<Item, { readonly type: Type }>>
}

export const askingItems: Kinds<AskingItem> = {
  sync: record({ type: fc.constant('sync'), version: counts, requests: list(listed) }),
  request: record({ type: fc.constant('request'), request: listed }),
  ping: record({ type: fc.constant('ping') }),
  renew: record({ type: fc.constant('renew'), digest: fc.stringMatching(/^[0-9a-f]{16}$/) }),
  'renew-each': record({ type: fc.constant('renew-each'), votes: list(votes) }),
  confirm: record({ type: fc.constant('confirm'), vote: votes, token: counts }),
  relinquish: record({ type: fc.constant('relinquish'), vote: votes }),
  release: record({
    type: fc.constant('release'),
    request: requestIds,
    lock: names,
    token: counts,
    grants: list(evidence),
  }),
  cancel: record({ type: fc.constant('cancel'), request: requestIds, lock: names }),
}

export const refusals: readonly Refusal[] = [
  'timestamp-too-low',
  'timestamp-too-far',
  'lease-too-long',
  'token-too-far',
  'too-many',
]

export const unavailabilities: readonly Unavailability[] = [
  'not-a-voter',
  'other-version',
  'starting',
  'installing',
  'sealed',
  'void',
]

const answers: fc.Arbitrary<Answer> = fc.oneof(
  record<Answer>({ type: fc.constant('granted') }),
  record<Answer>({ type: fc.constant('queued') }),
  record<Extract<Answer, { type: 'abstaining' }>>({
    type: fc.constant('abstaining'),
    remainingMs: durations,
  }),
)

export const answeringItems: Kinds<AnsweringItem> = {
  grant: record({
    type: fc.constant('grant'),
    vote: votes,
    proposal: counts,
    clock: counts,
    leaseMs: leases,
    base: counts,
  }),
  inquire: record({ type: fc.constant('inquire'), vote: votes }),
  confirmed: record({ type: fc.constant('confirmed'), vote: votes, token: counts }),
  answer: record({ type: fc.constant('answer'), request: requestIds, answer: answers }),
  renewed: record({ type: fc.constant('renewed'), base: counts, refused: list(votes) }),
  'renew-mismatch': record({ type: fc.constant('renew-mismatch') }),
  refused: record({
    type: fc.constant('refused'),
    request: requestIds,
    reason: fc.constantFrom(...refusals),
  }),
  reset: record({ type: fc.constant('reset') }),
  unavailable: record({
    type: fc.constant('unavailable'),
    reason: fc.constantFrom(...unavailabilities),
  }),
  signed: record({ type: fc.constant('signed'), votes: signedVotes }),
}

export const ballots = record<Ballot>({ round: counts, peer: peers, generation: counts })
const distinctPeers = (minLength: number) => fc.uniqueArray(peers, { minLength, maxLength: 7 })
export const decisions: fc.Arbitrary<Decision> = fc.oneof(
  record<Extract<Decision, { type: 'voters' }>>({
    type: fc.constant('voters'),
    voters: distinctPeers(1),
    replaced: distinctPeers(0),
  }),
  record<Extract<Decision, { type: 'dissolved' }>>({
    type: fc.constant('dissolved'),
    into: electorateIds,
  }),
)
export const charters = record<Charter>({
  cluster: ids,
  founder: peers,
  nonce: ids,
  quorumSystem: fc.constant('majority'),
  maxLeaseMs: leases,
  driftBound: fc
    .oneof(fc.constant(0), fc.double({ min: 0, max: 0.5, maxExcluded: true, noNaN: true }))
    .map(Math.abs),
  maxVoters: fc.constantFrom(1, 3, 5, 7),
})
const accepts = record<SignedAccept>({ voter: peers, signature: bytes(64) })
export const links = record<Link>({
  version: counts,
  ballot: ballots,
  decision: decisions,
  accepts: list(accepts),
})
export const grants = record<Grant>({ lock: names, request: requestIds, remainingMs: durations })
export const reports = record<Report>({
  floor: counts,
  grants: list(grants),
  unknownForMs: durations,
  longestLeaseMs: durations,
})
const wishes: fc.Arbitrary<Wish> = fc
  .tuple(fc.constantFrom('add', 'remove', 'leave'), peers)
  .map(([type, peer]) => ({ type, peer }))
const reasons = fc.stringMatching(/^[ -~]{0,256}$/)
export const proposals = record({ ballot: ballots, decision: decisions })

export const peerItems: Kinds<PeerItem> = {
  inspect: record({ type: fc.constant('inspect'), token: counts, lock: maybe(names) }),
  inspected: record({
    type: fc.constant('inspected'),
    token: counts,
    locks: list(
      record({
        lock: names,
        request: maybe(requestIds),
        token: counts,
        expiresInMs: durations,
        waiters: list(peers),
      }),
    ),
  }),
  head: record({
    type: fc.constant('head'),
    id: maybe(electorateIds),
    version: counts,
    serving: counts,
    granted: fc.boolean(),
    expecting: counts,
    founder: maybe(peers),
  }),
  want: record({ type: fc.constant('want'), id: electorateIds, after: counts }),
  chain: record({
    type: fc.constant('chain'),
    id: electorateIds,
    charter: charters,
    signature: bytes(64),
    links: list(links),
  }),
  wish: record({ type: fc.constant('wish'), token: counts, wish: wishes }),
  'wish-answer': record({
    type: fc.constant('wish-answer'),
    token: counts,
    outcome: fc.constantFrom('taken', 'done', 'refused'),
    reason: reasons,
  }),
  'ready?': record({ type: fc.constant('ready?'), version: counts, token: counts }),
  ready: record({ type: fc.constant('ready'), version: counts, token: counts }),
  prepare: record({
    type: fc.constant('prepare'),
    version: counts,
    ballot: ballots,
    decision: maybe(decisions),
  }),
  promise: record({
    type: fc.constant('promise'),
    version: counts,
    ballot: ballots,
    accepted: maybe(proposals),
  }),
  objection: record({ type: fc.constant('objection'), version: counts, ballot: ballots, reason: reasons }),
  preempted: record({ type: fc.constant('preempted'), version: counts, ballot: ballots, promised: ballots }),
  accept: record({ type: fc.constant('accept'), version: counts, ballot: ballots, decision: decisions }),
  accepted: record({ type: fc.constant('accepted'), version: counts, ballot: ballots, accept: accepts }),
  fetch: record({ type: fc.constant('fetch'), version: counts }),
  report: record({ type: fc.constant('report'), version: counts, report: reports }),
  copy: record({ type: fc.constant('copy'), version: counts, report: reports }),
  installed: record({ type: fc.constant('installed'), version: counts }),
  start: record({ type: fc.constant('start'), stamp: stamps, base: stamps }),
  'start-answer': record({ type: fc.constant('start-answer'), stamp: stamps, known: stamps, before: stamps }),
}

const anyOf = <Item extends { readonly type: string }>(kinds: Kinds<Item>) =>
  fc.oneof(...(Object.values(kinds) as fc.Arbitrary<Item>[]))

export const askings = record<Asking>({
  session: sessions,
  seq: counts,
  ack: counts,
  items: list(anyOf(askingItems)),
})
export const answerings = record<Answering>({
  session: sessions,
  seq: counts,
  ack: counts,
  items: list(anyOf(answeringItems)),
})
export const frames = record<Frame>({
  id: maybe(electorateIds),
  version: counts,
  clock: counts,
  stamp: maybe(stamps),
  asking: maybe(askings),
  answering: maybe(answerings),
  items: list(anyOf(peerItems), 2),
})

/** Says nothing. */
export const quiet: Frame = {
  id: undefined,
  version: 0,
  clock: 0,
  stamp: undefined,
  asking: undefined,
  answering: undefined,
  items: [],
}
