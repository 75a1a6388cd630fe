/**
 * A few multicast cores wired by virtual time: every frame takes a millisecond
 * and passes through the codec. What is lost, and who can reach whom, is the
 * test's to say.
 */
import type { Effect, PeerId } from '../../../../lib/protocols/core.ts'
import { multicastCodec } from '../../../../lib/protocols/multicast/codec.ts'
import { type MulticastConfig, multicastDefaults } from '../../../../lib/protocols/multicast/config.ts'
import { groupIdOf } from '../../../../lib/protocols/multicast/dots.ts'
import { encodeEnvelope } from '../../../../lib/protocols/multicast/envelope.ts'
import type { StampingClock } from '../../../../lib/protocols/multicast/init.ts'
import type {
  Envelope,
  GroupTail,
  MulticastCommand,
  MulticastEvent,
  MulticastPacket,
  MulticastRequest,
  PacketBody,
} from '../../../../lib/protocols/multicast/messages.ts'
import { Multicast, type MulticastInit } from '../../../../lib/protocols/multicast/multicast.ts'
import { cluster, cryptoOf, peer, sha256 } from './sealing.ts'

export const room = 'room'
export const roomId = groupIdOf(room, sha256)

type MulticastEffect = Effect<MulticastPacket, MulticastEvent, MulticastRequest>
type Of<T extends { type: string }, Type extends T['type']> = Extract<T, { type: Type }>

export interface Sent {
  readonly at: number
  readonly from: string
  readonly to: string
  readonly body: PacketBody
}

export interface NodeOptions {
  readonly config?: Partial<MulticastConfig>
  readonly durable?: ReadonlyMap<string, Uint8Array>
  readonly clock?: StampingClock
}

const noClock: StampingClock = { stamp: () => undefined, observe: () => undefined }

export class Node {
  readonly name: string
  readonly peer: PeerId
  readonly core: Multicast
  readonly disk: Map<string, Uint8Array>
  readonly events: MulticastEvent[] = []
  readonly requests: MulticastRequest[] = []
  /** Every write, in order: undefined deletes. */
  readonly writes: (readonly [string, Uint8Array | undefined])[] = []
  /** How many writes there were at the end of each step: those of one step reach the disk together. */
  readonly steps: number[] = []
  groups: readonly string[] = []
  readonly connected = new Set<Node>()
  #tokens = 0
  readonly #pump: Pump

  constructor(pump: Pump, name: string, options: NodeOptions) {
    this.#pump = pump
    this.name = name
    this.peer = peer(name)
    this.disk = new Map(options.durable)
    const init: MulticastInit = {
      self: this.peer,
      cluster,
      config: { ...multicastDefaults, ...options.config },
      crypto: cryptoOf(this.peer),
      random: () => pump.random(),
      durable: new Map(this.disk),
      clock: options.clock ?? noClock,
    }
    this.core = new Multicast(init)
  }

  tell(command: MulticastCommand): this {
    return this.#step(command)
  }

  receive(from: PeerId, body: PacketBody, group = roomId): this {
    return this.#step({ type: 'receive', from, message: { group, body } })
  }

  wake(): void {
    this.#step({ type: 'wake', lagMs: 0 })
  }

  join(name = room): this {
    return this.tell({ type: 'join', name })
  }

