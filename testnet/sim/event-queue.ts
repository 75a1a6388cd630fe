/**
 * What happens when: a heap by time; entries of one time run in the order in which
 * they were added.
 *
 * A crowd keeps tens of thousands of entries here and takes one for each packet,
 * and most of what that costs is waiting for memory. So the heap is flat and wide:
 * what is compared lies side by side, four children in a cache line.
 */
const arity = 4

export class EventQueue {
  #at = new Float64Array(1024)
  #order = new Float64Array(1024)
  readonly #run: (() => void)[] = []
  #added = 0

  /** Time of the earliest entry. */
  get next(): number | undefined {
    return this.#run.length === 0 ? undefined : this.#at[0]
  }

  add(at: number, run: () => void): void {
    if (this.#run.length === this.#at.length) this.#grow()
    const order = this.#added++
    let i = this.#run.push(run) - 1
    while (i > 0) {
      const parent = ((i - 1) / arity) | 0
      if (!this.#isBefore(at, order, parent)) break
      this.#move(parent, i)
      i = parent
    }
    this.#set(i, at, order, run)
  }

  take(): (() => void) | undefined {
    const first = this.#run[0]
    const last = this.#run.pop()
    if (last !== undefined && this.#run.length > 0) this.#sink(last)
    return first
  }

  /** The last entry, which is no longer in the list, takes the place of the first. */
  #sink(run: () => void): void {
    const count = this.#run.length
    const at = this.#at[count] as number
    const order = this.#order[count] as number
    let i = 0
    for (let child = 1; child < count; child = arity * i + 1) {
      const earliest = this.#earliest(child, Math.min(child + arity, count))
      if (this.#isBefore(at, order, earliest)) break
      this.#move(earliest, i)
      i = earliest
    }
    this.#set(i, at, order, run)
  }

  #earliest(from: number, to: number): number {
    let best = from
    for (let i = from + 1; i < to; i++) {
      if (this.#isBefore(this.#at[i] as number, this.#order[i] as number, best)) best = i
    }
    return best
  }

  #isBefore(at: number, order: number, other: number): boolean {
    const otherAt = this.#at[other] as number
    return at < otherAt || (at === otherAt && order < (this.#order[other] as number))
  }

  #move(from: number, to: number): void {
    this.#set(to, this.#at[from] as number, this.#order[from] as number, this.#run[from] as () => void)
  }

  #set(i: number, at: number, order: number, run: () => void): void {
    this.#at[i] = at
    this.#order[i] = order
    this.#run[i] = run
  }

  #grow(): void {
    this.#at = grown(this.#at)
    this.#order = grown(this.#order)
  }
}

function grown(array: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(2 * array.length)
  larger.set(array)
  return larger
}
