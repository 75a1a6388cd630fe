import './with-resolvers.ts'
import { hash } from 'node:crypto'
import {
  type GossipSub,
  type GossipSubComponents,
  type GossipsubOpts,
  gossipsub,
  TopicValidatorResult,
} from '@chainsafe/libp2p-gossipsub'
import type { PublishOpts } from '@chainsafe/libp2p-gossipsub/types'
import { serviceCapabilities, serviceDependencies } from '@libp2p/interface'
import type { PeerId } from '../protocols/core.ts'
import { maxBulkFrameBytes, maxGroups } from '../wire/limits.ts'
import { GossipPenalties } from './gossip-penalties.ts'
import { GossipStreams } from './gossip-streams.ts'

/** Of a topic's name, UTF-16 code units. */
export const maxTopicLength = 128

/**
 * A mesh is mended when a peer subscribes, and what a mesh has lost is mended by
 * repair, so the heartbeat only fills meshes up after deaths and forgets what is old. Each costs
 * about 20 µs a topic of 300 peers: at gossipsub's 1 s that is 0.5 % of a core with 256 topics.
 */
export const heartbeatIntervalMs = 2000

/**
 * How long a message id is known: longer than the slowest copy is under way. A
 * replay after that is judged again, and refused by whoever has it. gossipsub's two minutes
 * hold 600,000 ids at 5000 messages a second.
 */
const seenMs = 30_000

/**
 * Bytes that may wait for one peer before its stream is aborted: gossipsub
 * forwards without looking. Own messages stop long before, see `PublishQueue`.
 */
const maxOutboundBytes = 8 * 1024 * 1024

/**
 * From here on a receiver tells its mesh not to send what it has. Below, that
 * costs about as much as the copy and comes too late on a quick network.
 */
const idontwantMinBytes = 16 * 1024

/** The newest version alone: with three, each identify would announce a peer three times. */
const protocol = '/meshsub/1.2.0'

/** Not to be mixed up with the gossip of an app in whose node this runs, nor with its peers. */
export const gossipProtocol = '/p2pd/gossip/1'

/** One in use, and one that replaces it. */
const maxInboundStreams = 4

/** gossipsub's own estimate of what it costs to remember a topic. */
const topicOverheadBytes = 1024

/**
 * SHA-256 of topic, a zero byte and the whole data. The id counts as seen before
 * the message is judged: over anything less, a forged copy would block the true one.
 */
export function messageId(topic: string, data: Uint8Array): Uint8Array {
  return Buffer.from(messageIdText(topic, data), 'latin1')
}

/** The id's bytes as characters; in one call, and no object that hashes. */
function messageIdText(topic: string, data: Uint8Array): string {
  const topicBytes = Buffer.byteLength(topic)
  const whole = Buffer.allocUnsafe(topicBytes + 1 + data.byteLength)
  whole.write(topic)
  whole[topicBytes] = 0
  whole.set(data, topicBytes + 1)
  return hash('sha256', whole, 'binary')
}

const idText = (id: Uint8Array): string =>
  Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('latin1')

/** gossipsub asks for the id of what arrives twice; the second time the same bytes are at hand. */
class MessageIds {
  readonly #known = new WeakMap<Uint8Array, string>()

  first(topic: string, data: Uint8Array): string {
    const id = messageIdText(topic, data)
    this.#known.set(data, id)
    return id
  }

  again(topic: string, data: Uint8Array): Uint8Array {
    const id = this.#known.get(data)
    if (id === undefined) return messageId(topic, data)
    this.#known.delete(data)
    return Buffer.from(id, 'latin1')
  }
}

/** Nobody announces what it has nor is answered when asked for it, so nothing is kept for that. */
const noMessageCache = {
  msgs: new Map(),
  history: [],
  notValidatedCount: 0,
  size: 0,
  put: () => true,
  observeDuplicate: () => {},
  get: () => undefined,
  getWithIWantCount: () => null,
  getGossipIDs: () => new Map(),
  validate: () => null,
  shift: () => {},
  remove: () => null,
} as unknown as GossipsubOpts['messageCache']

/** Messages under topics that this peer is not subscribed to are neither kept nor passed on. */
class TopicValidators<Validator> extends Map<string, Validator> {
  readonly #otherwise: Validator

  constructor(otherwise: Validator) {
    super()
    this.#otherwise = otherwise
  }

  override get(topic: string): Validator {
    return super.get(topic) ?? this.#otherwise
  }
}

