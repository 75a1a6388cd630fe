import { setMaxListeners } from 'node:events'
import { afterTurns, turnsBeforeWake } from './loop-turns.ts'

/** A timer this much too late, of its time: the loop stood still, and nobody else is to blame. */
const lateShare = 0.1
const lateMs = 20
/** So often the time that was lost is given again, each time no more than the whole limit. */
const maxExtensions = 2

/**
 * A time limit that can end early, and leaves nothing behind when it does.
 *
 * It is a limit for others: what arrived in time counts even if this process
 * could not look at it, and a loop that stood still when the time was over gets
 * that time again.
 */
export class Deadline {
  readonly #controller = new AbortController()
  readonly #timeoutMs: number
  readonly #all: Set<Deadline>
  readonly #startedAt = performance.now()
  #timer: NodeJS.Timeout | undefined
  #extensions = 0
  #over = false

  constructor(timeoutMs: number, all: Set<Deadline>) {
    this.#timeoutMs = timeoutMs
    this.#all = all
    setMaxListeners(0, this.#controller.signal)
    all.add(this)
    this.#arm(timeoutMs)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Too little of it is left for a failure to mean anything. */
  get isSpent(): boolean {
    return performance.now() - this.#startedAt > this.#timeoutMs / 2
  }

  abort(): void {
    this.clear()
    this.#controller.abort()
  }

  clear(): void {
    this.#over = true
    clearTimeout(this.#timer)
    this.#all.delete(this)
  }

  #arm(waitMs: number): void {
    const dueAt = performance.now() + waitMs
    this.#timer = setTimeout(() => this.#fired(performance.now() - dueAt), waitMs)
  }

  #fired(lagMs: number): void {
    const isLate = lagMs > Math.max(lateMs, this.#timeoutMs * lateShare)
    if (isLate && this.#extensions < maxExtensions) {
      this.#extensions += 1
      this.#arm(Math.min(lagMs, this.#timeoutMs))
      return
    }
    afterTurns(turnsBeforeWake, () => {
      if (!this.#over) this.abort()
    })
  }
}
