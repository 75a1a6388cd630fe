/**
 * Who watches whom where there are too many for everybody to watch everybody
 * (Suresh et al. 2018, Rapid §4.1): on each of K rings the members stand in an
 * order of their own, by a hash, and each watches its successor. Every member has
 * K observers that nobody chose, and the graph of all these edges is an expander:
 * whoever dies, the rest stays connected, and a rumour needs few hops.
 *
 * A birth or a death changes the edges next to it and no others.
 */
import type { PeerId } from '../core.ts'
import { hash64, placeOnRing } from '../hash.ts'

interface Place {
  readonly at: number
  readonly peer: PeerId
}

/** The rings of many members, to be shared; never changed. */
export class RingsBase {
  readonly rings: readonly (readonly Place[])[]

  constructor(peers: readonly PeerId[], rings: number) {
    this.rings = Array.from({ length: rings }, (_, ring) =>
      peers.map((peer) => placeOf(peer, ring)).sort(byPlace),
    )
  }

  get size(): number {
    return this.rings[0]?.length ?? 0
  }
}

export class Rings {
  readonly #self: PeerId
  readonly #base: RingsBase | undefined
  /** Of the base. */
  readonly #absent = new Set<PeerId>()
  /** Beside the base, sorted. */
  readonly #added: Place[][]
  readonly #own: readonly Place[]

  constructor(self: PeerId, rings: number, base?: RingsBase) {
    this.#self = self
    this.#base = base
    this.#added = Array.from({ length: rings }, () => [])
    this.#own = Array.from({ length: rings }, (_, ring) => placeOf(self, ring))
  }

  add(peer: PeerId): void {
    if (this.#inBase(peer)) {
      this.#absent.delete(peer)
      return
    }
    const hash = hash64(peer)
    for (const [ring, places] of this.#added.entries()) {
      const place = placeOf(peer, ring, hash)
      const index = firstAtOrAfter(places, place)
      if (places[index]?.peer !== peer) places.splice(index, 0, place)
    }
  }

  delete(peer: PeerId): void {
    if (this.#inBase(peer)) {
      this.#absent.add(peer)
      return
    }
    const hash = hash64(peer)
    for (const [ring, places] of this.#added.entries()) {
      const index = firstAtOrAfter(places, placeOf(peer, ring, hash))
      if (places[index]?.peer === peer) places.splice(index, 1)
    }
  }

  /** Whom this member watches: on each ring who comes next. At most as many as there are rings. */
  successors(): Set<PeerId> {
    return this.#next(1)
  }

  /** Who watches this member. */
  predecessors(): Set<PeerId> {
    return this.#next(-1)
  }

  /** Somebody, each as likely as the other; undefined when nobody was hit in a few tries. */
  draw(random: () => number): PeerId | undefined {
    const base = this.#base?.rings[0] ?? []
    const added = this.#added[0] ?? []
    for (let tries = 0; tries < 4; tries++) {
      const index = Math.floor(random() * (base.length + added.length))
      const peer = (index < base.length ? base[index] : added[index - base.length])?.peer
      if (peer !== undefined && peer !== this.#self && !this.#absent.has(peer)) return peer
    }
    return undefined
  }

  /** On the first ring's order. */
  *everybody(): IterableIterator<PeerId> {
    for (const { peer } of this.#base?.rings[0] ?? []) {
      if (peer !== this.#self && !this.#absent.has(peer)) yield peer
    }
    for (const { peer } of this.#added[0] ?? []) yield peer
  }

  #next(step: 1 | -1): Set<PeerId> {
    const peers = new Set<PeerId>()
    for (const [ring, own] of this.#own.entries()) {
      const inBase = this.#nearest(this.#base?.rings[ring] ?? [], own, step)
      const added = this.#nearest(this.#added[ring] ?? [], own, step)
      const nearest = closer(own, inBase, added, step)
      if (nearest !== undefined) peers.add(nearest.peer)
    }
    return peers
  }

  #inBase(peer: PeerId): boolean {
    const first = this.#base?.rings[0]
    return first !== undefined && first[firstAtOrAfter(first, placeOf(peer, 0))]?.peer === peer
  }

  /** Round the ring; who is absent is passed over. */
  #nearest(places: readonly Place[], own: Place, step: 1 | -1): Place | undefined {
    const { length } = places
    let index = firstAtOrAfter(places, own) - (step === 1 ? 1 : 0)
    for (let passed = 0; passed <= length; passed++) {
      index += step
      const place = places[((index % length) + length) % length]
      if (place === undefined) return undefined
      if (place.peer !== this.#self && !this.#absent.has(place.peer)) return place
    }
    return undefined
  }
}

/** Of two, who comes first from `own` in the direction of `step`. */
function closer(own: Place, a: Place | undefined, b: Place | undefined, step: 1 | -1): Place | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return distance(own, a, step) <= distance(own, b, step) ? a : b
}

function distance(from: Place, to: Place, step: 1 | -1): number {
  const ahead = step * (to.at - from.at)
  return ahead > 0 ? ahead : ahead + 2 ** 53
}

function placeOf(peer: PeerId, ring: number, hash = hash64(peer)): Place {
  return { at: placeOnRing(hash, ring), peer }
}

function byPlace(a: Place, b: Place): number {
  return a.at - b.at || (a.peer < b.peer ? -1 : 1)
}

/** Binary search. */
function firstAtOrAfter(places: readonly Place[], place: Place): number {
  let low = 0
  let high = places.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (byPlace(places[middle] as Place, place) < 0) low = middle + 1
    else high = middle
  }
  return low
}
