/** The locks that clients of the daemon hold or wait for: one stream of events a lock. */
import { randomBytes } from 'node:crypto'
import { P2pdError } from '../../../lib/wire/errors.ts'
import type { PluginStreamEvent } from '../../contract.ts'
import type { Lock, MutexApi } from '../api.ts'
import { LockSession, type SessionEnd, sessionOver } from './lock-session.ts'
import { type GroupName, ProcessGroup } from './process-group.ts'

/** Held and waited for at a time. Each has a connection open, and leaves others room to release. */
const maxSessions = 128

/** When the daemon ends it waits for groups so long; SIGKILL has gone out before, and only who cannot be killed is left. */
const closeWithinMs = 1400

export interface HoldRequest {
  readonly name: string
  readonly leaseMs?: number | undefined
  readonly waitMs?: number | undefined
  /** Not to wait at all. */
  readonly isTry: boolean
}

export class LockSessions {
  readonly #sessions = new Map<string, LockSession>()
  readonly #closing = new AbortController()
  #places = 0

  /**
   * `held` once it is, `lost` when it is about to be no longer. Ends with the lock;
   * whoever hangs up gives it up. Errors: those of `acquire`, ERR_LOCK_HELD,
   * ERR_TOO_MANY, ERR_STOPPING.
   */
  async *hold(
    api: MutexApi,
    request: HoldRequest,
    hungUp: AbortSignal,
  ): AsyncGenerator<PluginStreamEvent, void, undefined> {
    const session = await this.#begin(api, request, hungUp)
    try {
      const { name, token, leaseMs, validForMs } = session.lock
      yield { event: 'held', data: { lock: name, token, leaseMs, session: session.id, validForMs } }
      const reason = await beginsToEnd(session)
      if (reason !== 'released') yield { event: 'lost', data: { reason } }
      await session.over
    } finally {
      void session.end('hung-up')
    }
  }

  /** From now on the group's end is the lock's. Errors: ERR_LOCK_SESSION, ERR_LOCK_GROUP. */
  guard(id: string, name: GroupName): { readonly validForMs: number } {
    const session = this.#find(id)
    session.guard(ProcessGroup.adopt(name))
    return { validForMs: session.heartbeat() }
  }

  /** Errors: ERR_LOCK_SESSION. */
  heartbeat(id: string): { readonly validForMs: number } {
    return { validForMs: this.#find(id).heartbeat() }
  }

  /** Resolves when what was left of the group is gone, and the voters know. Errors: ERR_LOCK_SESSION, ERR_LOCK_LOST. */
  async release(id: string): Promise<{ readonly released: true }> {
    await this.#find(id).release()
    return { released: true }
  }

  /** Ends every command, then releases its lock, and lets nobody wait any more. Within 1.4 s. */
  async close(): Promise<void> {
    this.#closing.abort(new P2pdError('ERR_STOPPING', 'the daemon is stopping'))
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, closeWithinMs)
    })
    await Promise.race([Promise.all([...this.#sessions.values()].map((one) => one.end('stopping'))), late])
    clearTimeout(timer)
  }

  /** Its place is taken until the lock is given up, whether or not anybody reads on. */
  async #begin(api: MutexApi, request: HoldRequest, hungUp: AbortSignal): Promise<LockSession> {
    this.#closing.signal.throwIfAborted()
    if (this.#places >= maxSessions) throw tooMany()
    this.#places += 1
    try {
      const session = this.#open(await this.#acquire(api, request, hungUp), hungUp)
      void session.over.then(() => {
        this.#sessions.delete(session.id)
        this.#places -= 1
      })
      return session
    } catch (error) {
      this.#places -= 1
      throw error
    }
  }

  #open(lock: Lock, hungUp: AbortSignal): LockSession {
    const session = new LockSession(randomBytes(16).toString('base64url'), lock)
    this.#sessions.set(session.id, session)
    const leave = (): void => void session.end('hung-up')
    if (hungUp.aborted) leave()
    else hungUp.addEventListener('abort', leave, { once: true })
    if (this.#closing.signal.aborted) void session.end('stopping')
    return session
  }

  async #acquire(
    api: MutexApi,
    { name, isTry, leaseMs, waitMs }: HoldRequest,
    hungUp: AbortSignal,
  ): Promise<Lock> {
    const signal = AbortSignal.any([hungUp, this.#closing.signal])
    const lease = leaseMs === undefined ? {} : { leaseMs }
    if (!isTry)
      return await api.acquire(name, { signal, ...lease, ...(waitMs === undefined ? {} : { waitMs }) })
    const lock = await api.tryAcquire(name, { signal, ...lease })
    if (lock !== undefined) return lock
    throw new P2pdError('ERR_LOCK_HELD', `somebody else has lock '${name}'`, {
      hint: "'p2pd locks' shows who; 'p2pd lock' waits for it",
    })
  }

  #find(id: string): LockSession {
    const session = this.#sessions.get(id)
    if (session === undefined) throw sessionOver('the lock is no longer held: there is no such session')
    return session
  }
}

function beginsToEnd({ ending }: LockSession): Promise<SessionEnd> {
  return new Promise((resolve) => {
    const tell = (): void => resolve(ending.reason)
    if (ending.aborted) tell()
    else ending.addEventListener('abort', tell, { once: true })
  })
}

function tooMany(): P2pdError {
  return new P2pdError('ERR_TOO_MANY', `${maxSessions} locks are held or waited for at this daemon`, {
    hint: 'release or give up some first',
  })
}
