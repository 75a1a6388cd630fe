/**
 * What members say to each other, and what the core and its embedder say.
 *
 * The probe cycle:
 *
 * ```
 *   A ── ping ──▶ B          direct probe
 *   A ◀── ack ─── B          B is alive; A learns what B believes of A
 *
 *   A ── ping ──▶ B          no answer within the time-out
 *   A ─ ping-request ▶ C ── ping ──▶ B
 *   A ◀── ack ──── C ◀── ack ─── B
 *   A ◀── nack ─── C         at 80 % of the time-out: C is there, B is not
 * ```
 *
 * Every packet may carry updates.
 */
import type { PeerId } from '../core.ts'

/** A statement with its received bytes; the signature covers those, never a re-encoding. */
export interface Signed<Body> {
  readonly body: Body
  readonly bytes: Uint8Array
  readonly signature: Uint8Array
}

export type Presence = 'alive' | 'left' | 'stopping'

/** Signed by the member that it describes; only the owner raises `incarnation`. */
export interface MemberRecord {
  readonly cluster: string
  readonly peer: PeerId
  readonly generation: number
  readonly incarnation: number
  readonly presence: Presence
  /** Multiaddrs at which others should dial it; at most 16. */
  readonly addresses: readonly string[]
  readonly name: string
  /** Version of the software, for people. */
  readonly version: string
  /** Multicast groups that it is in: at most 256, sorted, each once. */
  readonly groups: readonly string[]
  /** What people say of it, by key: at most 32, see `lib/wire/tag.ts`; keys in rising order. */
  readonly tags: Tags
}

export type Tags = Readonly<Record<string, string>>

/**
 * `suspected`: a probe failed. `refused`: the remote closed, and fresh connects are
 * refused. `dismissed`: a person does not expect it back; where it is dead, it counts as left.
 */
export type Charge = 'suspected' | 'refused' | 'dismissed'

/** Signed by the accuser; counts for exactly this generation and incarnation of the subject. */
export interface Accusation {
  readonly charge: Charge
  readonly cluster: string
  readonly subject: PeerId
  readonly generation: number
  readonly incarnation: number
  readonly accuser: PeerId
  readonly accuserGeneration: number
}

export interface Update {
  readonly record: Signed<MemberRecord>
  readonly accusations: readonly Signed<Accusation>[]
  /** The sender itself has had authenticated contact with this life. */
  readonly contact: boolean
}

export type Standing = 'unknown' | 'alive' | 'suspect' | 'dead' | 'left'

/** What the sender of a heartbeat believes of its receiver. */
export interface Belief {
  readonly generation: number
  readonly incarnation: number
  readonly standing: Standing
  /** Since the sender had bytes from `generation` directly; undefined when never. */
  readonly heardAgoMs: number | undefined
}

/** A ping, or with the same `seq` the ack that answers it. */
export interface Heartbeat {
  readonly type: 'ping' | 'ack'
  readonly seq: number
  /** 64-bit sum over the sender's view. */
  readonly digest: bigint
  /** How late the sender's event loop last ran, ms. */
  readonly loopLagMs: number
  readonly belief: Belief
  /** Proof of another life of the receiver, the highest that the sender knows. */
  readonly otherLife: Signed<MemberRecord> | undefined
  /** What other protocols want carried; at most 4, each of at most 12 KiB. */
  readonly riders: readonly Rider[]
}

/** Bytes of another protocol in a heartbeat, opaque to membership. */
export interface Rider {
  readonly kind: number
  readonly body: Uint8Array
}

/** Kinds of riders. Who does not know one ignores it. */
export const riderKinds = { clocks: 1, multicast: 2 } as const

/** Parts of a view, by a hash of the peer id. */
export const bucketCount = 256

