import type { PeerPort } from '../../../daemon/peer-port.ts'
import { ConfirmError } from '../../../lib/host/admission.ts'
import { newCounters } from '../../../lib/host/counters.ts'
import type { AdmissionList, MemberView, PeerId, Pong, Tags } from '../../../lib/index.ts'
import { P2pdError } from '../../../lib/wire/errors.ts'
import { FakeGroups } from './fake-groups.ts'

/** Ids that real keys have, so that they pass for whole ones. */
export const ids = [
  '12D3KooWQNfcrY2XCNuVhBYGGk3dFqqovE4FDXDuhJh2A81ZhfkG',
  '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp',
  '12D3KooWHdiAxVd8uMQR1hGWXccidmfCwLqcMpGwR6QkTP6QRMuD',
] as [PeerId, PeerId, PeerId]

export function view(peer: PeerId, name: string, changes: Partial<MemberView> = {}): MemberView {
  return {
    peer,
    self: false,
    name,
    version: '0.1.0',
    status: 'alive',
    reason: undefined,
    generation: 1,
    incarnation: 0,
    addresses: ['/ip4/192.0.2.1/tcp/4001'],
    groups: [],
    tags: {},
    rttMs: 1.5,
    since: 1_700_000_000_000,
    accusers: [],
    connected: true,
    ...changes,
  }
}

const refused = {
  malformed: 0,
  'other-cluster': 0,
  'other-group': 0,
  'bad-signature': 3,
  'payload-mismatch': 0,
  'unknown-author': 0,
  duplicate: 0,
  'too-far-ahead': 0,
  quota: 0,
  lamport: 0,
}

export class FakePeer extends FakeGroups implements PeerPort {
  readonly peerId = ids[0]
  readonly name = 'm0'
  readonly cluster = 'shop'
  readonly clusterId = '0123456789abcdef0123456789abcdef'
  readonly generation = 7
  readonly rolledBack = false
  readonly addresses = [`/ip4/192.0.2.1/tcp/4001/p2p/${ids[0]}`]
  readonly health = { score: 0, isolated: false }
  views: MemberView[] = [
    view(ids[0], 'm0', { self: true, rttMs: undefined }),
    view(ids[1], 'm1'),
    view(ids[2], 'm2', { status: 'dead', connected: false, addresses: ['/ip4/192.0.2.3/tcp/4003'] }),
  ]
  plugins: Readonly<Record<string, unknown>> = {}
  list: AdmissionList = { restricted: false, allowed: [], denied: [] }
  readonly joined: string[][] = []
  /** What `join` brings about. */
  onJoin = () => {}

  readonly admission = {
    list: () => this.list,
    allow: async (peers: PeerId | readonly PeerId[], { confirm }: { confirm?: boolean } = {}) => {
      const allowed = [...this.list.allowed, ...[peers].flat()]
      const cutOff = this.views
        .filter(({ peer, self, status }) => !self && status === 'alive' && !allowed.includes(peer))
        .map(({ peer }) => peer)
      if (!this.list.restricted && cutOff.length > 0 && confirm !== true) throw new ConfirmError(cutOff)
      this.list = { ...this.list, restricted: true, allowed }
    },
    deny: async (peer: PeerId) => {
      if (peer === this.peerId) throw new P2pdError('ERR_SELF', 'a peer cannot deny itself')
      this.list = { ...this.list, denied: [...this.list.denied, peer] }
    },
  }

  tags: Tags = { role: 'web' }
  /** Who was forced to leave. */
  readonly dismissed: string[] = []

  setTags(tags: Tags): void {
    this.tags = tags
  }

  /** How long a dismissal takes. */
  dismissal: (signal: AbortSignal | undefined) => Promise<void> = async () => {}

  async forceLeave(peer: string, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    const known = this.views.find((member) => member.peer === peer)
    if (known?.status !== 'dead') throw new P2pdError('ERR_NOT_DEAD', 'it lives', { hint: 'wait' })
    await this.dismissal(signal)
    this.dismissed.push(peer)
  }

  members(): readonly MemberView[] {
    return this.views
  }

  join(addresses: readonly string[]): void {
    this.joined.push([...addresses])
    this.onJoin()
  }

  async ping(peer: string, { signal }: { signal?: AbortSignal } = {}): Promise<Pong> {
    if (this.views.some((member) => member.peer === peer && member.connected)) {
      return {
        rttMs: 1.25,
        path: { address: '/ip4/192.0.2.1/tcp/4001', direction: 'outbound', dialled: false },
      }
    }
    return await new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  }

  counters() {
    const multicast = { published: 4, delivered: 9, pulled: 2, served: 1, truncated: 5, refused }
    return {
      ...newCounters(),
      framesIn: 42,
      connections: 1,
      tombstones: 6,
      syncs: 8,
      refusedStrangers: 3,
      dials: { connected: 3 },
      multicast,
    }
  }
}
