/**
 * Who is who: which peer is meant by the twelve bytes that headers carry, who is
 * a member, in which groups, and who can be reached.
 */
import type { Crypto, PeerId } from '../core.ts'
import { authorKeyOf } from './dots.ts'
import type { AuthorKey, MemberStanding } from './messages.ts'

export class Directory {
  readonly #self: PeerId
  readonly #crypto: Crypto
  readonly #keys = new Map<PeerId, AuthorKey>()
  readonly #peers = new Map<AuthorKey, PeerId>()
  /** Members and former members, and authors of what was delivered. */
  readonly #known = new Set<PeerId>()
  readonly #connected = new Set<PeerId>()
  /** Members that are neither dead nor departed. */
  readonly #others = new Set<PeerId>()
  readonly #groupsOf = new Map<PeerId, readonly string[]>()
  /** By group: those that are neither dead nor departed. */
  readonly #present = new Map<string, Set<PeerId>>()

  constructor(self: PeerId, crypto: Crypto) {
    this.#self = self
    this.#crypto = crypto
    this.author(self)
  }

  /** No other member is there, in whatever group. */
  get alone(): boolean {
    return this.#others.size === 0
  }

  keyOf(peer: PeerId): AuthorKey {
    return this.#keys.get(peer) ?? authorKeyOf(peer, this.#crypto.sha256)
  }

  peerOf(author: AuthorKey): PeerId | undefined {
    return this.#peers.get(author)
  }

  isKnown(author: PeerId): boolean {
    return this.#known.has(author)
  }

  /** Its messages are taken from now on. */
  author(peer: PeerId): void {
    if (this.#known.has(peer)) return
    const key = this.keyOf(peer)
    // An identity that collides with a known one in twelve bytes of SHA-256 is not admitted.
    if (this.#peers.has(key)) return
    this.#known.add(peer)
    this.#keys.set(peer, key)
    this.#peers.set(key, peer)
  }

  /** Returns the groups that it has newly entered. */
  member(peer: PeerId, standing: MemberStanding, groups: readonly string[]): readonly string[] {
    this.author(peer)
    const present = standing === 'alive' || standing === 'suspect'
    if (present) this.#others.add(peer)
    else this.#others.delete(peer)
    const before = this.#groupsOf.get(peer) ?? []
    const after = present ? groups : []
    for (const name of before) if (!after.includes(name)) this.#absent(name, peer)
    const entered = after.filter((name) => !before.includes(name))
    for (const name of entered) {
      const members = this.#present.get(name) ?? new Set<PeerId>()
      members.add(peer)
      this.#present.set(name, members)
    }
    if (after.length > 0) this.#groupsOf.set(peer, after)
    else this.#groupsOf.delete(peer)
    return entered
  }

  connected(peer: PeerId): void {
    this.#connected.add(peer)
  }

  isConnected(peer: PeerId): boolean {
    return this.#connected.has(peer)
  }

  disconnected(peer: PeerId): void {
    this.#connected.delete(peer)
  }

  groupsOf(peer: PeerId): readonly string[] {
    return this.#groupsOf.get(peer) ?? []
  }

  isIn(peer: PeerId, name: string): boolean {
    return this.#present.get(name)?.has(peer) === true
  }

  /** Others in the group that are neither dead nor departed. */
  membersOf(name: string): readonly PeerId[] {
    return [...(this.#present.get(name) ?? [])].filter((peer) => peer !== this.#self)
  }

  /** Those of them with an open connection. */
  reachable(name: string): readonly PeerId[] {
    return this.membersOf(name).filter((peer) => this.#connected.has(peer))
  }

  #absent(name: string, peer: PeerId): void {
    const members = this.#present.get(name)
    members?.delete(peer)
    if (members?.size === 0) this.#present.delete(name)
  }
}
