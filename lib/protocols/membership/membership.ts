import type { Core, Crypto, Effect, Input, Instant, PeerId } from '../core.ts'
import type { MembershipConfig } from './config.ts'
import type { MembershipCommand, MembershipEvent, MembershipRequest, MemberView, Packet } from './messages.ts'

export interface MembershipInit {
  readonly self: PeerId
  /** Identifies the cluster in every signed body; derived from its name and secret. */
  readonly cluster: string
  readonly name: string
  readonly version: string
  /** Addresses that others should dial. */
  readonly addresses: readonly string[]
  readonly config: MembershipConfig
  readonly crypto: Crypto
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** What earlier `persist` effects wrote, by key; empty on a new disk. */
  readonly durable: ReadonlyMap<string, Uint8Array>
}

export interface Health {
  /** Lifeguard's local health multiplier: 0 is well, 8 is worst. */
  readonly score: number
  /** Nothing is heard from anybody and most members are suspected: this peer may be the sick one. */
  readonly isolated: boolean
}

export class Membership implements Core<Packet, MembershipCommand, MembershipEvent, MembershipRequest> {
  constructor(init: MembershipInit) {
    void init
  }

  get deadline(): number | undefined {
    return undefined
  }

  /** Own life; 0 before `start`. */
  get generation(): number {
    return 0
  }

  /** A peer knew a later life than the disk did: this one must not vote. */
  get rolledBack(): boolean {
    return false
  }

  get health(): Health {
    return { score: 0, isolated: false }
  }

  /** The table, self first, then by peer id. */
  members(now: Instant): readonly MemberView[] {
    void now
    return []
  }

  step(
    input: Input<Packet, MembershipCommand>,
    now: Instant,
  ): readonly Effect<Packet, MembershipEvent, MembershipRequest>[] {
    void input
    void now
    return []
  }
}
