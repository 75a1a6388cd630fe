import type { HybridStamp } from '../clocks/hybrid.ts'
import type { Crypto, Instant, PeerId } from '../core.ts'
import type { MulticastConfig } from './config.ts'

import type { MulticastUnits } from './units.ts'

/** What multicast needs of the peer's own clock (`PeerClock` in lib/protocols/clocks/). */
export interface StampingClock {
  /**
   * A stamp for an event of this peer; `ceiling`, when present, has to be on disk
   * under the key `clock` before the stamp is told. Undefined while the clock is not to be trusted.
   */
  stamp(now: Instant): { readonly stamp: HybridStamp; readonly ceiling: Uint8Array | undefined } | undefined
  /** A delivered envelope's last Lamport and stamp. */
  observe(from: PeerId, lamport: number, stamp: HybridStamp | undefined, now: Instant): void
}

export interface MulticastInit {
  readonly self: PeerId
  /** 32 hexadecimal digits. */
  readonly cluster: string
  readonly config: MulticastConfig
  readonly crypto: Crypto
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** What `persist` wrote in former lives. */
  readonly durable: ReadonlyMap<string, Uint8Array>
  readonly clock: StampingClock
  /** Replaced by mutants in tests. */
  readonly units?: Partial<MulticastUnits>
}
