/** Callers at several peers that enter one lock again and again, each in its turn. */
import { P2pdError } from '../../lib/wire/errors.ts'
import { type Door, type LockStage, visitOnce } from './lock-visits.ts'
import type { Member } from './member.ts'

/** So that peers compete, and callers at one peer do. */
const callersAtPeer = 2

export class Contention {
  readonly #stage: LockStage
  readonly #door: Door
  readonly #over = new AbortController()
  readonly #callers: readonly Promise<void>[]
  #stopped = false
  #failure: unknown

  constructor(stage: LockStage, door: Door, members: readonly Member[]) {
    this.#stage = stage
    this.#door = door
    this.#callers = members.flatMap((member) =>
      Array.from({ length: callersAtPeer }, (_, index) => this.#contend(member, `caller ${index + 1}`)),
    )
  }

  get callers(): number {
    return this.#callers.length
  }

  /** Throws what went wrong, if anything did that was not done to it. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Nobody asks again; who waits is served first. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#callers)
    this.check()
  }

  /** Nobody waits any more. */
  async abandon(): Promise<void> {
    this.#stopped = true
    this.#over.abort()
    await Promise.all(this.#callers)
  }

  async #contend(member: Member, caller: string): Promise<void> {
    const { name, lives: life } = member
    while (!this.#stopped) {
      const { error } = await visitOnce(
        this.#stage,
        member,
        this.#door,
        `${caller} at ${name}`,
        this.#over.signal,
      )
      // On a machine that stalls for as long as a lease a lock is lost by right.
      const lost = error instanceof P2pdError && error.code === 'ERR_LOCK_SESSION'
      if (error === undefined || lost) continue
      if (!this.#over.signal.aborted && !this.#stage.locks.isGone(name, life)) {
        const what = error instanceof P2pdError ? `${error.code}: ${error.message}` : String(error)
        this.#failure ??= new P2pdError('ERR_TESTNET', `${name} could not enter ${this.#door.lock} (${what})`)
      }
      return
    }
  }
}
