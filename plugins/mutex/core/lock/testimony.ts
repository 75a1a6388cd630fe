/**
 * What arbiters have said under their signature, compared: a vote has one number, and
 * a token is proposed to one request. Whoever signs it twice, differently, has lied,
 * and the two statements prove it to anybody.
 *
 * Signatures are verified only where two statements contradict each other: an honest arbiter costs nothing.
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { mutexLimits } from '../limits.ts'
import type { SignedVotes, VoteConflict, VoteStatement } from '../messages.ts'
import { decodeConflicts, encodeConflicts } from '../records.ts'
import { decodeVotes, votesAreSigned } from '../statements.ts'
import type { LockContext } from './lock-context.ts'
import { keyOf } from './order.ts'

interface Said {
  readonly statement: VoteStatement
  readonly votes: SignedVotes
}

const conflictsKey = 'conflicts'

export class Testimony {
  readonly #context: LockContext
  /** By arbiter and number, and by arbiter and token; the oldest are forgotten. */
  readonly #said = new Map<string, Said>()
  #conflicts: readonly VoteConflict[]

  constructor(context: LockContext) {
    this.#context = context
    const bytes = context.durable.get(conflictsKey)
    this.#conflicts = bytes === undefined ? [] : decodeConflicts(bytes)
  }

  get conflicts(): readonly VoteConflict[] {
    return this.#conflicts
  }

  /** `from` is who brings it. Throws `WireError` when `votes` are no statements. */
  hear(from: PeerId, arbiter: PeerId, votes: SignedVotes): readonly VoteStatement[] {
    const statements = decodeVotes(votes.bytes)
    for (const statement of statements) {
      const { electorate, version, lock, vote, proposal } = statement
      const { generation, counter } = vote.grant
      this.#compare(from, arbiter, `${arbiter} ${electorate} ${generation}/${counter}`, { statement, votes })
      this.#compare(from, arbiter, `${arbiter} ${electorate} ${version} ${proposal} ${lock}`, {
        statement,
        votes,
      })
    }
    return statements
  }

  #compare(from: PeerId, arbiter: PeerId, key: string, said: Said): void {
    const before = this.#said.get(key)
    this.#said.delete(key)
    this.#said.set(key, before ?? said)
    if (this.#said.size > 2 * mutexLimits.statements) {
      const [oldest] = this.#said.keys()
      if (oldest !== undefined) this.#said.delete(oldest)
    }
    if (before === undefined || isSame(before.statement, said.statement)) return
    const { crypto } = this.#context
    if (!votesAreSigned(arbiter, said.votes, crypto)) {
      this.#context.misbehaved(from, 'forged-grant')
      return
    }
    // What was taken on trust turns out to be nobody's word.
    if (!votesAreSigned(arbiter, before.votes, crypto)) {
      this.#said.set(key, said)
      return
    }
    this.#keep({ arbiter, lock: said.statement.lock, first: before.votes, second: said.votes })
  }

  #keep(conflict: VoteConflict): void {
    const isKnown = this.#conflicts.some(
      ({ arbiter, lock }) => arbiter === conflict.arbiter && lock === conflict.lock,
    )
    this.#context.misbehaved(conflict.arbiter, 'conflicting-votes')
    if (isKnown || this.#conflicts.length >= mutexLimits.conflicts) return
    this.#conflicts = [...this.#conflicts, conflict]
    this.#context.remember(conflictsKey, encodeConflicts(this.#conflicts))
    this.#context.emit({ type: 'conflict', conflict })
  }
}

function isSame(a: VoteStatement, b: VoteStatement): boolean {
  return (
    keyOf(a.vote.request) === keyOf(b.vote.request) &&
    a.vote.grant.generation === b.vote.grant.generation &&
    a.vote.grant.counter === b.vote.grant.counter &&
    a.lock === b.lock &&
    a.version === b.version &&
    a.proposal === b.proposal
  )
}
