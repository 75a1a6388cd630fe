/** How this peer stands to its electorate, for people. */
import type { Changes } from './changes.ts'
import type { Installing } from './installing.ts'
import type { Meeting } from './meeting.ts'
import type { ElectorateView } from './messages.ts'
import type { Standing } from './standing.ts'

export interface ViewParts {
  readonly standing: Standing
  readonly installing: Installing
  readonly changes: Changes
  readonly meeting: Meeting
  /** It waits for others, to found with them. */
  readonly isExpecting: boolean
}

export function viewOf(parts: ViewParts): ElectorateView {
  const { standing, meeting } = parts
  const { host, chain, live } = standing
  const voters = standing.votersOf(live)
  const answering = standing.answering(voters)
  const { arbiter } = host
  if (!arbiter.state.serving) answering.delete(host.self)
  // Whoever answers that it serves nothing is of no use to locks.
  for (const peer of answering) if (parts.installing.isIdle(peer)) answering.delete(peer)
  return {
    id: chain?.id,
    version: live,
    founder: chain?.charter.founder,
    maxLeaseMs: chain?.charter.maxLeaseMs,
    voters: voters.map((peer) => ({ peer, answering: answering.has(peer) })),
    reachable: standing.isQuorumOf(live, answering),
    self: selfOf(parts),
    abstainsForMs: arbiter.state.abstainsForMs,
    void: arbiter.state.void,
    conflict: meeting.conflict,
    change: changeOf(parts),
  }
}

function selfOf({ standing, installing, isExpecting }: ViewParts): ElectorateView['self'] {
  const { host, chain, version, live, isVoid } = standing
  const { serving, sealed, installed, abstainsForMs } = host.arbiter.state
  if (isVoid) return 'void'
  if (chain === undefined) return isExpecting ? 'waiting' : 'none'
  if (!standing.votesIn(version) && !standing.votesIn(live)) return 'member'
  if (serving) return abstainsForMs > 0 ? 'abstaining' : 'serving'
  if (standing.votesIn(live) && installing.ownVersion < live) return 'installing'
  if (installing.ownVersion > 0 && sealed === installed) return 'sealed'
  return standing.votesIn(live) ? 'starting' : 'member'
}

function changeOf({ standing, installing, changes }: ViewParts): ElectorateView['change'] {
  const { version, live, voters, host } = standing
  const { decision } = changes
  if (decision?.type === 'voters') return { phase: 'deciding', voters: decision.voters }
  if (version > live) return { phase: 'sealing', voters }
  if (version > 1 && standing.concerned.has(host.self) && !installing.isDone)
    return { phase: 'installing', voters }
  return undefined
}
