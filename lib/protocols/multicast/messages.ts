/**
 * What members of a group say to each other, and what the core and its embedder
 * say.
 *
 * ```
 *   A publishes ── gossip ──▶ everybody in the group      the fast path, lossy
 *   B holds back what depends on what it lacks
 *   B ── pull ──▶ A,  A ── supply ──▶ B                   repair, on a persistent link
 *   B ── summary ──▶ C,  C ── vector ──▶ B, …             anti-entropy, on each new link and now and then
 *   heartbeats carry (own last seq, digest)               a lost last message shows no other way
 * ```
 */
import type { HybridStamp } from '../clocks/hybrid.ts'
import type { PeerId } from '../core.ts'

/** The first 12 bytes of SHA-256(author), as 24 hexadecimal digits: how an author is named inside headers. */
export type AuthorKey = string & { readonly __brand: 'AuthorKey' }

/** `AuthorKey#epoch`: one hash-chained log of one author. */
export type EntryKey = string & { readonly __brand: 'EntryKey' }

/** A message, or the last message of an envelope. */
export interface DotKey {
  readonly author: AuthorKey
  readonly epoch: number
  readonly seq: number
}

/** See `Header` in multicast.proto. Hashes are 32 bytes in hexadecimal: they are keys of maps. */
export interface Header {
  readonly cluster: string
  readonly group: string
  readonly author: PeerId
  readonly epoch: number
  /** Of the first payload. */
  readonly seq: number
  /** Bytes of each payload; 1 to 64. */
  readonly sizes: readonly number[]
  readonly payloadsHash: string
  /** Hash of the predecessor's header; undefined when there is no predecessor. */
  readonly previous: string | undefined
  /** Of the first payload. */
  readonly lamport: number
  readonly hybrid: HybridStamp | undefined
  /** The frontier without the predecessor, sorted by author and epoch; last seqs. */
  readonly dependencies: readonly DotKey[]
  /** In an epoch's first envelope: the author's last message of an earlier epoch, if any. */
  readonly old: DotKey | undefined
}

/** A header with its received bytes. What derives from these is computed once. */
export interface SignedHeader {
  readonly header: Header
  readonly bytes: Uint8Array
  readonly signature: Uint8Array
  /** SHA-256 of `bytes`, in hexadecimal. */
  readonly hash: string
  readonly authorKey: AuthorKey
  readonly entry: EntryKey
  /** Seq of the last payload. */
  readonly last: number
  /** Lamport of the last payload. */
  readonly lastLamport: number
}

export interface Envelope extends SignedHeader {
  readonly payloads: readonly Uint8Array[]
}

/** How far one log goes; `hash` is the first 16 hexadecimal digits of its last header's, '' when that is not said. */
export interface VectorEntry extends DotKey {
  readonly hash: string
}

export interface Range {
  readonly author: AuthorKey
  readonly epoch: number
  readonly from: number
  readonly to: number
}

/** A maximal dot with its vector, as the few entries in which it lies below another vector. */
export interface FrontierDot extends DotKey {
  readonly below: readonly VectorEntry[]
  readonly exact: boolean
}

export interface Proof {
  readonly first: SignedHeader
  readonly second: SignedHeader
}

export type PacketBody =
  | {
      readonly type: 'summary'
      /** 32 hexadecimal digits. */
      readonly digest: string
      readonly forked: readonly AuthorKey[]
      readonly reply: boolean
    }
  | { readonly type: 'vector'; readonly entries: readonly VectorEntry[]; readonly reply: boolean }
  | { readonly type: 'pull'; readonly id: number; readonly ranges: readonly Range[] }
  | {
      readonly type: 'supply'
      readonly id: number
      readonly envelopes: readonly Envelope[]
      readonly headers: readonly SignedHeader[]
      readonly floors: readonly VectorEntry[]
      readonly delivered: readonly VectorEntry[]
    }
  | { readonly type: 'inquiry'; readonly id: number; readonly dots: readonly DotKey[] }
  | { readonly type: 'proofs'; readonly proofs: readonly Proof[] }
  | { readonly type: 'baseline-request'; readonly id: number; readonly done: boolean }
  | {
      readonly type: 'baseline'
      readonly id: number
      readonly none: boolean
      readonly entries: readonly SignedHeader[]
      readonly frontier: readonly FrontierDot[]
      readonly delivered: readonly VectorEntry[]
      readonly last: boolean
    }
  | { readonly type: 'push'; readonly envelope: Envelope }

/** One frame of the repair link. */
export interface MulticastPacket {
  /** The group's id, 32 hexadecimal digits. */
  readonly group: string
  readonly body: PacketBody
}

/** What a heartbeat tells of one group. */
export interface GroupTail {
  readonly group: string
  /** The sender's present epoch, and its last own seq in it; 0 for none. */
  readonly epoch: number
  readonly seq: number
  readonly digest: string
}

export type MemberStanding = 'alive' | 'suspect' | 'dead' | 'left'

