/** While somebody waits: no quorum of voters that answer, for long enough without a break, ends all waiting. */
import type { Electorate } from '../electorate/messages.ts'
import type { MutexFailure } from '../messages.ts'
import type { LockContext } from './lock-context.ts'
import type { LockRequest } from './request.ts'
import type { Requests } from './requests.ts'
import type { VoterLinks } from './voter-links.ts'

/** How often it is looked at. */
const watchMs = 250

export interface QuorumWatchParts {
  readonly context: LockContext
  readonly requests: Requests
  readonly links: VoterLinks
  readonly electorate: () => Electorate | undefined
  readonly fail: (request: LockRequest, failure: MutexFailure) => void
}

export class QuorumWatch {
  readonly #parts: QuorumWatchParts
  #noQuorumSince: number | undefined

  constructor(parts: QuorumWatchParts) {
    this.#parts = parts
  }

  /** Somebody waits. */
  begin(): void {
    const { context } = this.#parts
    if (this.#noQuorumSince === undefined) this.#look()
    context.scheduleAtLatest('quorum', context.now + watchMs, () => this.#again())
  }

  /** Other voters decide. */
  reset(): void {
    this.#noQuorumSince = undefined
  }

  /** The own event loop was late. */
  lagged(ms: number): void {
    if (this.#noQuorumSince === undefined) return
    this.#noQuorumSince = Math.min(this.#parts.context.now, this.#noQuorumSince + ms)
  }

  /**
   * Why a request that is given up now has not got the lock. A voter that has never answered it, and owes
   * that for long enough to be asked again, is not waited for any longer.
   */
  failure(request?: LockRequest): MutexFailure {
    const { electorate, links, context } = this.#parts
    const current = electorate()
    if (current === undefined) return { type: 'no-electorate' }
    const { pingMs, silenceMs } = context.config
    const missing = current.voters.filter((voter) => {
      const hasAnswered = request?.hasHeard(voter, current.version) ?? true
      return !links.serves(voter, hasAnswered ? silenceMs : pingMs)
    })
    const answering = current.voters.filter((voter) => !missing.includes(voter))
    return links.isQuorum(current, answering) ? { type: 'held' } : { type: 'no-quorum', missing }
  }

  #again(): void {
    const { requests, context, fail } = this.#parts
    const waiting = requests.waiting()
    if (waiting.length === 0) {
      this.reset()
      return
    }
    this.#look()
    const { silenceMs } = context.config
    if (this.#noQuorumSince !== undefined && context.now - this.#noQuorumSince >= silenceMs) {
      const failure = this.failure()
      for (const request of waiting) fail(request, failure)
    }
    this.begin()
  }

  #look(): void {
    if (this.failure().type === 'held') this.reset()
    else this.#noQuorumSince ??= this.#parts.context.now
  }
}
