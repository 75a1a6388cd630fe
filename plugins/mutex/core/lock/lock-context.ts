/** What the core that wires them gives to arbiter and requester. */
import type { Crypto, PeerId } from '../../../../lib/protocols/core.ts'
import type { MutexConfig } from '../config.ts'
import type { MutexEvent, MutexMisbehaviour } from '../messages.ts'
import type { LockUnits } from './units.ts'

export interface LockContext {
  readonly self: PeerId
  readonly config: MutexConfig
  readonly crypto: Crypto
  readonly units: LockUnits
  /** Monotonic ms of this step. */
  readonly now: number
  /** This life; 0 before it is known. */
  readonly generation: number
  /** The Lamport clock, merged with that of every frame. */
  readonly clock: number
  /** The number of a new event. */
  tick(): number
  /** Calls `act` at the monotonic instant `at`; a later call with the same key moves it. */
  schedule(key: string, at: number, act: () => void): void
  /** Likewise, but an earlier call of the same key stays. */
  scheduleAtLatest(key: string, at: number, act: () => void): void
  cancel(key: string): void
  isConnected(peer: PeerId): boolean
  dial(peer: PeerId): void
  /** Lock state that is durable before what this step sends or emits. */
  write(key: string, value: Uint8Array | undefined): void
  /** Durable likewise, and no lock state. */
  remember(key: string, value: Uint8Array | undefined): void
  readonly durable: ReadonlyMap<string, Uint8Array>
  emit(event: MutexEvent): void
  misbehaved(peer: PeerId, reason: MutexMisbehaviour): void
  /** Something waits to be sent: a flush is asked for. */
  pending(peer: PeerId): void
  /** Likewise, and somebody's lock waits for it: it does not wait for what else this turn brings. */
  urgent(peer: PeerId): void
}
