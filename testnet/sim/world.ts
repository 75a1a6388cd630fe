import { EventQueue } from './event-queue.ts'
import { hashText } from './hash.ts'
import type { Random } from './random.ts'
import { Trace } from './trace.ts'

/**
 * Virtual time. Nothing here waits: the clock jumps from event to event, so a
 * minute of a cluster costs milliseconds and a seed replays exactly.
 */
export class World {
  readonly random: Random
  readonly trace = new Trace()
  readonly #queue = new EventQueue()
  readonly #log: ((atMs: number, line: string) => void) | undefined
  readonly #hashes = new Map<string, number>()
  #now = 0

  /** `log` is told the story in words; it costs time and changes nothing. */
  constructor(random: Random, log?: (atMs: number, line: string) => void) {
    this.random = random
    this.#log = log
  }

  /** True time, ms since the world began. No host can see it. */
  get now(): number {
    return this.#now
  }

  /** `hashText` of a name that comes again and again. */
  hashOf(name: string): number {
    let hash = this.#hashes.get(name)
    if (hash === undefined) {
      hash = hashText(name)
      this.#hashes.set(name, hash)
    }
    return hash
  }

  at(time: number, run: () => void): void {
    this.#queue.add(Math.max(time, this.#now), run)
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.#now + delayMs, run)
  }

  /** Runs everything due up to and including `time`, or until `done` says so. */
  runUntil(time: number, done: () => boolean = never): void {
    for (let next = this.#queue.next; next !== undefined && next <= time; next = this.#queue.next) {
      this.#now = next
      this.#queue.take()?.()
      if (done()) return
    }
    this.#now = Math.max(this.#now, time)
  }

  /** A line of the story, folded into the trace. */
  note(line: string): void {
    this.trace.note(this.#now, line)
    this.#log?.(this.#now, line)
  }

  /** A line of the story that only a reader wants. */
  remark(line: () => string): void {
    if (this.#log !== undefined) this.#log(this.#now, line())
  }
}

function never(): boolean {
  return false
}
