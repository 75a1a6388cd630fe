/** What the control API needs of the library's peer, and nothing more: tests put another in its place. */
import type { Admission, Peer } from '../lib/index.ts'

export interface PeerPort
  extends Pick<
    Peer,
    | 'peerId'
    | 'name'
    | 'cluster'
    | 'clusterId'
    | 'generation'
    | 'rolledBack'
    | 'addresses'
    | 'health'
    | 'members'
    | 'join'
    | 'ping'
    | 'counters'
  > {
  readonly admission: Pick<Admission, 'list' | 'allow' | 'deny'>
}
