/** Peers by the names that people know them by, where these are unique. */
import type { ControlClient } from '../daemon/client/client.ts'
import { type NamedPeer, shortId, shortIds } from './peer-id.ts'

/** Between two looks at the members for a peer that is not among them, ms. */
const lookEveryMs = 5000

export class PeerNames {
  readonly #look: () => Promise<readonly NamedPeer[]>
  #shown: ReadonlyMap<string, string> = new Map()
  #all: readonly string[] = []
  #lookedAt = Number.NEGATIVE_INFINITY

  private constructor(look: () => Promise<readonly NamedPeer[]>) {
    this.#look = look
  }

  /** Asks the daemon when it is first needed; where that fails, ids do. */
  static of(client: ControlClient, signal: AbortSignal): PeerNames {
    return new PeerNames(async () => {
      try {
        return (await client.members({}, { signal })).members
      } catch {
        signal.throwIfAborted()
        return []
      }
    })
  }

  /** The name, or the beginning of the id: a valid PEER either way. */
  async show(peerId: string): Promise<string> {
    if (!this.#shown.has(peerId) && performance.now() - this.#lookedAt > lookEveryMs) await this.#refresh()
    return this.#shown.get(peerId) ?? shortId(peerId, this.#all)
  }

  async #refresh(): Promise<void> {
    const peers = await this.#look()
    this.#lookedAt = performance.now()
    // Whoever has left the table since keeps the name that it had.
    if (peers.length === 0) return
    this.#shown = uniqueNames(peers)
    this.#all = peers.map(({ peerId }) => peerId)
  }
}

export function uniqueNames(peers: readonly NamedPeer[]): ReadonlyMap<string, string> {
  const bearers = new Map<string, number>()
  for (const { name } of peers) bearers.set(name, (bearers.get(name) ?? 0) + 1)
  const ids = shortIds(peers.map(({ peerId }) => peerId))
  return new Map(
    peers.map(({ peerId, name }) => [
      peerId,
      name !== '' && bearers.get(name) === 1 ? name : (ids.get(peerId) ?? peerId),
    ]),
  )
}
