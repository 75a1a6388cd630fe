/**
 * Membership for a handful to a few hundred machines, without a server.
 *
 * ```ts
 * import { createPeer } from 'p2pd'
 *
 * await using peer = await createPeer({ cluster: 'shop', secret, join: ['/ip4/192.0.2.1/tcp/4001'] })
 * peer.addEventListener('member', ({ detail }) => console.log(detail.change, detail.member.name))
 * for (const member of peer.members()) console.log(member.name, member.status)
 * ```
 */

export type {
  ClockReading,
  Dot,
  DotRange,
  Fork,
  Group,
  GroupItem,
  GroupMessage,
  GroupNotice,
  Groups,
  GroupView,
  NetworkTime,
  Published,
  ReadOptions,
  TraceEvent,
  VectorEntries,
} from './group.ts'
export { type Admission, type AdmissionList, ConfirmError } from './host/admission.ts'
export type { Counters } from './host/counters.ts'
export { createPeer, type Peer, type PeerCounters } from './peer.ts'
export type { MemberEvent, MembersUpdate, PeerEvents } from './peer-events.ts'
export type { PeerOptions } from './peer-options.ts'
export type { PeerId } from './protocols/core.ts'
export type { MembershipConfig, Profile } from './protocols/membership/config.ts'
export type { Health } from './protocols/membership/membership.ts'
export type { MemberChange, MemberStatus, MemberView, Misbehaviour } from './protocols/membership/messages.ts'
export type { MulticastConfig } from './protocols/multicast/config.ts'
export { type ErrorCode, P2pdError } from './wire/errors.ts'
