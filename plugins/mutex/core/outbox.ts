/** What waits to be sent, by peer: one frame each at the end of a turn. */
import type { PeerId } from '../../../lib/protocols/core.ts'
import type { PeerItem } from './messages.ts'

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
    if (items === undefined) this.#items.set(peer, [item])
    else items.push(item)
    this.#peers.add(peer)
  }

  /** What waits for `peer`, which is then no more. */
  take(peer: PeerId): readonly PeerItem[] {
    const items = this.#items.get(peer) ?? []
    this.#items.delete(peer)
    this.#peers.delete(peer)
    return items
  }

  drop(peer: PeerId): void {
    this.take(peer)
  }
}
