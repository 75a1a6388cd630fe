/**
 * What peers say to each other about locks, and what the core and its embedder say.
 *
 * ```
 *   A ── request ──▶ voters        a session first: SYNC says what A has outstanding
 *   A ◀── grant ──── quorum        one round trip: A holds, if the proposals agree
 *   A ── confirm ──▶ quorum        else the highest proposal, bound to these grants
 *   A ◀── confirmed ─ quorum
 *   A ── renew ────▶ voters        a message a voter, for all locks of A
 *   A ── release ──▶ all voters    with the token; the next in the queue is granted
 * ```
 *
 * A frame holds everything that one peer has to say to another in one turn, in the
 * order release, request, grant: the two roles of a peer share it. What a requester
 * says to an arbiter, and the answers, are numbered within a session, so that a
 * frame lost is noticed; a session opens with `sync`.
 */
import type { PeerId } from '../../../lib/protocols/core.ts'
import type {
  ElectorateId,
  ElectorateItem,
  ElectorateView,
  RequestId,
  Stamp,
  Wish,
} from './electorate/messages.ts'

/** One frame between two peers. */
export interface Frame {
  /** The sender's electorate and version; undefined and 0 while it has none. */
  readonly id: ElectorateId | undefined
  readonly version: number
  /** The sender's Lamport clock. */
  readonly clock: number
  /** The sender's lock state, if it votes. */
  readonly stamp: Stamp | undefined
  /** The sender asks the receiver, an arbiter. */
  readonly asking: Asking | undefined
  /** The sender, an arbiter, answers the receiver. */
  readonly answering: Answering | undefined
  readonly items: readonly PeerItem[]
}

/** What belongs to no session: about the electorate, and questions of people. */
export type PeerItem =
  | ElectorateItem
  /** Which locks do you vote on? Of one name, or of all. */
  | { readonly type: 'inspect'; readonly token: number; readonly lock: string | undefined }
  | { readonly type: 'inspected'; readonly token: number; readonly locks: readonly ArbiterLock[] }

/** One lock at one arbiter. */
export interface ArbiterLock {
  readonly lock: string
  /** Who has its vote; undefined while only grants of the version before, or an abstention, block it. */
  readonly request: RequestId | undefined
  /** The token that it proposed, or confirmed. */
  readonly token: number
  readonly expiresInMs: number
  /** In the order of the queue, at most 64. */
  readonly waiters: readonly PeerId[]
}

/** Opened by the requester, closed by a later one. Ordered by generation, then counter. */
export interface SessionId {
  readonly generation: number
  readonly counter: number
}

export interface Asking {
  readonly session: SessionId
  /** From 1 on; frame 1 begins with `sync`. The send number k of the leases. */
  readonly seq: number
  /** The last of the other side's that arrived. */
  readonly ack: number
  readonly items: readonly AskingItem[]
}

export interface Answering {
  readonly session: SessionId
  readonly seq: number
  readonly ack: number
  readonly items: readonly AnsweringItem[]
}

/** One unfinished request, as its owner sees it. */
export interface Listed {
  readonly request: RequestId
  readonly lock: string
  readonly timestamp: number
  readonly leaseMs: number
  /** The highest token of this lock that the requester knows of. */
  readonly hint: number
  /** The grant of this arbiter that it holds; undefined for none. */
  readonly grant: GrantNumber | undefined
  /** The token that it entered with; 0 while it has not. */
  readonly token: number
}

/** Burnt with each grant, and across the arbiter's lives. Ordered by generation, then counter. */
export interface GrantNumber {
  readonly generation: number
  readonly counter: number
}

/** A vote as its owner names it. */
export interface VoteName {
  readonly request: RequestId
  readonly grant: GrantNumber
}

