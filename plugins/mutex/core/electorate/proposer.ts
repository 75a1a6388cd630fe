/**
 * The proposer of single-decree Paxos: brings the voters of the last version to
 * one decision on what follows it.
 *
 * - Lamport 2001, Paxos Made Simple, §2.5
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { acceptBytes } from '../statements.ts'
import { compareBallots, mostRounds } from './ballot.ts'
import type { Ballot, Decision, ElectorateItem, Link, SignedAccept } from './messages.ts'
import type { Standing } from './standing.ts'

/** Between two copies of a message to one voter. */
const repeatMs = 300
/** A ballot that gets no quorum in this is given up. */
const patienceMs = 2000
const shortestBackOffMs = 100
const longestBackOffMs = 5000
/** Whoever objects does not change its mind so soon. */
const longestObjectionMs = 30_000

type Prepare = Extract<ElectorateItem, { type: 'prepare' }>
type Accept = Extract<ElectorateItem, { type: 'accept' }>

export interface ProposerEvents {
  /** What this voter says to itself; answered by a call of `promised`, `objected`, `preempted` or `accepted`. */
  prepareOwn(item: Prepare): void
  acceptOwn(item: Accept): void
  decided(link: Link): void
  /** The ballot came to nothing; `reason` says what was objected, if anything was. */
  failed(reason: string | undefined): void
}

interface Attempt {
  readonly version: number
  readonly ballot: Ballot
  /** What policy is asked about; undefined to drive on what somebody has accepted. */
  readonly wish: Decision | undefined
  readonly promises: Set<PeerId>
  readonly objections: Map<PeerId, string>
  readonly until: number
  /** The accepted value of the highest ballot in the promises. */
  highest: { readonly ballot: Ballot; readonly decision: Decision } | undefined
  /** What is to be accepted, once a quorum has promised. */
  value: Decision | undefined
  readonly accepts: Map<PeerId, SignedAccept>
}

export class Proposer {
  readonly #standing: Standing
  readonly #events: ProposerEvents
  #attempt: Attempt | undefined
  #round = 0
  #failures = 0
  /** Losers wait at random. */
  #restsUntil = Number.NEGATIVE_INFINITY

  constructor(standing: Standing, events: ProposerEvents) {
    this.#standing = standing
    this.#events = events
  }

  get isBusy(): boolean {
    return this.#attempt !== undefined
  }

  /** What is being decided. */
  get decision(): Decision | undefined {
    return this.#attempt?.value ?? this.#attempt?.wish
  }

  get restsUntil(): number {
    return this.#restsUntil
  }

  propose(wish: Decision | undefined): void {
    const { host, version } = this.#standing
    this.#round += 1
    const ballot = { round: this.#round, peer: host.self, generation: host.generation }
    this.#attempt = {
      version,
      ballot,
      wish,
      promises: new Set(),
      objections: new Map(),
      until: host.now + patienceMs,
      highest: undefined,
      value: undefined,
      accepts: new Map(),
    }
    host.viewChanged()
    this.#send()
    this.#events.prepareOwn({ type: 'prepare', version, ballot, decision: wish })
  }

