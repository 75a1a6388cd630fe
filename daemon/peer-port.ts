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
    > {
  readonly admission: Pick<Admission, 'list' | 'allow' | 'deny'>
  counters(): ReturnType<Peer['counters']> & { readonly multicast?: MulticastCounters }
}

/** What is counted of multicast over all groups since the start. */
export interface MulticastCounters {
  /** Messages. */
  readonly published: number
  readonly delivered: number
  /** Envelopes that repair fetched from others, and gave to others. */
  readonly pulled: number
  readonly served: number
  /** Envelopes that were not taken, by reason; the keys come from the library's code. */
  readonly refused: Readonly<Record<string, number>>
}
