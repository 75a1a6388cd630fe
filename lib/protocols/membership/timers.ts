import type { PeerId } from '../core.ts'

/** Everything that membership waits for. */
export type Timer =
  | { readonly type: 'probe-round' }
  /** The direct probe was not answered in time: ask helpers. */
  | { readonly type: 'probe-timeout'; readonly seq: number }
  /** The probe's period is over. */
  | { readonly type: 'probe-end'; readonly seq: number }
  /** A helper's own probe for somebody else: say nack, then forget it. */
  | { readonly type: 'relay-nack'; readonly seq: number }
  | { readonly type: 'relay-end'; readonly seq: number }
  | { readonly type: 'measure-end'; readonly seq: number }
  | { readonly type: 'gossip' }
  /** Look again whether a suspicion has become a death. */
  | { readonly type: 'assess'; readonly peer: PeerId }
  | { readonly type: 'knock'; readonly peer: PeerId }
  | { readonly type: 'refute' }
  /** Another life of the own identity was proven, and nobody has said when it was heard. */
  | { readonly type: 'contest-end' }
  | { readonly type: 'join-wait' }
  | { readonly type: 'mesh-dial'; readonly peer: PeerId }
  | { readonly type: 'dial-back'; readonly peer: PeerId }
  /** The next own dial of a suspect. */
  | { readonly type: 'evidence'; readonly peer: PeerId }
  /** It is alive by hearsay, and may be behind a connection that is cut. */
  | { readonly type: 'revived-dial'; readonly peer: PeerId }
  | { readonly type: 'heal' }
  /** The neighbours have changed, or it is time for somebody at random. */
  | { readonly type: 'tend' }
  /** The next page of a member's rows. */
  | { readonly type: 'sync-on'; readonly peer: PeerId }
  | { readonly type: 'note-peers' }
  /** Rows of the gone have been in the table for long enough. */
  | { readonly type: 'reap' }
  | { readonly type: 'note-tombstones' }
  /** What this member says of itself has changed more often than is told at once. */
  | { readonly type: 'own-change' }
  | { readonly type: 'leave-wait' }
  /** Who has not acknowledged the departure is told again. */
  | { readonly type: 'leave-again' }
  | { readonly type: 'linger-end' }
