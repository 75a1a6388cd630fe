/**
 * What keeps anybody from being first for ever by claiming low timestamps: whoever
 * had a vote has heard the arbiter's clock of then, so its next request bears a higher one.
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { mutexLimits } from '../limits.ts'

interface Floor {
  readonly clock: number
  /** Until then somebody may come back with an old timestamp; monotonic ms. */
  readonly until: number
}

export class Floors {
  readonly #now: () => number
  /** By lock and peer, the oldest first. */
  readonly #floors = new Map<string, Floor>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** The clock that a new request has to exceed; -1 for none. */
  of(lock: string, peer: PeerId): number {
    const floor = this.#floors.get(keyOf(lock, peer))
    return floor === undefined || floor.until <= this.#now() ? -1 : floor.clock
  }

  set(lock: string, peer: PeerId, clock: number, forMs: number): void {
    const key = keyOf(lock, peer)
    this.#floors.delete(key)
    this.#floors.set(key, { clock, until: this.#now() + forMs })
    this.#evict()
  }

  clear(): void {
    this.#floors.clear()
  }

  /** Two at a time: those that are over go faster than new ones come. */
  #evict(): void {
    let looked = 0
    for (const [key, { until }] of this.#floors) {
      const isTooMany = this.#floors.size > mutexLimits.floors
      if (looked++ === 2 || (until > this.#now() && !isTooMany)) return
      this.#floors.delete(key)
    }
  }
}

/** No name of a lock holds a line feed. */
function keyOf(lock: string, peer: PeerId): string {
  return `${lock}\n${peer}`
}
