/**
 * A lock that the daemon holds for this process.
 *
 * The daemon renews it, and ends the command when that fails. Should the daemon be
 * stopped, it cannot: so this process keeps a deadline of its own. For how long
 * the lock is valid is asked again and again, and counted from when it was asked;
 * what protects the lock has to end by then.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { timedOut } from '../../daemon/client/errors.ts'
import type { HoldEvent, HoldOptions, LockClient } from '../../daemon/client/lock-client.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import { graceMs, killMarginMs } from '../../plugins/mutex/control/grace.ts'
import type { GroupName } from '../../plugins/mutex/control/process-group.ts'
import type { HeldEvent, LockValidity } from '../../plugins/mutex/control/schemas.ts'

/** What the daemon may take beyond the wait that was asked for, ms. */
const marginMs = 10_000
/** Between two heartbeats, at least, ms. */
const shortestBeatMs = 20

type Loss = 'lost' | 'silent' | 'stopping' | 'hung-up' | 'gone' | 'unanswered'

const whyLost: Readonly<Record<Loss, string>> = {
  lost: 'it could not be renewed in time, or the machine slept',
  silent: 'this process was stopped, and the daemon has not heard of it in time',
  stopping: 'the daemon is stopping',
  'hung-up': 'the daemon has lost the connection',
  gone: 'the daemon is gone',
  unanswered: 'the daemon does not answer',
}

export class HeldLock {
  readonly held: HeldEvent
  readonly #client: LockClient
  readonly #hangUp: AbortController
  readonly #ending = new AbortController()
  readonly #hurry = new AbortController()
  /** Monotonic, ms; as good as over until the daemon has said otherwise. */
  #validUntil = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  /** Monotonic, ms: the daemon has been asked then, and has not said anything yet. */
  #askedAt: number | undefined
  #isReleasing = false
  #isToldLost = false
  #isClosed = false

  private constructor(client: LockClient, held: HeldEvent, hangUp: AbortController) {
    this.held = held
    this.#client = client
    this.#hangUp = hangUp
  }

  /** Waits for it. Errors: those of the daemon, ERR_LOCK_HELD among them; the signal's reason. */
  static async acquire(
    client: LockClient,
    name: string,
    options: HoldOptions,
    signal: AbortSignal,
  ): Promise<HeldLock> {
    const hangUp = new AbortController()
    const give = (): void => hangUp.abort(signal.reason)
    signal.addEventListener('abort', give, { once: true })
    if (signal.aborted) give()
    const limitMs = options.try ? 0 : options.waitMs
    const timer =
      limitMs === undefined
        ? undefined
        : setTimeout(() => hangUp.abort(timedOut('the request for a lock', limitMs)), limitMs + marginMs)
    try {
      const events = client.hold(name, options, { signal: hangUp.signal })
      const { value: first } = await events.next()
      if (first?.type !== 'held') throw daemonEnded()
      const lock = new HeldLock(client, first.held, hangUp)
      void lock.#listen(events)
      return lock
    } catch (error) {
      throw isStopping(error) ? daemonEnded() : error
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', give)
    }
  }

  /** Aborts when it is lost, or about to be; the reason is ERR_LOCK_LOST. */
  get ending(): AbortSignal {
    return this.#ending.signal
  }

  /** Aborts when nobody may be at it for another moment. */
  get hurry(): AbortSignal {
    return this.#hurry.signal
  }

  /** The daemon has said that it is lost, and may have ended the command for that. */
  get isToldLost(): boolean {
    return this.#isToldLost
  }

