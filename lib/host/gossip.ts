import './with-resolvers.ts'
import { type SubscriptionChangeData, TopicValidatorResult } from '@chainsafe/libp2p-gossipsub'
import type { PeerId } from '../protocols/core.ts'
import { P2pdError } from '../wire/errors.ts'
import { maxBulkFrameBytes, maxGroups } from '../wire/limits.ts'
import type { Connections } from './connections.ts'
import type { Counters } from './counters.ts'
import { GossipMender } from './gossip-mender.ts'
import { type GossipService, maxTopicLength } from './gossip-service.ts'
import type { Node } from './node.ts'
import { PublishQueue } from './publish-queue.ts'

/**
 * What a message is worth. `accept` passes it on; `reject` is for what every
 * peer would refuse, and costs the sender; `ignore` costs nobody.
 */
export type Verdict = 'accept' | 'reject' | 'ignore'

export interface GossipEvents {
  /**
   * Called once a message id, for topics subscribed to; `from` passed it on. An
   * id is forgotten after 30 s: what is replayed then is judged again. Must not throw.
   */
  readonly judge: (topic: string, from: PeerId, data: Uint8Array) => Verdict
  /** Whether what is published under `topic` now reaches `peer` by gossip; also false when it disconnects. */
  readonly subscription: (peer: PeerId, topic: string, subscribed: boolean) => void
  /** A broken assertion: `judge` has thrown. */
  readonly failed: (error: unknown) => void
}

export interface GossipInit {
  readonly node: Node
  readonly connections: Connections
  readonly counters: Counters
  readonly events: GossipEvents
}

/**
 * What a message may cost when it goes to every subscriber at once instead of to
 * a mesh that passes it on: one hop instead of a few, for bytes times subscribers.
 */
const floodBytes = 1024 * 1024

/**
 * Messages to all who subscribe to a topic: quick, unordered, without history,
 * and lost now and then; repair is the protocol's above.
 */
export class Gossip {
  readonly #service: GossipService
  readonly #counters: Counters
  readonly #events: GossipEvents
  readonly #mender: GossipMender
  readonly #queue: PublishQueue
  /** What peers have subscribed to; within gossipsub's own limits a peer. */
  readonly #topics = new Map<PeerId, Set<string>>()
  /** Those to whom a stream is open. */
  readonly #reached = new Set<PeerId>()
  readonly #onSubscriptions = (event: CustomEvent<SubscriptionChangeData>): void =>
    this.#subscriptionsOf(event.detail)
  readonly #onHeartbeat = (): void => this.#heartbeat()
  #stopped = false

