import './with-resolvers.ts'
import type { Libp2p, PeerId } from '@libp2p/interface'

/** What libp2p has under way for a peer when it goes is done by then. */
const afterMs = 1000

/**
 * Keeps libp2p's peer store to those that are connected.
 *
 * libp2p notes there what each peer says of itself, up to 80 KiB, and deletes it when
 * somebody asks for it six hours later; nobody does. Membership remembers whom to dial.
 */
export class PassingPeers {
  readonly #libp2p: Libp2p
  readonly #gone = new Map<string, PeerId>()
  #timer: NodeJS.Timeout | undefined

  constructor(libp2p: Libp2p) {
    this.#libp2p = libp2p
    libp2p.addEventListener('peer:disconnect', ({ detail }) => this.#check(detail))
    // Noted by something that was still under way.
    libp2p.addEventListener('peer:update', ({ detail }) => this.#check(detail.peer.id))
  }

  /** Of a former life: who has a connection is noted anew. */
  async forgetFormer(): Promise<void> {
    for (const { id } of await this.#libp2p.peerStore.all()) await this.#libp2p.peerStore.delete(id)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #check(peer: PeerId): void {
    if (this.#isHere(peer)) return
    this.#gone.set(peer.toString(), peer)
    this.#timer ??= setTimeout(() => this.#forget(), afterMs).unref()
  }

  #forget(): void {
    this.#timer = undefined
    const gone = [...this.#gone.values()]
    this.#gone.clear()
    for (const peer of gone) {
      // A store that cannot delete it is full or closed, which others notice.
      if (!this.#isHere(peer)) void Promise.resolve(this.#libp2p.peerStore.delete(peer)).catch(() => {})
    }
  }

  #isHere(peer: PeerId): boolean {
    return this.#libp2p.getConnections(peer).length > 0
  }
}