export type Body =
  | Heartbeat
  | { readonly type: 'ping-request'; readonly seq: number; readonly subject: PeerId }
  | { readonly type: 'nack'; readonly seq: number }
  | { readonly type: 'gossip' }
  /** The digest in 256 parts, asking for the rows of those that differ. */
  | { readonly type: 'buckets'; readonly sums: readonly bigint[] }
  /**
   * The rows of those buckets, of all when undefined, up to this packet; `reply` asks for the
   * receiver's. `more`: the next ones can be had by asking again.
   */
  | {
      readonly type: 'sync'
      readonly reply: boolean
      readonly buckets: ReadonlySet<number> | undefined
      readonly more: boolean
    }
  | { readonly type: 'leave'; readonly seq: number; readonly record: Signed<MemberRecord> }
  | { readonly type: 'leave-ack'; readonly seq: number }

export interface Packet {
  /** The sender's life. */
  readonly generation: number
  readonly updates: readonly Update[]
  readonly body: Body
}

/** What the embedder tells the core. */
export type MembershipCommand =
  /** Once, first. Takes a generation, persists it, then joins through `contacts` and the persisted peers. */
  | { readonly type: 'start'; readonly contacts: readonly string[] }
  /** Dial these multiaddrs and join whoever answers. */
  | { readonly type: 'join'; readonly contacts: readonly string[] }
  /** The addresses that others should dial have changed. */
  | { readonly type: 'readdress'; readonly addresses: readonly string[] }
  /** The groups that this member is in have changed; at most 256 group names. */
  | { readonly type: 'regroup'; readonly groups: readonly string[] }
  /** What people say of this member has changed; at most 32 tags. */
  | { readonly type: 'retag'; readonly tags: Tags }
  /** A person does not expect that dead member back: it counts as left, here and elsewhere. */
  | { readonly type: 'dismiss'; readonly peer: PeerId }
  /**
   * Exchange views with that connected member, at most once a second: some other
   * protocol has heard of somebody whom this view does not know.
   */
  | { readonly type: 'sync'; readonly peer: PeerId }
  /** Take a new generation, as a restart would: some protocol has used up this one. */
  | { readonly type: 'renew' }
  /** Give up membership; `departed` is emitted when it is acknowledged or the wait is over. */
  | { readonly type: 'leave' }
  /** The process ends, the membership does not; `departed` likewise. */
  | { readonly type: 'stop' }
  /** Measure one round trip; answered by the event `pong` with the same `token`. */
  | { readonly type: 'measure'; readonly peer: PeerId; readonly token: number }
  /** The first open connection to `peer`. */
  | { readonly type: 'connected'; readonly peer: PeerId }
  /** The last open connection to `peer` is gone; `remote` when a FIN or RST was received. */
  | { readonly type: 'disconnected'; readonly peer: PeerId; readonly closedBy: 'remote' | 'local' }
  /** The answer to the request `dial` of that id. */
  | { readonly type: 'dialled'; readonly id: number; readonly outcome: DialOutcome }
  /** The answer to the request `knock` of that id. */
  | { readonly type: 'knocked'; readonly id: number; readonly outcome: KnockOutcome }

export type DialOutcome =
  | {
      readonly type: 'connected'
      readonly peer: PeerId
      /** The address at which this very dial completed a handshake; undefined when an open connection was reused. */
      readonly address: string | undefined
    }
  | { readonly type: 'failed'; readonly reason: DialFailure }

/**
 * `unanswered`: something accepted a connect and then said nothing in time, as a stopped process does.
 * `untried`: too many dials were under way, and this one says nothing about anybody.
 */
export type DialFailure =
  | 'refused'
  | 'timeout'
  | 'unanswered'
  | 'untried'
  | 'other-identity'
  | 'self'
  | 'denied'
  | 'unreachable'

/** `refused`: ECONNREFUSED. `answered`: the peer itself completed a handshake. Everything else proves nothing. */
export type KnockOutcome = 'refused' | 'other-identity' | 'answered' | 'inconclusive'

