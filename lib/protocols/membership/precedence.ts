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

/** Whether what is said of a buried life is news: a later life, or more of the same one than was buried. */
export function outlives(
  offered: { readonly generation: number; readonly incarnation: number },
  buried: { readonly generation: number; readonly incarnation: number },
): boolean {
  if (offered.generation !== buried.generation) return offered.generation > buried.generation
  return offered.incarnation > buried.incarnation
}

/**
 * Whether the dismissal of a member is kept. Of one whom nobody accuses it is not:
 * a liar would dismiss everybody beforehand, and after the next partition nobody
 * would be dialled any more. One that is accused may die a little later here than there.
 */
export function dismissalCounts(subject: {
  readonly status: Rank['status']
  accusers(): ReadonlySet<unknown>
}): boolean {
  return subject.status !== 'alive' || subject.accusers().size > 0
}

/** A dismissal of the living does nothing: dead to left only. */
export function dismissalBuries(status: Rank['status']): boolean {
  return status === 'dead'
}

/** Negative when `a` is overruled by `b`, positive when it overrules it, 0 when they agree. */
export function comparePrecedence(a: Rank, b: Rank): number {
  return a.generation - b.generation || a.incarnation - b.incarnation || order[a.status] - order[b.status]
}
