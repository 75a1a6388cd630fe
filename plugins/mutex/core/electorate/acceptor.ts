/**
 * The acceptor of single-decree Paxos, one decree a version: what follows it.
 *
 * - Lamport 2001, Paxos Made Simple, §2.5
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { type AcceptorState, decodeAcceptor, encodeAcceptor } from '../records.ts'
import { acceptBytes } from '../statements.ts'
import { compareBallots } from './ballot.ts'
import { electorateKeys } from './keeping.ts'
import type { Ballot, Decision, SignedAccept } from './messages.ts'
import type { Standing } from './standing.ts'

export type Promised =
  | { readonly type: 'promise'; readonly accepted: AcceptorState['accepted'] }
  | { readonly type: 'preempted'; readonly promised: Ballot }

export type Accepted =
  | { readonly type: 'accepted'; readonly accept: SignedAccept }
  | { readonly type: 'preempted'; readonly promised: Ballot }

export class Acceptor {
  readonly #standing: Standing
  #state: AcceptorState = { version: 0, promised: undefined, accepted: undefined }

  constructor(standing: Standing) {
    this.#standing = standing
  }

  start(): void {
    const bytes = this.#standing.host.durable.get(electorateKeys.acceptor)
    if (bytes !== undefined) this.#state = decodeAcceptor(bytes)
  }

  /** Of the decision that is open: what follows the last version. */
  get state(): AcceptorState {
    const { version } = this.#standing
    return this.#state.version === version
      ? this.#state
      : { version, promised: undefined, accepted: undefined }
  }

  /** Whether this disk knows that its peer accepted `ballot` after `version`. */
  remembers(version: number, ballot: Ballot): boolean {
    const { version: of, promised } = this.#state
    return of > version || (of === version && promised !== undefined && compareBallots(promised, ballot) >= 0)
  }

  prepare(ballot: Ballot): Promised {
    const { version, promised, accepted } = this.state
    if (promised !== undefined && compareBallots(promised, ballot) > 0) return { type: 'preempted', promised }
    this.#keep({ version, promised: ballot, accepted }, this.#standing.units.promiseIsDurable)
    return { type: 'promise', accepted }
  }

  /** Accepting a ballot also promises it. */
  accept(ballot: Ballot, decision: Decision): Accepted {
    const { version, promised } = this.state
    if (promised !== undefined && compareBallots(promised, ballot) > 0) return { type: 'preempted', promised }
    this.#keep(
      { version, promised: ballot, accepted: { ballot, decision } },
      this.#standing.units.acceptIsDurable,
    )
    return { type: 'accepted', accept: this.#sign(ballot, decision) }
  }

  /** Another electorate: its versions are counted anew. */
  forget(): void {
    this.#keep({ version: 0, promised: undefined, accepted: undefined }, true)
  }

  #sign(ballot: Ballot, decision: Decision): SignedAccept {
    const { chain, host, version } = this.#standing
    if (chain === undefined) throw new Error('an accept without an electorate')
    const voter: PeerId = host.self
    return { voter, signature: host.crypto.sign(acceptBytes(chain.id, version, ballot, decision)) }
  }

  #keep(state: AcceptorState, isDurable: boolean): void {
    const isNews = this.#state.version !== state.version || !sameState(this.#state, state)
    this.#state = state
    if (isDurable && isNews) this.#standing.write(electorateKeys.acceptor, encodeAcceptor(state))
  }
}

function sameState(a: AcceptorState, b: AcceptorState): boolean {
  return sameBallot(a.promised, b.promised) && sameBallot(a.accepted?.ballot, b.accepted?.ballot)
}

function sameBallot(a: Ballot | undefined, b: Ballot | undefined): boolean {
  return a === undefined || b === undefined ? a === b : compareBallots(a, b) === 0
}
