/** What both sides can be asked, so that one code measures both. */
import type { Network } from '../../testnet/cluster/network.ts'
import type { Sightings } from './sightings.ts'

export interface SideOptions {
  readonly profile: Profile
  /** Undefined: all on loopback. */
  readonly network: Network | undefined
  readonly signal: AbortSignal
}

export type Profile = 'lan' | 'local'

/** Members are `n1`, `n2` …; each lives at the place of that name in the network. */
export interface Side {
  readonly sightings: Sightings
  /** Whose process runs. */
  running(): readonly string[]
  pid(member: string): number
  /** A new member, or one that ended, comes back. Resolves when it says that it runs. */
  start(member: string): Promise<Start>
  signal(member: string, signal: NodeJS.Signals): void
  /** Resolves when its process has ended, from now on or before. */
  ended(member: string): Promise<void>
  /** It is asked to leave; resolves without waiting for the end. */
  leave(member: string): Promise<void>
  /** It and its past are gone: a member of that name is a new one. */
  discard(member: string): Promise<void>
  /** Others see it in the member's row: `sightings.hear(observer, news)`. */
  retag(member: string, news: string): Promise<void>
  /** From now on everybody that runs hears what is said. */
  listen(): Promise<void>
  /** Everybody hears it, the member itself too: `sightings.hear(observer, news)`. */
  say(member: string, news: string): Promise<void>
  close(): Promise<void>
}

export interface Start {
  readonly spawnedAtMs: number
  readonly readyAtMs: number
}

export const memberNames = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => `n${i + 1}`)
