/**
 * How late it can be by now, by what the other members last told: the (f + 1)-th
 * largest of their `latest`, f the liars that so many members can bear.
 *
 * Without network time the own wall clock alone would decide which stamps are too
 * far ahead, and a peer that runs behind would refuse everybody. The largest word
 * would let one liar decide. The (f + 1)-th largest is, with at most f liars, not
 * above what some honest member believes.
 *
 * A member is heard every few seconds, or every few minutes among hundreds. What
 * it told is therefore carried on by the own monotonic clock: kept is the offset
 * between the two, and of the offsets of a minute the largest, since delay, above
 * all an own stall, only makes an offset too small.
 */
import type { Instant, PeerId } from '../core.ts'

interface Told {
  /** `latest` less the own monotonic clock, ms. */
  readonly offset: number
  /** Monotonic instants: when this offset was measured, and when the member was last heard. */
  readonly measuredAt: number
  readonly heardAt: number
}

export class LatestTold {
  /** As many as a view holds members. */
  static readonly maxMembers = 10_000
  /** A larger offset than what is told now is kept for so long, ms. */
  static readonly keepLargestMs = 60_000
  /** Who is silent for so long no longer counts: two clocks of 500 ppm part by 0.3 s meanwhile. */
  static readonly expireMs = 300_000
  readonly #told = new Map<PeerId, Told>()
  /** The offset that decides, until one of its sources expires. */
  #cached: { readonly offset: number | undefined; readonly until: number } | undefined

  /** Members that count. */
  get size(): number {
    return this.#told.size
  }

  tell(from: PeerId, latestMs: number, now: Instant): void {
    const known = this.#told.get(from)
    if (known === undefined && this.#told.size >= LatestTold.maxMembers) return
    const heardAt = now.monotonic
    const offset = latestMs - heardAt
    const keep =
      known !== undefined && known.offset > offset && heardAt - known.measuredAt < LatestTold.keepLargestMs
    this.#told.set(from, keep ? { ...known, heardAt } : { offset, measuredAt: heardAt, heardAt })
    this.#cached = undefined
  }

  forget(peer: PeerId): void {
    if (this.#told.delete(peer)) this.#cached = undefined
  }

  /** Unix milliseconds; undefined when nobody has told anything lately. */
  latestMs(now: Instant): number | undefined {
    if (this.#cached === undefined || now.monotonic >= this.#cached.until) this.#cached = this.#decide(now)
    const { offset } = this.#cached
    return offset === undefined ? undefined : offset + now.monotonic
  }

  #decide(now: Instant): { offset: number | undefined; until: number } {
    let until = Number.POSITIVE_INFINITY
    for (const [peer, { heardAt }] of this.#told) {
      const expiresAt = heardAt + LatestTold.expireMs
      if (now.monotonic >= expiresAt) this.#told.delete(peer)
      else until = Math.min(until, expiresAt)
    }
    const offsets = [...this.#told.values()].map(({ offset }) => offset).sort((a, b) => b - a)
    return { offset: offsets[faultsTolerated(offsets.length + 1)], until }
  }
}

/** Liars among `members`, self included, that the others outvote; more than three are not borne. */
export function faultsTolerated(members: number): number {
  return Math.min(3, Math.floor((members - 1) / 3))
}