function optionsOf(penalties: GossipPenalties): Partial<GossipsubOpts> {
  const ids = new MessageIds()
  const noData = new Uint8Array(0)
  return {
    // Envelopes are signed; a second signature would say nothing.
    globalSignaturePolicy: 'StrictNoSign',
    fallbackToFloodsub: false,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    emitSelf: false,
    batchPublish: true,
    doPX: false,
    // It would write each graft to the peer store, on the disk.
    tagMeshPeers: false,
    // An answer to IWANT is one message without bound; our own repair takes its place.
    Dlazy: 0,
    gossipFactor: 0,
    messageCache: noMessageCache,
    mcacheLength: 1,
    mcacheGossip: 1,
    heartbeatInterval: heartbeatIntervalMs,
    seenTTL: seenMs,
    fastMsgIdFn: ({ topic, data }) => ids.first(topic, data ?? noData),
    msgIdFn: ({ topic, data }) => ids.again(topic, data),
    msgIdToStrFn: idText,
    idontwantMinDataSize: idontwantMinBytes,
    maxInboundStreams,
    maxInboundDataLength: maxBulkFrameBytes + 64 * 1024,
    maxOutboundBufferSize: maxOutboundBytes,
    maxTopicBytesPerPeer: maxGroups * (topicOverheadBytes + maxTopicLength),
    decodeRpcLimits: {
      maxSubscriptions: maxGroups,
      maxMessages: 64,
      // Nobody who keeps these rules sends them; whoever does is not read.
      maxIhaveMessageIDs: 0,
      maxIwantMessageIDs: 0,
      maxPeerInfos: 0,
      maxIdontwantMessageIDs: 512,
      maxControlMessages: maxGroups,
    },
    scoreParams: {
      // Topics that are not listed are not scored: no peer is punished for a quiet one.
      topics: {},
      appSpecificScore: (peer) => penalties.score(peer as PeerId),
      appSpecificWeight: 1,
      // A dozen peers on one address are a testnet, not an attack: by default nobody hears them.
      IPColocationFactorWeight: 0,
      // It is quadratic in the topics for which a peer that restarts grafts too early.
      behaviourPenaltyWeight: 0,
      decayInterval: 10_000,
      retainScore: 0,
    },
  }
}

/** What of gossipsub is public and not in its published type. */
interface Internals {
  readonly peers: ReadonlyMap<string, unknown>
  readonly mesh: ReadonlyMap<string, ReadonlySet<string>>
  readonly score: { readonly deliveryRecords: { clear(): void } }
  isStarted(): boolean
  start(): Promise<void>
  stop(): Promise<void>
  publish(topic: string, data: Uint8Array, options: PublishOpts): Promise<unknown>
}

/** gossipsub as a service of the node, with the settings that it needs here; `Gossip` is its face. */
export class GossipService {
  readonly pubsub: GossipSub
  readonly streams = new GossipStreams((name) => (name === protocol ? gossipProtocol : name))
  readonly penalties = new GossipPenalties()
  readonly [Symbol.toStringTag] = '@p2pd/gossip'
  readonly [serviceCapabilities]: readonly string[] = ['@libp2p/pubsub']
  readonly [serviceDependencies]: readonly string[] = ['@libp2p/identify']

  constructor(components: GossipSubComponents) {
    this.pubsub = gossipsub(optionsOf(this.penalties))({
      ...pick(components),
      registrar: this.streams.observe(components.registrar),
    })
    this.pubsub.protocols = [protocol]
    this.pubsub.topicValidators = new TopicValidators(() => TopicValidatorResult.Ignore)
    this.pubsub.addEventListener('gossipsub:heartbeat', () => this.#forgetDeliveries())
  }

  get running(): boolean {
    return this.#internals.isStarted()
  }

  /** Whether gossipsub counts `peer` among those it talks with. */
  knows(peer: PeerId): boolean {
    return this.#internals.peers.has(peer)
  }

  /** Whether messages of some topic go to `peer` directly and first. */
  meshes(peer: PeerId): boolean {
    for (const mesh of this.#internals.mesh.values()) if (mesh.has(peer)) return true
    return false
  }

  /** To all subscribers if `floodPublish`, else to the mesh. Settles when it lies in the streams' buffers. */
  async publish(topic: string, data: Uint8Array, floodPublish: boolean): Promise<void> {
    // In a batch: encoded once for all who get it.
    await this.#internals.publish(topic, data, { floodPublish, batchPublish: true })
  }

  async start(): Promise<void> {
    await this.#internals.start()
  }

  async stop(): Promise<void> {
    await this.#internals.stop()
  }

  get #internals(): Internals {
    return this.pubsub as unknown as Internals
  }

  /** Kept two minutes, a few hundred bytes a message, for scores by topic, of which there are none. */
  #forgetDeliveries(): void {
    this.#internals.score.deliveryRecords.clear()
  }
}

/** For `createLibp2p`. */
export function gossipService(components: GossipSubComponents): GossipService {
  return new GossipService(components)
}

/** By name: libp2p's components are behind a proxy that lists none. */
function pick(components: GossipSubComponents): GossipSubComponents {
  const { privateKey, peerId, peerStore, registrar, connectionManager, logger } = components
  return { privateKey, peerId, peerStore, registrar, connectionManager, logger }
}
