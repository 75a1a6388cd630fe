/** The rules of causal delivery, one by one: injected, so that a mutant is a replaced rule. */
import type { DotKey, FrontierDot, Header } from './messages.ts'

export interface MulticastUnits {
  /** What must be delivered before this one, its predecessor apart. */
  mustFollow(header: Header): readonly DotKey[]
  /** Whether an envelope that begins at `first` comes next after `delivered` of its epoch, and names it. */
  comesNext(delivered: number, deliveredHash: string, first: number, previous: string | undefined): boolean
  /** What a delivery takes out of the frontier: its dependencies and its predecessor. */
  supersedes(header: Header, predecessor: DotKey | undefined): readonly DotKey[]
  /** Whose vectors are merged into a message's: those of its dependencies and of its predecessor. */
  parents(header: Header, predecessor: DotKey | undefined): readonly DotKey[]
  /** `before`: the highest last Lamport of predecessor and dependencies, 0 for none. */
  lamportIsExact(header: Header, before: number): boolean
  /** The frontier on which a joiner stands. */
  baselineFrontier(given: readonly FrontierDot[]): readonly FrontierDot[]
}

export const standardUnits: MulticastUnits = {
  mustFollow: (header) => header.dependencies,
  comesNext: (delivered, deliveredHash, first, previous) =>
    first === delivered + 1 && previous === deliveredHash,
  supersedes: (header, predecessor) =>
    predecessor === undefined ? header.dependencies : [...header.dependencies, predecessor],
  parents: (header, predecessor) =>
    predecessor === undefined ? header.dependencies : [...header.dependencies, predecessor],
  lamportIsExact: (header, before) => header.lamport === before + 1,
  baselineFrontier: (given) => given,
}