  /** Of a command, which the daemon ends when this process dies; without one there is none. From then on the deadline is kept. */
  async begin(group: GroupName | undefined): Promise<void> {
    const { session } = this.held
    const options = { signal: AbortSignal.any([this.#hangUp.signal, this.ending]) }
    await this.#ask(() =>
      group === undefined
        ? this.#client.heartbeat(session, options)
        : this.#client.guard(session, group, options),
    )
    void this.#beat()
  }

  /** Looks at the clock: a timer may be late, in a process that was stopped. */
  readonly look = (): void => {
    clearTimeout(this.#timer)
    if (this.#isClosed) return
    const { leaseMs } = this.held
    const leftMs = this.#validUntil - performance.now()
    const untilKillMs = leftMs - killMarginMs(leaseMs)
    const untilLostMs = leftMs - graceMs(leaseMs)
    // Which looks again.
    if (untilLostMs <= 0 && !this.ending.aborted) this.#lose(this.#isAnswered ? 'lost' : 'unanswered')
    else if (untilKillMs <= 0) this.#hurry.abort()
    else this.#timer = setTimeout(this.look, Math.ceil(this.ending.aborted ? untilKillMs : untilLostMs))
  }

  /** True when what was left of the group is gone, and the voters know; false where the daemon has not done it. */
  async release(): Promise<boolean> {
    this.#isReleasing = true
    try {
      await this.#client.release(this.held.session)
      return true
    } catch (error) {
      if (isCode(error, 'ERR_LOCK_LOST') || isCode(error, 'ERR_LOCK_SESSION')) this.#tellLost('lost')
      return false
    }
  }

  /** The daemon gives up what is not released. Nothing happens any more. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#hangUp.abort()
  }

  get #isAnswered(): boolean {
    return this.#askedAt === undefined || performance.now() - this.#askedAt < graceMs(this.held.leaseMs)
  }

  async #listen(events: AsyncGenerator<HoldEvent, void, undefined>): Promise<void> {
    try {
      for await (const event of events) if (event.type === 'lost') this.#tellLost(event.reason)
    } catch {
      // Says no more than that it is gone.
    }
    // Whose stream ends with the lock.
    if (!this.#isReleasing) this.#lose('gone')
  }

  async #beat(): Promise<void> {
    const { session, leaseMs } = this.held
    while (!this.#isClosed && !this.ending.aborted) {
      const spareMs = this.#validUntil - performance.now() - graceMs(leaseMs)
      await delay(Math.max(shortestBeatMs, spareMs / 3), undefined, { signal: this.#hangUp.signal }).catch(
        () => {},
      )
      const timeoutMs = Math.max(shortestBeatMs, this.#validUntil - performance.now())
      const options = { timeoutMs, signal: this.#hangUp.signal }
      try {
        await this.#ask(() => this.#client.heartbeat(session, options))
      } catch (error) {
        // Anything else may pass before the deadline does.
        if (isCode(error, 'ERR_LOCK_SESSION') && !this.#isReleasing) this.#tellLost('lost')
      }
    }
  }

  async #ask(ask: () => Promise<LockValidity>): Promise<void> {
    const sentAt = performance.now()
    this.#askedAt = sentAt
    try {
      const { validForMs } = await ask()
      this.#validUntil = Math.max(this.#validUntil, sentAt + validForMs)
    } finally {
      this.#askedAt = undefined
    }
    this.look()
  }

  #tellLost(loss: Loss): void {
    this.#isToldLost = true
    this.#lose(loss)
  }

  #lose(loss: Loss): void {
    if (this.ending.aborted || this.#isClosed) return
    const { lock } = this.held
    this.#ending.abort(
      new P2pdError('ERR_LOCK_LOST', `lock '${lock}' is lost: ${whyLost[loss]}`, {
        hint: 'what ran under it was ended; a resource should refuse its token from now on',
      }),
    )
    this.look()
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof P2pdError && error.code === code
}

function isStopping(error: unknown): boolean {
  return isCode(error, 'ERR_STOPPING') || isCode(error, 'ERR_STOPPED')
}

function daemonEnded(): P2pdError {
  return new P2pdError('ERR_CONNECTION_LOST', 'the daemon ended before the lock was held', {
    hint: 'ask again when it runs',
  })
}
