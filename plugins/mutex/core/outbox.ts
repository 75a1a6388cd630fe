/** What waits to be sent, by peer: one frame each at the end of a turn. */
import type { PeerId } from '../../../lib/protocols/core.ts'
import { mutexLimits } from './limits.ts'
import type { PeerItem } from './messages.ts'
import { fitting } from './wire/weight.ts'

export class Outbox {
  readonly #items = new Map<PeerId, PeerItem[]>()
  readonly #peers = new Set<PeerId>()

  /** Peers that something waits for. */
  get peers(): ReadonlySet<PeerId> {
    return this.#peers
  }

  touch(peer: PeerId): void {
    this.#peers.add(peer)
  }

  add(peer: PeerId, item: PeerItem): void {
    const items = this.#items.get(peer)
    if (items === undefined) {
      this.#items.set(peer, [item])
    } else {
      // Whoever asks many times in one turn is told once: these are long.
      const at = item.type === 'inspected' ? items.findIndex(({ type }) => type === item.type) : -1
      if (at >= 0) items.splice(at, 1)
      items.push(item)
    }
    this.#peers.add(peer)
  }

  /** What waits for `peer`, as much as fits into one frame; a long one alone. */
  take(peer: PeerId): readonly PeerItem[] {
    const items = this.#items.get(peer) ?? []
    const taken = items.slice(0, fitting(items, mutexLimits.bytesAtOnce))
    const rest = items.slice(taken.length)
    if (rest.length > 0) this.#items.set(peer, rest)
    else this.#items.delete(peer)
    return taken
  }

  /** Nothing waits for `peer` any more. */
  done(peer: PeerId): void {
    this.#peers.delete(peer)
  }

  drop(peer: PeerId): void {
    this.#items.delete(peer)
    this.#peers.delete(peer)
  }
}
