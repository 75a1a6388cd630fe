import type { PeerId } from '../core.ts'

/** Whose stamps were far ahead again and again: for a while they are not looked at. */
export class Repeaters {
  static readonly strikes = 3
  static readonly windowMs = 60_000
  static readonly maxPeers = 10_000
  /** In order of the first strike, so that the oldest gives way. */
  readonly #strikes = new Map<PeerId, { readonly since: number; readonly count: number }>()
  readonly #ignoredUntil = new Map<PeerId, number>()

  struck(peer: PeerId, now: number): void {
    const known = this.#strikes.get(peer)
    const recent = known !== undefined && now - known.since < Repeaters.windowMs
    const { since, count } = recent ? known : { since: now, count: 0 }
    this.#strikes.delete(peer)
    if (count + 1 < Repeaters.strikes) bounded(this.#strikes).set(peer, { since, count: count + 1 })
    else bounded(this.#ignoredUntil).set(peer, now + Repeaters.windowMs)
  }

  isIgnored(peer: PeerId, now: number): boolean {
    const until = this.#ignoredUntil.get(peer)
    if (until === undefined) return false
    if (now < until) return true
    this.#ignoredUntil.delete(peer)
    return false
  }

  forget(peer: PeerId): void {
    this.#strikes.delete(peer)
    this.#ignoredUntil.delete(peer)
  }
}

/** `map` with room for one more. */
function bounded<Value>(map: Map<PeerId, Value>): Map<PeerId, Value> {
  const [oldest] = map.keys()
  if (map.size >= Repeaters.maxPeers && oldest !== undefined) map.delete(oldest)
  return map
}
