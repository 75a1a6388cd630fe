/**
 * Quorum systems: which sets of voters may decide. Pure, and of the voters alone:
 * who seems alive at the moment has no say, or two halves of a cut network would
 * both decide.
 *
 * - Gifford 1979; Naor & Wool 1998, The Load, Capacity and Availability of Quorum Systems
 */
import type { PeerId } from '../core.ts'

export type QuorumSystem = 'majority'

/** Whether `members` holds a quorum of `voters`. Any two quorums of one list share a voter. */
export function isQuorum(voters: readonly PeerId[], members: ReadonlySet<PeerId>): boolean {
  let present = 0
  for (const voter of voters) if (members.has(voter)) present += 1
  return present >= quorumSize(voters.length)
}

/** The smallest number of voters that is more than half; of none it is 1, which nobody reaches. */
export function quorumSize(voters: number): number {
  return Math.floor(voters / 2) + 1
}
