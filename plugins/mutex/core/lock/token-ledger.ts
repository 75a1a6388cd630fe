/**
 * The books of an arbiter's tokens: counters in memory, a ceiling for all of them
 * on disk, and which ceilings enough others know of.
 */
import type { Stamp } from '../electorate/messages.ts'
import type { ArbiterDisk } from './arbiter-disk.ts'
import { Counters } from './counters.ts'

export class TokenLedger {
  readonly #disk: ArbiterDisk
  readonly #counters: Counters
  /** Written, and not known to enough others; undefined: in this step, which has no stamp yet. */
  #pending: { readonly ceiling: number; stamp: Stamp | undefined }[] = []

  constructor(disk: ArbiterDisk, block: number) {
    this.#disk = disk
    this.#counters = new Counters(disk.state.ceiling, block)
  }

  /** No token of any lock that was told is above. */
  get highest(): number {
    return this.#counters.highest
  }

  /** The next proposal of that lock. */
  next(lock: string): number {
    return this.#counters.of(lock) + 1
  }

  /** Whether it may be told; if not, it may as soon as `acknowledged` says so. */
  mayUse(token: number): boolean {
    this.extend(token)
    return this.#counters.mayUse(token)
  }

  burn(lock: string, token: number): void {
    this.#counters.burn(lock, token)
  }

  /** Somebody has burnt `token`. What is above the own ceiling is left alone: whoever has it confirms it. */
  learn(lock: string, token: number): void {
    if (token > this.#counters.of(lock) && this.mayUse(token)) this.burn(lock, token)
  }

  raise(floor: number): void {
    this.#counters.raise(floor)
  }

  /** So that tokens up to `token` may be used, and some more, once others know of it. */
  extend(token: number): void {
    const ceiling = this.#counters.wanted(token)
    if (ceiling === undefined) return
    this.#counters.extended(ceiling)
    this.#disk.change({ ceiling })
    this.#pending.push({ ceiling, stamp: undefined })
  }

  /** What this step wrote bears that stamp. */
  stamped(stamp: Stamp): void {
    for (const ceiling of this.#pending) ceiling.stamp ??= stamp
  }

  /** Enough others know of everything up to `stamp`; whether more may be used now. */
  acknowledged(stamp: Stamp): boolean {
    const isKnown = ({ stamp: of }: { stamp: Stamp | undefined }): boolean =>
      of !== undefined && (of.generation - stamp.generation || of.write - stamp.write) <= 0
    const known = this.#pending.filter(isKnown)
    this.#pending = this.#pending.filter((ceiling) => !isKnown(ceiling))
    for (const { ceiling } of known) this.#counters.release(ceiling)
    return known.length > 0
  }
}
