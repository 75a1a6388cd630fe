import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { bulkLimits } from '../../lib/host/links.ts'
import type { Peer } from '../../lib/peer.ts'
import { ascii } from '../../lib/protocols/bytes.ts'
import type { Crypto, PeerId } from '../../lib/protocols/core.ts'
import { multicastCodec } from '../../lib/protocols/multicast/codec.ts'
import { authorKeyOf, groupIdOf } from '../../lib/protocols/multicast/dots.ts'
import { sealEnvelope } from '../../lib/protocols/multicast/envelope.ts'
import type {
  AuthorKey,
  Envelope,
  MulticastPacket,
  PacketBody,
} from '../../lib/protocols/multicast/messages.ts'
import { EnvelopeSchema, HeaderSchema } from '../../lib/wire/gen/multicast_pb.ts'
import { maxBulkFrameBytes } from '../../lib/wire/limits.ts'
import { eventually } from '../support/eventually.ts'
import type { RawPeer } from './host/raw-peer.ts'
import { sha256, type Unsealed } from './protocols/multicast/sealing.ts'
import { startRawMember } from './raw-member.ts'

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

export async function startHostile(
  { addresses, clusterId }: Peer,
  secret: string,
  groupName: string,
  peers: readonly Peer[],
): Promise<HostileMember> {
  const group = groupIdOf(groupName, sha256)
  const packets: HostileMember['packets'] = []
  const member = await startRawMember({ secret, clusterId, groups: ['all', groupName] })
  const { id: self, raw, crypto, core } = member
  const codec = multicastCodec(crypto)
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
  const topic = (id = group) => `p2pd/${id}`
  const hostile: HostileMember = {
    id: self,
    key: authorKeyOf(self, sha256),
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
          author: self,
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
        author: self as string,
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
    stop: () => member.stop(),
  }
  raw.gossip.subscribe(topic())
  member.join(addresses)
  await eventually('the hostile member', () =>
    peers.every(
      (peer) =>
        raw.shown.has(`${peer.peerId} ${topic()}`) &&
        peer.groups().some(({ name, members }) => name === groupName && members.includes(self)),
    ),
  )
  return hostile
}
