/** The library's peer as the control API needs it, also where it has no groups: then it is in none. */
import type { Groups } from '../lib/group.ts'
import type { Peer } from '../lib/index.ts'
import { P2pdError } from '../lib/wire/errors.ts'
import type { PeerPort } from './peer-port.ts'

export function withGroups(peer: Peer): PeerPort {
  return hasGroups(peer) ? peer : Object.create(null, { ...forwarded(peer), ...noGroups })
}

function hasGroups(peer: Peer): peer is Peer & Groups {
  return 'groups' in peer
}

const names = [
  'peerId',
  'name',
  'cluster',
  'clusterId',
  'generation',
  'rolledBack',
  'addresses',
  'health',
  'admission',
  'members',
  'join',
  'ping',
  'counters',
] as const satisfies readonly (keyof PeerPort & keyof Peer)[]

function forwarded(peer: Peer): PropertyDescriptorMap {
  const read = (name: (typeof names)[number]) => () => {
    const value: unknown = peer[name]
    return typeof value === 'function' ? value.bind(peer) : value
  }
  return Object.fromEntries(names.map((name) => [name, { get: read(name) }]))
}

const network = {
  state: 'unsynchronised',
  scope: 'internal',
  timeline: null,
  faultsTolerated: null,
  earliestMs: null,
  latestMs: null,
  offsetMs: null,
  uncertaintyMs: null,
  peers: 0,
} as const

const none: Groups = {
  group: async () => {
    throw new P2pdError('ERR_TOO_MANY_GROUPS', 'this peer has no groups')
  },
  groups: () => [],
  forks: () => [],
  clock: () => ({ lamport: 0, vector: {}, hlc: `${Date.now()}.00000`, network }),
  trace: () => [],
}

const noGroups: PropertyDescriptorMap = Object.fromEntries(
  Object.entries(none).map(([name, value]) => [name, { value }]),
)
