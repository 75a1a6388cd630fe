/**
 * What a simulator sees of the arbiters: each has at most one vote out for a lock
 * and version; whoever enters has a quorum of votes of one version; and until it
 * has left, or its right has ended by its own reckoning, such a quorum is still
 * out, so that a holder always knows of its loss before anybody else can enter.
 */
import type { MutexBounds, MutexEvent, Violation, VoteEvent } from './history.ts'
import { describeStay, endOf, type Stay } from './stays.ts'

interface Vote {
  readonly request: number
  readonly arbiter: string
  readonly version: number
  readonly from: number
  /** When it was freed or ran out. */
  to: number
}

/** Voters by version. */
type Electorates = ReadonlyMap<number, ReadonlySet<string>>

/** Judges stays that name their request and the version that they entered on. */
export function checkVotes(
  history: readonly MutexEvent[],
  byLock: ReadonlyMap<string, readonly Stay[]>,
  { timely }: MutexBounds,
): readonly Violation[] {
  const { votes, violations } = readVotes(history)
  // Leases of holder and arbiters agree only where their clocks do; one arbiter's own votes always do.
  if (!timely) return violations
  const electorates = readElectorates(history)
  const found = [...violations]
  for (const stay of [...byLock.values()].flat()) {
    const { request, version } = stay.entered
    if (request === undefined || version === undefined) continue
    const violation = unbacked(stay, version, votes.get(request) ?? [], electorates)
    if (violation !== undefined) found.push(violation)
  }
  return found
}

function unbacked(
  stay: Stay,
  version: number,
  votes: readonly Vote[],
  electorates: Electorates,
): Violation | undefined {
  const { at } = stay.entered
  if (!isQuorum(votes, version, at, electorates)) {
    const message = `${describeStay(stay)} enters without a quorum of votes of version ${version}`
    return { property: 'quorum-votes', at, message }
  }
  const end = endOf(stay).at
  const versions = [...new Set(votes.map((vote) => vote.version))]
  const endings = votes.flatMap(({ to }) => (to > at && to < end ? [to] : [])).sort((a, b) => a - b)
  for (const ending of endings) {
    if (versions.some((candidate) => isQuorum(votes, candidate, ending, electorates))) continue
    const message = `${describeStay(stay)} works on until ${end}, and no quorum of its votes is out any more`
    return { property: 'backing', at: ending, message }
  }
  return undefined
}

/** A majority of the voters of one version have their votes out for it at that instant. */
function isQuorum(votes: readonly Vote[], version: number, at: number, electorates: Electorates): boolean {
  const voters = electorates.get(version)
  if (voters === undefined) return false
  const out = votes.filter((vote) => vote.version === version && vote.from <= at && vote.to > at)
  const arbiters = new Set(out.map(({ arbiter }) => arbiter).filter((arbiter) => voters.has(arbiter)))
  return 2 * arbiters.size > voters.size
}

function readElectorates(history: readonly MutexEvent[]): Electorates {
  return new Map(
    history.flatMap((event) =>
      event.type === 'voters' ? [[event.version, new Set(event.voters)] as const] : [],
    ),
  )
}

/** Votes by request. */
function readVotes(history: readonly MutexEvent[]): {
  readonly votes: ReadonlyMap<number, readonly Vote[]>
  readonly violations: readonly Violation[]
} {
  const votes = new Map<number, Vote[]>()
  const out = new Map<string, Vote>()
  const violations: Violation[] = []
  for (const event of history) {
    if (event.type !== 'voted' && event.type !== 'extended' && event.type !== 'freed') continue
    const { at, request, arbiter, version } = event
    const key = `${event.lock}\n${arbiter}\n${version}`
    const last = out.get(key)
    const current = last !== undefined && last.to > at ? last : undefined
    if (event.type === 'voted') {
      if (current !== undefined && current.request !== request) {
        const message = `${describeVote(event)} while request ${current.request} has its vote`
        violations.push({ property: 'one-vote', at, message })
      }
      if (current?.request === request) current.to = at
      const vote = { request, arbiter, version, from: at, to: event.until }
      out.set(key, vote)
      if (!votes.has(request)) votes.set(request, [])
      votes.get(request)?.push(vote)
    } else if (event.type === 'freed') {
      if (last?.request === request) last.to = Math.min(last.to, at)
    } else if (current?.request === request) {
      current.to = event.until
    } else {
      violations.push({ property: 'one-vote', at, message: `${describeVote(event)}, which has not its vote` })
    }
  }
  return { votes, violations }
}

function describeVote({ type, arbiter, lock, request, version }: VoteEvent): string {
  const what = type === 'voted' ? 'votes for' : type === 'extended' ? 'extends its vote for' : 'frees'
  return `${arbiter} ${what} request ${request} in ${lock}, version ${version},`
}
