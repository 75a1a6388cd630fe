/**
 * How long the log keeps what was delivered: by age and by bytes, and a little
 * longer what a joiner still copies.
 */
import type { PeerId } from '../core.ts'
import type { GroupContext } from './group-context.ts'
import type { GroupDisk } from './group-disk.ts'
import type { Log } from './log.ts'

interface Pin {
  /** Nothing from this index on is truncated. */
  readonly index: number
  readonly since: number
  readonly until: number
}

/** However often a joiner asks, a pin ends after so many times `pinMs`. */
const longestPins = 10
/** Joiners that copy at once. */
const maxPins = 64
/** A pin may hold back what is due: look again, but not at once. */
const leastWaitMs = 1000

export class Retention {
  readonly #group: GroupContext
  readonly #log: Log
  readonly #disk: GroupDisk
  readonly #pins = new Map<PeerId, Pin>()
  /** Until when what lies below the base is served. */
  #keptUntil = 0

  constructor(group: GroupContext, log: Log, disk: GroupDisk) {
    this.#group = group
    this.#log = log
    this.#disk = disk
  }

  /** What `joiner` is about to copy stays. */
  pin(joiner: PeerId): void {
    const { now, init } = this.#group
    const since = this.#pins.get(joiner)?.since ?? now
    if (this.#pins.size >= maxPins && !this.#pins.has(joiner)) {
      const [oldest] = this.#pins.keys()
      if (oldest !== undefined) this.#pins.delete(oldest)
    }
    this.#pins.set(joiner, { index: this.#log.firstIndex, since, until: now + init.config.pinMs })
  }

  /** It goes on copying. */
  renew(joiner: PeerId): void {
    const pin = this.#pins.get(joiner)
    if (pin === undefined) return
    const { pinMs } = this.#group.init.config
    const until = Math.min(this.#group.now + pinMs, pin.since + longestPins * pinMs)
    this.#pins.set(joiner, { ...pin, until })
  }

  unpin(joiner: PeerId): void {
    this.#pins.delete(joiner)
  }

  /** Envelopes were put below the base that are to be served as long as the log would have kept them. */
  kept(): void {
    if (!this.#log.keeps) return
    this.#keptUntil = this.#group.now + this.#group.init.config.retentionMs
    this.#group.schedule('retention', this.#keptUntil)
  }

  /** Something was delivered. */
  delivered(): void {
    const { retentionBytes, retentionMs } = this.#group.init.config
    if (this.#log.bytes > retentionBytes) this.run()
    else this.#group.schedule('retention', this.#group.now + retentionMs)
  }

  run(): void {
    const { now, init } = this.#group
    const { retentionMs, retentionBytes } = init.config
    const pinned = this.#pinnedFrom()
    const log = this.#log
    for (let oldest = log.oldest; oldest !== undefined && oldest.index < pinned; oldest = log.oldest) {
      if (oldest.at + retentionMs > now && log.bytes <= retentionBytes) break
      log.truncate()
      this.#disk.forgetOwn(oldest.envelope)
    }
    if (log.keeps && this.#keptUntil <= now) {
      for (const envelope of log.dropKept()) this.#disk.forgetOwn(envelope)
    }
    const next = log.oldest === undefined ? Number.POSITIVE_INFINITY : log.oldest.at + retentionMs
    const at = Math.min(next, log.keeps ? this.#keptUntil : Number.POSITIVE_INFINITY)
    if (at !== Number.POSITIVE_INFINITY) this.#group.schedule('retention', Math.max(at, now + leastWaitMs))
  }

  #pinnedFrom(): number {
    let from = Number.POSITIVE_INFINITY
    // A joiner that is too slow begins again; memory comes first.
    if (this.#log.bytes > 2 * this.#group.init.config.retentionBytes) return from
    for (const [peer, pin] of this.#pins) {
      if (pin.until <= this.#group.now) this.#pins.delete(peer)
      else from = Math.min(from, pin.index)
    }
    return from
  }
}
