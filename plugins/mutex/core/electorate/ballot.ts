/** Order and likeness of what Paxos compares. */
import type { Ballot, Decision, Stamp } from './messages.ts'

/** No honest proposer comes near; whoever goes beyond would leave none for the others. */
export const mostRounds = 2 ** 40

export function compareBallots(a: Ballot, b: Ballot): number {
  return a.round - b.round || comparePeers(a.peer, b.peer) || a.generation - b.generation
}

export function comparePeers(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

export function compareStamps(a: Stamp, b: Stamp): number {
  return a.generation - b.generation || a.write - b.write
}

export const noStamp: Stamp = { generation: 0, write: 0 }

export function sameDecision(a: Decision, b: Decision): boolean {
  if (a.type === 'dissolved') return b.type === 'dissolved' && a.into === b.into
  return b.type === 'voters' && sameList(a.voters, b.voters) && sameList(a.replaced, b.replaced)
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one, i) => one === b[i])
}
