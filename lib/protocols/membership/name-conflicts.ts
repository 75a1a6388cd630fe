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
  readonly #bearers = new Map<string, PeerId | Set<PeerId>>()

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
    const all = typeof bearers === 'string' ? new Set([bearers]) : bearers
    all.add(peer)
    this.#bearers.set(name, all)
    this.#report(name, all)
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
    const [last] = bearers
    if (bearers.size === 1 && last !== undefined) this.#bearers.set(name, last)
    this.#report(name, bearers)
  }

  #report(name: string, bearers: ReadonlySet<PeerId>): void {
    this.#changed(name, [...bearers].sort().slice(0, NameConflicts.most))
  }
}
