import type { PeerId } from '../protocols/core.ts'

/** Who is connected and has not said anything yet. An honest peer speaks at once; one that does not holds a place. */
export class MutePeers {
  readonly #timers = new Map<PeerId, NodeJS.Timeout>()
  readonly #patienceMs: number
  readonly #lost: (peer: PeerId) => void

  /** `lost`: nothing came within `patienceMs`. */
  constructor(patienceMs: number, lost: (peer: PeerId) => void) {
    this.#patienceMs = patienceMs
    this.#lost = lost
  }

  connected(peer: PeerId): void {
    const timer = setTimeout(() => {
      this.#timers.delete(peer)
      this.#lost(peer)
    }, this.#patienceMs)
    this.#timers.set(peer, timer.unref())
  }

  /** It has spoken, or is gone. */
  settled(peer: PeerId): void {
    const timer = this.#timers.get(peer)
    if (timer === undefined) return
    clearTimeout(timer)
    this.#timers.delete(peer)
  }

  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }
}