export type AskingItem =
  | { readonly type: 'sync'; readonly version: number; readonly requests: readonly Listed[] }
  | { readonly type: 'request'; readonly request: Listed }
  /** I am here; answer. */
  | { readonly type: 'ping' }
  /** Extends all my votes, if they are those whose digest this is. */
  | { readonly type: 'renew'; readonly digest: string }
  /** Extends these votes. */
  | { readonly type: 'renew-each'; readonly votes: readonly VoteName[] }
  | { readonly type: 'confirm'; readonly vote: VoteName; readonly token: number }
  | { readonly type: 'relinquish'; readonly vote: VoteName }
  /** Entered and left: `token` is burnt, and `grants` are the votes that it was entered on. */
  | {
      readonly type: 'release'
      readonly request: RequestId
      readonly lock: string
      readonly token: number
      readonly grants: readonly Evidence[]
    }
  /** Never entered, and given up. */
  | { readonly type: 'cancel'; readonly request: RequestId; readonly lock: string }

export type Answer =
  | { readonly type: 'granted' }
  | { readonly type: 'queued' }
  /** It votes for nobody yet; for so long. */
  | { readonly type: 'abstaining'; readonly remainingMs: number }

export type AnsweringItem =
  | {
      readonly type: 'grant'
      readonly vote: VoteName
      /** The token, if all of a quorum propose it. */
      readonly proposal: number
      /** The arbiter's clock at the grant. */
      readonly clock: number
      readonly leaseMs: number
      /** The newest frame of the session that the arbiter had: the vote ends `leaseMs` after its receipt. */
      readonly base: number
    }
  /** A better request waits: give this vote back unless you have entered. */
  | { readonly type: 'inquire'; readonly vote: VoteName }
  | { readonly type: 'confirmed'; readonly vote: VoteName; readonly token: number }
  /** How each request stands, at `sync`, `request` and `ping`. */
  | { readonly type: 'answer'; readonly request: RequestId; readonly answer: Answer }
  /** Extended to `base`, but for those that are refused. */
  | { readonly type: 'renewed'; readonly base: number; readonly refused: readonly VoteName[] }
  /** The digest is another: name them one by one. */
  | { readonly type: 'renew-mismatch' }
  | { readonly type: 'refused'; readonly request: RequestId; readonly reason: Refusal }
  /** Open a new session; a number was missing, or there is none. */
  | { readonly type: 'reset' }
  /** No session here for now: the receiver of `sync` does not serve that version. */
  | { readonly type: 'unavailable'; readonly reason: Unavailability }
  /** Votes as they were granted, and one signature over them; follows the grants. */
  | { readonly type: 'signed'; readonly votes: SignedVotes }

/** Why a request is not queued. Its owner gives it up everywhere, or asks anew where that can help. */
export type Refusal =
  /** Not above the clock of a grant that the peer has entered on: ask again with a new one. */
  'timestamp-too-low' | 'timestamp-too-far' | 'lease-too-long' | 'token-too-far' | 'too-many'

export type Unavailability = 'not-a-voter' | 'other-version' | 'starting' | 'installing' | 'sealed' | 'void'

/** What an arbiter says with a grant; two that contradict each other prove that it lies. */
export interface VoteStatement {
  readonly electorate: ElectorateId
  readonly version: number
  readonly lock: string
  readonly vote: VoteName
  readonly proposal: number
}

/** The signature covers `bytes`: the statements of one frame, encoded. */
export interface SignedVotes {
  readonly bytes: Uint8Array
  readonly signature: Uint8Array
}

/** A grant that was entered on, with its signature where that has arrived. */
export interface Evidence {
  readonly arbiter: PeerId
  readonly grant: GrantNumber
  readonly proposal: number
  readonly signed: SignedVotes | undefined
}

/** Two signed statements of one arbiter that cannot both be honest. */
export interface VoteConflict {
  readonly arbiter: PeerId
  readonly lock: string
  readonly first: SignedVotes
  readonly second: SignedVotes
}