/** What the core asks of its embedder beyond sending and persisting. */
export type MembershipRequest =
  | {
      readonly type: 'dial'
      readonly id: number
      /** Undefined: whoever answers at `addresses`. */
      readonly peer: PeerId | undefined
      readonly addresses: readonly string[]
      readonly mode: DialMode
      readonly timeoutMs: number
    }
  /**
   * A fresh TCP connect to one address; if something accepts, a handshake tells
   * who. Closed at once, and no connection at either side: enough to verify an
   * address, or to find that nobody is there.
   */
  | {
      readonly type: 'knock'
      readonly id: number
      readonly peer: PeerId
      readonly address: string
      readonly timeoutMs: number
    }

  /** Close the connections to `peer` unless something else uses them: only its answer was wanted. */
  | { readonly type: 'release'; readonly peer: PeerId }

/**
 * `connect` reuses an open connection. `replace` always makes a new one and closes the
 * older ones when it has answered (they may be cut without knowing it).
 */
export type DialMode = 'connect' | 'replace'

/** What the core tells its embedder. */
export type MembershipEvent =
  | { readonly type: 'member'; readonly change: MemberChange; readonly member: MemberView }
  /** Own life is settled: a contact has answered, or there was none to ask. */
  | { readonly type: 'joined'; readonly generation: number }
  /** Another process runs with this identity; the embedder stops with ERR_IDENTITY_IN_USE. */
  | { readonly type: 'identity-in-use'; readonly generation: number; readonly heardAgoMs: number }
  /** A peer knew a generation above the persisted one: this disk was restored from a backup. */
  | { readonly type: 'rolled-back'; readonly persisted: number; readonly known: number }
  /** Own incarnation was raised against an accusation or a stale belief. */
  | { readonly type: 'refuted'; readonly incarnation: number }
  | { readonly type: 'departed'; readonly acknowledgements: number }
  /** Nothing is heard from anybody while most members are suspected; or that is over. `since`: wall time, ms. */
  | { readonly type: 'isolated'; readonly isolated: boolean; readonly since: number }
  /**
   * Present members with one name, in order; at most 16 of them. Told whenever
   * there are others than before; fewer than two: it is over.
   */
  | { readonly type: 'name-conflict'; readonly name: string; readonly peers: readonly PeerId[] }
  | { readonly type: 'pong'; readonly token: number; readonly rttMs: number | undefined }
  /** A heartbeat of a member's current life carried this; `body` is a copy. Ignore the kinds you do not know. */
  | {
      readonly type: 'rider'
      readonly from: PeerId
      readonly generation: number
      readonly kind: number
      readonly body: Uint8Array
    }
  /** A peer broke the protocol; the embedder counts it and closes the link when it repeats. */
  | { readonly type: 'misbehaved'; readonly peer: PeerId; readonly reason: Misbehaviour }

/** `reaped`: its row is gone from the table; what is kept of it is a tombstone. */
export type MemberChange =
  | 'joined'
  | 'alive'
  | 'suspect'
  | 'stalled'
  | 'dead'
  | 'left'
  | 'restarted'
  | 'updated'
  | 'reaped'

export type Misbehaviour =
  | 'bad-signature'
  | 'other-cluster'
  | 'incarnation-too-far'
  | 'replayed'
  | 'too-many-members'
  /** More than an honest member ever says. */
  | 'flooding'

/** `stalled`: a suspect whose machine accepts connects while its process does not answer. */
export type MemberStatus = 'joining' | 'alive' | 'suspect' | 'stalled' | 'dead' | 'leaving' | 'left'

/** One row of the membership table. */
export interface MemberView {
  readonly peer: PeerId
  readonly self: boolean
  readonly name: string
  readonly version: string
  readonly status: MemberStatus
  /** With `left` or `leaving`: why; `dismissed` when somebody else said so. */
  readonly reason: 'leaving' | 'stopping' | 'dismissed' | undefined
  readonly generation: number
  readonly incarnation: number
  readonly addresses: readonly string[]
  /** Multicast groups that it is in, sorted. */
  readonly groups: readonly string[]
  readonly tags: Tags
  /** Smoothed round trip; undefined until measured. */
  readonly rttMs: number | undefined
  /** Wall time of the last change of status, in milliseconds. */
  readonly since: number
  /** Who accuses this incarnation. */
  readonly accusers: readonly PeerId[]
  /** An open connection exists. */
  readonly connected: boolean
}
