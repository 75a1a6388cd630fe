/** The rules of locks, one by one: injected, so that a mutant is a replaced rule. */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { isQuorum } from '../../../../lib/protocols/quorum/quorum.ts'
import type { Report } from '../electorate/messages.ts'

/** One vote as its requester has it. Times are monotonic ms. */
export interface HeldVote {
  readonly arbiter: PeerId
  /** The proposal of the grant, or the token that the arbiter has confirmed since. */
  readonly level: number
  readonly leaseMs: number
  /** When the frame left that the arbiter counts from: the grant's base, or that of the last renewal. */
  readonly sentAt: number
  /** When the grant, or the last renewal, arrived. */
  readonly receivedAt: number
  /** When the grant arrived; renewals do not move it. */
  readonly grantedAt: number
  /** When the last frame to this arbiter left. */
  readonly lastSentAt: number
}

export interface LockUnits {
  /** Whether these voters may decide; `present` are those that are alive and connected. */
  isQuorum(voters: readonly PeerId[], members: ReadonlySet<PeerId>, present: ReadonlySet<PeerId>): boolean
  /** The token that these votes, all valid, agree on; undefined: the highest has to be confirmed first. */
  agreedToken(
    votes: readonly HeldVote[],
    isQuorum: (members: ReadonlySet<PeerId>) => boolean,
  ): number | undefined
  /** From when on the requester counts a vote's lease. */
  leaseBase(vote: HeldVote): number
  /** The part of a lease that its holder may use, of clocks that run wrong by at most `driftBound`. */
  usableMs(leaseMs: number, driftBound: number, marginMs: number): number
  /** The own clock after a message that bears `remote`. */
  mergeClock(own: number, remote: number): number
  /** For how long a voter abstains after a restart without a clean stop. */
  abstentionMs(longestLeaseMs: number): number
  /** For how long a report says that there may be votes unknown to its voter. */
  reportedUnknownMs(abstainsForMs: number): number
  /** Which inherited grants block a lock. */
  blocking(report: Report): Report['grants']
  /** Whether an arbiter may send to a requester: it has said what it has outstanding. */
  maySend(hasSynced: boolean): boolean
  /** Whether a new session is sent the INQUIRE that is outstanding. */
  repeatsInquire: boolean
  /** The generation of grant numbers. */
  grantGeneration(generation: number): number
  /** Whether a sealed voter confirms a token. */
  sealedConfirms: boolean
  /** Whether a renewal of an inherited grant counts though other grants block the lock. */
  renewalOverrides: boolean
  /** Whether inherited grants are in the state that a clean stop writes. */
  keepsInherited: boolean
  /** Whether the mark of a clean stop is removed on disk before the voter serves. */
  removesCleanMark: boolean
  /** Whether a voter that stops ends all granting before it writes its state. */
  stopsBeforeSnapshot: boolean
  /** Whether the seal is on disk before the report goes out. */
  sealIsDurable: boolean
  /** Whether "granted" is on disk before the first grant. */
  grantedIsDurable: boolean
}

export const standardLockUnits: LockUnits = {
  isQuorum: (voters, members) => isQuorum(voters, members),
  agreedToken: (votes, isQuorumOf) => {
    const levels = [...new Set(votes.map(({ level }) => level))].sort((a, b) => b - a)
    return levels.find((level) =>
      isQuorumOf(new Set(votes.filter((vote) => vote.level === level).map(({ arbiter }) => arbiter))),
    )
  },
  leaseBase: ({ sentAt }) => sentAt,
  usableMs: (leaseMs, driftBound, marginMs) => (leaseMs * (1 - driftBound)) / (1 + driftBound) - marginMs,
  mergeClock: (own, remote) => Math.max(own, remote),
  abstentionMs: (longestLeaseMs) => longestLeaseMs,
  reportedUnknownMs: (abstainsForMs) => abstainsForMs,
  blocking: ({ grants }) => grants,
  maySend: (hasSynced) => hasSynced,
  repeatsInquire: true,
  grantGeneration: (generation) => generation,
  sealedConfirms: false,
  renewalOverrides: false,
  keepsInherited: true,
  removesCleanMark: true,
  stopsBeforeSnapshot: true,
  sealIsDurable: true,
  grantedIsDurable: true,
}
