import type { PeerId } from '../../lib/protocols/core.ts'
import type { Frame } from './frame.ts'
import type { Direction, Links } from './links.ts'
import { synRtoMs } from './links.ts'
import type { World } from './world.ts'

/** A process as the network sees it. */
export interface Endpoint {
  readonly peer: PeerId
  readonly machine: NetworkNode
  readonly alive: boolean
  /** Too much waits to be read; the kernel tells senders to hold back. */
  readonly congested: boolean
  /** Alive, and does at once what it is asked. */
  readonly awake: boolean
  /** Runs `task` as soon as the process runs: at once, or when it is resumed. */
  schedule(task: () => void): void
  freeze(): void
  thaw(): void
  /** The kernel is asked to take a connect; false when more of them wait for the process than it keeps. */
  admitted(end: End): boolean
  /** A connect that was taken, or an own dial, came to nothing. */
  abandoned(end: End): void
  opened(end: End): void
  closed(end: End, by: 'remote' | 'local'): void
  received(end: End, frame: Frame): void
}

/** A machine as the network sees it: it answers for its kernel even when no process does. */
export interface NetworkNode {
  readonly index: number
  readonly up: boolean
  readonly process: Endpoint | undefined
}

/**
 * `stream` is what members use: loss becomes delay. With `datagram` the frames
 * (not the handshakes) are really lost, doubled, reordered and damaged, which
 * shows that the cores lean on no more than they say.
 */
export type Transport = 'stream' | 'datagram'

export type Segment =
  | { readonly type: 'syn' | 'syn-ack' | 'fin' | 'reset' }
  | { readonly type: 'handshake'; readonly step: 1 | 2 | 3 | 4 }
  | { readonly type: 'frame'; readonly frame: Frame }

/** Frames that one direction holds before the sender's are dropped, and what a sender may have unacknowledged. */
const streamLimit = 1024
const unacknowledgedLimit = 10
const maxBackoffMs = 120_000
/** Linux's tcp_orphan_retries: a dead process's FIN is given up after this many. */
const orphanRetries = 8

/**
 * One direction of a connection: in order, reliable while a way exists. What
 * cannot pass waits for a retransmission with doubling pauses, as in TCP, so a
 * stream comes back long after its path does.
 */
class Stream {
  readonly #world: World
  readonly #links: Links
  readonly #from: End
  readonly #to: End
  readonly #way: Direction
  readonly #back: Direction
  readonly #waiting: Segment[] = []
  /** One function for all arrivals: a stream has thousands. */
  readonly #arrived = () => this.#arrive()
  #lastArrival = 0
  /** Segments that have tried to arrive and could not. */
  #stalled = 0
  #backoffMs = 200
  #retries = 0
  #unacknowledged = 0
  #dead = false

  constructor(world: World, links: Links, from: End, to: End) {
    this.#world = world
    this.#links = links
    this.#from = from
    this.#to = to
    this.#way = links.direction(from.node.index, to.node.index)
    this.#back = links.direction(to.node.index, from.node.index)
  }

  /** False when the frame was dropped because too much waits. */
  send(segment: Segment): boolean {
    if (this.#dead) return false
    if (segment.type === 'frame' && this.#waiting.length >= streamLimit) return false
    if (segment.type === 'syn') this.#backoffMs = synRtoMs
    this.#waiting.push(segment)
    if (this.#stalled > 0) this.#stalled++
    else this.#launch(segment.type === 'syn' ? synRtoMs : undefined)
    return true
  }

  /** The sending machine lost its power: what has not left never will. */
  kill(): void {
    this.#dead = true
  }

  #launch(firstRtoMs?: number): void {
    const delay = this.#links.segmentDelay(this.#way, firstRtoMs)
    this.#lastArrival = Math.max(this.#lastArrival, this.#world.now + delay)
    this.#world.at(this.#lastArrival, this.#arrived)
  }

  /** One segment's worth of arrivals; which one is decided by the order of sending. */
  #arrive(): void {
    if (this.#stalled > 0) {
      this.#stalled++
      return
    }
    if (!this.#passable()) {
      this.#stalled = 1
      this.#retryLater()
      return
    }
    this.#retries = 0
    this.#backoffMs = 200
    const segment = this.#waiting.shift()
    if (segment !== undefined) this.#to.arrived(segment)
  }

  #retryLater(): void {
    this.#world.after(this.#backoffMs, () => this.#retry())
    this.#backoffMs = Math.min(2 * this.#backoffMs, maxBackoffMs)
  }

