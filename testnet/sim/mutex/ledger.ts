import type { MutexEvent as HistoryEntry } from '../../../plugins/mutex/checker/history.ts'
import type { LockHost } from './lock-host.ts'

/** What all watches share: who there is, the time, and where they write what they saw. */
export interface Ledger {
  readonly hosts: readonly LockHost[]
  /** True ms. */
  readonly now: () => number
  record(event: HistoryEntry): void
  breach(property: string, message: string): void
}

/** More than half, reckoned here and not by what is judged. */
export function isMajority(voters: readonly string[], some: ReadonlySet<string>): boolean {
  return voters.filter((voter) => some.has(voter)).length * 2 > voters.length
}

export function requestText(request: {
  readonly peer: string
  readonly generation: number
  readonly counter: number
}): string {
  return `${request.peer}#${request.generation}.${request.counter}`
}
