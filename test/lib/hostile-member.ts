import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { Driver } from '../../lib/host/driver.ts'
import { cryptoOf, generateIdentity } from '../../lib/host/identity.ts'
import { bulkLimits, controlLimits } from '../../lib/host/links.ts'
import type { Peer } from '../../lib/peer.ts'
import type { Crypto, PeerId } from '../../lib/protocols/core.ts'
import { packetCodec } from '../../lib/protocols/membership/codec.ts'
import { profiles } from '../../lib/protocols/membership/config.ts'
import { Membership } from '../../lib/protocols/membership/membership.ts'
import type {
  MembershipCommand,
  MembershipEvent,
  MembershipRequest,
  Packet,
} from '../../lib/protocols/membership/messages.ts'
import { multicastCodec } from '../../lib/protocols/multicast/codec.ts'
import { ascii, authorKeyOf, groupIdOf } from '../../lib/protocols/multicast/dots.ts'
import { sealEnvelope } from '../../lib/protocols/multicast/envelope.ts'
import type {
  AuthorKey,
  Envelope,
  MulticastPacket,
  PacketBody,
} from '../../lib/protocols/multicast/messages.ts'
import { EnvelopeSchema, HeaderSchema } from '../../lib/wire/gen/multicast_pb.ts'
import { maxBulkFrameBytes, maxControlFrameBytes } from '../../lib/wire/limits.ts'
import { eventually } from '../support/eventually.ts'
import { type RawPeer, startRawPeer } from './host/raw-peer.ts'
import { sha256, type Unsealed } from './protocols/multicast/sealing.ts'

/** A member of the cluster and of one group that keeps membership's rules, and none of multicast's. */
export interface HostileMember {
  readonly id: PeerId
  readonly key: AuthorKey
  readonly epoch: number
  readonly raw: RawPeer
  readonly crypto: Crypto
  /** What came over multicast's link. */
  readonly packets: { readonly from: PeerId; readonly packet: MulticastPacket }[]
  /** Called with each packet that comes. */
  answer: (from: PeerId, packet: MulticastPacket) => void
  /** As its own author would, first of its epoch, and what the change says. */
  seal(change?: Partial<Unsealed>, payloads?: readonly Uint8Array[]): Envelope
  /** Signed, whatever it says. */
  sealWire(
    change: MessageInitShape<typeof HeaderSchema> | Uint8Array,
    payloads?: readonly Uint8Array[],
  ): Uint8Array
  gossip(bytes: Uint8Array, group?: string): void
  frame(to: PeerId, bytes: Uint8Array): boolean
  send(to: PeerId, body: PacketBody, group?: string): boolean
  stop(): Promise<void>
}

const local = profiles.local

export async function startHostile(
  { addresses, clusterId }: Peer,
  secret: string,
  groupName: string,
  peers: readonly Peer[],
): Promise<HostileMember> {
  const identity = await generateIdentity()
  const crypto = cryptoOf(identity)
  const group = groupIdOf(groupName, sha256)
  const packets: HostileMember['packets'] = []
  const codec = multicastCodec(crypto)
  let driver: Driver<Packet, MembershipCommand, MembershipEvent, MembershipRequest> | undefined
  const raw = await startRawPeer({
    identity,
    secret: Buffer.from(secret, 'hex'),
    protocol: { ...controlLimits, name: 'membership', maxFrameBytes: maxControlFrameBytes },
    receive: (_peer, from, frame) => driver?.receive(from, frame),
    connected: (peer) => driver?.command({ type: 'connected', peer }),
    disconnected: (peer, closedBy) => driver?.command({ type: 'disconnected', peer, closedBy }),
  })
  await raw.links.register({
    ...bulkLimits,
    name: 'multicast',
    maxFrameBytes: maxBulkFrameBytes,
    receive: (from, frame) => {
      const packet = codec.decode(frame)
      packets.push({ from, packet })
      hostile.answer(from, packet)
    },
  })
  const core = new Membership({
    self: identity.peerId,
    cluster: clusterId,
    name: 'hostile',
    version: '0',
    addresses: [raw.address],
    config: local,
    crypto,
    random: Math.random,
    durable: new Map(),
    groups: ['all', groupName],
  })
  driver = new Driver({
    core,
    codec: packetCodec,
    counters: raw.counters,
    send: (to, bytes) => raw.links.send(to, 'membership', bytes),
    write: async () => {},
    emit: () => {},
    request: (request) => {
      const { id } = request
      if (request.type === 'dial')
        void raw.dialer.dial(request).then((outcome) => driver?.command({ type: 'dialled', id, outcome }))
      else void raw.dialer.knock(request).then((outcome) => driver?.command({ type: 'knocked', id, outcome }))
    },
    writeFailed: () => {},
    failed: (error) => {
      throw error
    },
  })
  const topic = (id = group) => `p2pd/${id}`
  const hostile: HostileMember = {
    id: identity.peerId,
    key: authorKeyOf(identity.peerId, sha256),
    get epoch() {
      return core.generation
    },
    raw,
    crypto,
    packets,
    answer: () => {},
    seal: (change = {}, payloads = [ascii('hostile')]) =>
      sealEnvelope(
        {
          cluster: clusterId,
          group,
          author: identity.peerId,
          epoch: core.generation,
          seq: 1,
          previous: undefined,
          lamport: 1,
          hybrid: undefined,
          dependencies: [],
          old: undefined,
          ...change,
        },
        payloads,
        crypto,
      ),
    sealWire(change, payloads = [ascii('hostile')]) {
      const fields = {
        version: 1,
        cluster: Buffer.from(clusterId, 'hex'),
        group: Buffer.from(group, 'hex'),
        author: identity.peerId as string,
        epoch: BigInt(core.generation),
        seq: 1n,
        sizes: payloads.map((payload) => payload.length),
        payloadsHash: sha256(Buffer.concat(payloads)),
        lamport: 1n,
      }
      const header =
        change instanceof Uint8Array
          ? change
          : toBinary(HeaderSchema, create(HeaderSchema, { ...fields, ...change } as never))
      const signature = crypto.sign(Buffer.concat([ascii('p2pd multicast header 1\0'), header]))
      return toBinary(EnvelopeSchema, create(EnvelopeSchema, { header, signature, payloads: [...payloads] }))
    },
    gossip: (bytes, id) => void raw.gossip.publish(topic(id), bytes),
    frame: (to, bytes) => raw.links.send(to, 'multicast', bytes),
    send: (to, body, id = group) => raw.links.send(to, 'multicast', codec.encode({ group: id, body })),
    async stop() {
      driver?.stop()
      await raw.stop()
    },
  }
  raw.gossip.subscribe(topic())
  raw.dialer.trust(addresses)
  driver.command({ type: 'start', contacts: addresses })
  await eventually('the hostile member', () =>
    peers.every(
      (peer) =>
        raw.shown.has(`${peer.peerId} ${topic()}`) &&
        peer.groups().some(({ name, members }) => name === groupName && members.includes(identity.peerId)),
    ),
  )
  return hostile
}