  /** The version is decided, or this peer no longer votes. */
  abandon(): void {
    if (this.#attempt === undefined) return
    this.#attempt = undefined
    this.#standing.host.cancel('proposal')
    this.#standing.host.viewChanged()
  }

  /** A new version: nobody has lost anything there yet. */
  reset(): void {
    this.abandon()
    this.#round = 0
    this.#failures = 0
    this.#restsUntil = Number.NEGATIVE_INFINITY
  }

  /** Some ballot was seen: the next own one has to be above. */
  saw(ballot: Ballot): void {
    this.#round = Math.max(this.#round, ballot.round)
  }

  promised(from: PeerId, item: Extract<ElectorateItem, { type: 'promise' }>): void {
    const attempt = this.#attemptOf(from, item)
    if (attempt === undefined || attempt.value !== undefined) return
    const { accepted } = item
    if (accepted !== undefined) {
      if (this.#standing.chain?.allows(accepted.decision) !== true) return
      const { highest } = attempt
      if (highest === undefined || compareBallots(highest.ballot, accepted.ballot) < 0)
        attempt.highest = accepted
    }
    attempt.promises.add(from)
    if (!this.#standing.isQuorumOf(attempt.version, attempt.promises)) return
    attempt.value = attempt.highest?.decision ?? attempt.wish
    if (attempt.value === undefined) {
      // Nobody has accepted anything: there is nothing to drive on.
      this.#fail(undefined)
      return
    }
    this.#send()
    const { version, ballot, value } = attempt
    this.#events.acceptOwn({ type: 'accept', version, ballot, decision: value })
  }

  objected(from: PeerId, item: Extract<ElectorateItem, { type: 'objection' }>): void {
    const attempt = this.#attemptOf(from, item)
    if (attempt === undefined || attempt.value !== undefined) return
    attempt.objections.set(from, item.reason)
    const voters = this.#standing.votersOf(attempt.version)
    const others = new Set(voters.filter((voter) => !attempt.objections.has(voter)))
    if (!this.#standing.isQuorumOf(attempt.version, others)) this.#fail(item.reason)
  }

  preempted(from: PeerId, item: Extract<ElectorateItem, { type: 'preempted' }>): void {
    const attempt = this.#attemptOf(from, item)
    if (attempt === undefined || item.promised.round > mostRounds) return
    if (compareBallots(item.promised, attempt.ballot) <= 0) return
    this.saw(item.promised)
    this.#fail(undefined)
  }

  accepted(from: PeerId, item: Extract<ElectorateItem, { type: 'accepted' }>): 'bad-proof' | undefined {
    const attempt = this.#attemptOf(from, item)
    const { chain, host } = this.#standing
    if (attempt?.value === undefined || chain === undefined || attempt.accepts.has(from)) return undefined
    const { accept } = item
    const { version, ballot, value } = attempt
    const bytes = acceptBytes(chain.id, version, ballot, value)
    if (accept.voter !== from || !host.crypto.verify(from, bytes, accept.signature)) return 'bad-proof'
    attempt.accepts.set(from, accept)
    if (!this.#standing.isQuorumOf(version, new Set(attempt.accepts.keys()))) return undefined
    const accepts = [...attempt.accepts.values()]
    this.abandon()
    this.#events.decided({ version, ballot, decision: value, accepts })
    return undefined
  }

  #attemptOf(from: PeerId, item: { readonly version: number; readonly ballot: Ballot }): Attempt | undefined {
    const attempt = this.#attempt
    if (attempt === undefined || item.version !== attempt.version) return undefined
    if (compareBallots(item.ballot, attempt.ballot) !== 0) return undefined
    return this.#standing.votersOf(attempt.version).includes(from) ? attempt : undefined
  }

  /** To all who have not answered, again and again. */
  #send(): void {
    const { host } = this.#standing
    const attempt = this.#attempt
    if (attempt === undefined) return
    if (attempt.version !== this.#standing.version || host.now >= attempt.until) {
      this.#fail([...attempt.objections.values()][0])
      return
    }
    const { version, ballot, wish, value } = attempt
    for (const peer of this.#standing.votersOf(version)) {
      if (peer === host.self || !this.#standing.reach(peer)) continue
      if (value !== undefined) {
        if (!attempt.accepts.has(peer)) host.send(peer, { type: 'accept', version, ballot, decision: value })
      } else if (!attempt.promises.has(peer) && !attempt.objections.has(peer)) {
        host.send(peer, { type: 'prepare', version, ballot, decision: wish })
      }
    }
    host.schedule('proposal', Math.min(attempt.until, host.now + repeatMs), () => this.#send())
  }

  #fail(reason: string | undefined): void {
    const { host } = this.#standing
    this.abandon()
    this.#failures = Math.min(this.#failures + 1, 10)
    const longestMs = reason === undefined ? longestBackOffMs : longestObjectionMs
    const span = Math.min(longestMs, shortestBackOffMs * 2 ** this.#failures)
    this.#restsUntil = host.now + span * (0.25 + 0.75 * host.random())
    this.#events.failed(reason)
  }
}
