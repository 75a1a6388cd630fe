/** One lock at one arbiter: who waits, who has its vote, and what blocks it from the version before. */
import type { RequestId } from '../electorate/messages.ts'
import type { GrantNumber } from '../messages.ts'
import { compareRequests, type RequestKey } from './order.ts'

/** A request as its arbiter keeps it. */
export interface Petition {
  readonly request: RequestId
  readonly key: RequestKey
  readonly lock: string
  readonly timestamp: number
  readonly leaseMs: number
  /** Its owner has entered, and has no vote of this arbiter. */
  readonly entered: boolean
}

export interface Vote {
  petition: Petition
  readonly grant: GrantNumber
  /** The token that was proposed, or confirmed since. */
  level: number
  /** Monotonic ms at which it is over by itself. */
  deadline: number
  /** The arbiter's clock at the grant. */
  readonly clock: number
  /** It was asked back. */
  inquired: boolean
}

export interface Inherited {
  readonly request: RequestId
  readonly deadline: number
}

export class Docket {
  readonly lock: string
  /** In the order of service. */
  readonly queue: Petition[] = []
  readonly inherited = new Map<RequestKey, Inherited>()
  vote: Vote | undefined

  constructor(lock: string) {
    this.lock = lock
  }

  get isIdle(): boolean {
    return this.vote === undefined && this.queue.length === 0 && this.inherited.size === 0
  }

  enqueue(petition: Petition): void {
    let at = this.queue.length
    while (at > 0 && compareRequests(this.queue[at - 1] as Petition, petition) > 0) at -= 1
    this.queue.splice(at, 0, petition)
  }

  dequeue(key: RequestKey): boolean {
    const at = this.queue.findIndex((petition) => petition.key === key)
    if (at >= 0) this.queue.splice(at, 1)
    return at >= 0
  }

  /** Ends what is over at `now`; whether anything was. */
  expire(now: number): boolean {
    let changed = false
    if (this.vote !== undefined && this.vote.deadline <= now) {
      this.vote = undefined
      changed = true
    }
    for (const [key, { deadline }] of this.inherited) {
      if (deadline > now) continue
      this.inherited.delete(key)
      changed = true
    }
    return changed
  }

  /** Monotonic ms of the next end; undefined when nothing ends by itself. */
  get nextEnd(): number | undefined {
    let next = this.vote?.deadline
    for (const { deadline } of this.inherited.values()) {
      if (next === undefined || deadline < next) next = deadline
    }
    return next
  }
}
