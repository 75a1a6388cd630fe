/**
 * Which of two things said of a member wins (SWIM §4.2, with generations).
 *
 * A newer generation replaces an older one at once; within a generation the
 * higher incarnation wins, and only the owner raises it; at equal incarnation
 * alive < suspect < dead < left.
 */
export interface Rank {
  readonly generation: number
  readonly incarnation: number
  readonly status: 'alive' | 'suspect' | 'dead' | 'left'
}

const order = { alive: 0, suspect: 1, dead: 2, left: 3 } as const

/** Negative when `a` is overruled by `b`, positive when it overrules it, 0 when they agree. */
export function comparePrecedence(a: Rank, b: Rank): number {
  return a.generation - b.generation || a.incarnation - b.incarnation || order[a.status] - order[b.status]
}
