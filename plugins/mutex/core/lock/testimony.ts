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
  /** What was remembered of whom, the oldest first, and how much that is. */
  readonly #batches: { readonly bytes: number; readonly keys: readonly string[] }[] = []
  #bytes = 0
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
    const keys: string[] = []
    for (const statement of statements) {
      const { electorate, version, lock, vote, proposal } = statement
      const { generation, counter } = vote.grant
      const byNumber = `${arbiter} ${electorate} ${generation}/${counter}`
      const byToken = `${arbiter} ${electorate} ${version} ${proposal} ${lock}`
      for (const key of [byNumber, byToken]) {
        if (this.#compare(from, arbiter, key, { statement, votes })) keys.push(key)
      }
    }
    this.#remember(keys, votes.bytes.length)
    return statements
  }

  /** As much as there is room for: a statement keeps the whole of what was signed with it. */
  #remember(keys: readonly string[], bytes: number): void {
    if (keys.length === 0) return
    this.#batches.push({ bytes, keys })
    this.#bytes += bytes
    while (this.#bytes > mutexLimits.testimonyBytes || this.#said.size > 2 * mutexLimits.statements) {
      const oldest = this.#batches.shift()
      if (oldest === undefined) return
      this.#bytes -= oldest.bytes
      for (const key of oldest.keys) this.#said.delete(key)
    }
  }

  /** Whether it is news. */
  #compare(from: PeerId, arbiter: PeerId, key: string, said: Said): boolean {
    const before = this.#said.get(key)
    if (before === undefined) {
      this.#said.set(key, said)
      return true
    }
    if (!isSame(before.statement, said.statement)) this.#contradicted(from, arbiter, key, before, said)
    return false
  }

  #contradicted(from: PeerId, arbiter: PeerId, key: string, before: Said, said: Said): void {
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
