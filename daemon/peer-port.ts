/** What the control API needs of the library's peer, and nothing more: tests put another in its place. */
import type { Groups } from '../lib/group.ts'
import type { Admission, Peer } from '../lib/index.ts'

export interface PeerPort
  extends Groups,
    Pick<
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
      | 'tags'
      | 'setTags'
      | 'forceLeave'
    > {
  /** What each plugin gives, by its name. */
  readonly plugins: Readonly<Record<string, unknown>>
  readonly admission: Pick<Admission, 'list' | 'allow' | 'deny'>
}
