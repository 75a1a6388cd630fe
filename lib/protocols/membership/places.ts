/**
 * A few places for many who want one. Who has had its turn gives way to somebody
 * who waits, the one that has been there longest first: else a few that never come
 * to an end would keep all the others out. Who goes and comes again at once has not
 * been away.
 */
import type { PeerId } from '../core.ts'

export interface PlacesInit {
  readonly most: number
  /** How long nobody is put out, ms. */
  readonly turnMs: number
  /** Who comes again after so long is new, ms. */
  readonly restMs: number
  /** It has had to give way. */
  readonly displaced?: (peer: PeerId) => void
}

export class Places {
  /** Of those who went, so many are known again. */
  static readonly maxFormer = 1024
  readonly #init: PlacesInit
  /** Since when each is there, ms. */
  readonly #held = new Map<PeerId, number>()
  /** Since when they were there, and when they went; who went last comes last. */
  readonly #former = new Map<PeerId, { readonly since: number; readonly wentAt: number }>()

  constructor(init: PlacesInit) {
    this.#init = init
  }

  get size(): number {
    return this.#held.size
  }

  has(peer: PeerId): boolean {
    return this.#held.has(peer)
  }

  /** Whether `peer` has a place now. */
  take(peer: PeerId, now: number): boolean {
    if (this.#held.has(peer)) return true
    const since = this.#sinceOf(peer, now)
    if (this.#held.size >= this.#init.most && !this.#makeWay(since, now)) return false
    this.#former.delete(peer)
    this.#held.set(peer, since)
    return true
  }

  release(peer: PeerId, now: number): void {
    const since = this.#held.get(peer)
    if (since === undefined) return
    this.#held.delete(peer)
    this.#former.delete(peer)
    this.#former.set(peer, { since, wentAt: now })
    for (const [other, { wentAt }] of this.#former) {
      if (now - wentAt < this.#init.restMs && this.#former.size <= Places.maxFormer) break
      this.#former.delete(other)
    }
  }

  #sinceOf(peer: PeerId, now: number): number {
    const former = this.#former.get(peer)
    return former !== undefined && now - former.wentAt < this.#init.restMs ? former.since : now
  }

  /** For somebody who is there, or came, at `since`. */
  #makeWay(since: number, now: number): boolean {
    let longest: PeerId | undefined
    let from = Math.min(since, now - this.#init.turnMs + 1)
    for (const [peer, at] of this.#held) {
      if (at >= from) continue
      longest = peer
      from = at
    }
    if (longest === undefined) return false
    this.release(longest, now)
    this.#init.displaced?.(longest)
    return true
  }
}
