import { gaterOf } from '../../../lib/host/admission.ts'
import { type ClosedBy, Connections } from '../../../lib/host/connections.ts'
import { type Counters, newCounters } from '../../../lib/host/counters.ts'
import { Dialer } from '../../../lib/host/dialer.ts'
import { Doorkeeper } from '../../../lib/host/doorkeeper.ts'
import { Gossip, type Verdict } from '../../../lib/host/gossip.ts'
import { generateIdentity, type Identity } from '../../../lib/host/identity.ts'
import { Inbound } from '../../../lib/host/inbound.ts'
import { type LinkProtocol, Links } from '../../../lib/host/links.ts'
import { settleListen } from '../../../lib/host/listen.ts'
import { createNode, type Node } from '../../../lib/host/node.ts'
import type { PeerId } from '../../../lib/protocols/core.ts'

export interface Heard {
  readonly topic: string
  readonly from: PeerId
  readonly data: Uint8Array
}

/** The host layer of one peer without a core: what arrives is collected. */
export interface RawPeer {
  readonly id: PeerId
  readonly node: Node
  readonly connections: Connections
  readonly links: Links
  readonly dialer: Dialer
  readonly counters: Counters
  readonly address: string
  readonly received: { readonly from: PeerId; readonly frame: Uint8Array }[]
  readonly closings: { readonly peer: PeerId; readonly closedBy: ClosedBy }[]
  readonly denied: Set<PeerId>
  readonly gossip: Gossip
  /** What was judged, in order. */
  readonly heard: Heard[]
  /** The subscriptions that are shown now, as `peer topic`. */
  readonly shown: Set<string>
  stop(): Promise<void>
}

export interface RawPeerOptions {
  readonly secret?: Uint8Array
  readonly protocol?: Partial<LinkProtocol>
  /** Instead of collecting what arrives. */
  readonly receive?: (peer: RawPeer, from: PeerId, frame: Uint8Array) => void
  readonly listen?: string
  /** Instead of those at which it listens: where it says that it is reached. */
  readonly ownAddresses?: readonly string[]
  /** Instead of accepting all gossip. */
  readonly judge?: (heard: Heard) => Verdict
  /** Instead of a new one. */
  readonly identity?: Identity
  /** The first connection to a peer, and the end of the last. */
  readonly connected?: (other: PeerId) => void
  readonly disconnected?: (other: PeerId, closedBy: ClosedBy) => void
  /** For a handshake of somebody else, instead of what it has by default. */
  readonly handshakeMs?: number
  /** Until the first frame. */
  readonly muteMs?: number
}

export const testSecret = new Uint8Array(32).fill(7)
export const testProtocol = 'test'

const running: RawPeer[] = []

export async function startRawPeer(options: RawPeerOptions = {}): Promise<RawPeer> {
  const identity = options.identity ?? (await generateIdentity())
  const counters = newCounters()
  const denied = new Set<PeerId>()
  const admits = (peer: PeerId) => !denied.has(peer)
  const address = { own: [] as readonly string[] }
  const dialer = new Dialer({ self: identity.peerId, admits, ownAddresses: () => address.own, counters })
  const asked = await settleListen([options.listen ?? '/ip4/127.0.0.1/tcp/0'], undefined)
  const secret = options.secret ?? testSecret
  const inbound = new Inbound(counters)
  const node = await createNode({
    identity,
    secret,
    doorkeeper: new Doorkeeper({ self: identity.peerId, secret, cluster: 'test', admits, counters }),
    listen: asked,
    gater: gaterOf(admits, inbound),
    inbound,
    counters,
    datastore: undefined,
    version: '0',
    ...(options.handshakeMs === undefined ? {} : { handshakeMs: options.handshakeMs }),
  })
  const received: RawPeer['received'] = []
  const closings: RawPeer['closings'] = []
  const connections = new Connections(node, identity.peerId, counters, {
    connected: (peer) => options.connected?.(peer),
    disconnected: (peer, closedBy) => {
      closings.push({ peer, closedBy })
      options.disconnected?.(peer, closedBy)
    },
    changed: (peer) => links.reconcile(peer),
  })
  const links = new Links(node, connections, counters, options.muteMs)
  const heard: Heard[] = []
  const shown = new Set<string>()
  const gossip = new Gossip({
    node,
    connections,
    counters,
    events: {
      judge: (topic, from, data) => {
        heard.push({ topic, from, data })
        return options.judge?.({ topic, from, data }) ?? 'accept'
      },
      subscription: (other, topic, subscribed) => {
        if (subscribed) shown.add(`${other} ${topic}`)
        else shown.delete(`${other} ${topic}`)
      },
      failed: (error) => {
        throw error
      },
    },
  })
  dialer.start(node, connections)
  connections.start()
  await links.register({
    name: testProtocol,
    maxFrameBytes: 64 * 1024,
    queueBytes: 256 * 1024,
    queueFrames: 512,
    receive: (from, frame) => {
      if (options.receive === undefined) received.push({ from, frame })
      else options.receive(peer, from, frame)
    },
    ...options.protocol,
  })
  await node.open()
  const listening = node.addresses()
  address.own = options.ownAddresses ?? listening
  const stop = async () => {
    if (running.includes(peer)) running.splice(running.indexOf(peer), 1)
    dialer.stop()
    connections.stop()
    links.stop()
    gossip.stop()
    await node.close()
  }
  const peer: RawPeer = {
    id: identity.peerId,
    node,
    connections,
    links,
    dialer,
    counters,
    address: listening[0] ?? '',
    received,
    closings,
    denied,
    gossip,
    heard,
    shown,
    stop,
  }
  running.push(peer)
  return peer
}

export async function stopRawPeers(): Promise<void> {
  await Promise.all(running.splice(0).map((peer) => peer.stop()))
}

let dials = 0

/** What membership would ask for. */
export function connect(
  from: RawPeer,
  to: RawPeer,
  mode: 'connect' | 'replace' = 'connect',
): ReturnType<Dialer['dial']> {
  dials += 1
  const addresses = [to.address]
  return from.dialer.dial({ type: 'dial', id: dials, peer: to.id, addresses, mode, timeoutMs: 2000 })
}
