import type { PeerId } from '../../../../lib/index.ts'
import { P2pdError } from '../../../../lib/wire/errors.ts'
import type {
  AcquireOptions,
  FencingToken,
  Lock,
  MutexApi,
  MutexCounters,
} from '../../../../plugins/mutex/api.ts'
import type { ElectorateView } from '../../../../plugins/mutex/core/electorate/messages.ts'
import type { LockView, VoteConflict } from '../../../../plugins/mutex/core/messages.ts'

export const holder = '12D3KooWQNfcrY2XCNuVhBYGGk3dFqqovE4FDXDuhJh2A81ZhfkG' as PeerId
export const voter = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp' as PeerId

/** A lock whose validity the test sets: it is renewed all the time until `failRenewals`. */
export class FakeLock implements Lock {
  readonly name: string
  readonly token: FencingToken
  readonly leaseMs: number
  readonly #controller = new AbortController()
  readonly #onRelease: () => void
  #validUntil: number | undefined
  /** Monotonic, ms. */
  releasedAt: number | undefined

  constructor(name: string, token: number, leaseMs: number, onRelease: () => void) {
    this.name = name
    this.token = token as FencingToken
    this.leaseMs = leaseMs
    this.#onRelease = onRelease
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get validForMs(): number {
    if (this.signal.aborted || this.releasedAt !== undefined) return 0
    return this.#validUntil === undefined
      ? 0.8 * this.leaseMs
      : Math.max(0, this.#validUntil - performance.now())
  }

  /** Renewals fail from now on. */
  failRenewals(): void {
    this.#validUntil = performance.now() + 0.8 * this.leaseMs
  }

  /** The machine slept. */
  lose(): void {
    this.#controller.abort(new P2pdError('ERR_LOCK_LOST', 'lost'))
  }

  async release(): Promise<void> {
    if (this.releasedAt !== undefined) return
    this.releasedAt = performance.now()
    this.#onRelease()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }
}

/** Locks of one peer in memory. */
export class FakeMutex implements MutexApi {
  readonly #holders = new Map<string, FakeLock>()
  readonly #queue = new Map<string, (() => void)[]>()
  #token = 0
  /** The last that was given out. */
  last: FakeLock | undefined
  view: ElectorateView = {
    id: '0123456789abcdef0123456789abcdef' as NonNullable<ElectorateView['id']>,
    version: 3,
    founder: holder,
    maxLeaseMs: 60_000,
    voters: [
      { peer: holder, answering: true },
      { peer: voter, answering: false },
    ],
    reachable: true,
    self: 'serving',
    abstainsForMs: 0,
    void: undefined,
    conflict: undefined,
    change: undefined,
  }
  proofs: VoteConflict[] = []
  asked: string[] = []

  async acquire(name: string, { leaseMs = 1000, waitMs, signal }: AcquireOptions = {}): Promise<FakeLock> {
    if (name === 'no-quorum') {
      throw new P2pdError('ERR_NO_QUORUM', 'no quorum', { hint: 'start the others' })
    }
    while (this.#holders.has(name)) await this.#turn(name, waitMs, signal)
    this.#token += 1
    const lock = new FakeLock(name, this.#token, leaseMs, () => {
      this.#holders.delete(name)
      this.#queue.get(name)?.shift()?.()
    })
    this.#holders.set(name, lock)
    this.last = lock
    return lock
  }

  async tryAcquire(name: string, options: AcquireOptions = {}): Promise<FakeLock | undefined> {
    return this.#holders.has(name) ? undefined : await this.acquire(name, options)
  }

  async locks(name?: string): Promise<{ readonly locks: readonly LockView[]; readonly complete: boolean }> {
    const locks = [...this.#holders.values()]
      .filter((lock) => name === undefined || lock.name === name)
      .map((lock) => ({
        lock: lock.name,
        holder,
        token: lock.token,
        expiresInMs: lock.validForMs,
        waiters: (this.#queue.get(lock.name) ?? []).map(() => voter),
      }))
    return { locks, complete: true }
  }

  electorate(): ElectorateView {
    return this.view
  }

  watchElectorate(): () => void {
    return () => {}
  }

  async addVoter(peer: PeerId): Promise<ElectorateView> {
    this.asked.push(`add ${peer}`)
    return this.view
  }

  async removeVoter(peer: PeerId): Promise<ElectorateView> {
    this.asked.push(`remove ${peer}`)
    throw new P2pdError('ERR_VOTERS_REFUSED', 'it is the only voter')
  }

  async recoverVoter(): Promise<ElectorateView> {
    this.asked.push('recover')
    return this.view
  }

  conflicts(): readonly VoteConflict[] {
    return this.proofs
  }

  counters(): MutexCounters {
    return { acquired: 0, released: 0, lost: 0, failed: {}, misbehaved: {}, held: 0, waiting: 0 }
  }

  /** Until the holder has released it. */
  #turn(name: string, waitMs: number | undefined, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const queue = this.#queue.get(name) ?? []
      this.#queue.set(name, queue)
      queue.push(resolve)
      const leave = (error: unknown): void => {
        const at = queue.indexOf(resolve)
        if (at >= 0) queue.splice(at, 1)
        reject(error)
      }
      signal?.addEventListener('abort', () => leave(signal.reason), { once: true })
      if (waitMs !== undefined) {
        setTimeout(() => leave(new P2pdError('ERR_LOCK_HELD', 'held by another')), waitMs).unref()
      }
    })
  }
}
