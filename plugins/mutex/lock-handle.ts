import type { FencingToken, Lock } from './api.ts'

export interface LockActions {
  /** By the clocks of now; 0 when it is no longer held. */
  validForMs(): number
  /** Called once. Resolves when the voters have been told; at once when it is lost. */
  release(): Promise<void>
}

export interface LockInit {
  readonly name: string
  readonly token: FencingToken
  readonly leaseMs: number
}

/** What an app holds of a lock. Once over, released or lost, it stays so. */
export class LockHandle implements Lock {
  readonly name: string
  readonly token: FencingToken
  readonly leaseMs: number
  readonly #actions: LockActions
  readonly #controller = new AbortController()
  #released: Promise<void> | undefined

  constructor({ name, token, leaseMs }: LockInit, actions: LockActions) {
    this.name = name
    this.token = token
    this.leaseMs = leaseMs
    this.#actions = actions
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get validForMs(): number {
    return this.#isOver ? 0 : this.#actions.validForMs()
  }

  release(): Promise<void> {
    this.#released ??= this.#actions.release()
    return this.#released
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }

  /** Told by the service. What is released can no longer be lost. */
  lost(error: Error): void {
    if (!this.#isOver) this.#controller.abort(error)
  }

  get #isOver(): boolean {
    return this.#released !== undefined || this.signal.aborted
  }
}
