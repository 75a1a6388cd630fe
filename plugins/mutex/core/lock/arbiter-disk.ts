/** What an arbiter keeps on disk: its state, and after a clean stop its votes. */
import {
  type ArbiterRecord,
  decodeArbiter,
  decodeStop,
  encodeArbiter,
  encodeStop,
  type StopRecord,
} from '../records.ts'
import type { LockContext } from './lock-context.ts'

export const arbiterKeys = { state: 'arbiter', stop: 'stop' } as const

const fresh: ArbiterRecord = {
  installed: 0,
  sealed: 0,
  granted: false,
  ceiling: 0,
  longestLeaseMs: 0,
  void: undefined,
}

export class ArbiterDisk {
  readonly #context: LockContext
  #state: ArbiterRecord
  #hasSnapshot: boolean

  constructor(context: LockContext) {
    this.#context = context
    this.#hasSnapshot = context.durable.has(arbiterKeys.stop)
    const bytes = context.durable.get(arbiterKeys.state)
    this.#state = bytes === undefined ? fresh : decodeArbiter(bytes)
  }

  get state(): ArbiterRecord {
    return this.#state
  }

  change(changes: Partial<ArbiterRecord>): void {
    this.#state = { ...this.#state, ...changes }
    this.#context.write(arbiterKeys.state, encodeArbiter(this.#state))
  }

  /** Nothing more is given in this version, for good. */
  seal(): void {
    const sealed = this.#state.installed
    if (this.#context.units.sealIsDurable) this.change({ sealed })
    else this.#state = { ...this.#state, sealed }
  }

  /** What the last stop left, if it was clean. */
  snapshot(): StopRecord | undefined {
    const bytes = this.#context.durable.get(arbiterKeys.stop)
    return bytes === undefined ? undefined : decodeStop(bytes)
  }

  /** From now on the last stop was not clean. */
  dropSnapshot(): void {
    if (!this.#hasSnapshot || !this.#context.units.removesCleanMark) return
    this.#hasSnapshot = false
    this.#context.write(arbiterKeys.stop, undefined)
  }

  leaveSnapshot(record: StopRecord): void {
    this.#hasSnapshot = true
    this.#context.write(arbiterKeys.stop, encodeStop(record))
  }
}