  /** Its token. */
  publish(text = 'x', name = room): number {
    this.#tokens += 1
    const payload = new TextEncoder().encode(text)
    this.tell({ type: 'publish', name, payload, token: this.#tokens })
    return this.#tokens
  }

  publishBytes(payload: Uint8Array, name = room): void {
    this.#tokens += 1
    this.tell({ type: 'publish', name, payload, token: this.#tokens })
  }

  of<Type extends MulticastEvent['type']>(type: Type): Of<MulticastEvent, Type>[] {
    return this.events.filter((event): event is Of<MulticastEvent, Type> => event.type === type)
  }

  /** Payloads in the order of delivery. */
  get texts(): string[] {
    return this.of('delivered').flatMap(({ envelope, first }) =>
      envelope.payloads
        .slice(first - envelope.header.seq)
        .map((payload) => new TextDecoder().decode(payload)),
    )
  }

  get ready(): boolean {
    return this.of('ready').length > 0
  }

  gossips(): Envelope[] {
    return this.of('published').map(({ envelope }) => envelope)
  }

  /** What a crash after so many steps leaves behind. */
  diskAfter(step: number): Map<string, Uint8Array> {
    const disk = new Map<string, Uint8Array>()
    for (const [key, value] of this.writes.slice(0, this.steps[step])) {
      if (value === undefined) disk.delete(key)
      else disk.set(key, value)
    }
    return disk
  }

  #step(input: Parameters<Multicast['step']>[0]): this {
    const { now } = this.#pump
    const effects = this.core.step(input, { monotonic: now, wall: 1_785_000_000_000 + now })
    for (const effect of effects) this.#carryOut(effect)
    this.steps.push(this.writes.length)
    return this
  }

  #carryOut(effect: MulticastEffect): void {
    switch (effect.type) {
      case 'send':
        this.#pump.send(this, effect.to, effect.message)
        break
      case 'persist':
        this.writes.push([effect.key, effect.value])
        if (effect.value === undefined) this.disk.delete(effect.key)
        else this.disk.set(effect.key, effect.value)
        break
      case 'note':
        throw new Error('multicast notes nothing')
      case 'emit':
        this.events.push(effect.event)
        break
      default:
        this.requests.push(effect)
        this.#pump.request(this, effect)
    }
  }
}

export class Pump {
  now = 1000
  readonly sent: Sent[] = []
  /** What gossip loses. */
  losesGossip: (from: Node, to: Node, envelope: Envelope) => boolean = () => false
  /** What links lose. */
  loses: (sent: Sent) => boolean = () => false
  /** What links make of it; undefined for nothing. */
  spoils: (sent: Sent) => PacketBody | undefined = ({ body }) => body
  /** Whether gossip shows subscriptions. */
  subscriptions = true
  readonly #nodes = new Map<PeerId, Node>()
  readonly #queue: { at: number; order: number; run: () => void }[] = []
  readonly #codec = multicastCodec({ sha256 })
  #order = 0
  #epochs = 0
  #seed = 1

  random(): number {
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0
    return this.#seed / 2 ** 32
  }

  /** Connected to all that are here, with an epoch, and settled. */
  add(name: string, options: NodeOptions & { readonly epoch?: number } = {}): Node {
    const node = this.addApart(name, options)
    for (const other of this.#nodes.values()) if (other !== node) this.connect(node, other)
    node.tell({ type: 'epoch', epoch: options.epoch ?? 1_785_000_000_000 })
    node.tell({ type: 'settled' })
    return node
  }

  /** Knows nobody, and has no epoch. */
  addApart(name: string, options: NodeOptions = {}): Node {
    const node = new Node(this, name, options)
    this.#nodes.set(node.peer, node)
    return node
  }

  /** Both in `room` and ready. */
  pair(options: NodeOptions = {}): [Node, Node] {
    const [a, b] = [this.add('a', options), this.add('b', options)]
    a.join()
    this.until(() => a.ready)
    b.join()
    this.until(() => b.ready)
    this.run(1000)
    return [a, b]
  }

  connect(a: Node, b: Node): void {
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      one.tell({ type: 'member', peer: other.peer, standing: 'alive', groups: other.groups })
      one.connected.add(other)
      one.tell({ type: 'connected', peer: other.peer })
      for (const name of other.groups) this.#showSubscription(one, other, groupIdOf(name, sha256), true)
    }
  }

  disconnect(a: Node, b: Node): void {
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      one.connected.delete(other)
      one.tell({ type: 'disconnected', peer: other.peer })
    }
  }

  /** It is gone, without a word. */
  kill(node: Node): void {
    this.#nodes.delete(node.peer)
    for (const other of [...node.connected]) {
      node.connected.delete(other)
      other.connected.delete(node)
      other.tell({ type: 'disconnected', peer: node.peer })
      other.tell({ type: 'member', peer: node.peer, standing: 'dead', groups: node.groups })
    }
  }

  /** Returns with what its disk held. */
  restart(node: Node, options: NodeOptions & { readonly epoch?: number } = {}): Node {
    if (this.#nodes.get(node.peer) === node) this.kill(node)
    return this.add(node.name, { durable: node.disk, epoch: 1_785_000_000_001 + this.now, ...options })
  }

  /** Every connected pair tells each other its tails. */
  heartbeats(): void {
    for (const from of this.#nodes.values()) {
      for (const to of from.connected) {
        const tails: readonly GroupTail[] = from.core.tailNews(to.peer, this.now)
        if (tails.length > 0)
          this.#after(1, () => this.#alive(to)?.tell({ type: 'tails', from: from.peer, tails }))
      }
    }
  }

  run(ms: number): void {
    const end = this.now + ms
    while (this.#next(end));
    this.now = end
  }

  until(condition: () => boolean, mostMs = 60_000): void {
    const end = this.now + mostMs
    while (!condition()) if (!this.#next(end)) throw new Error(`not within ${mostMs} ms: ${condition}`)
  }

  send(from: Node, to: PeerId, message: MulticastPacket): void {
    const node = this.#nodes.get(to)
    const sent: Sent = { at: this.now, from: from.name, to: node?.name ?? to, body: message.body }
    this.sent.push(sent)
    if (node === undefined || !from.connected.has(node) || this.loses(sent)) return
    const arrives = this.spoils(sent)
    if (arrives === undefined) return
    const bytes = this.#codec.encode({ group: message.group, body: arrives })
    this.#after(1, () => {
      const { group, body } = this.#codec.decode(bytes)
      if (from.connected.has(node)) this.#alive(node)?.receive(from.peer, body, group)
    })
  }

  request(from: Node, request: MulticastRequest): void {
    switch (request.type) {
      case 'gossip':
        for (const to of this.#nodes.values())
          if (to !== from) this.gossip(from, to, request.bytes, request.group)
        break
      case 'subscribe':
      case 'unsubscribe':
        for (const to of from.connected)
          this.#showSubscription(to, from, request.group, request.type === 'subscribe')
        break
      case 'regroup':
        from.groups = request.groups
        for (const to of from.connected) {
          const { peer: about } = from
          const { groups } = request
          this.#after(1, () =>
            this.#alive(to)?.tell({ type: 'member', peer: about, standing: 'alive', groups }),
          )
        }
        break
      case 'sync-members':
        break
      case 'renew-epoch':
        this.#after(1, () => {
          this.#epochs += 1
          this.#alive(from)?.tell({ type: 'epoch', epoch: 1_790_000_000_000 + this.#epochs })
        })
        break
    }
  }

