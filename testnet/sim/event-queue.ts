interface Entry {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

/** A binary heap by time; entries of one time run in the order in which they were added. */
export class EventQueue {
  readonly #heap: Entry[] = []
  #added = 0

  /** Time of the earliest entry. */
  get next(): number | undefined {
    return this.#heap[0]?.at
  }

  add(at: number, run: () => void): void {
    const heap = this.#heap
    const entry = { at, order: this.#added++, run }
    let i = heap.length
    heap.push(entry)
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!before(entry, heap[parent] as Entry)) break
      heap[i] = heap[parent] as Entry
      i = parent
    }
    heap[i] = entry
  }

  take(): (() => void) | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined) return undefined
    if (heap.length > 0) this.#sink(last)
    return first.run
  }

  #sink(entry: Entry): void {
    const heap = this.#heap
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry)) child++
      if (!before(heap[child] as Entry, entry)) break
      heap[i] = heap[child] as Entry
      i = child
    }
    heap[i] = entry
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