/** What the embedder tells the core. */
export type MutexCommand =
  /** Once, first; the life is the membership's, and is on disk. */
  | { readonly type: 'start'; readonly generation: number; readonly members: readonly MemberNews[] }
  /** The core has asked for it with `flush`: send what has gathered. */
  | { readonly type: 'flush' }
  | { readonly type: 'connected'; readonly peer: PeerId }
  | { readonly type: 'disconnected'; readonly peer: PeerId }
  /** A row of the membership table, or its change. */
  | { readonly type: 'member'; readonly member: MemberNews }
  /** Asks for a lock; answered by `acquired` or `failed` with the same `token`. */
  | {
      readonly type: 'acquire'
      readonly token: number
      readonly lock: string
      readonly leaseMs: number
      /** Undefined: as long as it takes. 0: not at all. */
      readonly waitMs: number | undefined
    }
  /** Gives up waiting, or releases what is held; `released` answers at once: what its caller asks next goes to the voters in the same frame. Unknown tokens are ignored. */
  | { readonly type: 'release'; readonly token: number }
  /** The machine slept, or its clock jumped: nothing that is held can be trusted. */
  | { readonly type: 'slept'; readonly ms: number }
  /** By hand, or by `leave`; answered by `wished`. */
  | { readonly type: 'wish'; readonly token: number; readonly wish: Wish }
  /** Which locks are held, and who waits, as a quorum of voters says; answered by `inspected`. */
  | { readonly type: 'inspect'; readonly token: number; readonly lock: string | undefined }
  /** A sole voter whose disk went back goes on all the same; answered by `wished`. */
  | { readonly type: 'recover'; readonly token: number }
  /** The process ends: no more grants; `stopped` follows when the state is on disk. */
  | { readonly type: 'stop' }

/** What membership says of a peer, as far as locks care. */
export interface MemberNews {
  readonly peer: PeerId
  readonly status: 'alive' | 'suspect' | 'dead' | 'left' | 'stopping'
  readonly generation: number
  readonly connected: boolean
}

/** What the core asks of its embedder. */
export type MutexRequest =
  /** Step `flush` before this turn of the event loop ends. */
  | { readonly type: 'flush' }
  /** A link to that member is wanted. */
  | { readonly type: 'dial'; readonly peer: PeerId }

export type MutexFailure =
  /** No quorum of voters answered for two seconds. `missing` are those that did not. */
  | { readonly type: 'no-quorum'; readonly missing: readonly PeerId[] }
  /** Held by somebody, or still leased, at the end of the wait. */
  | { readonly type: 'held' }
  /** The voters refuse it. */
  | { readonly type: 'refused'; readonly reason: Refusal }
  /** There is no electorate here, and nobody has told of one. */
  | { readonly type: 'no-electorate' }
  | { readonly type: 'stopped' }

/** What the core tells its embedder. */
export type MutexEvent =
  | {
      readonly type: 'acquired'
      readonly token: number
      readonly fencingToken: number
      /** Monotonic; it moves with renewals, ask `validUntil`. */
      readonly validUntil: number
      readonly version: number
    }
  | { readonly type: 'failed'; readonly token: number; readonly failure: MutexFailure }
  /** A lock that was held is no longer: it is too late to go on. */
  | { readonly type: 'lost'; readonly token: number; readonly reason: 'expired' | 'slept' | 'stopped' }
  | { readonly type: 'released'; readonly token: number }
  | {
      readonly type: 'wished'
      readonly token: number
      readonly outcome: 'done' | 'refused'
      readonly reason: string
    }
  /** `complete`: a quorum has answered, within a second. */
  | {
      readonly type: 'inspected'
      readonly token: number
      readonly locks: readonly LockView[]
      readonly complete: boolean
    }
  | { readonly type: 'electorate'; readonly view: ElectorateView }
  | { readonly type: 'conflict'; readonly conflict: VoteConflict }
  | { readonly type: 'misbehaved'; readonly peer: PeerId; readonly reason: MutexMisbehaviour }
  | { readonly type: 'stopped' }

export type MutexMisbehaviour =
  | 'forged-grant'
  | 'not-a-voter'
  | 'other-electorate'
  | 'bad-proof'
  | 'conflicting-votes'
  | 'timestamp-too-far'
  | 'timestamp-too-low'
  | 'token-too-far'
  | 'lease-too-long'
  | 'too-many'
  | 'not-held'

/** One lock, as a quorum of voters sees it. */
export interface LockView {
  readonly lock: string
  /** Who has a quorum of votes; undefined while the voters are of different minds. */
  readonly holder: PeerId | undefined
  /** 0 while nobody holds it. */
  readonly token: number
  readonly expiresInMs: number
  /** One for each request, the next first; at most 64. */
  readonly waiters: readonly PeerId[]
}
