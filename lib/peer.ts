/** What an app sees of its peer, and of the cluster through it. */
import type { Groups } from './group.ts'
import type { Admission } from './host/admission.ts'
import type { Counters } from './host/counters.ts'
import type { TypedEvents } from './host/typed-events.ts'
import type { MembersUpdate, PeerEvents } from './peer-events.ts'
import type { GroupCounts } from './peer-groups.ts'
import type { Pong } from './pings.ts'
import type { NoPlugins, PeerPlugin, PluginApis } from './plugin.ts'
import type { PeerId } from './protocols/core.ts'
import type { Health } from './protocols/membership/membership.ts'
import type { MemberView, Tags } from './protocols/membership/messages.ts'

export type PeerCounters = Counters & {
  readonly connections: number
  readonly multicast: GroupCounts
  /** Lives of members that are gone, and remembered. */
  readonly tombstones: number
  /** Views, or parts of them, that were sent to members whose digest differs. */
  readonly syncs: number
  /** Records of peers that are no members, not taken in: no room, or too many from one member. */
  readonly refusedStrangers: number
}

/** A member of a cluster. Made by `createPeer`; ends with `stop()` or `leave()`. */
export interface Peer<Plugins extends Readonly<Record<string, PeerPlugin>> = NoPlugins>
  extends TypedEvents<PeerEvents>,
    Groups {
  readonly peerId: PeerId
  readonly name: string
  readonly cluster: string
  /** 32 hexadecimal digits of the cluster's name and secret; tells nothing of the secret. */
  readonly clusterId: string
  /** This life of the peer; 0 until it is on the disk. */
  readonly generation: number
  /** The data directory was restored from a backup: this peer must not vote. */
  readonly rolledBack: boolean
  /** Where others dial it, with `/p2p/ID`. */
  readonly addresses: readonly string[]
  readonly health: Health
  /** What people say of this peer, as it was set last. */
  readonly tags: Tags
  /** Who may come in besides knowing the secret. */
  readonly admission: Admission
  /** The membership table, this peer first. */
  members(): readonly MemberView[]
  /** One row of it. */
  member(peer: PeerId): MemberView | undefined
  /**
   * The table, then each change, until `signal` aborts or the peer stops. A
   * reader that falls 4096 changes behind gets ERR_TOO_SLOW.
   */
  watch(options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<MembersUpdate>
  /** Dials these multiaddrs and joins whoever answers. Errors: ERR_BAD_ADDRESS. */
  join(addresses: readonly string[]): void
  /** Resolves when this life is settled: a contact has answered, or there was none to ask. */
  joined(options?: { readonly signal?: AbortSignal }): Promise<void>
  /**
   * One round trip over the own link; where there is no connection one is made for
   * it. Errors: ERR_BAD_PEER_ID, ERR_SELF, ERR_NO_ANSWER (a NoAnswerError that says why), ERR_TOO_MANY.
   */
  ping(peer: string, options?: { readonly signal?: AbortSignal }): Promise<Pong>
  /**
   * Replaces all tags of this peer. Changes that follow each other closely are told
   * together. Errors: ERR_BAD_OPTION, and the former ones stay.
   */
  setTags(tags: Tags): void
  /**
   * A dead member does not come back: it counts as left, here and elsewhere, until it
   * says otherwise. Resolves when the own table shows it; at once where it has left
   * already. Errors: ERR_BAD_PEER_ID, ERR_SELF, ERR_UNKNOWN_PEER, ERR_NOT_DEAD.
   */
  forceLeave(peer: string, options?: { readonly signal?: AbortSignal }): Promise<void>
  /** A copy of what was counted since the start. */
  counters(): PeerCounters
  /** What the plugins give, by name. */
  readonly plugins: PluginApis<Plugins>
  /**
   * Gives up membership and stops; resolves when the others know, or could not
   * be told. Rejects, and the peer stays, when a plugin must not go now
   * (ERR_LEAVE_INCOMPLETE); `force` says that it goes all the same.
   */
  leave(options?: { readonly force?: boolean }): Promise<void>
  /** Tells the others that the process ends, and stops, within 5 s; the membership remains. */
  stop(): Promise<void>
  /** Resolves when the peer has stopped; rejects with what made it stop by itself (ERR_IDENTITY_IN_USE, ERR_NODE_STOPPED, ERR_INTERNAL). */
  readonly closed: Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
