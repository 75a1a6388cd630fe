/** Votes are signed after they were sent, some at once: a signature costs more than all else of a grant. */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { mutexLimits } from '../limits.ts'
import type { SignedVotes, VoteStatement } from '../messages.ts'
import { signVotes } from '../statements.ts'
import type { LockContext } from './lock-context.ts'

/** So long votes gather for one signature: each is a frame of its own as well. */
const signAfterMs = 100

export class Signing {
  readonly #context: LockContext
  readonly #send: (to: PeerId, votes: SignedVotes) => void
  readonly #waiting = new Map<PeerId, VoteStatement[]>()

  constructor(context: LockContext, send: (to: PeerId, votes: SignedVotes) => void) {
    this.#context = context
    this.#send = send
  }

  /** At once where as many wait as one signature may cover. */
  granted(to: PeerId, statement: VoteStatement): void {
    if (to === this.#context.self) return
    const waiting = this.#waiting.get(to) ?? []
    waiting.push(statement)
    this.#waiting.set(to, waiting)
    if (waiting.length >= mutexLimits.statementsPerSignature) this.#sign(to)
    else this.#context.scheduleAtLatest('sign', this.#context.now + signAfterMs, () => this.#signAll())
  }

  #signAll(): void {
    for (const to of [...this.#waiting.keys()]) this.#sign(to)
  }

  #sign(to: PeerId): void {
    const statements = this.#waiting.get(to)
    this.#waiting.delete(to)
    if (statements !== undefined) this.#send(to, signVotes(statements, this.#context.crypto))
  }
}
