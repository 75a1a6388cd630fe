/** A peer that keeps membership's rules, and of whose other links a test does what it likes. */
import { Driver } from '../../lib/host/driver.ts'
import { cryptoOf, generateIdentity } from '../../lib/host/identity.ts'
import { controlLimits } from '../../lib/host/links.ts'
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
import { maxControlFrameBytes } from '../../lib/wire/limits.ts'
import { type RawPeer, startRawPeer } from './host/raw-peer.ts'

export interface RawMember {
  readonly id: PeerId
  readonly raw: RawPeer
  readonly crypto: Crypto
  readonly core: Membership
  /** Joins whoever answers there. */
  join(addresses: readonly string[]): void
  stop(): Promise<void>
}

export interface RawMemberOptions {
  /** Of the cluster: 64 hexadecimal digits. */
  readonly secret: string
  readonly clusterId: string
  readonly groups?: readonly string[]
  readonly emitted?: (event: MembershipEvent) => void
  readonly connected?: (peer: PeerId) => void
  readonly disconnected?: (peer: PeerId) => void
}

/** It listens, and has joined nobody yet: other links are registered first. */
export async function startRawMember(options: RawMemberOptions): Promise<RawMember> {
  const identity = await generateIdentity()
  const crypto = cryptoOf(identity)
  let driver: Driver<Packet, MembershipCommand, MembershipEvent, MembershipRequest> | undefined
  const raw = await startRawPeer({
    identity,
    secret: Buffer.from(options.secret, 'hex'),
    protocol: { ...controlLimits, name: 'membership', maxFrameBytes: maxControlFrameBytes },
    receive: (_peer, from, frame) => driver?.receive(from, frame),
    connected: (peer) => {
      driver?.command({ type: 'connected', peer })
      options.connected?.(peer)
    },
    disconnected: (peer, closedBy) => {
      driver?.command({ type: 'disconnected', peer, closedBy })
      options.disconnected?.(peer)
    },
  })
  const core = new Membership({
    self: identity.peerId,
    cluster: options.clusterId,
    name: 'hostile',
    version: '0',
    addresses: [raw.address],
    config: profiles.local,
    crypto,
    random: Math.random,
    durable: new Map(),
    groups: options.groups ?? ['all'],
  })
  driver = new Driver({
    core,
    codec: packetCodec,
    counters: raw.counters,
    send: (to, bytes) => raw.links.send(to, 'membership', bytes),
    write: async () => {},
    emit: (event) => options.emitted?.(event),
    request: (request) => {
      switch (request.type) {
        case 'dial':
          void raw.dialer
            .dial(request)
            .then((outcome) => driver?.command({ type: 'dialled', id: request.id, outcome }))
          return
        case 'knock':
          void raw.dialer
            .knock(request)
            .then((outcome) => driver?.command({ type: 'knocked', id: request.id, outcome }))
          return
        case 'release':
          for (const connection of raw.connections.of(request.peer)) raw.connections.close(connection)
          return
      }
    },
    writeFailed: () => {},
    failed: (error) => {
      throw error
    },
  })
  return {
    id: identity.peerId,
    raw,
    crypto,
    core,
    join(addresses) {
      raw.dialer.trust(addresses)
      driver?.command({ type: 'start', contacts: addresses })
    },
    async stop() {
      driver?.stop()
      await raw.stop()
    },
  }
}
