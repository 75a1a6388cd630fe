/**
 * What an app sees of a group: the peers that joined it, and the log of what
 * they published, in causal order.
 */
import type { PeerId } from './protocols/core.ts'

/** Entries `peerId#epoch` of a vector clock and their counts. */
export type VectorEntries = Readonly<Record<string, number>>

/** Names a message in all the cluster: who published it, in which life, as the how-manieth. */
export interface Dot {
  readonly sender: PeerId
  /** The sender's life: its membership generation when it published. */
  readonly epoch: number
  /** 1, 2, 3 … without holes within an epoch. */
  readonly seq: number
}

/** A delivered message. */
export interface GroupMessage extends Dot {
  readonly type: 'message'
  readonly group: string
  /** Logical time: greater than that of everything the sender had delivered. */
  readonly lamport: number
  /** All that happened before it, itself included; absent when it was not asked for. */
  readonly vector?: VectorEntries
  /** False when a message from below this peer's baseline hides a part of `vector`. */
  readonly vectorExact?: boolean
  /** Hybrid time, `<Unix ms>.<counter, 5 digits>`; null when the sender's clock could not be trusted. */
  readonly hlc: string | null
  /** Position in this daemon's log; contiguous. */
  readonly index: number
  /** Resume after this message: `messages({ from: cursor })`. Valid at this daemon, in this life of it. */
  readonly cursor: string
  readonly data: Uint8Array
}

/** A range of one sender's messages, both ends included. */
export interface DotRange {
  readonly sender: PeerId
  readonly epoch: number
  readonly from: number
  readonly to: number
}

/** What happens to a group's stream besides deliveries; `type` is the `event` of the CLI's lines. */
export type GroupNotice =
  /** Messages are known to exist and are not here; they are being fetched. */
  | { readonly type: 'gap'; readonly group: string; readonly ranges: readonly DotRange[] }
  /** Nobody that can be reached still has these; they will never be delivered here. */
  | { readonly type: 'history-truncated'; readonly group: string; readonly ranges: readonly DotRange[] }
  /** The payload of a message was given up, because what it depends on did not come; it is fetched again if that comes. */
  | ({ readonly type: 'undeliverable'; readonly group: string } & Dot)
  /** Somebody signed two contents for one dot; `hashes` are the two headers', in hexadecimal. */
  | ({
      readonly type: 'equivocation'
      readonly group: string
      readonly hashes: readonly [string, string]
    } & Dot)

export type GroupItem = GroupMessage | GroupNotice

/** What `publish` resolves with: the message is in the own log and on its way. */
export interface Published extends Dot {
  readonly group: string
  readonly lamport: number
  readonly vector: VectorEntries
}

export interface ReadOptions {
  /**
   * `latest` (default): what is delivered from now on. `earliest`: all that this
   * peer's log still holds. Or a message's `cursor`: what follows it.
   */
  readonly from?: string
  /** False leaves the vectors out: they grow with the group. True by default. */
  readonly vector?: boolean
  readonly signal?: AbortSignal
}

/** A group that this peer is in. `Symbol.asyncDispose` ends the handle's streams; the membership remains. */
export interface Group {
  readonly name: string
  /**
   * Resolves when the message is in this peer's log and on its way; alone, it
   * waits there for others. At most 1 MiB. Errors: ERR_TOO_LARGE, ERR_WOULD_BLOCK
   * (too much is under way and `signal` aborted or none of it moved), ERR_STOPPED.
   */
  publish(data: Uint8Array | string, options?: { readonly signal?: AbortSignal }): Promise<Published>
  /** Deliveries in causal order, until `signal` aborts or the peer stops. Errors: ERR_CURSOR_UNKNOWN, ERR_BAD_CURSOR. */
  messages(options?: ReadOptions): AsyncIterableIterator<GroupMessage>
  /** The same with what else happens to the stream, in its place. */
  items(options?: ReadOptions): AsyncIterableIterator<GroupItem>
  /** Gives up membership of the group. `all` cannot be left: ERR_BAD_GROUP. */
  leave(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** One row of the table of groups: those that this peer is in, and those that it sees others in. */
export interface GroupView {
  readonly name: string
  /** This peer is in it. */
  readonly joined: boolean
  /** False while this peer still fetches what came before it. Null when not joined. */
  readonly ready: boolean | null
  /** Who is in it, by the owner-signed member records; dead and departed members excluded. */
  readonly members: readonly PeerId[]
  /** Deliveries at this peer since it started. */
  readonly delivered: number
  /** Messages that wait for others they depend on. */
  readonly heldBack: number
  /** What the log holds for readers and for repair. */
  readonly logMessages: number
  readonly logBytes: number
}

/** A proof that somebody signed two contents for one dot. */
export interface Fork extends Dot {
  readonly group: string
  readonly hashes: readonly [string, string]
}

/** This peer's clocks at one instant. */
export interface ClockReading {
  readonly lamport: number
  /** Of all that this peer has delivered in the group. */
  readonly vector: VectorEntries
  readonly hlc: string
  readonly network: NetworkTime
}

/** Network time does not exist yet: the figures are null. */
export interface NetworkTime {
  readonly state: 'unsynchronised'
  readonly scope: 'internal'
  readonly timeline: null
  readonly faultsTolerated: null
  readonly earliestMs: null
  readonly latestMs: null
  readonly offsetMs: null
  readonly uncertaintyMs: null
  readonly peers: 0
}

/** One event of this peer's space-time line in a group, recorded as it happened. */
export interface TraceEvent extends Dot {
  readonly group: string
  readonly host: PeerId
  /** 1, 2, 3 … a host and group; a life of the host begins again at 1. */
  readonly index: number
  /** The host's own life. */
  readonly hostEpoch: number
  readonly kind: 'publish' | 'deliver'
  /** Unix milliseconds, for people. */
  readonly time: number
  /** The sender's direct dependencies, as `peerId#epoch:seq`; with them the diagram is rebuilt offline. */
  readonly after: readonly string[]
}

/** What a peer offers of groups and clocks; part of `Peer`. */
export interface Groups {
  /** Joins the group, if this peer is not in it, and resolves when it can publish. Errors: ERR_BAD_GROUP, ERR_TOO_MANY_GROUPS. */
  group(name: string, options?: { readonly signal?: AbortSignal }): Promise<Group>
  groups(): readonly GroupView[]
  /** Proofs of equivocation, over all groups. */
  forks(): readonly Fork[]
  /** `group` is `all` by default. Errors: ERR_BAD_GROUP when this peer is not in it. */
  clock(group?: string): ClockReading
  /** The last 10,000 events of this peer in the group; fewer when many groups are busy. Errors: ERR_BAD_GROUP. */
  trace(group?: string): readonly TraceEvent[]
}
