/** What silence means: of one dial, and when it has lasted. */
import type { DialOutcome } from './messages.ts'

/** What one dial shows: somebody, a machine without a process that answers, nobody, or no more than was known. */
export type Finding = 'answers' | 'stalled' | 'silent' | 'nothing'

export function findingOf(outcome: DialOutcome): Finding {
  // An open connection that was used again is the one that is in doubt.
  if (outcome.type === 'connected') return outcome.address === undefined ? 'nothing' : 'answers'
  if (outcome.reason === 'untried') return 'nothing'
  return outcome.reason === 'unanswered' ? 'stalled' : 'silent'
}

export interface Silence {
  /** Own dials that failed one after the other; undefined where this member does not dial the subject. */
  readonly failedDials: number | undefined
  readonly dialsNeeded: number
  /** Since the subject was found stalled, or was last heard after that; undefined when it is not. */
  readonly stalledForMs: number | undefined
  readonly stalledMs: number
  readonly refusers: number
  readonly refusersNeeded: number
}

/** Whether silence that has lasted as long as a suspicion may is a death. */
export function silenceIsDeath(silence: Silence): boolean {
  const { failedDials, dialsNeeded, stalledForMs, stalledMs, refusers, refusersNeeded } = silence
  if (failedDials !== undefined && failedDials >= dialsNeeded) return true
  if (stalledForMs !== undefined) return stalledForMs >= stalledMs
  return failedDials === undefined || refusers >= refusersNeeded
}
