/** What an app sees of the locks: `peer.plugins.mutex`. */
import type { PeerId } from '../../lib/protocols/core.ts'
import type { ElectorateView } from './core/electorate/messages.ts'
import type { LockView, VoteConflict } from './core/messages.ts'

/** Strictly increasing a lock, over all holders, crashes and changes of the voters. */
export type FencingToken = number & { readonly __brand: 'FencingToken' }

export interface AcquireOptions {
  /** How long the lock outlives its holder; the configured lease by default, at most the electorate's longest. */
  readonly leaseMs?: number
  /** Gives up with ERR_LOCK_HELD after so long; as long as it takes by default. */
  readonly waitMs?: number
  /** Gives up waiting. A lock that is held is released with `release()`. */
  readonly signal?: AbortSignal
}

/** A lock that is held, until `signal` aborts. */
export interface Lock extends AsyncDisposable {
  readonly name: string
  /** Show it to the resource, which refuses every token below the highest that it has seen. */
  readonly token: FencingToken
  /** Aborts, with ERR_LOCK_LOST, when the lock is lost: renewals failed, or the machine slept. Not at `release()`. */
  readonly signal: AbortSignal
  readonly leaseMs: number
  /**
   * Milliseconds for which nobody else can hold it, as of now; 0 when it is lost
   * or released. Looks at the clock: ask right before the deed, a timer may be late.
   */
  readonly validForMs: number
  /** Resolves when the voters have been told. Twice does no harm. */
  release(): Promise<void>
}

export interface MutexApi {
  /**
   * Waits for the lock, in the order of requests over all peers. Whoever holds it and asks again, also
   * in the same app, waits for itself: give a limit, or hand the lock on. Errors:
   * ERR_NO_QUORUM (within 5 s), ERR_LOCK_HELD at the end of `waitMs`,
   * ERR_LOCK_NAME, ERR_LEASE, ERR_LOCK_REFUSED, ERR_TOO_MANY, ERR_STOPPED; the signal's reason.
   */
  acquire(name: string, options?: AcquireOptions): Promise<Lock>
  /**
   * The lock, or undefined when somebody else has it. Two who try at the same
   * moment may both get nothing. Errors as of `acquire`.
   */
  tryAcquire(name: string, options?: Omit<AcquireOptions, 'waitMs'>): Promise<Lock | undefined>
  /** What a quorum of the voters says. `complete` is false when no quorum answered within a second. */
  locks(
    name?: string,
    options?: { readonly signal?: AbortSignal },
  ): Promise<{ readonly locks: readonly LockView[]; readonly complete: boolean }>
  /** Who votes, and how this peer stands to it. */
  electorate(): ElectorateView
  /** Each change of `electorate()`; returns how to end it. */
  watchElectorate(listener: (view: ElectorateView) => void): () => void
  /** By hand. Errors: ERR_BAD_PEER_ID, ERR_VOTERS_REFUSED with the reason, ERR_NO_QUORUM. */
  addVoter(peer: PeerId, options?: { readonly signal?: AbortSignal }): Promise<ElectorateView>
  removeVoter(peer: PeerId, options?: { readonly signal?: AbortSignal }): Promise<ElectorateView>
  /** Of a sole voter whose disk was rolled back: a token may repeat unless the resource was told none since. */
  recoverVoter(): Promise<ElectorateView>
  /** Voters that signed what cannot both be true; kept over restarts, at most 64. */
  conflicts(): readonly VoteConflict[]
  /** What was counted since the start. */
  counters(): MutexCounters
}

export interface MutexCounters {
  readonly acquired: number
  readonly released: number
  readonly lost: number
  /** Requests that failed, by code. */
  readonly failed: Readonly<Record<string, number>>
  /** Breaches of the protocol by others, by reason. */
  readonly misbehaved: Readonly<Record<string, number>>
  readonly held: number
  readonly waiting: number
}
