import type { Crypto, PeerId } from '../core.ts'
import type { BaseView } from './base-view.ts'
import type { MembershipConfig } from './config.ts'
import type { Tags } from './messages.ts'
import type { RiderSource } from './riders.ts'
import type { MembershipUnits } from './units.ts'

/** What membership is made of. */
export interface MembershipInit {
  readonly self: PeerId
  /** Identifies the cluster in every signed body; derived from its name and secret. */
  readonly cluster: string
  readonly name: string
  readonly version: string
  /** Addresses that others should dial. */
  readonly addresses: readonly string[]
  /** Multicast groups that this member is in when it starts; none by default. */
  readonly groups?: readonly string[]
  /** What people say of this member; nothing by default. */
  readonly tags?: Tags
  /** What other protocols want carried with each heartbeat; at most 4. */
  readonly riders?: readonly RiderSource[]
  readonly config: MembershipConfig
  readonly crypto: Crypto
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** What earlier `persist` effects wrote, by key; empty on a new disk. */
  readonly durable: ReadonlyMap<string, Uint8Array>
  /** Members that are known from the beginning, self perhaps among them; for simulations of many. */
  readonly base?: BaseView
  /** Rules replaced by tests; the standard ones otherwise. */
  readonly units?: Partial<MembershipUnits>
}
