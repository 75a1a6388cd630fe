/**
 * What a core has still to do, and when: a binary heap of keyed timers.
 *
 * A key holds one timer; scheduling it again moves it. Entries that were moved
 * or cancelled stay in the heap until they surface (lazy deletion), or until they
 * are the most of it: what is put off again and again, to a day that is far away,
 * would else fill the memory. So both are O(log n) and `deadline` is O(1).
 */
/** What a timer is known by. Numbers cost less, where there are many and each is used but once. */
export type TimerKey = string | number

export class Agenda<Timer> {
  /** Of dead entries so many are no matter. */
  static readonly deadAllowed = 64
  readonly #heap: Entry<Timer>[] = []
  readonly #live = new Map<TimerKey, Entry<Timer>>()
  /** Those of them that may come early. */
  readonly #loose = new Set<Entry<Timer>>()
  #order = 0

  /** Monotonic milliseconds of the earliest timer; undefined when there is none. */
  get deadline(): number | undefined {
    return this.#heap[0]?.at
  }

  /** Sets, or moves, the timer of `key` to the monotonic instant `at`. */
  schedule(key: TimerKey, at: number, timer: Timer): void {
    this.#add(key, at, at, timer)
  }

  /**
   * Sets, or moves, a timer that is taken at `until`, or from `from` on together with any other that is due. What does
   * not matter to the moment wakes nobody for itself: a wake-up costs more than most that is done in it.
   */
  scheduleLoosely(key: TimerKey, from: number, until: number, timer: Timer): void {
    this.#loose.add(this.#add(key, from, until, timer))
  }

  /** Like `schedule`, but an earlier timer of the same key stays. */
  scheduleAtLatest(key: TimerKey, at: number, timer: Timer): void {
    const current = this.#live.get(key)
    if (current === undefined || current.at > at) this.schedule(key, at, timer)
  }

  has(key: TimerKey): boolean {
    return this.#live.has(key)
  }

  cancel(key: TimerKey): void {
    const entry = this.#live.get(key)
    if (entry === undefined) return
    this.#end(entry)
    this.#dropDead()
    this.#compact()
  }

  /** Entries that are kept, those that were moved or cancelled included. */
  get size(): number {
    return this.#heap.length
  }

  clear(): void {
    this.#heap.length = 0
    this.#live.clear()
    this.#loose.clear()
  }

  /** Takes the earliest timer that is due; equal instants come in the order of scheduling, and what may come early last. */
  takeDue(now: number): Timer | undefined {
    const top = this.#heap[0]
    const due = top !== undefined && top.at <= now ? top : this.#looseAt(now)
    if (due === undefined) return undefined
    this.#end(due)
    this.#dropDead()
    return due.timer
  }

  #looseAt(now: number): Entry<Timer> | undefined {
    for (const entry of this.#loose) if (entry.from <= now) return entry
    return undefined
  }

  #add(key: TimerKey, from: number, at: number, timer: Timer): Entry<Timer> {
    this.cancel(key)
    const entry: Entry<Timer> = { key, from, at, order: this.#order++, timer, live: true }
    this.#live.set(key, entry)
    this.#push(entry)
    return entry
  }

  #end(entry: Entry<Timer>): void {
    entry.live = false
    this.#live.delete(entry.key)
    this.#loose.delete(entry)
  }

  #dropDead(): void {
    while (this.#heap[0]?.live === false) this.#pop()
  }

  #compact(): void {
    const heap = this.#heap
    if (heap.length <= 2 * this.#live.size + Agenda.deadAllowed) return
    const live = heap.filter((entry) => entry.live).sort((a, b) => (before(a, b) ? -1 : 1))
    // What is sorted is a heap too.
    heap.length = 0
    for (const entry of live) heap.push(entry)
  }

  #push(entry: Entry<Timer>): void {
    const heap = this.#heap
    let i = heap.push(entry) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!before(entry, heap[parent] as Entry<Timer>)) break
      heap[i] = heap[parent] as Entry<Timer>
      i = parent
    }
    heap[i] = entry
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      const right = heap[child + 1]
      if (right !== undefined && before(right, heap[child] as Entry<Timer>)) child++
      if (!before(heap[child] as Entry<Timer>, last)) break
      heap[i] = heap[child] as Entry<Timer>
      i = child
    }
    heap[i] = last
  }
}

interface Entry<Timer> {
  readonly key: TimerKey
  /** It may be taken from then on, and is at the latest at `at`. */
  readonly from: number
  readonly at: number
  readonly order: number
  readonly timer: Timer
  live: boolean
}

function before<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
