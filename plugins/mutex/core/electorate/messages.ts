/**
 * The electorate: who votes on locks, how that is proven, and what voters say to
 * each other to change it.
 *
 * ```
 *   decide    P ── prepare ──▶ voters of v ── promise ──▶ P ── accept ──▶ voters of v ── accepted ──▶ P
 *   seal      N ── fetch v ──▶ voters of v: installed v, quorum of v+1 answers → sealed on disk → report ──▶ N
 *   install   N (voter of v+1): reports of a quorum of v, or a copy of one that has → on disk → serves v+1
 * ```
 *
 * Every message of this file is a request that is repeated until answered, or an
 * answer; each may be lost, doubled or late.
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import type { QuorumSystem } from '../../../../lib/protocols/quorum/quorum.ts'

/** What version 1 fixes for good. */
export interface Charter {
  /** 32 hexadecimal digits, as membership's. */
  readonly cluster: string
  readonly founder: PeerId
  /** 32 hexadecimal digits, drawn by the founder. */
  readonly nonce: string
  readonly quorumSystem: QuorumSystem
  /** No lease is longer, ms. */
  readonly maxLeaseMs: number
  /** No voter's or holder's clock runs faster or slower than real time by more than this share, in [0, 0.5). */
  readonly driftBound: number
  /** 1, 3, 5 or 7. */
  readonly maxVoters: number
}

/** The electorate at one version. */
export interface Electorate {
  /** 32 hexadecimal digits: hash of the charter. */
  readonly id: ElectorateId
  readonly version: number
  /** By seniority: who has voted longest comes first. */
  readonly voters: readonly PeerId[]
  readonly charter: Charter
}

export type ElectorateId = string & { readonly __brand: 'ElectorateId' }

/** What one single-decree Paxos decides: what comes after `version`. */
export type Decision =
  /** Version + 1 has these voters. */
  | { readonly type: 'voters'; readonly voters: readonly PeerId[]; readonly replaced: readonly PeerId[] }
  /** After version 1 only: this electorate is given up, its members follow to `into`. */
  | { readonly type: 'dissolved'; readonly into: ElectorateId }

/** Ordered by round, then peer, then generation. Round 0 is nobody's. */
export interface Ballot {
  readonly round: number
  readonly peer: PeerId
  readonly generation: number
}

/** A signed accept of a voter; `bytes` holds electorate, version, ballot and decision, as signed. */
export interface SignedAccept {
  readonly voter: PeerId
  readonly signature: Uint8Array
}

/** One link of the chain: the decision that follows `version`, with a quorum of that version's signed accepts of one ballot. */
export interface Link {
  readonly version: number
  readonly ballot: Ballot
  readonly decision: Decision
  readonly accepts: readonly SignedAccept[]
}

/** The proof of an electorate: the charter, signed by its founder, and a link a change. */
export interface Chain {
  readonly charter: Charter
  readonly signature: Uint8Array
  readonly links: readonly Link[]
}

/** Raised by each durable write of lock state, and not by a mere start. Ordered by generation, then write. */
export interface Stamp {
  /** The life in which the state was last written to serve. */
  readonly generation: number
  readonly write: number
}

/** One vote that still counts, as it is handed from version to version. */
export interface Grant {
  readonly lock: string
  readonly request: RequestId
  /** From receipt on. */
  readonly remainingMs: number
}

/** Of one requesting peer, never used twice: the generation is the peer's life. */
export interface RequestId {
  readonly peer: PeerId
  readonly generation: number
  readonly counter: number
}

/** All that a voter of the next version has to know from one voter of this. Times count from receipt. */
export interface Report {
  /** No token that this voter ever proposed, confirmed or heard of is above. */
  readonly floor: number
  /** Every vote that is outstanding, and every grant inherited and not yet over. */
  readonly grants: readonly Grant[]
  /** For so long there may be votes that it does not know of, of any lock. */
  readonly unknownForMs: number
  /** The longest lease that it ever granted, renewed or inherited. */
  readonly longestLeaseMs: number
}

/** What somebody wants the electorate to become. */
export type Wish =
  | { readonly type: 'add'; readonly peer: PeerId }
  | { readonly type: 'remove'; readonly peer: PeerId }
  | { readonly type: 'leave'; readonly peer: PeerId }

