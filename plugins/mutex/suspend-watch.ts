/**
 * Whether the machine slept: its monotonic clock stands still meanwhile, so a lock
 * that seems valid by it may long be somebody else's.
 *
 * Two signs, both against the monotonic clock: boot time, which counts sleep, is
 * ahead by more than 30 ms; or the wall clock stepped forward by more than a
 * second, which is all that a paused virtual machine shows, and systems without
 * boot time.
 *
 * Linux tells boot time in `/proc/uptime`, in hundredths of a second, cut off. Read
 * here, not by `os.uptime()`: that opens the file each time (7 µs; 2 µs over a
 * descriptor that stays open), and where there is none falls back to whole seconds.
 */
import { closeSync, openSync, readSync } from 'node:fs'

export interface Clocks {
  /** Milliseconds; stands still while the machine sleeps, unless the system counts that too. */
  monotonic(): number
  wall(): number
  /** Milliseconds since boot, sleep included, at most `bootStepMs` behind; undefined where nothing tells it. */
  boot(): number | undefined
  /** They are asked no more, or later again. */
  rest(): void
}

export const bootStepMs = 10
/** Of sleep; as much as every holder keeps as a margin (`marginMs`). */
const sleepMs = 30
const wallStepMs = 1000
/** Readings that lie further apart were interrupted: taken once more. */
const sharpMs = 1
const triesForSharp = 3
/** How long sleep stays unknown to a holder that never asks. */
const lookEveryMs = 250

/** All three, at some instant between `from` and `to` of the monotonic clock. */
interface Reading {
  readonly from: number
  readonly to: number
  readonly wall: number
  readonly boot: number | undefined
}

export class SuspendWatch {
  readonly #clocks: Clocks
  readonly #slept: (ms: number) => void
  #timer: NodeJS.Timeout | undefined
  /** Boot time is compared with that of the beginning: many short naps add up. */
  #first: Reading | undefined
  /** The wall clock with that of the last look: over hours, systems let it drift from the monotonic one. */
  #last: Reading | undefined

  /** `slept` is called by the timer; who looks, is answered. */
  constructor(slept: (ms: number) => void, clocks: Clocks = systemClocks()) {
    this.#slept = slept
    this.#clocks = clocks
  }

  /** Something is at stake from now on; what was before does not matter. */
  begin(): void {
    this.#restart(this.#read())
    this.#timer ??= setInterval(() => this.#tick(), lookEveryMs).unref()
  }

  /** Nothing is at stake any more. The clocks are let go when that lasts: locks come and go quickly. */
  end(): void {
    this.#first = undefined
    this.#last = undefined
  }

  /** For good. */
  stop(): void {
    this.end()
    this.#tick()
  }

  /** For how long the machine slept since the last look; 0 when it did not, or nothing is at stake. */
  look(): number {
    const [first, last] = [this.#first, this.#last]
    if (first === undefined || last === undefined) return 0
    const now = this.#read()
    this.#last = now
    const asleep = aheadOf(first.boot, first, now.boot, now)
    const stepped = aheadOf(last.wall, last, now.wall, now)
    if (asleep <= sleepMs - bootStepMs && stepped <= wallStepMs) return 0
    this.#restart(now)
    return Math.max(asleep, stepped)
  }

  #tick(): void {
    if (this.#first === undefined) {
      clearInterval(this.#timer)
      this.#timer = undefined
      this.#clocks.rest()
      return
    }
    const ms = this.look()
    if (ms > 0) this.#slept(ms)
  }

  #restart(reading: Reading): void {
    this.#first = reading
    this.#last = reading
  }

  /** A process that is preempted between two clocks must not look like a machine that slept. */
  #read(): Reading {
    for (let tries = 1; ; tries += 1) {
      const from = this.#clocks.monotonic()
      const boot = this.#clocks.boot()
      const wall = this.#clocks.wall()
      const to = this.#clocks.monotonic()
      if (to - from <= sharpMs || tries === triesForSharp) return { from, to, wall, boot }
    }
  }
}

/** How far a clock has at least run ahead of the monotonic one from reading to reading. */
function aheadOf(before: number | undefined, then: Reading, after: number | undefined, now: Reading): number {
  if (before === undefined || after === undefined) return 0
  return after - before - (now.to - then.from)
}

export function systemClocks(uptimeFile = '/proc/uptime'): Clocks {
  const uptime = new UptimeFile(uptimeFile)
  return {
    monotonic: () => performance.now(),
    wall: () => Date.now(),
    boot: () => uptime.read(),
    rest: () => uptime.close(),
  }
}

/** `/proc/uptime`, open while it is asked; each read from its beginning is a new answer. */
class UptimeFile {
  readonly #path: string
  readonly #buffer = Buffer.alloc(64)
  #descriptor: number | undefined
  #absent = false

  constructor(path: string) {
    this.#path = path
  }

  read(): number | undefined {
    if (this.#absent) return undefined
    try {
      this.#descriptor ??= openSync(this.#path, 'r')
      const length = readSync(this.#descriptor, this.#buffer, 0, this.#buffer.length, 0)
      const seconds = /^\d+\.\d\d /.exec(this.#buffer.toString('latin1', 0, length))
      if (seconds !== null) return Number(seconds[0]) * 1000
    } catch {
      // Another system, or a container without /proc: the wall clock has to do.
    }
    this.close()
    this.#absent = true
    return undefined
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }
}
