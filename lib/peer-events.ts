import type { GroupNotice } from './group.ts'
import type { PeerId } from './protocols/core.ts'
import type { MemberChange, MemberView, Misbehaviour } from './protocols/membership/messages.ts'
import type { P2pdError } from './wire/errors.ts'

/** One change of the membership table. */
export interface MemberEvent {
  readonly change: MemberChange
  readonly member: MemberView
}

/** What `members` streams: the table, then each change to it. */
export type MembersUpdate =
  | { readonly type: 'snapshot'; readonly members: readonly MemberView[] }
  | ({ readonly type: 'member' } & MemberEvent)

/** What a peer dispatches; each carries its `detail`. */
export interface PeerEvents {
  /** A row of the membership table has changed. */
  member: CustomEvent<MemberEvent>
  /** This life is settled: a contact has answered, or there was none to ask. */
  joined: CustomEvent<{ readonly generation: number }>
  /** Somebody thought this peer suspect or dead; it has said otherwise. */
  refuted: CustomEvent<{ readonly incarnation: number }>
  /** The data directory was restored from a backup: others knew a later life of this peer. */
  'rolled-back': CustomEvent<{ readonly persisted: number; readonly known: number }>
  /** Another process runs with this identity; this peer stops, and `closed` rejects with ERR_IDENTITY_IN_USE. */
  'identity-in-use': CustomEvent<{ readonly generation: number; readonly heardAgoMs: number }>
  /**
   * Several members bear one name, this one perhaps among them: all of them, at most
   * 16, sorted. Once per change of that set; fewer than two say that it is over.
   */
  'name-conflict': CustomEvent<{ readonly name: string; readonly peers: readonly PeerId[] }>
  /**
   * Nothing is heard from anybody while most members are suspected, so this peer may be
   * the sick one: its table is not to be believed. Or that is over. `since`: wall time, ms.
   */
  isolated: CustomEvent<{ readonly isolated: boolean; readonly since: number }>
  /** A peer broke the protocol; when it repeats that, its connections are cut. */
  misbehaved: CustomEvent<{ readonly peer: PeerId; readonly reason: Misbehaviour }>
  /** Proof that a member signed two contents for one message. */
  equivocation: CustomEvent<Extract<GroupNotice, { readonly type: 'equivocation' }>>
  /** Messages of a group are lost to this peer: nobody that can be reached has them any more. */
  'history-truncated': CustomEvent<Extract<GroupNotice, { readonly type: 'history-truncated' }>>
  /** Something failed that is tried again, such as a write to a full disk (ERR_DISK_FULL). */
  trouble: CustomEvent<P2pdError>
}
