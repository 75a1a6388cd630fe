/**
 * The locks as an app sees them: promises, signals and errors over the core's
 * commands and events.
 *
 * ```
 *   acquire ──▶ command acquire(token) ──▶ core ──▶ event acquired(token) ──▶ LockHandle
 *                                              └──▶ event failed(token) ──▶ error with code and hint
 * ```
 */
import { parsePeerId } from '../../lib/host/identity.ts'
import { withResolvers } from '../../lib/host/with-resolvers.ts'
import { orAbort } from '../../lib/or-abort.ts'
import type { PeerId } from '../../lib/protocols/core.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { AcquireOptions, FencingToken, Lock, MutexApi, MutexCounters } from './api.ts'
import type { ElectorateView, Wish } from './core/electorate/messages.ts'
import { mutexLimits } from './core/limits.ts'
import type {
  LockView,
  MemberNews,
  MutexCommand,
  MutexEvent,
  MutexFailure,
  VoteConflict,
} from './core/messages.ts'
import {
  assertLease,
  assertLockName,
  assertWait,
  electorateConflict,
  leaveIncomplete,
  mutexStopped,
  type NameOf,
  noQuorum,
  requestError,
  tooMany,
  voterRecovered,
  votersRefused,
} from './errors.ts'
import { HeldLocks } from './held-locks.ts'
import { Questions } from './questions.ts'
import { type Clocks, SuspendWatch } from './suspend-watch.ts'
import { isLie, MutexTally } from './tally.ts'

/** What the core tells when it is asked, and not as an event. */
export interface MutexReader {
  view(): ElectorateView
  /** Monotonic ms until which nobody else can hold it; undefined when it is not held. */
  validUntil(token: number): number | undefined
  conflicts(): readonly VoteConflict[]
}

export interface MutexServiceInit {
  readonly self: PeerId
  readonly config: { readonly leaseMs: number; readonly maxLeaseMs: number }
  readonly core: MutexReader
  readonly command: (command: MutexCommand) => void
  readonly nameOf: NameOf
  /** A peer broke the protocol. */
  readonly strike: (peer: PeerId) => void
  /** A listener of the app threw. */
  readonly trouble: (error: unknown) => void
  readonly clocks?: Clocks
}

/** The core writes what it keeps within this; a disk that hangs holds up nobody for longer. */
const stopMs = 1500

interface Waiting {
  /** Of its command; another one when it is asked anew. */
  token: number
  readonly name: string
  readonly leaseMs: number
  /** Monotonic; undefined for as long as it takes. */
  readonly giveUpAt: number | undefined
  readonly resolve: (lock: Lock) => void
  readonly reject: (error: Error) => void
}

export class MutexService implements MutexApi {
  readonly #init: MutexServiceInit
  readonly #watch: SuspendWatch
  readonly #tally = new MutexTally()
  readonly #waiting = new Map<number, Waiting>()
  readonly #held: HeldLocks
  readonly #questions = new Questions()
  readonly #listeners = new Set<(view: ElectorateView) => void>()
  readonly #stopped = withResolvers<void>()
  /** The other electorate that was told of. */
  #conflict: string | undefined
  #tokens = 0
  /** What waits for the core to start; undefined once it has. */
  #early: (() => MutexCommand | undefined)[] | undefined = []
  #stopping = false

