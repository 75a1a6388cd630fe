/**
 * Names are for people, and nothing keeps two members from having the same: the
 * commands that take a name then cannot tell whom is meant. Whoever is there
 * counts; the dead and those who left have given their names up.
 */
import type { PeerId } from '../core.ts'

export class NameConflicts {
  /** Named in one report, and in order. */
  static readonly most = 16
  readonly #changed: (name: string, peers: readonly PeerId[]) => void
  readonly #names = new Map<PeerId, string>()
  /** The only bearer of a name, or all of them. */
  readonly #bearers = new Map<string, PeerId | Bearers>()

  /** `changed`: others than before have that name; fewer than two: no conflict any more. */
  constructor(changed: (name: string, peers: readonly PeerId[]) => void) {
    this.#changed = changed
  }

  present(peer: PeerId, name: string): void {
    if (this.#names.get(peer) === name) return
    this.absent(peer)
    this.#names.set(peer, name)
    const bearers = this.#bearers.get(name)
    if (bearers === undefined) {
      this.#bearers.set(name, peer)
      return
    }
    const all = typeof bearers === 'string' ? new Bearers(bearers) : bearers
    all.add(peer)
    this.#bearers.set(name, all)
    this.#changed(name, all.first)
  }

  absent(peer: PeerId): void {
    const name = this.#names.get(peer)
    if (name === undefined) return
    this.#names.delete(peer)
    const bearers = this.#bearers.get(name)
    if (bearers === undefined || typeof bearers === 'string') {
      this.#bearers.delete(name)
      return
    }
    bearers.delete(peer)
    const [last] = bearers.first
    if (bearers.size === 1 && last !== undefined) this.#bearers.set(name, last)
    this.#changed(name, bearers.first)
  }
}

/** All of one name. Thousands may have it and come at once, so not all are put in order for each that comes. */
class Bearers {
  readonly #all: Set<PeerId>
  #first: readonly PeerId[]

  constructor(peer: PeerId) {
    this.#all = new Set([peer])
    this.#first = [peer]
  }

  get size(): number {
    return this.#all.size
  }

  /** Those that are named, in order. */
  get first(): readonly PeerId[] {
    return this.#first
  }

  add(peer: PeerId): void {
    this.#all.add(peer)
    const last = this.#first[NameConflicts.most - 1]
    if (last === undefined || peer < last) this.#first = foremost([...this.#first, peer])
  }

  delete(peer: PeerId): void {
    this.#all.delete(peer)
    if (this.#first.includes(peer)) this.#first = foremost([...this.#all])
  }
}

function foremost(peers: readonly PeerId[]): readonly PeerId[] {
  return [...peers].sort().slice(0, NameConflicts.most)
}