  gossip(from: Node, to: Node, bytes: Uint8Array, group = roomId): void {
    this.#after(1, () => {
      if (this.#alive(to) === undefined || !from.connected.has(to)) return
      const verdict = to.core.examine(group, bytes)
      if (verdict.type !== 'accept' || this.losesGossip(from, to, verdict.envelope)) return
      to.tell({ type: 'gossiped', from: from.peer, envelope: verdict.envelope })
    })
  }

  /** Sent by `from`, of this type, in order. */
  sentBy<Type extends PacketBody['type']>(from: Node, type: Type) {
    return this.sent.filter(
      (one): one is Sent & { readonly body: Of<PacketBody, Type> } =>
        one.from === from.name && one.body.type === type,
    )
  }

  #showSubscription(at: Node, of: Node, group: string, subscribed: boolean): void {
    if (!this.subscriptions) return
    this.#after(1, () => this.#alive(at)?.tell({ type: 'subscription', peer: of.peer, group, subscribed }))
  }

  #alive(node: Node): Node | undefined {
    return this.#nodes.get(node.peer) === node ? node : undefined
  }

  #after(ms: number, run: () => void): void {
    this.#order += 1
    this.#queue.push({ at: this.now + ms, order: this.#order, run })
    this.#queue.sort((a, b) => a.at - b.at || a.order - b.order)
  }

  /** Whether there was anything to do until then. */
  #next(end: number): boolean {
    const frame = this.#queue[0]
    let at = frame?.at ?? Number.POSITIVE_INFINITY
    let sleeper: Node | undefined
    for (const node of this.#nodes.values()) {
      const { deadline } = node.core
      if (deadline !== undefined && deadline < at) {
        at = deadline
        sleeper = node
      }
    }
    if (at > end) return false
    this.now = Math.max(this.now, at)
    if (sleeper !== undefined) sleeper.wake()
    else {
      this.#queue.shift()
      frame?.run()
    }
    return true
  }
}

export function raw(envelope: Envelope): Uint8Array {
  return encodeEnvelope(envelope)
}
