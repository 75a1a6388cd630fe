/**
 * One lock that a client of the daemon holds, and the command that runs under it.
 *
 * ```
 *   held ──▶ release            the command has ended: what it left behind gets SIGTERM, then SIGKILL
 *        ──▶ hung up, silent    the client is dead, or stopped: SIGKILL
 *        ──▶ lost, stopping     the lock is about to be: SIGTERM, and SIGKILL in time
 *   all: the group is gone ──▶ the lock is released
 * ```
 *
 * Nothing of this waits for the client: it may be stopped, and only the daemon
 * is there to end the command. Nor is the lock released while somebody of the
 * group runs, however long that is.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { withResolvers } from '../../../lib/host/with-resolvers.ts'
import { P2pdError } from '../../../lib/wire/errors.ts'
import type { Lock } from '../api.ts'
import { graceMs, killMarginMs } from './grace.ts'
import type { ProcessGroup } from './process-group.ts'

export type SessionEnd =
  /** Asked for by the client. */
  | 'released'
  /** The client's connection is gone. */
  | 'hung-up'
  /** The client has not been heard of for as long as it was told that the lock is valid. */
  | 'silent'
  /** Renewals fail, the machine slept. */
  | 'lost'
  /** The daemon ends. */
  | 'stopping'

/** Between SIGTERM and SIGKILL, ms; 0 is SIGKILL at once. A lock that is lost has what is left of it. */
const endGraceMs: Readonly<Record<SessionEnd, number>> = {
  released: 2000,
  'hung-up': 0,
  silent: 0,
  lost: 2000,
  stopping: 1000,
}

const whyEnding: Readonly<Record<SessionEnd, string>> = {
  released: 'it is being released',
  'hung-up': 'its client has hung up',
  silent: 'its client was not heard of in time',
  lost: 'it could not be renewed in time, or the machine slept',
  stopping: 'the daemon is stopping',
}

export class LockSession {
  readonly id: string
  readonly lock: Lock
  readonly #controller = new AbortController()
  readonly #hurry = new AbortController()
  readonly #over = withResolvers<void>()
  #group: ProcessGroup | undefined
  #end: SessionEnd | undefined
  #timer: NodeJS.Timeout | undefined
  /** Monotonic, ms: by then the client is heard of, or counts as dead. */
  #heardUntil: number

  constructor(id: string, lock: Lock) {
    this.id = id
    this.lock = lock
    this.#heardUntil = performance.now() + lock.validForMs
    lock.signal.addEventListener('abort', this.#watch, { once: true })
    this.#watch()
  }

  /** Aborts when it begins to end; the reason is a SessionEnd. */
  get ending(): AbortSignal {
    return this.#controller.signal
  }

  /** Resolves when the command has ended and the lock is released. */
  get over(): Promise<void> {
    return this.#over.promise
  }

  /** The client lives. For how long the lock is valid, ms. Errors: ERR_LOCK_SESSION. */
  heartbeat(): number {
    if (this.#end !== undefined && this.#end !== 'released') throw sessionOver(whyEnding[this.#end])
    const { validForMs } = this.lock
    this.#heardUntil = performance.now() + validForMs
    this.#watch()
    return validForMs
  }

  /** What has to end before the lock is released; one for the life of the session. Errors: ERR_LOCK_SESSION, ERR_LOCK_GROUP. */
  guard(group: ProcessGroup): void {
    if (this.#end !== undefined) throw sessionOver(whyEnding[this.#end])
    if (this.#group !== undefined) {
      throw new P2pdError('ERR_LOCK_GROUP', 'this session has a process group already', {
        hint: 'hold the lock anew for another command',
      })
    }
    this.#group = group
  }

  /** Resolves like `over`. Errors: ERR_LOCK_LOST when it began to end before it was asked to. */
  async release(): Promise<void> {
    const before = this.#end
    await this.end('released')
    if (before !== undefined && before !== 'released') {
      throw new P2pdError('ERR_LOCK_LOST', `lock '${this.lock.name}' was lost: ${whyEnding[before]}`)
    }
  }

  /** Resolves like `over`. The first reason stays; a later one may be more urgent. */
  end(reason: SessionEnd): Promise<void> {
    if (endGraceMs[reason] === 0) this.#hurry.abort()
    if (this.#end === undefined) {
      this.#end = reason
      this.#controller.abort(reason)
      void this.#finish(reason)
    }
    this.#watch()
    return this.over
  }

  async #finish(reason: SessionEnd): Promise<void> {
    if (this.#group !== undefined) {
      await this.#group.end({ graceMs: endGraceMs[reason], hurry: this.#hurry.signal })
    } else if (reason === 'lost') {
      // Whoever holds it without a command is told, and hangs up when it has stopped.
      await delay(graceMs(this.lock.leaseMs), undefined, { signal: this.#hurry.signal }).catch(() => {})
    }
    clearTimeout(this.#timer)
    this.lock.signal.removeEventListener('abort', this.#watch)
    // What cannot be told to the voters ends with its lease.
    await this.lock.release().catch(() => {})
    clearTimeout(this.#timer)
    this.#over.resolve()
  }

  /** Looks at the clocks, and sets the timer by which it looks again. */
  readonly #watch = (): void => {
    clearTimeout(this.#timer)
    const { validForMs, leaseMs } = this.lock
    const untilKillMs = validForMs - killMarginMs(leaseMs)
    const untilLostMs = validForMs - graceMs(leaseMs)
    const silentInMs = this.#heardUntil - performance.now()
    if (this.lock.signal.aborted || untilKillMs <= 0) this.#hurry.abort()
    if (this.#end === undefined) {
      if (untilLostMs <= 0 || this.lock.signal.aborted) return void this.end('lost')
      if (silentInMs <= 0) return void this.end('silent')
    }
    if (this.#hurry.signal.aborted) return
    const nextMs = this.#end === undefined ? Math.min(untilLostMs, silentInMs) : untilKillMs
    this.#timer = setTimeout(this.#watch, Math.ceil(nextMs))
  }
}

export function sessionOver(message: string): P2pdError {
  return new P2pdError('ERR_LOCK_SESSION', message, {
    hint: 'whoever holds a lock has to stop what it protects as soon as it is told so',
  })
}
