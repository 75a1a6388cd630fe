/** The rules of changing the electorate, one by one: injected, so that a mutant is a replaced rule. */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { isQuorum } from '../../../../lib/protocols/quorum/quorum.ts'
import { compareStamps } from './ballot.ts'
import type { ElectorateId, Report, Stamp } from './messages.ts'

export interface ElectorateUnits {
  /** What reports of a quorum, or one copy, say together. */
  merge(reports: readonly Report[]): Report
  /** Whether reports of these voters of a version are enough to install the next. */
  mayInstall(voters: readonly PeerId[], reporters: ReadonlySet<PeerId>): boolean
  /** Whether a voter may seal: `answering` of those who vote next answer now. */
  maySeal(nextVoters: readonly PeerId[], answering: ReadonlySet<PeerId>): boolean
  /** Whether a change may be proposed: who of those who vote next said READY, and who of the present ones lives and stays. */
  mayPropose(next: NextVoters): boolean
  /** Whether a promise is on disk before it is given. */
  promiseIsDurable: boolean
  /** Whether an accepted value is on disk before its acceptance is told. */
  acceptIsDurable: boolean
  /** Whether, of two electorates that never granted, `own` is the one that is given up. */
  mayDissolve(own: ElectorateId, into: ElectorateId): boolean
  /** Whether others know more of the own state than the disk does. */
  isRolledBack(own: Stamp, known: Stamp): boolean
}

/** Who is to vote in the next version. */
export interface NextVoters {
  readonly voters: readonly PeerId[]
  /** Those of them that do not vote yet. */
  readonly joining: readonly PeerId[]
  /** Those that vote now, stay and answer. */
  readonly staying: ReadonlySet<PeerId>
  /** Those that said READY, this peer included. */
  readonly ready: ReadonlySet<PeerId>
  /** Those that have been connected for as long as a joiner has to be. */
  readonly settled: ReadonlySet<PeerId>
  /** One voter decides alone: what it adds cannot be outvoted by those who stay. */
  readonly isSole: boolean
}

export const standardElectorateUnits: ElectorateUnits = {
  merge: (reports) => ({
    floor: Math.max(0, ...reports.map(({ floor }) => floor)),
    grants: reports.flatMap(({ grants }) => grants),
    unknownForMs: Math.max(0, ...reports.map(({ unknownForMs }) => unknownForMs)),
    longestLeaseMs: Math.max(0, ...reports.map(({ longestLeaseMs }) => longestLeaseMs)),
  }),
  mayInstall: isQuorum,
  maySeal: isQuorum,
  mayPropose: ({ voters, joining, staying, ready, settled, isSole }) => {
    // Whoever votes without having said READY has lost its disk: nobody is named before.
    if (!joining.every((peer) => ready.has(peer)) || !isQuorum(voters, ready)) return false
    return isSole ? joining.every((peer) => settled.has(peer)) : isQuorum(voters, staying)
  },
  promiseIsDurable: true,
  acceptIsDurable: true,
  mayDissolve: (own, into) => own > into,
  isRolledBack: (own, known) => compareStamps(known, own) > 0,
}