/** What the embedder tells the core. */
export type MulticastCommand =
  /** This life has this generation, on disk; before it nothing is published. Again when the peer takes another. */
  | { readonly type: 'epoch'; readonly epoch: number }
  /** Membership is settled: who is in which group is known as far as it can be. */
  | { readonly type: 'settled' }
  /** A member other than this peer appeared or changed. `groups` by name, from its own record. */
  | {
      readonly type: 'member'
      readonly peer: PeerId
      readonly standing: MemberStanding
      readonly groups: readonly string[]
    }
  /** The first open connection to `peer`; the last one is gone. */
  | { readonly type: 'connected' | 'disconnected'; readonly peer: PeerId }
  /** Gossip shows, or no longer shows, that `peer` subscribes to the group's topic. */
  | {
      readonly type: 'subscription'
      readonly peer: PeerId
      readonly group: string
      readonly subscribed: boolean
    }
  /** The operator keeps `peer` out, or lets it in again: its messages count like a forked author's meanwhile. */
  | { readonly type: 'deny'; readonly peer: PeerId; readonly denied: boolean }
  /** Answered by `ready` when this peer can publish there. `name` is valid: see `groupName`. */
  | { readonly type: 'join'; readonly name: string }
  | { readonly type: 'leave'; readonly name: string }
  /** Answered by `published` or `refused` with the same token. At most 1 MiB. */
  | {
      readonly type: 'publish'
      readonly name: string
      readonly payload: Uint8Array
      readonly token: number
    }
  /** An envelope came by gossip and `examine` said `accept`. */
  | { readonly type: 'gossiped'; readonly from: PeerId; readonly envelope: Envelope }
  /** The tail of a heartbeat. */
  | { readonly type: 'tails'; readonly from: PeerId; readonly tails: readonly GroupTail[] }

/** What the core asks of its embedder beyond sending and persisting. */
export type MulticastRequest =
  /** To everybody who subscribes to the group's topic, best effort. */
  | { readonly type: 'gossip'; readonly group: string; readonly bytes: Uint8Array }
  | { readonly type: 'subscribe' | 'unsubscribe'; readonly group: string }
  /** The names of the groups that this peer is in now, for its member record. */
  | { readonly type: 'regroup'; readonly groups: readonly string[] }
  /** An author is unknown: exchange member tables with `peer`. */
  | { readonly type: 'sync-members'; readonly peer: PeerId }
  /** Dots of this epoch were used and forgotten: take a new generation, and tell it with `epoch`. */
  | { readonly type: 'renew-epoch' }

/** What the core tells its embedder. */
export type MulticastEvent =
  /** This peer stands on a baseline and can publish; `index` is that of the last message of its log, 0 for none. */
  | { readonly type: 'ready'; readonly name: string; readonly index: number }
  /**
   * An envelope was delivered in one step; its payloads have the indexes `index`,
   * `index + 1` …. `first` is the seq of the first payload that counts (others were won by a fork before).
   */
  | {
      readonly type: 'delivered'
      readonly name: string
      readonly envelope: Envelope
      readonly index: number
      readonly first: number
      /** It closed a gap that repair was asked to close, this long before, ms. */
      readonly repairedAfterMs: number | undefined
    }
  | {
      readonly type: 'published'
      readonly token: number
      readonly name: string
      readonly envelope: Envelope
      readonly index: number
    }
  /** ERR_GROUP_LEFT, ERR_WOULD_BLOCK, ERR_LAMPORT_EXHAUSTED. */
  | { readonly type: 'refused'; readonly token: number; readonly code: `ERR_${string}` }
  | { readonly type: 'gap'; readonly name: string; readonly ranges: readonly PeerRange[] }
  | { readonly type: 'history-truncated'; readonly name: string; readonly ranges: readonly PeerRange[] }
  | {
      readonly type: 'undeliverable'
      readonly name: string
      readonly author: PeerId
      readonly epoch: number
      readonly seq: number
    }
  | {
      readonly type: 'equivocation'
      readonly name: string
      readonly author: PeerId
      readonly epoch: number
      readonly seq: number
      readonly hashes: readonly [string, string]
    }
  /** A peer broke the protocol; the embedder counts it and cuts the link when it repeats. */
  | { readonly type: 'misbehaved'; readonly peer: PeerId; readonly reason: Refusal }

export interface PeerRange {
  readonly author: PeerId
  readonly epoch: number
  readonly from: number
  readonly to: number
}

/** Why an envelope was not taken; each is counted. */
export type Refusal =
  // Everybody would refuse these: rejected.
  | 'malformed'
  | 'other-cluster'
  | 'other-group'
  | 'bad-signature'
  | 'payload-mismatch'
  // Somebody may know better: ignored.
  | 'unknown-author'
  | 'duplicate'
  // Ours to say: forwarded, and fetched again later.
  | 'too-far-ahead'
  | 'quota'
  // Held and never delivered.
  | 'lamport'

/** What the topic validator answers gossip. */
export type Verdict =
  | { readonly type: 'accept'; readonly envelope: Envelope }
  | { readonly type: 'reject'; readonly reason: Refusal }
  | { readonly type: 'ignore'; readonly reason: Refusal; readonly author: PeerId | undefined }

/** One row of the table of groups. */
export interface GroupFigures {
  readonly name: string
  readonly ready: boolean
  /** Deliveries since this life began. */
  readonly delivered: number
  readonly heldBack: number
  readonly heldBytes: number
  readonly logMessages: number
  readonly logBytes: number
}

/** A message of the log, for readers. */
export interface LogMessage {
  readonly index: number
  readonly author: PeerId
  readonly epoch: number
  readonly seq: number
  readonly lamport: number
  readonly hybrid: HybridStamp | undefined
  readonly payload: Uint8Array
  /** The envelope that carried it. */
  readonly envelope: Envelope
}
