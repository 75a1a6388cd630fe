/**
 * Hybrid stamps: milliseconds of physical time, and a counter where events come
 * faster or the clock stands. They sort like a Lamport clock and read like a time.
 *
 * - Kulkarni, Demirbas, Madappa, Avva & Leone 2014, Logical Physical Clocks and
 *   Consistent Snapshots in Globally Distributed Databases
 *
 * 48 bits of Unix milliseconds (to the year 10889) and 16 of the counter fit one
 * 64-bit integer, whose order is theirs. The clock itself: hybrid-clock.ts.
 */
import { WireError } from '../../wire/errors.ts'

export interface HybridStamp {
  /** Unix milliseconds, 0 to 2^48 - 1. */
  readonly ms: number
  /** 0 to 65535. */
  readonly counter: number
}

export const maxHybridMs = 2 ** 48 - 1
export const maxHybridCounter = 2 ** 16 - 1

/** Both parts whole and within their bits. */
export function isHybridStamp({ ms, counter }: HybridStamp): boolean {
  return isWhole(ms, maxHybridMs) && isWhole(counter, maxHybridCounter)
}

/** Negative when `a` is the lower, positive when it is the higher. */
export function compareHybrid(a: HybridStamp, b: HybridStamp): number {
  return a.ms - b.ms || a.counter - b.counter
}

/** The lowest stamp above `last` that is not below `physicalMs`; undefined when the 64 bits are used up. */
export function nextHybrid(last: HybridStamp, physicalMs: number): HybridStamp | undefined {
  if (physicalMs > last.ms) return { ms: physicalMs, counter: 0 }
  if (last.counter < maxHybridCounter) return { ms: last.ms, counter: last.counter + 1 }
  // A counter that wrapped would go back; a millisecond ahead is soon caught up with.
  return last.ms < maxHybridMs ? { ms: last.ms + 1, counter: 0 } : undefined
}

/** As an unsigned 64-bit integer, whose order is that of the stamps. */
export function packHybrid({ ms, counter }: HybridStamp): bigint {
  return (BigInt(ms) << 16n) | BigInt(counter)
}

/** Throws `WireError` beyond 64 bits. */
export function unpackHybrid(packed: bigint): HybridStamp {
  if (packed !== BigInt.asUintN(64, packed)) throw malformed('a hybrid stamp beyond 64 bits')
  return { ms: Number(packed >> 16n), counter: Number(packed & 0xffffn) }
}

/** `<ms>.<counter, 5 digits>`. */
export function formatHybrid({ ms, counter }: HybridStamp): string {
  return `${ms}.${String(counter).padStart(5, '0')}`
}

/** Takes exactly what `formatHybrid` makes. Throws `WireError`. */
export function parseHybrid(text: string): HybridStamp {
  const [, ms, counter] = /^(0|[1-9][0-9]{0,14})\.([0-9]{5})$/.exec(text) ?? []
  const stamp = { ms: Number(ms), counter: Number(counter) }
  if (!isHybridStamp(stamp))
    throw malformed('a hybrid stamp is MILLISECONDS.COUNTER, the counter of 5 digits')
  return stamp
}

function isWhole(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max
}

function malformed(what: string): WireError {
  return new WireError('ERR_MALFORMED', `clocks: ${what}`)
}
