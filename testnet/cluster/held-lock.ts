/** A lock that is held through the control API, for as long as it can be proven to be. */
import type { HoldOptions, LockClient } from '../../daemon/client/lock-client.ts'
import type { Recorder } from './recorder.ts'

type Events = ReturnType<LockClient['hold']>
type Held = Extract<Awaited<ReturnType<Events['next']>>['value'], { type: 'held' }>['held']

export class HeldLock {
  readonly token: number
  /** When `held` was read; it was held by then, if a later look says so. */
  readonly heldAt: number
  readonly #client: LockClient
  readonly #recorder: Recorder
  readonly #session: string
  readonly #hangUp: AbortController
  /** Nobody else can have it before this. */
  #validUntil: number

  private constructor(
    client: LockClient,
    recorder: Recorder,
    { token, session }: Held,
    hangUp: AbortController,
  ) {
    this.token = token
    this.heldAt = recorder.now()
    this.#validUntil = this.heldAt
    this.#client = client
    this.#recorder = recorder
    this.#session = session
    this.#hangUp = hangUp
  }

  /** Waits for the lock, and asks once how long it is valid. Errors: those of the daemon. */
  static async acquire(
    client: LockClient,
    recorder: Recorder,
    lock: string,
    options: HoldOptions,
    signal: AbortSignal,
  ): Promise<HeldLock> {
    const hangUp = new AbortController()
    const either = AbortSignal.any([signal, hangUp.signal])
    const events = client.hold(lock, options, { signal: either })
    try {
      const { value } = await events.next()
      if (value?.type !== 'held') throw new Error('the stream of a lock ended before it was held')
      const held = new HeldLock(client, recorder, value.held, hangUp)
      await held.look()
      // What follows is its end, by whoever; `look` tells as well.
      void drain(events)
      return held
    } catch (error) {
      hangUp.abort()
      throw error
    }
  }

  /** The recorder's time, if the lock is provably held now; undefined if not. */
  get insideAt(): number | undefined {
    const now = this.#recorder.now()
    return now < this.#validUntil ? now : undefined
  }

  /** Errors: ERR_LOCK_SESSION when it is not held any more, ERR_DAEMON_NOT_RUNNING … */
  async look(): Promise<void> {
    const sentAt = this.#recorder.now()
    const { validForMs } = await this.#client.heartbeat(this.#session)
    this.#validUntil = sentAt + validForMs
  }

  async release(): Promise<void> {
    try {
      await this.#client.release(this.#session)
    } finally {
      this.#hangUp.abort()
    }
  }
}

async function drain(events: Events): Promise<void> {
  try {
    for await (const _ of events);
  } catch {
    // The daemon is gone, or the stream was hung up.
  }
}
