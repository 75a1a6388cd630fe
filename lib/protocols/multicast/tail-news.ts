/**
 * Which heartbeats carry the tails of groups: those that have something to say.
 *
 * A heartbeat goes over a link, and what was said there arrives or the connection is gone. So tails are
 * told when they are others than those that were told last over this connection, and again
 * after a while, for a link that is full drops frames. An idle member's heartbeats are shorter by a
 * third so, and what a tail is for, a lost *last* message, shows as soon as before: it changes the tail.
 */
import type { PeerId } from '../core.ts'
import { hash64 } from '../hash.ts'
import type { GroupTail } from './messages.ts'

export class TailNews {
  /** What was told is told again after this, ms. */
  static readonly repeatMs = 30_000
  readonly #told = new Map<PeerId, { readonly text: string; readonly at: number }>()

  /** Whether `tails` have to be told to `peer`, who then counts as told. */
  takes(peer: PeerId, tails: readonly GroupTail[], now: number): boolean {
    const text = digestOf(tails)
    const told = this.#told.get(peer)
    if (told?.text === text && now - told.at < TailNews.repeatMs) return false
    this.#told.set(peer, { text, at: now })
    return true
  }

  /** A new connection, or none: what was said on the last one may not have arrived. */
  forget(peer: PeerId): void {
    this.#told.delete(peer)
  }
}

/** Of up to 256 groups, so not the text itself. */
function digestOf(tails: readonly GroupTail[]): string {
  const text = tails.map(({ group, epoch, seq, digest }) => `${group} ${epoch} ${seq} ${digest}`).join()
  const { high, low } = hash64(text)
  return `${high} ${low}`
}
