import { withResolvers } from '../../lib/host/with-resolvers.ts'
import type { Lock } from './api.ts'
import type { MutexEvent } from './core/messages.ts'
import { Deadline } from './deadline.ts'
import { lockLost } from './errors.ts'
import { LockHandle, type LockInit } from './lock-handle.ts'
import type { MutexTally } from './tally.ts'

export type LossReason = Extract<MutexEvent, { readonly type: 'lost' }>['reason']

export interface HeldLocksInit {
  /** Monotonic ms until which nobody else can hold it; undefined when it is not held. */
  readonly validUntil: (token: number) => number | undefined
  /** Whether the machine slept: if it did, everything held is lost before this returns. */
  readonly look: () => void
  /** Its owner is done with it; of a lost one too. */
  readonly release: (token: number) => void
  /** One less is held. */
  readonly over: () => void
  readonly tally: MutexTally
}

interface Held {
  readonly handle: LockHandle
  /** Once it is being released: resolves that. */
  released: (() => void) | undefined
}

/** The locks that this peer holds, by the token of the command that asked for them. */
export class HeldLocks {
  readonly #init: HeldLocksInit
  readonly #held = new Map<number, Held>()
  readonly #ends: Deadline

  constructor(init: HeldLocksInit) {
    this.#init = init
    this.#ends = new Deadline(() => this.#lookAtEnds())
  }

  get size(): number {
    return this.#held.size
  }

  add(token: number, lock: LockInit, validUntil: number): Lock {
    const handle = new LockHandle(lock, {
      validForMs: () => this.#validForMs(token),
      release: () => this.#release(token),
    })
    this.#held.set(token, { handle, released: undefined })
    this.#ends.by(validUntil)
    this.#init.tally.acquired += 1
    return handle
  }

  /** The voters have been told. */
  released(token: number): void {
    const held = this.#take(token)
    if (held === undefined) return
    this.#init.tally.released += 1
    held.released?.()
    this.#init.over()
  }

  lose(token: number, reason: LossReason): void {
    const held = this.#take(token)
    if (held === undefined) return
    if (held.released === undefined) this.#init.tally.lost += 1
    held.handle.lost(lockLost(held.handle.name, reason))
    held.released?.()
    this.#init.over()
  }

  loseAll(reason: LossReason): void {
    for (const token of [...this.#held.keys()]) this.lose(token, reason)
  }

  #take(token: number): Held | undefined {
    const held = this.#held.get(token)
    this.#held.delete(token)
    if (this.#held.size === 0) this.#ends.clear()
    return held
  }

  #validForMs(token: number): number {
    this.#init.look()
    const until = this.#held.has(token) ? this.#init.validUntil(token) : undefined
    return until === undefined ? 0 : Math.max(0, until - performance.now())
  }

  #release(token: number): Promise<void> {
    const { promise, resolve } = withResolvers<void>()
    const held = this.#held.get(token)
    if (held === undefined) resolve()
    else held.released = resolve
    // Of a lost one too: from now on nobody works under it, and the next need not wait for its lease to run out.
    this.#init.release(token)
    return promise
  }

  /** The core decides the same, but its event waits behind whatever the disk is busy with. */
  #lookAtEnds(): void {
    const now = performance.now()
    for (const [token, { released }] of [...this.#held]) {
      const until = this.#init.validUntil(token) ?? Number.NEGATIVE_INFINITY
      if (until > now) this.#ends.by(until)
      else if (released === undefined) this.lose(token, 'expired')
    }
  }
}
