/**
 * The automatic policy: who should vote next. Pure: from who votes now and what
 * this peer sees of everybody to what it would propose, if anything.
 *
 * One, three, five or seven: an even number only adds ways to stop. What was asked by
 * hand goes first, then the dead are replaced, then the electorate grows. It shrinks only when somebody leaves.
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { quorumSize } from '../../../../lib/protocols/quorum/quorum.ts'
import { comparePeers } from './ballot.ts'
import type { Decision } from './messages.ts'

export interface Candidate {
  readonly peer: PeerId
  /** It is alive, and there is a link to it. */
  readonly isLive: boolean
  /** For so long the link has been there without a break. */
  readonly connectedMs: number
  /** For so long it has been held dead, not merely suspect; 0 while it is not. */
  readonly deadMs: number
  /** It was replaced lately, and is not chosen again unless no other is live. */
  readonly isRetired: boolean
  /** Asked lately whether it would vote, it did not say so: others come first. */
  readonly isSilent: boolean
  /** It is about to go. */
  readonly isLeaving: boolean
}

export interface Situation {
  /** By seniority. */
  readonly voters: readonly PeerId[]
  readonly maxVoters: number
  /** Voters and everybody else that is known. */
  readonly people: ReadonlyMap<PeerId, Candidate>
  /** Asked for by hand. */
  readonly adding: ReadonlySet<PeerId>
  readonly removing: ReadonlySet<PeerId>
  /** Since the last replacement. */
  readonly sinceReplacedMs: number
  readonly readyForMs: number
  readonly replaceAfterMs: number
}

export type VotersDecision = Extract<Decision, { type: 'voters' }>

export function wanted(situation: Situation): VotersDecision | undefined {
  return without(situation) ?? replacement(situation) ?? growth(situation)
}

/** Without those who leave or are removed: as many as there are live ones for, by seniority, then others. */
function without(situation: Situation): VotersDecision | undefined {
  const { voters, people, removing } = situation
  const stays = (peer: PeerId): boolean => people.get(peer)?.isLeaving !== true && !removing.has(peer)
  if (voters.every(stays)) return undefined
  const staying = voters.filter((peer) => stays(peer) && people.get(peer)?.isLive === true)
  const isSettled = ({ connectedMs }: Candidate) => voters.length > 1 || connectedMs >= situation.readyForMs
  const others = waiting(situation).filter(isSettled)
  let size = largestOdd(Math.min(voters.length, staying.length + others.length))
  // Those who stay have to carry the next version: it is no larger than they can, but where one hands over.
  while (size > 1 && staying.length < quorumSize(size)) size -= 2
  if (size === 0) return undefined
  const next = [...staying, ...others.map(({ peer }) => peer)].slice(0, size)
  return decision(
    next,
    voters.filter((peer) => removing.has(peer)),
  )
}

function replacement(situation: Situation): VotersDecision | undefined {
  const { voters, people, sinceReplacedMs, replaceAfterMs } = situation
  if (sinceReplacedMs < replaceAfterMs) return undefined
  const dead = voters.find((peer) => (people.get(peer)?.deadMs ?? 0) >= replaceAfterMs)
  const [first] = waiting(situation)
  if (dead === undefined || first === undefined) return undefined
  return decision([...voters.filter((peer) => peer !== dead), first.peer], [dead])
}

/** Two at once, and only while every voter is there. */
function growth(situation: Situation): VotersDecision | undefined {
  const { voters, maxVoters, people, adding, readyForMs } = situation
  if (voters.length + 2 > maxVoters) return undefined
  if (!voters.every((peer) => people.get(peer)?.isLive === true)) return undefined
  const settled = waiting(situation).filter(
    // Nobody is missed so much that one who came and went has to be taken back.
    ({ peer, connectedMs, isRetired }) => connectedMs >= readyForMs && (!isRetired || adding.has(peer)),
  )
  const asked = settled.filter(({ peer }) => adding.has(peer))
  const [first, second] = [...asked, ...settled.filter(({ peer }) => !adding.has(peer))]
  if (first === undefined || second === undefined) return undefined
  return decision([...voters, first.peer, second.peer], [])
}

/** Who could vote and does not, the best first. */
function waiting({ voters, people, adding, removing }: Situation): readonly Candidate[] {
  const could = [...people.values()].filter(
    ({ peer, isLive, isLeaving }) => isLive && !isLeaving && !removing.has(peer) && !voters.includes(peer),
  )
  const fresh = could.filter(({ peer, isRetired }) => !isRetired || adding.has(peer))
  return (fresh.length > 0 ? fresh : could).sort(
    (a, b) =>
      Number(a.isSilent) - Number(b.isSilent) ||
      b.connectedMs - a.connectedMs ||
      comparePeers(a.peer, b.peer),
  )
}

function largestOdd(most: number): number {
  return most % 2 === 1 ? most : Math.max(0, most - 1)
}

function decision(voters: readonly PeerId[], replaced: readonly PeerId[]): VotersDecision {
  return { type: 'voters', voters, replaced }
}
