/** How many, how long and how fairly: figures of locks for people. */
import { callerOf, type Request } from './requests.ts'
import type { Stay } from './stays.ts'

/** A holder that died or lost its lock, and who came after it. */
export interface Takeover {
  readonly lock: string
  /** Who came next, and with which token. */
  readonly peer: string
  readonly token: number
  /** From when the holder was last seen to work until the next one entered. */
  readonly ms: number
}

export interface MutexCounts {
  readonly locks: number
  readonly entries: number
  readonly released: number
  readonly lost: number
  readonly died: number
  readonly requests: number
  /** Requests that ended without the lock: held by somebody else; no quorum. */
  readonly held: number
  readonly noQuorum: number
  /** Of all locks; null where nobody entered. */
  readonly highestToken: number | null
  /** From asking to entering; null where no request was recorded that entered. */
  readonly medianWaitMs: number | null
  readonly longestWaitMs: number | null
  /**
   * Jain's index of the callers' entries, of the lock where it is lowest: 1 when all
   * enter equally often, 1/n when one of n does alone. Null where no lock had two callers.
   */
  readonly jain: number | null
  readonly takeovers: readonly Takeover[]
}

export function countMutex(
  byLock: ReadonlyMap<string, readonly Stay[]>,
  requests: ReadonlyMap<number, Request>,
): MutexCounts {
  const stays = [...byLock.values()].flat()
  const asked = [...requests.values()]
  const left = (how: string): number => stays.filter((stay) => stay.left?.how === how).length
  const outcome = (what: string): number => asked.filter(({ answered }) => answered?.outcome === what).length
  const waitsMs = asked
    .flatMap(({ asked: { at }, stay }) => (stay === undefined ? [] : [stay.entered.at - at]))
    .sort((a, b) => a - b)
  return {
    locks: byLock.size,
    entries: stays.length,
    released: left('released'),
    lost: left('lost'),
    died: left('died'),
    requests: asked.length,
    held: outcome('held'),
    noQuorum: outcome('no-quorum'),
    highestToken: stays.length === 0 ? null : highestOf(stays),
    medianWaitMs: waitsMs[Math.floor((waitsMs.length - 1) / 2)] ?? null,
    longestWaitMs: waitsMs.at(-1) ?? null,
    jain: fairness(asked),
    takeovers: [...byLock.values()].flatMap(takeovers),
  }
}

/** Jain, Chiu & Hawe 1984: (Σx)² / (n·Σx²); undefined for no counts, 1 where nobody got anything. */
export function jainIndex(counts: readonly number[]): number | undefined {
  if (counts.length === 0) return undefined
  const sum = counts.reduce((total, count) => total + count, 0)
  const squares = counts.reduce((total, count) => total + count * count, 0)
  return squares === 0 ? 1 : (sum * sum) / (counts.length * squares)
}

function fairness(requests: readonly Request[]): number | null {
  const byLock = new Map<string, Map<string, number>>()
  for (const request of requests) {
    const { lock } = request.asked
    const counts = byLock.get(lock) ?? new Map<string, number>()
    byLock.set(lock, counts)
    const caller = callerOf(request)
    counts.set(caller, (counts.get(caller) ?? 0) + (request.stay === undefined ? 0 : 1))
  }
  const indices = [...byLock.values()].flatMap((counts) =>
    counts.size < 2 ? [] : [jainIndex([...counts.values()]) ?? 1],
  )
  return indices.length === 0 ? null : Math.min(...indices)
}

/** `stays` of one lock, in the order of entry. */
function takeovers(stays: readonly Stay[]): readonly Takeover[] {
  return stays.flatMap(({ left }, index): readonly Takeover[] => {
    const next = stays[index + 1]?.entered
    if (next === undefined || left === undefined || left.how === 'released') return []
    return [{ lock: next.lock, peer: next.peer, token: next.token, ms: next.at - left.at }]
  })
}

function highestOf(stays: readonly Stay[]): number {
  return stays.reduce((highest, { entered: { token } }) => Math.max(highest, token), 0)
}
