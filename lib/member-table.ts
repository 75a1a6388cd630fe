/** The membership table as the app is told of it, and whoever follows it. */
import { BoundedQueue } from './host/bounded-queue.ts'
import type { MemberEvent, MembersUpdate } from './peer-events.ts'
import type { PeerId } from './protocols/core.ts'
import type { MemberView } from './protocols/membership/messages.ts'

/** Changes that a slow reader of `watch` may have waiting. */
const maxWaitingUpdates = 4096

export class MemberTable {
  /** What the core knows. */
  readonly #known: () => readonly MemberView[]
  readonly #told = new Map<PeerId, MemberView>()
  readonly #watchers = new Set<BoundedQueue<MembersUpdate>>()
  #ended = false

  constructor(known: () => readonly MemberView[]) {
    this.#known = known
  }

  /**
   * What was emitted, not what the core knows: an event may still wait for the
   * disk, and a table ahead of it would make the later event a step back.
   */
  rows(): readonly MemberView[] {
    return this.#known().flatMap(({ peer, rttMs, connected }) => {
      const told = this.#told.get(peer)
      return told === undefined ? [] : [{ ...told, rttMs, connected }]
    })
  }

  /** As it was told last; its round trip and connection may be older than in `rows`. */
  row(peer: PeerId): MemberView | undefined {
    return this.#told.get(peer)
  }

  /** Rows, also of the dead. */
  get size(): number {
    return this.#told.size
  }

  tell(update: MemberEvent): void {
    // Nothing is kept of a row that is gone; whoever follows the table is told by `reaped`.
    if (update.change === 'reaped') this.#told.delete(update.member.peer)
    else this.#told.set(update.member.peer, update.member)
    for (const watcher of this.#watchers) watcher.push({ type: 'member', ...update })
  }

  watch(signal: AbortSignal | undefined): AsyncIterableIterator<MembersUpdate> {
    const queue = new BoundedQueue<MembersUpdate>(maxWaitingUpdates, () => {
      this.#watchers.delete(queue)
      signal?.removeEventListener('abort', onAbort)
    })
    const onAbort = (): void => queue.end()
    queue.push({ type: 'snapshot', members: this.rows() })
    if (signal?.aborted === true || this.#ended) {
      queue.end()
      return queue
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#watchers.add(queue)
    return queue
  }

  end(): void {
    this.#ended = true
    for (const watcher of [...this.#watchers]) watcher.end()
  }
}
