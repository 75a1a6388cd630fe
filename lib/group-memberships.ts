/** The groups that this peer is in, and those that it has left while the disk still has something of them to do. */
import { randomBytes } from 'node:crypto'
import { everybodyIsIn, groupLeft, throwNotIn, tooManyGroups } from './group-errors.ts'
import { GroupFeed, stopped } from './group-feed.ts'
import { withResolvers } from './host/with-resolvers.ts'
import type { Crypto } from './protocols/core.ts'
import { groupIdOf } from './protocols/multicast/dots.ts'
import { multicastLimits } from './protocols/multicast/limits.ts'
import type { Multicast } from './protocols/multicast/multicast.ts'

/** Everybody is in it: broadcast. */
export const broadcastGroup = 'all'

/** One group that this peer is in. */
export interface GroupMembership {
  readonly feed: GroupFeed
  readonly ready: ReturnType<typeof withResolvers<void>>
}

export class GroupMemberships {
  readonly #core: Multicast
  readonly #sha256: Crypto['sha256']
  readonly #joined = new Map<string, GroupMembership>()
  /** Groups, by id, that were left while effects of theirs still wait for the disk: how often. */
  readonly #leaving = new Map<string, number>()

  constructor(core: Multicast, sha256: Crypto['sha256']) {
    this.#core = core
    this.#sha256 = sha256
  }

  has(name: string): boolean {
    return this.#joined.has(name)
  }

  /** Errors: ERR_TOO_MANY_GROUPS. */
  join(name: string): void {
    if (this.#joined.size >= multicastLimits.groups) throw tooManyGroups()
    this.of(name)
  }

  of(name: string): GroupMembership {
    const known = this.#joined.get(name)
    if (known !== undefined) return known
    const ready = withResolvers<void>()
    // Who does not wait for it is not to be ended by it.
    ready.promise.catch(() => {})
    // A reader that is slow to end must not read on in the log of whoever joins it again.
    const isHere = (): boolean => this.#joined.get(name)?.feed === feed
    const feed: GroupFeed = new GroupFeed({
      log: randomBytes(12).toString('hex'),
      name,
      bounds: () => (isHere() ? this.#core.bounds(name) : { first: 1, last: 0 }),
      read: (index, max) => (isHere() ? this.#core.read(name, index, max) : []),
      vectorOf: (index) => (isHere() ? this.#core.vectorOf(name, index) : undefined),
    })
    const membership: GroupMembership = { feed, ready }
    this.#joined.set(name, membership)
    return membership
  }

  /** Undefined for what a former membership still tells: its effects may have waited for the disk. */
  present(name: string): GroupMembership | undefined {
    if (this.#leaving.size > 0 && this.#leaving.has(this.#idOf(name))) return undefined
    return this.of(name)
  }

  /** Errors: ERR_BAD_GROUP. */
  leave(name: string): void {
    if (name === broadcastGroup) throw everybodyIsIn(name)
    this.assertIn(name)
    const { feed, ready } = this.of(name)
    const id = this.#idOf(name)
    this.#leaving.set(id, (this.#leaving.get(id) ?? 0) + 1)
    this.#joined.delete(name)
    feed.end()
    ready.reject(groupLeft(name))
  }

  /** The last that is told of a membership. */
  left(id: string): void {
    const count = this.#leaving.get(id) ?? 0
    if (count > 1) this.#leaving.set(id, count - 1)
    else this.#leaving.delete(id)
  }

  assertIn(name: string): void {
    if (!this.#joined.has(name)) throwNotIn(name)
  }

  end(): void {
    for (const { feed, ready } of this.#joined.values()) {
      feed.end()
      ready.reject(stopped())
    }
  }

  #idOf(name: string): string {
    return groupIdOf(name, this.#sha256)
  }
}
