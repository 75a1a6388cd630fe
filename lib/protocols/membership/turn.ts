import type { Effect } from '../core.ts'
import type { Turn } from '../turn.ts'
import type { MembershipEvent, MembershipRequest, Packet } from './messages.ts'

export type MembershipEffect = Effect<Packet, MembershipEvent, MembershipRequest>

/** One step of membership under way. */
export type MembershipTurn = Turn<Packet, MembershipEvent, MembershipRequest>
