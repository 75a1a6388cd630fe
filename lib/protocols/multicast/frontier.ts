/**
 * The frontier: the maximal delivered dots, those that no delivered message
 * names. What this peer publishes depends on exactly these (Prakash, Raynal &
 * Singhal 1997: direct dependencies suffice).
 *
 * Each knows its vector as the few entries in which it lies below what is
 * delivered now.
 */
import { compareDots, dotText, parseEntryKey } from './dots.ts'
import { multicastLimits } from './limits.ts'
import type { DotKey, EntryKey, FrontierDot } from './messages.ts'

export interface Maximal {
  readonly dot: DotKey
  /** Entries of its vector below the delivered vector of this moment. */
  readonly below: Map<EntryKey, number>
  readonly exact: boolean
}

export class Frontier {
  readonly #dots = new Map<string, Maximal>()

  get size(): number {
    return this.#dots.size
  }

  get(dot: DotKey): Maximal | undefined {
    return this.#dots.get(dotText(dot))
  }

  /** Sorted by author, epoch and seq. */
  dots(): DotKey[] {
    return [...this.#dots.values()].map(({ dot }) => dot).sort(compareDots)
  }

  values(): IterableIterator<Maximal> {
    return this.#dots.values()
  }

  add(maximal: Maximal): void {
    this.#dots.set(dotText(maximal.dot), maximal)
  }

  delete(dot: DotKey): void {
    this.#dots.delete(dotText(dot))
  }

  replace(other: Frontier): void {
    this.#dots.clear()
    for (const { dot, below, exact } of other.values()) this.add({ dot, below: new Map(below), exact })
  }

  /** `dot` was delivered; its log stood at `before`. What it supersedes is no longer maximal. */
  deliver(
    entry: EntryKey,
    before: number,
    superseded: readonly DotKey[],
    delivered: {
      readonly dot: DotKey
      readonly below: ReadonlyMap<EntryKey, number>
      readonly exact: boolean
    },
  ): void {
    for (const dot of superseded) this.#dots.delete(dotText(dot))
    // It happened before none of those that stay: for them its log remains where it was.
    for (const { below } of this.#dots.values()) if (!below.has(entry)) below.set(entry, before)
    const { dot, below, exact } = delivered
    this.#dots.set(dotText(dot), { dot, below: new Map(below), exact })
  }
}

/**
 * For the disk and for joiners. In a burst each dot lies below all the others, so
 * that the whole grows with the square of it: what does not fit into `mostEntries`
 * is left out, and the vector of that dot is no longer known.
 */
export function toFrontierDots(maxima: Iterable<Maximal>, mostEntries: number): FrontierDot[] {
  let room = mostEntries
  return [...maxima].map(({ dot, below, exact }) => {
    if (below.size > Math.min(room, multicastLimits.vectorEntries)) return { ...dot, below: [], exact: false }
    room -= below.size
    return {
      ...dot,
      below: [...below].map(([entry, seq]) => ({ ...parseEntryKey(entry), seq, hash: '' })),
      exact,
    }
  })
}
