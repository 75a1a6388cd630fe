/** What the daemon needs of the library's peer, and nothing more: tests put another in its place. */
import type { PeerId } from '../lib/protocols/core.ts'
import type { MemberView } from '../lib/protocols/membership/messages.ts'

export interface PeerPort {
  readonly peerId: PeerId
  readonly name: string
  readonly cluster: string
  readonly clusterId: string
  readonly generation: number
  readonly rolledBack: boolean
  /** Multiaddrs at which others should dial this peer. */
  readonly addresses: readonly string[]
  readonly health: { readonly score: number; readonly isolated: boolean }
  members(): readonly MemberView[]
  /** Resolves with who answered. */
  join(addresses: readonly string[], options?: { signal?: AbortSignal }): Promise<readonly PeerId[]>
  /** Throws ERR_TIMEOUT or the signal's reason. */
  ping(peer: PeerId, options?: { signal?: AbortSignal }): Promise<{ readonly rttMs: number }>
  readonly admission: AdmissionPort
  leave(options?: { signal?: AbortSignal }): Promise<void>
  stop(): Promise<void>
}

/** Who may come in, besides having the secret. */
export interface AdmissionPort {
  list(): AdmissionList
  /** The first time, the list begins: who is not on it is cut off. */
  allow(peers: readonly PeerId[], options: { readonly confirm: boolean }): Promise<void>
  deny(peers: readonly PeerId[]): Promise<void>
}

export interface AdmissionList {
  /** False: whoever has the secret may come in, but who is denied. */
  readonly restricted: boolean
  readonly allowed: readonly PeerId[]
  readonly denied: readonly PeerId[]
}
