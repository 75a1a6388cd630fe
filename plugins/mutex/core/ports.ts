/** What the two halves of the protocol, locks and electorate, want of each other and of the core that wires them. */
import type { Crypto, PeerId } from '../../../lib/protocols/core.ts'
import type { MutexConfig } from './config.ts'
import type {
  Electorate,
  ElectorateItem,
  ElectorateView,
  Report,
  Stamp,
  Wish,
} from './electorate/messages.ts'
import type { MemberNews, MutexMisbehaviour } from './messages.ts'

/** What the electorate wants of the arbiter of this peer. Its durable writes are behind it in the same step. */
export interface ArbiterPort {
  /** All that another voter has to know; changes nothing. */
  report(): Report
  /** For good: nothing but RELEASE from now on. The seal is on disk before what this step sends. */
  seal(): void
  /** Takes over what reports of a quorum, or a copy, say together; on disk before what this step sends. Does not serve yet. */
  install(electorate: Electorate, reports: readonly Report[]): void
  /** Serves the version that is installed: enough others know the stamp of this state. */
  serve(): void
  /** The highest own stamp that a quorum, this voter included, has on disk: counters up to the ceiling of then may be used. */
  acknowledged(stamp: Stamp): void
  /** Never again, until it is removed and added: the disk was lost or rolled back. */
  void(reason: 'lost' | 'rolled-back'): void
  /** A sole voter whose disk went back: abstains for the longest lease of all, raises its floor and goes on. */
  recover(): void
  /** As it is in memory. */
  readonly state: ArbiterState
}

export interface ArbiterState {
  /** The version that is installed; 0 for none. */
  readonly installed: number
  /** The version that is sealed for good; 0 for none. */
  readonly sealed: number
  readonly serving: boolean
  /** It may have granted: version 1 cannot dissolve any more. On disk before the first grant leaves. */
  readonly granted: boolean
  /** Why it never votes. */
  readonly void: 'lost' | 'rolled-back' | undefined
  readonly abstainsForMs: number
}

/** What the locks' side wants of the electorate's. */
export interface ElectoratePort {
  /**
   * Whom requests go to, and what frames say; undefined while there is none. The newest version that is
   * proven here, once somebody is known to have sealed the one before: until then that one serves.
   */
  readonly current: Electorate | undefined
  view(): ElectorateView
}

/** What the electorate's half wants of the core that wires it. */
export interface ElectorateHost {
  readonly self: PeerId
  /** 32 hexadecimal digits. */
  readonly cluster: string
  readonly config: MutexConfig
  readonly crypto: Crypto
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Monotonic ms of this step. */
  readonly now: number
  /** Of this life; 0 before `start`. */
  readonly generation: number
  send(to: PeerId, item: ElectorateItem): void
  /** Calls `act` at the monotonic instant `at`; a later call with the same key moves it. */
  schedule(key: string, at: number, act: () => void): void
  cancel(key: string): void
  isConnected(peer: PeerId): boolean
  /** Every peer that is connected, this one not included. */
  connected(): readonly PeerId[]
  /** Asks for a link, at most once in a while. */
  dial(peer: PeerId): void
  /** What membership says of a peer, and since when (monotonic ms of the last change of its status). */
  member(peer: PeerId): { readonly news: MemberNews; readonly since: number } | undefined
  members(): readonly MemberNews[]
  /**
   * A voter *answers*: its link is open, membership does not hold it dead, and it owes no answer for `silenceMs`.
   * Asked for a peer for the first time it is pinged from then on.
   */
  answers(peer: PeerId): boolean
  /** Lock state that is durable before what this step sends; raises the stamp. Undefined deletes. */
  write(key: string, value: Uint8Array | undefined): void
  /** Durable likewise, and not part of the lock state: it leaves the stamp alone. */
  remember(key: string, value: Uint8Array | undefined): void
  readonly durable: ReadonlyMap<string, Uint8Array>
  /** Of the own lock state. */
  readonly stamp: Stamp
  readonly arbiter: ArbiterPort
  /** `current` has changed: requests go to its voters from now on. */
  changed(electorate: Electorate): void
  /** Something that `view` shows has changed; the embedder is told once a step. */
  viewChanged(): void
  /** The answer to the command `wish` or `recover` of that token. */
  wished(token: number, outcome: 'done' | 'refused', reason: string): void
  misbehaved(peer: PeerId, reason: MutexMisbehaviour): void
}

/** The electorate's half, as the core drives it. */
export interface ElectorateHalf extends ElectoratePort {
  start(): void
  receive(from: PeerId, item: ElectorateItem): void
  /** A frame of `from` bore this, told before its items: whoever is behind asks, whoever is ahead tells. */
  heard(from: PeerId, id: string | undefined, version: number, stamp: Stamp | undefined): void
  connected(peer: PeerId): void
  disconnected(peer: PeerId): void
  member(news: MemberNews): void
  wish(token: number, wish: Wish): void
  recover(token: number): void
  /** The own stamp has risen in this step. */
  stamped(): void
  stop(): void
}