  #retry(): void {
    if (this.#dead) return
    if (!this.#passable()) {
      this.#retries++
      if (this.#from.abandoned && this.#retries > orphanRetries) this.#dead = true
      else this.#retryLater()
      return
    }
    const count = this.#stalled
    this.#stalled = 0
    for (let i = 0; i < count; i++) this.#launch()
  }

  #passable(): boolean {
    if (!this.#to.node.up || !this.#from.node.up || this.#way.cuts > 0) return false
    if (this.#to.process?.congested === true && this.#to.state === 'open') return false
    if (this.#back.cuts === 0) this.#unacknowledged = 0
    else if (++this.#unacknowledged > unacknowledgedLimit) return false
    return true
  }
}

export type EndState = 'opening' | 'open' | 'closed'

/** One end of a connection. It belongs to one life of a process and ends with it. */
export class End {
  readonly node: NetworkNode
  /** Of the other machine. */
  farIndex = -1
  process: Endpoint | undefined
  state: EndState = 'opening'
  /** True time at which it opened here. */
  openedAt = 0
  /** Called once, by the dialling side, when it is known how the attempt ended. */
  settled: ((failure: 'refused' | 'unreachable' | undefined) => void) | undefined
  readonly #connection: Connection
  #other: End | undefined
  #out: Stream | undefined
  #answered = false

  constructor(connection: Connection, node: NetworkNode, process: Endpoint | undefined) {
    this.#connection = connection
    this.node = node
    this.process = process
  }

  wire(world: World, links: Links, to: End): void {
    this.#other = to
    this.farIndex = to.node.index
    this.#out = new Stream(world, links, this, to)
  }

  get other(): End {
    if (this.#other === undefined) throw new Error('not wired yet')
    return this.#other
  }

  /** Who is at the other end, once the handshake told. */
  get remotePeer(): PeerId | undefined {
    return this.#other?.process?.peer
  }

  /** The other machine's kernel has taken the connect, whatever its process does. */
  get accepted(): boolean {
    return this.#answered
  }

  get order(): number {
    return this.#connection.order
  }

  /** Nobody here waits for an answer any more. */
  get abandoned(): boolean {
    return this.state === 'closed'
  }

  dial(): void {
    this.#out?.send({ type: 'syn' })
  }

  send(frame: Frame): boolean {
    if (this.state !== 'open') return false
    if (this.#connection.transport === 'datagram') return this.#connection.scatter(this, frame)
    return this.#out?.send({ type: 'frame', frame }) ?? false
  }

  /** A datagram has come: nothing holds it back, nothing asks for it again. */
  caught(frame: Frame): void {
    const process = this.process
    if (!this.node.up || process?.alive !== true || process.congested) return
    process.schedule(() => {
      if (this.state === 'open') process.received(this, frame)
    })
  }

  /** The process closes it: what was sent before still goes. */
  close(): void {
    if (this.state === 'closed') return
    const wasOpen = this.state === 'open'
    this.state = 'closed'
    this.#out?.send({ type: 'fin' })
    if (wasOpen) this.process?.closed(this, 'local')
    else this.process?.abandoned(this)
  }

  /** A middlebox resets it: both ends think that the other did. */
  reset(): void {
    this.arrived({ type: 'reset' })
    this.other.arrived({ type: 'reset' })
  }

  /** The process died and the kernel closes for it. */
  orphan(): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.#out?.send({ type: 'fin' })
  }

  /** The machine died: not a word. */
  vanish(): void {
    this.state = 'closed'
    this.#out?.kill()
  }

  arrived(segment: Segment): void {
    if (segment.type === 'syn') return this.#accept()
    if (segment.type === 'reset' || segment.type === 'fin') return this.#ended()
    if (this.state === 'closed' || this.process?.alive !== true) return this.#connection.refuse(this)
    // Most segments are frames for a process that runs: no detour for them.
    if (segment.type === 'frame' && this.state === 'open' && this.process.awake) {
      this.process.received(this, segment.frame)
      return
    }
    if (segment.type === 'syn-ack') this.#answered = true
    this.process.schedule(() => this.#handle(segment))
  }

  #accept(): void {
    const process = this.node.process
    if (process === undefined) {
      this.state = 'closed'
      return this.#connection.refuse(this)
    }
    // A full backlog drops the connect without a word, and the dialler's time runs out.
    if (!process.admitted(this)) return
    this.process = process
    this.#out?.send({ type: 'syn-ack' })
  }

  #ended(): void {
    const process = this.process
    if (this.state === 'closed' || process?.alive !== true) return
    const answered = this.#answered
    process.schedule(() => {
      const before = this.state
      if (before === 'closed') return
      this.state = 'closed'
      if (before === 'open') process.closed(this, 'remote')
      else process.abandoned(this)
      if (before === 'opening') this.settled?.(answered ? 'unreachable' : 'refused')
    })
  }

  #handle(segment: Segment): void {
    if (this.state === 'closed') return
    if (segment.type === 'frame') {
      if (this.state === 'open') this.process?.received(this, segment.frame)
    } else if (segment.type === 'syn-ack') {
      this.#out?.send({ type: 'handshake', step: 1 })
    } else if (segment.type === 'handshake') this.#shake(segment.step)
  }

  /** Odd steps go from the dialler to the acceptor; step 2 tells the dialler who answered. */
  #shake(step: 1 | 2 | 3 | 4): void {
    if (step === 1) this.#out?.send({ type: 'handshake', step: 2 })
    else if (step === 2) {
      if (this.#connection.welcome(this.remotePeer)) this.#out?.send({ type: 'handshake', step: 3 })
      else this.close()
    } else if (step === 3) {
      this.#out?.send({ type: 'handshake', step: 4 })
      this.#open()
    } else {
      this.#open()
      this.settled?.(undefined)
    }
  }

  #open(): void {
    this.state = 'open'
    this.openedAt = this.#connection.now
    this.process?.opened(this)
  }
}

/** A TCP connection with an authenticated handshake on top: six one-way trips until the dialler has it. */
export class Connection {
  readonly order: number
  readonly dialler: End
  readonly acceptor: End
  /** Asked by the dialler once it knows who answers; false closes. */
  readonly welcome: (peer: PeerId | undefined) => boolean
  readonly transport: Transport
  readonly #world: World
  readonly #links: Links

  constructor(
    world: World,
    links: Links,
    plan: {
      readonly order: number
      readonly from: Endpoint
      readonly to: NetworkNode
      readonly transport: Transport
      readonly welcome: (peer: PeerId | undefined) => boolean
    },
  ) {
    const { from, to } = plan
    this.#world = world
    this.#links = links
    this.order = plan.order
    this.welcome = plan.welcome
    this.transport = plan.transport
    this.dialler = new End(this, from.machine, from)
    this.acceptor = new End(this, to, undefined)
    this.dialler.wire(world, links, this.acceptor)
    this.acceptor.wire(world, links, this.dialler)
  }

  get now(): number {
    return this.#world.now
  }

  /** A kernel's RST: it knows of no such connection. Lost RSTs are not sent again, but the next segment asks again. */
  refuse(end: End): void {
    const way = this.#links.direction(end.node.index, end.other.node.index)
    this.#world.after(this.#links.segmentDelay(way), () => {
      if (way.cuts === 0 && end.other.node.up) end.other.arrived({ type: 'reset' })
    })
  }

  /** The frame's copies, each on its own way: lost, doubled, late, damaged. */
  scatter(sender: End, frame: Frame): boolean {
    const from = sender.node.index
    const to = sender.other.node.index
    for (const copy of this.#links.datagrams(from, to, frame)) {
      this.#world.after(copy.delayMs, () => {
        if (!this.#links.isCut(from, to)) sender.other.caught(copy.frame)
      })
    }
    return true
  }
}
