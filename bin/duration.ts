/** Spans of time as people write and read them: `250ms`, `10s`, `5m`. */
import { P2pdError } from '../lib/wire/errors.ts'

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const

/** Longest span taken: a day. Timers of the platform end at 24.8 days. */
export const maxDurationMs = 24 * unitMs.h

/** Whole milliseconds, 1 or more. Throws ERR_USAGE. */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h)$/.exec(text)
  const amount = Number(match?.[1])
  const unit = match?.[2]
  if (!isUnit(unit)) {
    throw new P2pdError('ERR_USAGE', `'${text}' is not a duration`, { hint: 'write it as 250ms, 10s or 5m' })
  }
  const ms = Math.round(amount * unitMs[unit])
  if (ms < 1 || ms > maxDurationMs) {
    throw new P2pdError('ERR_USAGE', `'${text}' is out of range`, { hint: 'from 1ms to 24h' })
  }
  return ms
}

function isUnit(unit: string | undefined): unit is keyof typeof unitMs {
  return unit !== undefined && unit in unitMs
}

/** An age, rounded down to its largest unit: `0s`, `59s`, `3m`, `2h`, `5d`. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}

/** What is left of a short time, rounded up: `250ms`, `1.5s`, `12s`. */
export function formatLeft(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`
  return ms < 9950 ? `${(Math.ceil(ms / 100) / 10).toFixed(1)}s` : `${Math.ceil(ms / 1000)}s`
}

/** A round trip, with three figures: `0.42ms`, `3.14ms`, `27.5ms`, `152ms`. */
export function formatRtt(ms: number): string {
  const digits = ms < 10 ? 2 : ms < 100 ? 1 : 0
  return `${ms.toFixed(digits)}ms`
}
