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
  | { readonly type: 'knock'; readonly peer: PeerId; readonly round: number }
  | { readonly type: 'refute' }
  /** Another life of the own identity was proven, and nobody has said when it was heard. */
  | { readonly type: 'contest-end' }
  | { readonly type: 'join-wait' }
  | { readonly type: 'mesh-dial'; readonly peer: PeerId }
  | { readonly type: 'dial-back'; readonly peer: PeerId }
  /** A suspicion is half over: a stream that was cut needs a new connection to be heard again. */
  | { readonly type: 'suspect-dial'; readonly peer: PeerId }
  | { readonly type: 'heal' }
  | { readonly type: 'note-peers' }
  | { readonly type: 'leave-wait' }
