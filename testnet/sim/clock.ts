import type { Instant } from '../../lib/protocols/core.ts'
import type { World } from './world.ts'

/**
 * What one machine takes for time: a wall clock that may be wrong and may be
 * set, and a monotonic one that may run fast or slow and starts at 0 with each
 * process.
 */
export class HostClock {
  readonly #world: World
  readonly #rate: number
  #wallOffsetMs: number

  constructor(world: World, options: { readonly driftPpm: number; readonly wallAtZeroMs: number }) {
    this.#world = world
    this.#rate = 1 + options.driftPpm / 1e6
    this.#wallOffsetMs = options.wallAtZeroMs
  }

  /** For a process that was born at the true time `bornAt`. */
  instant(bornAt: number): Instant {
    const now = this.#world.now
    return {
      monotonic: (now - bornAt) * this.#rate,
      wall: Math.floor(this.#wallOffsetMs + now * this.#rate),
    }
  }

  /** True time at which the monotonic clock of that process shows `monotonic`. */
  worldTime(bornAt: number, monotonic: number): number {
    return bornAt + monotonic / this.#rate
  }

  /** Somebody sets the wall clock; the monotonic one does not notice. */
  stepWall(byMs: number): void {
    this.#wallOffsetMs += byMs
  }
}
