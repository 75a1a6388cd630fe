/** One request of this peer: the votes that it has, and what they are worth at a given moment. */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { quorumSize } from '../../../../lib/protocols/quorum/quorum.ts'
import type { Electorate, RequestId } from '../electorate/messages.ts'
import { mutexLimits } from '../limits.ts'
import type { Evidence, GrantNumber, Listed, Refusal, SignedVotes, VoteName } from '../messages.ts'
import type { LockContext } from './lock-context.ts'
import { keyOf, type RequestKey } from './order.ts'
import type { HeldVote } from './units.ts'

/** A vote with the number under which its arbiter knows it. */
export interface OwnVote extends HeldVote {
  readonly grant: GrantNumber
  readonly proposal: number
  /** The token that its arbiter was asked to confirm, in this session; 0 for none. */
  readonly asked: number
}

/** Votes of one version; those of two are never added. */
interface Tally {
  readonly electorate: Electorate
  readonly votes: Map<PeerId, OwnVote>
}

export interface Asked {
  readonly token: number
  readonly lock: string
  readonly leaseMs: number
  readonly waitMs: number | undefined
}

export class LockRequest {
  readonly asked: Asked
  /** How the voters answered so far; a grant is not among them. */
  readonly answers = new Map<PeerId, 'queued' | 'abstaining' | Refusal>()
  readonly #tallies: Tally[] = []
  readonly #signed = new Map<PeerId, SignedVotes>()
  #request: RequestId
  #key: RequestKey
  /** 0 until it is sent for the first time. */
  timestamp = 0
  /** 0 until it has entered. */
  fencingToken = 0
  /** Asked anew so often, since its timestamp was refused. */
  renewals = 0
  #evidence: readonly Evidence[] = []
  #voters: readonly PeerId[] = []
  #lost = false

  constructor(asked: Asked, request: RequestId) {
    this.asked = asked
    this.#request = request
    this.#key = keyOf(request)
  }

  get id(): RequestId {
    return this.#request
  }

  get key(): RequestKey {
    return this.#key
  }

  get hasEntered(): boolean {
    return this.fencingToken > 0
  }

  /** The newest version that it asks. */
  get electorate(): Electorate | undefined {
    return this.#tallies.at(-1)?.electorate
  }

  /** Voters of every version that it has asked. */
  get voters(): readonly PeerId[] {
    return this.#voters
  }

  /** It has entered, and was lost: nothing is added any more, and its votes run out. */
  get isLost(): boolean {
    return this.#lost
  }

  get holds(): boolean {
    return this.hasEntered && !this.#lost
  }

  lose(): void {
    this.#lost = true
  }

  /** As another request, from nothing. */
  renumber(request: RequestId): void {
    this.#request = request
    this.#key = keyOf(request)
    this.timestamp = 0
    this.renewals += 1
    this.dropAll()
  }

  /** Every vote, and all that was answered. */
  dropAll(): void {
    this.answers.clear()
    for (const { votes } of this.#tallies) votes.clear()
  }

  /** From now on it asks there. Of what it has entered on, the version that lasts longest counts on; the rest is dropped. */
  turnTo(electorate: Electorate, context: LockContext): void {
    if (this.electorate?.id === electorate.id && this.electorate.version === electorate.version) return
    this.answers.clear()
    const until = (tally: Tally): number => this.#tallyUntil(tally, context) ?? Number.NEGATIVE_INFINITY
    const [longest] = [...this.#tallies].sort((a, b) => until(b) - until(a))
    this.#tallies.length = 0
    if (this.hasEntered && longest !== undefined) this.#tallies.push(longest)
    this.#tallies.push({ electorate, votes: new Map() })
    this.#voters = [...new Set(this.#tallies.flatMap((tally) => tally.electorate.voters))]
  }

  list(arbiter: PeerId, version: number, hint: number): Listed {
    const { lock, leaseMs } = this.asked
    const grant = this.vote(arbiter, version)?.grant
    return {
      request: this.#request,
      lock,
      timestamp: this.timestamp,
      leaseMs,
      hint,
      grant,
      token: this.fencingToken,
    }
  }

  /** Whether that arbiter has answered it in any way. */
  hasHeard(arbiter: PeerId, version: number): boolean {
    return this.answers.has(arbiter) || this.vote(arbiter, version) !== undefined
  }

  vote(arbiter: PeerId, version: number): OwnVote | undefined {
    return this.#votes(version)?.get(arbiter)
  }

  take(vote: OwnVote, version: number): void {
    this.#votes(version)?.set(vote.arbiter, vote)
    this.answers.delete(vote.arbiter)
  }

  drop(arbiter: PeerId, version: number): void {
    this.#votes(version)?.delete(arbiter)
  }

  /** The vote of that arbiter was asked about at `now`, which moves nothing. */
  asks(arbiter: PeerId, version: number, now: number): void {
    const vote = this.vote(arbiter, version)
    if (vote !== undefined) this.#votes(version)?.set(arbiter, { ...vote, lastSentAt: now })
  }

  /** Under what name the arbiter knows its vote; undefined when there is none. */
  nameAt(arbiter: PeerId, version: number): VoteName | undefined {
    const vote = this.vote(arbiter, version)
    return vote === undefined ? undefined : { request: this.#request, grant: vote.grant }
  }

  /** The votes of the newest version that are not over at `now`. */
  valid(context: LockContext): readonly OwnVote[] {
    const votes = this.#tallies.at(-1)?.votes.values() ?? []
    return [...votes].filter((vote) => this.#endOf(vote, context) > context.now)
  }

  /** The latest instant at which unexpired votes of one version form a quorum; undefined when they never do. */
  validUntil(context: LockContext): number | undefined {
    let latest: number | undefined
    for (const tally of this.#tallies) {
      const until = this.#tallyUntil(tally, context)
      if (until !== undefined && (latest === undefined || until > latest)) latest = until
    }
    return latest
  }

  #tallyUntil({ electorate, votes }: Tally, context: LockContext): number | undefined {
    const ends = [...votes.values()].map((vote) => this.#endOf(vote, context)).sort((a, b) => b - a)
    return ends[quorumSize(electorate.voters.length) - 1]
  }

  #endOf(vote: OwnVote, { units, config }: LockContext): number {
    const driftBound = this.electorate?.charter.driftBound ?? config.driftBound
    return units.leaseBase(vote) + units.usableMs(vote.leaseMs, driftBound, config.marginMs)
  }

  enter(token: number): void {
    this.fencingToken = token
    const votes = this.#tallies.at(-1)?.votes.values() ?? []
    this.#evidence = [...votes].map(({ arbiter, grant, proposal }) => ({
      arbiter,
      grant,
      proposal,
      signed: undefined,
    }))
  }

  sign(arbiter: PeerId, votes: SignedVotes): void {
    if (votes.bytes.length <= mutexLimits.evidenceBytes) this.#signed.set(arbiter, votes)
  }

  /** The votes that it has entered on, with the signatures that have arrived. */
  get evidence(): readonly Evidence[] {
    return this.#evidence.map((evidence) => ({ ...evidence, signed: this.#signed.get(evidence.arbiter) }))
  }

  #votes(version: number): Map<PeerId, OwnVote> | undefined {
    return this.#tallies.find(({ electorate }) => electorate.version === version)?.votes
  }
}
