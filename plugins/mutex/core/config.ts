/** Knobs of locks and of their electorate. Times in ms. */
export interface MutexConfig {
  /** Of a request that names none. */
  readonly leaseMs: number
  /** What this peer grants to the charter when it founds: no lease is longer. */
  readonly maxLeaseMs: number
  /** Of the charter: the share by which a clock may run fast or slow. */
  readonly driftBound: number
  /** Of the charter: 1, 3, 5 or 7. */
  readonly maxVoters: number
  /** Taken off each lease by its holder, for what lies between a look at the clock and the deed. */
  readonly marginMs: number
  /** An unanswered voter is asked again after this. */
  readonly pingMs: number
  /** A voter that owes an answer for so long does not answer; and so long without a quorum of them ends a request. */
  readonly silenceMs: number
  /** A joiner is taken as a voter when it has been connected and ready for so long. */
  readonly readyForMs: number
  /** Who votes in the next version has to say so within this. */
  readonly readyWithinMs: number
  /** A voter dead for so long is replaced, and at most one in such a time. */
  readonly replaceAfterMs: number
  /** A replaced peer is not chosen again for so long, doubling up to the longest. */
  readonly retiredMs: number
  readonly retiredMaxMs: number
  /** A leaver waits so long for a quorum of the next version. */
  readonly leaveMs: number
  /** Between two rounds of telling somebody where the electorate stands. */
  readonly headMs: number
  /** A sole voter that restarts asks the members that it knows for so long. */
  readonly askMembersMs: number
  /** Counters are written to disk so many ahead. */
  readonly counterBlock: number
}

export const mutexDefaults = {
  leaseMs: 10_000,
  maxLeaseMs: 60_000,
  // chronyd may slew the monotonic clock by 8.3 %.
  driftBound: 0.1,
  maxVoters: 7,
  marginMs: 30,
  pingMs: 500,
  silenceMs: 2000,
  readyForMs: 10_000,
  readyWithinMs: 1000,
  replaceAfterMs: 60_000,
  retiredMs: 600_000,
  retiredMaxMs: 86_400_000,
  leaveMs: 3000,
  headMs: 2000,
  askMembersMs: 3000,
  counterBlock: 10_000,
} as const satisfies MutexConfig

/** What the profile `local` changes: a testnet has no machines that boot, and nobody waits for ten seconds. */
export const mutexLocal = { readyForMs: 1000 } as const satisfies Partial<MutexConfig>

/** What is wrong with these knobs together; undefined when nothing is. */
export function mutexConfigProblem(config: MutexConfig): string | undefined {
  const bad = Object.entries(config).find(([, value]) => !Number.isFinite(value) || value < 0)
  if (bad !== undefined) return `${bad[0]} is no number from 0 on`
  if (![1, 3, 5, 7].includes(config.maxVoters)) return 'maxVoters is none of 1, 3, 5 and 7'
  if (config.driftBound >= 0.5) return 'driftBound is not below 0.5'
  if (config.leaseMs > config.maxLeaseMs) return 'leaseMs is above maxLeaseMs'
  if (config.maxLeaseMs > 3_600_000) return 'maxLeaseMs is above an hour'
  if (config.leaseMs < minLeaseMs) return `leaseMs is below ${minLeaseMs}`
  if (config.marginMs < 30) return 'marginMs is below 30'
  if (!Number.isInteger(config.counterBlock) || config.counterBlock < 2) return 'counterBlock is below 2'
  return undefined
}

/** A shorter lease would leave no time between a renewal and its end. */
export const minLeaseMs = 500
