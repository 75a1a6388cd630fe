/** A set from which some can be drawn at random without a walk over all. */
export class IndexedSet<T> {
  readonly #items: T[] = []
  readonly #places = new Map<T, number>()

  add(item: T): void {
    if (this.#places.has(item)) return
    this.#places.set(item, this.#items.push(item) - 1)
  }

  delete(item: T): void {
    const place = this.#places.get(item)
    if (place === undefined) return
    this.#places.delete(item)
    const last = this.#items.pop() as T
    if (last === item) return
    this.#items[place] = last
    this.#places.set(last, place)
  }

  /**
   * Each with that chance, independently; it costs as much as it finds. (The gaps
   * between the chosen are geometrically distributed.)
   */
  drawn(chance: number, random: () => number): T[] {
    if (chance >= 1) return [...this.#items]
    const chosen: T[] = []
    const scale = Math.log(1 - chance)
    for (let at = gap(scale, random); at < this.#items.length; at += 1 + gap(scale, random)) {
      chosen.push(this.#items[at] as T)
    }
    return chosen
  }
}

function gap(scale: number, random: () => number): number {
  return scale === 0 ? Number.POSITIVE_INFINITY : Math.floor(Math.log(1 - random()) / scale)
}
