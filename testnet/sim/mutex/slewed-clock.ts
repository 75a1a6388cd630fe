import type { World } from '../world.ts'

/**
 * A machine's monotonic clock as leases suffer it: it runs fast or slow by up to
 * a tenth, somebody slews it meanwhile, and it stands still while the machine
 * sleeps. Reads are of the machine and survive its processes.
 */
export class SlewedClock {
  readonly #world: World
  #rate: number
  #from = 0
  #shown = 0

  constructor(world: World, rate: number) {
    this.#world = world
    this.#rate = rate
    this.#from = world.now
  }

  /** Of clock time to true time; 0 while the machine sleeps. */
  get rate(): number {
    return this.#rate
  }

  /** What the clock shows now, ms. */
  get now(): number {
    return this.#shown + (this.#world.now - this.#from) * this.#rate
  }

  /** True time at which the clock shows `shown`, if nobody touches it. */
  trueTime(shown: number): number {
    if (this.#rate === 0) return Number.POSITIVE_INFINITY
    return this.#from + (shown - this.#shown) / this.#rate
  }

  slew(rate: number): void {
    this.#shown = this.now
    this.#from = this.#world.now
    this.#rate = rate
  }
}