  constructor(init: MutexServiceInit) {
    this.#init = init
    this.#watch = new SuspendWatch((ms) => this.#slept(ms), init.clocks)
    this.#held = new HeldLocks({
      validUntil: (token) => init.core.validUntil(token),
      look: () => this.#look(),
      release: (token) => this.#command(() => ({ type: 'release', token })),
      over: () => this.#rest(),
      tally: this.#tally,
    })
  }

  // What the plugin tells

  /** This life is settled. */
  start(generation: number, members: readonly MemberNews[]): void {
    const early = this.#early
    if (early === undefined) return
    this.#early = undefined
    this.#init.command({ type: 'start', generation, members })
    for (const make of early) this.#command(make)
  }

  emitted(event: MutexEvent): void {
    switch (event.type) {
      case 'acquired':
        this.#acquired(event)
        return
      case 'failed':
        this.#failed(event.token, event.failure)
        return
      case 'lost':
        this.#held.lose(event.token, event.reason)
        return
      case 'released':
        this.#held.released(event.token)
        return
      case 'wished':
      case 'inspected':
        this.#questions.answered(event)
        return
      case 'electorate':
        this.#tellConflict(event.view)
        this.#tellListeners(event.view)
        return
      case 'conflict':
        return
      case 'misbehaved':
        this.#tally.misbehaved[event.reason] += 1
        if (isLie(event.reason)) this.#init.strike(event.peer)
        return
      case 'stopped':
        this.#stopped.resolve()
        return
    }
  }

  #tellConflict({ conflict }: ElectorateView): void {
    const isNews = conflict !== undefined && conflict.id !== this.#conflict
    this.#conflict = conflict?.id
    if (isNews) this.#init.trouble(electorateConflict(conflict.peer, this.#init.nameOf))
  }

  /** Errors: ERR_LEAVE_INCOMPLETE. */
  async leave({ force }: { readonly force: boolean }): Promise<void> {
    // A life that is not settled yet has taken part in nothing.
    if (this.#early !== undefined) return
    const { outcome } = await this.#wish({ type: 'leave', peer: this.#init.self })
    if (outcome === 'refused' && !force) throw leaveIncomplete()
  }

  /** Ends whatever waits and is held, and tells the voters; at most 1.5 s. */
  async stop(): Promise<void> {
    if (!this.#stopping && this.#early === undefined) {
      this.#stopping = true
      this.#init.command({ type: 'stop' })
      const timer = setTimeout(() => this.#stopped.resolve(), stopMs)
      await this.#stopped.promise
      clearTimeout(timer)
    }
    this.end()
  }

  /** The peer has ended: nobody will answer any more. */
  end(): void {
    this.#stopping = true
    this.#early = undefined
    this.#stopped.resolve()
    for (const token of [...this.#waiting.keys()]) this.#failed(token, { type: 'stopped' })
    this.#held.loseAll('stopped')
    this.#questions.end()
    this.#listeners.clear()
    this.#watch.stop()
  }

  // What an app asks

  async acquire(name: string, options: AcquireOptions = {}): Promise<Lock> {
    try {
      return await this.#acquire(name, options)
    } catch (error) {
      if (error instanceof P2pdError && error !== options.signal?.reason) this.#tally.countFailure(error.code)
      throw error
    }
  }

  async tryAcquire(name: string, options: Omit<AcquireOptions, 'waitMs'> = {}): Promise<Lock | undefined> {
    try {
      return await this.acquire(name, { ...options, waitMs: 0 })
    } catch (error) {
      if (error instanceof P2pdError && error.code === 'ERR_LOCK_HELD' && error !== options.signal?.reason) {
        return undefined
      }
      throw error
    }
  }

  async locks(
    name?: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<{ readonly locks: readonly LockView[]; readonly complete: boolean }> {
    if (name !== undefined) assertLockName(name)
    this.#assertRuns()
    const token = this.#nextToken()
    const ask = (): void => this.#command(() => ({ type: 'inspect', token, lock: name }))
    const { locks, complete } = await this.#questions.ask('inspected', token, ask, options.signal)
    return { locks, complete }
  }

  electorate(): ElectorateView {
    return this.#init.core.view()
  }

  watchElectorate(listener: (view: ElectorateView) => void): () => void {
    // One function may be registered twice, and each registration ended by itself.
    const own = (view: ElectorateView): void => listener(view)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  async addVoter(peer: PeerId, options: { readonly signal?: AbortSignal } = {}): Promise<ElectorateView> {
    return this.#outcome(await this.#wish({ type: 'add', peer: parsePeerId(peer) }, options.signal))
  }

  async removeVoter(peer: PeerId, options: { readonly signal?: AbortSignal } = {}): Promise<ElectorateView> {
    return this.#outcome(await this.#wish({ type: 'remove', peer: parsePeerId(peer) }, options.signal))
  }

  async recoverVoter(): Promise<ElectorateView> {
    this.#assertRuns()
    const token = this.#nextToken()
    const ask = (): void => this.#command(() => ({ type: 'recover', token }))
    const view = this.#outcome(await this.#questions.ask('wished', token, ask, undefined))
    // Whoever reads the log must find it: from now on a token may have been given twice.
    this.#init.trouble(voterRecovered())
    return view
  }

  conflicts(): readonly VoteConflict[] {
    return this.#init.core.conflicts()
  }

  counters(): MutexCounters {
    return this.#tally.counters(this.#held.size, this.#waiting.size)
  }

  // Requests

  async #acquire(name: string, options: AcquireOptions): Promise<Lock> {
    const { waitMs, signal } = options
    assertLockName(name)
    assertWait(waitMs)
    const leaseMs = this.#leaseOf(options.leaseMs)
    signal?.throwIfAborted()
    this.#assertRuns()
    const limit = mutexLimits.requestsPerPeer
    if (this.#waiting.size + this.#held.size >= limit) throw tooMany(`${limit} locks are held or waited for`)
    const { promise, resolve, reject } = withResolvers<Lock>()
    const giveUpAt = waitMs === undefined ? undefined : performance.now() + waitMs
    if (this.#waiting.size + this.#held.size === 0) this.#watch.begin()
    const waiting: Waiting = { token: 0, name, leaseMs, giveUpAt, resolve, reject }
    this.#request(waiting)
    return await orAbort(promise, signal, () => this.#giveUp(waiting))
  }

  #leaseOf(asked: number | undefined): number {
    const longest = this.electorate().maxLeaseMs
    if (asked !== undefined) assertLease(asked, longest)
    const leaseMs = asked ?? Math.min(this.#init.config.leaseMs, longest ?? Number.POSITIVE_INFINITY)
    // As it crosses the wire, and comes back.
    return Math.round(leaseMs)
  }

  #request(waiting: Waiting): void {
    const token = this.#nextToken()
    const { name, leaseMs, giveUpAt } = waiting
    waiting.token = token
    this.#waiting.set(token, waiting)
    this.#command(() => {
      // Given up before the core had started.
      if (!this.#waiting.has(token)) return undefined
      const waitMs = giveUpAt === undefined ? undefined : Math.max(0, giveUpAt - performance.now())
      return { type: 'acquire', token, lock: name, leaseMs, waitMs }
    })
  }

  /** Of one that has just been granted the caller gets the lock all the same: it was first. */
  #giveUp({ token }: Waiting): void {
    if (this.#take(token) === undefined) return
    if (this.#early === undefined) this.#init.command({ type: 'release', token })
    this.#rest()
  }

  #acquired({ token, fencingToken }: Extract<MutexEvent, { readonly type: 'acquired' }>): void {
    const waiting = this.#take(token)
    if (waiting === undefined) return
    const sleptMs = this.#watch.look()
    const until = this.#init.core.validUntil(token) ?? Number.NEGATIVE_INFINITY
    if (sleptMs > 0 || until <= performance.now()) {
      // It is over before anybody has entered, since the machine slept or the disk was slow: asked for anew.
      this.#command(() => ({ type: 'release', token }))
      if (sleptMs > 0) this.#slept(sleptMs)
      this.#request(waiting)
      return
    }
    const { name, leaseMs, resolve } = waiting
    resolve(this.#held.add(token, { name, leaseMs, token: fencingToken as FencingToken }, until))
  }

  #failed(token: number, failure: MutexFailure): void {
    const waiting = this.#take(token)
    if (waiting === undefined) return
    waiting.reject(requestError(failure, waiting, this.electorate(), this.#init.nameOf))
    this.#rest()
  }

  #take(token: number): Waiting | undefined {
    const waiting = this.#waiting.get(token)
    this.#waiting.delete(token)
    return waiting
  }

  #look(): void {
    const ms = this.#watch.look()
    if (ms > 0) this.#slept(ms)
  }

  /** The holders are told at once: what the core says may still wait for the disk. */
  #slept(ms: number): void {
    this.#command(() => ({ type: 'slept', ms }))
    this.#held.loseAll('slept')
  }

  #rest(): void {
    if (this.#waiting.size + this.#held.size === 0) this.#watch.end()
  }

  // Voters

  async #wish(wish: Wish, signal?: AbortSignal): Promise<Extract<MutexEvent, { readonly type: 'wished' }>> {
    this.#assertRuns()
    const token = this.#nextToken()
    const ask = (): void => this.#command(() => ({ type: 'wish', token, wish }))
    return await this.#questions.ask('wished', token, ask, signal)
  }

  #outcome({ outcome, reason }: Extract<MutexEvent, { readonly type: 'wished' }>): ElectorateView {
    const view = this.electorate()
    if (outcome === 'done') return view
    if (reason === 'no-quorum') {
      const missing = view.voters.filter(({ answering }) => !answering).map(({ peer }) => peer)
      throw noQuorum(view, missing, this.#init.nameOf)
    }
    throw votersRefused(reason)
  }

  #tellListeners(view: ElectorateView): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(view)
      } catch (error) {
        this.#init.trouble(error)
      }
    }
  }

  // The core

  #command(make: () => MutexCommand | undefined): void {
    if (this.#early !== undefined) {
      this.#early.push(make)
      return
    }
    const command = make()
    if (command !== undefined) this.#init.command(command)
  }

  #nextToken(): number {
    this.#tokens += 1
    return this.#tokens
  }

  #assertRuns(): void {
    if (this.#stopping) throw mutexStopped()
  }
}
