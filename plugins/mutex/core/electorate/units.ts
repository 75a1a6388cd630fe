/** The rules of changing the electorate, one by one: injected, so that a mutant is a replaced rule. */
import type { Report } from './messages.ts'

export interface ElectorateUnits {
  /** What reports of a quorum, or one copy, say together. */
  merge(reports: readonly Report[]): Report
}

export const standardElectorateUnits: ElectorateUnits = {
  merge: (reports) => ({
    floor: Math.max(0, ...reports.map(({ floor }) => floor)),
    grants: reports.flatMap(({ grants }) => grants),
    unknownForMs: Math.max(0, ...reports.map(({ unknownForMs }) => unknownForMs)),
    longestLeaseMs: Math.max(0, ...reports.map(({ longestLeaseMs }) => longestLeaseMs)),
  }),
}
