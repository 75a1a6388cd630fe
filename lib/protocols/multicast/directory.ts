/**
 * Who is who: which peer is meant by the twelve bytes that headers carry, who is
 * a member, in which groups, and who can be reached.
 */
import type { Crypto, PeerId } from '../core.ts'
import { authorKeyOf } from './dots.ts'
import type { AuthorKey, MemberStanding } from './messages.ts'

export class Directory {
  /** Members that are gone and wrote nothing that was taken here: as many as membership lists by default. */
  static readonly maxFormer = 1024
  readonly #self: PeerId
  readonly #crypto: Crypto
  readonly #keys = new Map<PeerId, AuthorKey>()
  readonly #peers = new Map<AuthorKey, PeerId>()
  /** Members, the former members that are remembered, and authors. */
  readonly #known = new Set<PeerId>()
  /** Authors of what was taken: what they wrote is kept, and names them. */
  readonly #authors = new Set<PeerId>()
  /** Known for nothing but that they were members; who went first comes first. */
  readonly #former = new Set<PeerId>()
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
    if (this.#authors.has(peer) || !this.#know(peer)) return
    this.#authors.add(peer)
    this.#former.delete(peer)
  }

  /** Returns the groups that it has newly entered. */
  member(peer: PeerId, standing: MemberStanding, groups: readonly string[]): readonly string[] {
    const isKnown = this.#know(peer)
    const present = standing === 'alive' || standing === 'suspect'
    if (present) {
      this.#others.add(peer)
      this.#former.delete(peer)
    } else {
      this.#others.delete(peer)
      if (isKnown) this.#gone(peer)
    }
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

  /** False for an identity that collides with a known one in twelve bytes of SHA-256: it is not admitted. */
  #know(peer: PeerId): boolean {
    if (this.#known.has(peer)) return true
    const key = this.keyOf(peer)
    if (this.#peers.has(key)) return false
    this.#known.add(peer)
    this.#keys.set(peer, key)
    this.#peers.set(key, peer)
    return true
  }

  /** Something that it wrote may still come; there is no end to members that come once. */
  #gone(peer: PeerId): void {
    if (this.#authors.has(peer)) return
    this.#former.add(peer)
    const [first] = this.#former
    if (this.#former.size > Directory.maxFormer && first !== undefined) this.#forget(first)
  }

  #forget(peer: PeerId): void {
    this.#former.delete(peer)
    this.#known.delete(peer)
    this.#peers.delete(this.keyOf(peer))
    this.#keys.delete(peer)
  }

  #absent(name: string, peer: PeerId): void {
    const members = this.#present.get(name)
    members?.delete(peer)
    if (members?.size === 0) this.#present.delete(name)
  }
}
