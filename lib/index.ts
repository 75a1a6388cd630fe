/**
 * Who is alive among a handful to a few hundred machines, what they tell each
 * other in causal order, and what happened before what, without a server.
 *
 * ```js
 * import { randomBytes } from 'node:crypto'
 * import { createPeer } from 'p2pd'
 *
 * // The same 32 bytes for every peer; join: ['/ip4/192.0.2.1/tcp/4001'] finds the others.
 * const secret = randomBytes(32)
 * const peer = await createPeer({ cluster: 'shop', secret, listen: ['/ip4/127.0.0.1/tcp/0'] })
 *
 * // Membership: the table, and each change of it.
 * peer.addEventListener('member', ({ detail }) => console.log(detail.change, detail.member.name))
 * for (const member of peer.members()) console.log(member.name, member.status)
 *
 * // Groups: everybody who joined one reads no answer before its question.
 * const orders = await peer.group('orders')
 * await orders.publish('two of the blue ones')
 * for await (const { data, lamport, vector } of orders.messages({ from: 'earliest' })) {
 *   console.log(new TextDecoder().decode(data), lamport, vector)
 *   break
 * }
 *
 * // Clocks: logical, vector and hybrid time at this instant.
 * console.log(peer.clock('orders'))
 * await peer.stop()
 * ```
 */

export { createPeer } from './create-peer.ts'
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
export type { HostNode } from './host/guest-node.ts'
export { swarmKey } from './host/node.ts'
export type { Peer, PeerCounters } from './peer.ts'
export type { MemberEvent, MembersUpdate, PeerEvents } from './peer-events.ts'
export type { PeerOptions } from './peer-options.ts'
export { NoAnswerError, type PingPath, type Pong } from './pings.ts'
export type {
  NoPlugins,
  PeerPlugin,
  PluginApis,
} from './plugin.ts'
export type { PeerId } from './protocols/core.ts'
export type { MembershipConfig, Profile } from './protocols/membership/config.ts'
export type { Health } from './protocols/membership/membership.ts'
export type {
  MemberChange,
  MemberStatus,
  MemberView,
  Misbehaviour,
  Tags,
} from './protocols/membership/messages.ts'
export type { MulticastConfig } from './protocols/multicast/config.ts'
export { type ErrorCode, P2pdError } from './wire/errors.ts'
