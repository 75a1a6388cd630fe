/**
 * Whom the members of a group keep connected with where a cluster is too large
 * for a mesh: a group of five among three hundred would else have no way from one
 * to the other, and gossip goes over connections only.
 *
 * The members stand on a ring of their group's own, by a hash, and each dials the
 * next few: so the group is connected whoever is in it, nobody has many to dial,
 * and a birth or a death changes the edges next to it and no others.
 */
import type { PeerId } from '../core.ts'
import { hash64, placeOnRing } from '../hash.ts'

/** Successors in each group. With the predecessors it makes twice as many, enough for a mesh of gossip. */
export const companionsEach = 3

/** The next few after `self` among `members`, in order; `self` need not be among them. */
export function companionsOf(self: PeerId, group: string, members: readonly PeerId[]): readonly PeerId[] {
  const ring = hash64(group).low
  const from = placeOnRing(hash64(self), ring)
  const ahead = (peer: PeerId): number => {
    const distance = placeOnRing(hash64(peer), ring) - from
    return distance > 0 ? distance : distance + 2 ** 53
  }
  return members
    .filter((peer) => peer !== self)
    .map((peer) => ({ peer, distance: ahead(peer) }))
    .sort((a, b) => a.distance - b.distance || (a.peer < b.peer ? -1 : 1))
    .slice(0, companionsEach)
    .map(({ peer }) => peer)
}