export type ElectorateItem =
  /** Where the sender stands; on connecting, after each change, and each two seconds to somebody. */
  | {
      readonly type: 'head'
      /** Undefined: it belongs to none yet. */
      readonly id: ElectorateId | undefined
      readonly version: number
      /** The version that the sender has installed, if it votes there; 0 otherwise. */
      readonly serving: number
      /** Of version 1, by its sole voter: it may have granted, and can no longer dissolve. */
      readonly granted: boolean
      /** Peers that wait for `--expect`: the sender, and those that it is connected to; 0 when it does not wait itself. */
      readonly expecting: number
      readonly founder: PeerId | undefined
    }
  /** Send me what follows version `after` of `id`; 0 for all. Answered by `chain`, or by `head` when nothing follows. */
  | { readonly type: 'want'; readonly id: ElectorateId; readonly after: number }
  /** `charter` comes along when the first link follows version 1, or when there is none. */
  | {
      readonly type: 'chain'
      readonly id: ElectorateId
      readonly charter: Charter
      readonly signature: Uint8Array
      readonly links: readonly Link[]
    }
  /** To a voter; answered at once. `token` is the asker's. */
  | { readonly type: 'wish'; readonly token: number; readonly wish: Wish }
  | {
      readonly type: 'wish-answer'
      readonly token: number
      /** `taken`: a voter works on it; `done`: it is so, and a quorum has installed it. */
      readonly outcome: 'taken' | 'done' | 'refused'
      readonly reason: string
    }
  /** Would you vote in the version after `version`? The answer says that the disk was written for it. */
  | { readonly type: 'ready?'; readonly version: number; readonly token: number }
  | { readonly type: 'ready'; readonly version: number; readonly token: number }
  | {
      readonly type: 'prepare'
      readonly version: number
      readonly ballot: Ballot
      /** What policy is asked about; undefined when a decision is only being driven on. */
      readonly decision: Decision | undefined
    }
  | {
      readonly type: 'promise'
      readonly version: number
      readonly ballot: Ballot
      readonly accepted: { readonly ballot: Ballot; readonly decision: Decision } | undefined
    }
  /** Of policy: the voter holds somebody for alive who is to be replaced, or it changed too lately. */
  | {
      readonly type: 'objection'
      readonly version: number
      readonly ballot: Ballot
      readonly reason: string
    }
  /** The voter has promised a higher ballot. */
  | {
      readonly type: 'preempted'
      readonly version: number
      readonly ballot: Ballot
      readonly promised: Ballot
    }
  | {
      readonly type: 'accept'
      readonly version: number
      readonly ballot: Ballot
      readonly decision: Decision
    }
  | {
      readonly type: 'accepted'
      readonly version: number
      readonly ballot: Ballot
      readonly accept: SignedAccept
    }
  /** By a voter of `version` + 1 that has not installed: seal `version` and report. */
  | { readonly type: 'fetch'; readonly version: number }
  | { readonly type: 'report'; readonly version: number; readonly report: Report }
  /** Instead of reports: by a voter of `version` that has installed it. */
  | { readonly type: 'copy'; readonly version: number; readonly report: Report }
  /** The sender, a voter of `version`, has installed it. */
  | { readonly type: 'installed'; readonly version: number }
  /**
   * My state is of this stamp, and was of `base` when this life began: do you know a
   * higher one of mine? Repeated until enough have answered.
   */
  | { readonly type: 'start'; readonly stamp: Stamp; readonly base: Stamp }
  /** `known`: the highest of yours on my disk, this one included; `before`: the highest of a life before that one. */
  | {
      readonly type: 'start-answer'
      readonly stamp: Stamp
      readonly known: Stamp
      readonly before: Stamp
    }

/** How a peer stands to its electorate, for people and the API. */
export interface ElectorateView {
  readonly id: ElectorateId | undefined
  readonly version: number
  readonly founder: PeerId | undefined
  /** Of the charter: no lease is longer; undefined while there is no electorate. */
  readonly maxLeaseMs: number | undefined
  readonly voters: readonly VoterView[]
  /** A quorum of the voters answers. */
  readonly reachable: boolean
  /** How this peer stands. */
  readonly self:
    | 'none'
    | 'waiting'
    | 'starting'
    | 'installing'
    | 'abstaining'
    | 'serving'
    | 'sealed'
    | 'void'
    | 'member'
  /** Of this peer's own abstention, ms; 0 when it does not abstain. */
  readonly abstainsForMs: number
  /** Why this peer never votes: its disk was lost or rolled back. */
  readonly void: 'lost' | 'rolled-back' | undefined
  /** Another electorate that some peer here belongs to: locks can be held once in each. */
  readonly conflict: { readonly id: ElectorateId; readonly peer: PeerId } | undefined
  /** A change that is under way. */
  readonly change:
    | { readonly phase: 'deciding' | 'sealing' | 'installing'; readonly voters: readonly PeerId[] }
    | undefined
}

export interface VoterView {
  readonly peer: PeerId
  readonly answering: boolean
}