  /** Before the node starts, so that no stream is missed. */
  constructor({ node, connections, counters, events }: GossipInit) {
    const service = node.gossip
    this.#service = service
    this.#counters = counters
    this.#events = events
    this.#mender = new GossipMender(service, connections, counters)
    this.#queue = new PublishQueue({
      send: (topic, data) => this.#send(topic, data),
      streams: () => service.streams.outbound(),
    })
    service.streams.watch({
      opened: (peer) => this.#opened(peer),
      closed: (peer) => this.#closed(peer),
      forgotten: (peer) => this.#forgotten(peer),
      drained: () => this.#queue.drained(),
    })
    service.pubsub.addEventListener('subscription-change', this.#onSubscriptions)
    service.pubsub.addEventListener('gossipsub:heartbeat', this.#onHeartbeat)
  }

  /** After the node has started; again is no error. Errors: ERR_TOO_MANY above 256 topics. */
  subscribe(topic: string): void {
    const { pubsub } = this.#service
    if (topic.length === 0 || topic.length > maxTopicLength) {
      throw new RangeError(`a topic's name has 1 to ${maxTopicLength} characters`)
    }
    if (pubsub.getTopics().length >= maxGroups && !pubsub.topicValidators.has(topic)) {
      throw new P2pdError('ERR_TOO_MANY', `at most ${maxGroups} topics`)
    }
    pubsub.topicValidators.set(topic, (from, { data }) => this.#judge(topic, from.toString() as PeerId, data))
    pubsub.subscribe(topic)
  }

  unsubscribe(topic: string): void {
    const { pubsub } = this.#service
    if (!pubsub.topicValidators.delete(topic)) return
    pubsub.unsubscribe(topic)
  }

  /**
   * Sends to the subscribers that there are, also if there is none; what was
   * published within the last 30 s is not sent again. False when too much waits
   * to be sent, or after `stop`; then it was not taken.
   */
  publish(topic: string, data: Uint8Array): boolean {
    if (data.byteLength > maxBulkFrameBytes) {
      throw new RangeError(`a gossip message has at most ${maxBulkFrameBytes} bytes`)
    }
    const taken = this.#queue.push(topic, data)
    if (!taken) this.#counters.dropped['gossip-full'] += 1
    return taken
  }

  /** Takes nothing in until `resume`: the peers' windows fill, and they wait. */
  pause(): void {
    this.#service.streams.pause()
  }

  resume(): void {
    this.#service.streams.resume()
  }

  /** Bytes of own messages that wait because the peers do not read fast enough. */
  get queuedBytes(): number {
    return this.#queue.queuedBytes
  }

  /** To whom a message published now goes by gossip, directly or not. */
  subscribers(topic: string): readonly PeerId[] {
    return [...this.#reached].filter((peer) => this.#topics.get(peer)?.has(topic) === true)
  }

  /** Whether messages of some topic go to `peer` directly and first. */
  isMeshed(peer: PeerId): boolean {
    return this.#service.meshes(peer)
  }

  /** No more events; the node stops gossipsub itself. */
  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#queue.stop()
    this.#mender.stop()
    const { pubsub, streams } = this.#service
    streams.watch(undefined)
    pubsub.removeEventListener('subscription-change', this.#onSubscriptions)
    pubsub.removeEventListener('gossipsub:heartbeat', this.#onHeartbeat)
  }

  #judge(topic: string, from: PeerId, data: Uint8Array): TopicValidatorResult {
    if (this.#stopped) return TopicValidatorResult.Ignore
    const verdict = this.#verdict(topic, from, data)
    this.#counters.gossip[verdict] += 1
    switch (verdict) {
      case 'accept':
        return TopicValidatorResult.Accept
      case 'ignore':
        return TopicValidatorResult.Ignore
      case 'reject':
        this.#service.penalties.add(from)
        return TopicValidatorResult.Reject
    }
  }

  /** gossipsub would take a throw for `ignore` and say nothing. */
  #verdict(topic: string, from: PeerId, data: Uint8Array): Verdict {
    try {
      return this.#events.judge(topic, from, data)
    } catch (error) {
      this.#events.failed(error)
      return 'ignore'
    }
  }

  async #send(topic: string, data: Uint8Array): Promise<void> {
    const floodPublish = this.#count(topic) * data.byteLength <= floodBytes
    try {
      await this.#service.publish(topic, data, floodPublish)
      this.#counters.gossip.published += 1
    } catch (error) {
      // The node has stopped in between, and the queue is about to.
      if (this.#service.running) this.#events.failed(error)
    }
  }

  #count(topic: string): number {
    let count = 0
    for (const peer of this.#reached) if (this.#topics.get(peer)?.has(topic) === true) count += 1
    return count
  }

  #subscriptionsOf({ peerId, subscriptions }: SubscriptionChangeData): void {
    const peer = peerId.toString() as PeerId
    const topics = this.#topics.get(peer) ?? new Set<string>()
    for (const { topic, subscribe } of subscriptions) {
      if (topics.has(topic) === subscribe) continue
      if (subscribe) topics.add(topic)
      else topics.delete(topic)
      if (this.#reached.has(peer)) this.#events.subscription(peer, topic, subscribe)
    }
    if (topics.size > 0) this.#topics.set(peer, topics)
    else this.#topics.delete(peer)
  }

  #opened(peer: PeerId): void {
    this.#mender.opened(peer)
    if (this.#reached.has(peer)) return
    this.#reached.add(peer)
    for (const topic of this.#topics.get(peer) ?? []) this.#events.subscription(peer, topic, true)
  }

  #closed(peer: PeerId): void {
    this.#unreached(peer)
    this.#mender.lost(peer)
  }

  #unreached(peer: PeerId): void {
    if (!this.#reached.delete(peer)) return
    for (const topic of this.#topics.get(peer) ?? []) this.#events.subscription(peer, topic, false)
  }

  #forgotten(peer: PeerId): void {
    this.#unreached(peer)
    this.#topics.delete(peer)
  }

  #heartbeat(): void {
    // What it could not read makes gossipsub drop a peer without a word.
    for (const peer of [...this.#topics.keys()]) if (!this.#service.knows(peer)) this.#forgotten(peer)
    this.#mender.look()
  }
}
