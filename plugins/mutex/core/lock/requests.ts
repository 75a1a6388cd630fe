/** The unfinished requests of this peer, by what each side calls them, and the tokens that they came to know. */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { mutexLimits } from '../limits.ts'
import type { Listed, VoteName } from '../messages.ts'
import type { RequestKey } from './order.ts'
import type { LockRequest } from './request.ts'

export class Requests {
  readonly #byKey = new Map<RequestKey, LockRequest>()
  readonly #byToken = new Map<number, LockRequest>()
  /** The highest token known of a lock. */
  readonly #hints = new Map<string, number>()

  get size(): number {
    return this.#byKey.size
  }

  /** May be changed while it is gone through. */
  all(): readonly LockRequest[] {
    return [...this.#byKey.values()]
  }

  waiting(): readonly LockRequest[] {
    return this.all().filter(({ hasEntered }) => !hasEntered)
  }

  find(key: RequestKey): LockRequest | undefined {
    return this.#byKey.get(key)
  }

  of(token: number): LockRequest | undefined {
    return this.#byToken.get(token)
  }

  add(request: LockRequest): void {
    this.#byKey.set(request.key, request)
    this.#byToken.set(request.asked.token, request)
  }

  delete(request: LockRequest): void {
    this.#byKey.delete(request.key)
    this.#byToken.delete(request.asked.token)
  }

  /** Whether any of them concerns that voter. */
  concern(voter: PeerId): boolean {
    for (const request of this.#byKey.values()) if (request.voters.includes(voter)) return true
    return false
  }

  /** The shortest time within which one of them has to be heard by that voter, by its own rhythm; `most` at most. */
  rhythmMs(voter: PeerId, most: number, rhythmOf: (request: LockRequest) => number): number {
    let shortest = most
    for (const request of this.#byKey.values()) {
      if (!request.isLost && request.voters.includes(voter)) shortest = Math.min(shortest, rhythmOf(request))
    }
    return shortest
  }

  /** All that an arbiter has to know at the beginning of a session. */
  list(arbiter: PeerId, version: number): Listed[] {
    return this.all()
      .filter((request) => request.timestamp > 0 && request.electorate?.version === version)
      .map((request) => request.list(arbiter, version, this.hint(request.asked.lock)))
  }

  /** The votes of an arbiter that are to be kept. */
  votesOf(arbiter: PeerId, version: number): Map<RequestKey, VoteName> {
    const votes = new Map<RequestKey, VoteName>()
    for (const request of this.#byKey.values()) {
      const name = request.isLost ? undefined : request.nameAt(arbiter, version)
      if (name !== undefined) votes.set(request.key, name)
    }
    return votes
  }

  hint(lock: string): number {
    return this.#hints.get(lock) ?? 0
  }

  /** A hint only spares a round: those of the locks that were not asked for longest are forgotten. */
  learn(lock: string, token: number): void {
    this.#hints.delete(lock)
    this.#hints.set(lock, token)
    if (this.#hints.size <= mutexLimits.counters) return
    const [oldest] = this.#hints.keys()
    if (oldest !== undefined) this.#hints.delete(oldest)
  }
}
