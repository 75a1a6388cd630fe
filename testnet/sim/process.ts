import type { Codec, Core, Effect, Input, Instant, PeerId } from '../../lib/protocols/core.ts'
import { WireError } from '../../lib/wire/errors.ts'
import { maxControlFrameBytes } from '../../lib/wire/limits.ts'
import type { HostClock } from './clock.ts'
import type { End, Endpoint } from './connection.ts'
import type { Frame } from './frame.ts'
import { hash32, hashText, mixIn } from './hash.ts'
import type { Machine } from './machine.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

type Tagged = { readonly type: string }

/** Everything that a process runs and that is not the simulator's: one protocol's core and what binds it to a host. */
export interface Program<Message, Command extends Tagged, Event, Request extends Tagged> {
  readonly core: Core<Message, Command, Event, Request>
  readonly codec: Codec<Message>
  connected(peer: PeerId): Command
  disconnected(peer: PeerId, closedBy: 'remote' | 'local'): Command
  /** Carries out a request; answers come later, by `process.command`, never from within. */
  request(request: Request, process: Process<Message, Command, Event, Request>): void
  emitted(event: Event, process: Process<Message, Command, Event, Request>): void
  malformed?(peer: PeerId, process: Process<Message, Command, Event, Request>): void
  /** Just before the packet goes out; throws what breaks an invariant. */
  sending?(message: Message, to: PeerId, process: Process<Message, Command, Event, Request>): void
  /** After each step. */
  stepped?(process: Process<Message, Command, Event, Request>): void
  /** A hash of what holds more than JSON shows, or of much; undefined for the rest. */
  hash?(said: Command | Event | Request): number | undefined
}

/** What the network's traffic came to, for figures and for limits. */
export interface ProcessFigures {
  framesSent: number
  bytesSent: number
  framesDropped: number
  malformed: number
  steps: number
  /** Packets that were encoded, and their bytes; all of them outside of crowds. */
  framesEncoded: number
}

/** Read from the sockets and not yet looked at; beyond it the kernel holds senders back. */
const inboxLimit = 2048
/** Connects that a kernel keeps for a process that does not take them: what Node asks for when it listens. */
export const backlogLimit = 511
const wakeHash = hashText('wake')
const sendHash = hashText('send')
/** A real timer fires a little late, ms. */
const timerLateMinMs = 0.01
const timerLateMaxMs = 1
const noBytes = new Uint8Array(0)
/** A connection that lasts this long is there to stay, ms. */
const settledMs = 1000

/**
 * One life of an operating system's process: the embedder of a core as core.ts
 * describes its duties, with what a real one suffers (SIGSTOP, SIGKILL, late
 * timers, slow disks).
 */
export class Process<Message, Command extends Tagged, Event, Request extends Tagged> implements Endpoint {
  readonly peer: PeerId
  readonly machine: Machine
  readonly life: number
  readonly bornAt: number
  readonly figures: ProcessFigures = {
    framesSent: 0,
    bytesSent: 0,
    framesDropped: 0,
    malformed: 0,
    steps: 0,
    framesEncoded: 0,
  }
  /** How long it lived; while it does, 0. */
  ageMs = 0
  readonly #world: World
  readonly #random: Random
  readonly #index: number
  readonly #clock: HostClock
  readonly #core: Core<Message, Command, Event, Request>
  readonly #program: Program<Message, Command, Event, Request>
  readonly #frameLimit: number
  readonly #codecEvery: number
  readonly #wakesFirst: boolean
  readonly #connections = new Map<PeerId, End[]>()
  #outbox: Effect<Message, Event, Request>[] = []
  #writing = false
  readonly #notes = new Map<string, Uint8Array>()
  #draining = false
  #inbox: (() => void)[] = []
  /** Connects that the kernel took and whose handshake is not over. */
  readonly #opening = new Set<End>()
  #backlog = 0
  #sinceEncoded: number
  #frozen = false
  #alive = true
  #alarmAt = Number.POSITIVE_INFINITY

  constructor(
    world: World,
    plan: {
      readonly peer: PeerId
      readonly machine: Machine
      readonly life: number
      readonly random: Random
      readonly program: Program<Message, Command, Event, Request>
      /** Largest frame of its protocol, bytes; that of control protocols where it is not given. */
      readonly frameLimit?: number
      /** Of so many messages one goes through the codec, the others by reference; 1 where it is not given. */
      readonly codecEvery?: number
      /** A mistake of hosts: late timers fire before what lies in the sockets is read. */
      readonly wakesFirst?: boolean
    },
  ) {
    this.#world = world
    this.#random = plan.random
    this.#index = plan.machine.index
    this.#clock = plan.machine.clock
    this.#core = plan.program.core
    this.#program = plan.program
    this.#frameLimit = plan.frameLimit ?? maxControlFrameBytes
    this.#codecEvery = plan.codecEvery ?? 1
    this.#wakesFirst = plan.wakesFirst ?? false
    this.#sinceEncoded = plan.machine.index % this.#codecEvery
    this.peer = plan.peer
    this.machine = plan.machine
    this.life = plan.life
    this.bornAt = world.now
  }

  get alive(): boolean {
    return this.#alive
  }

  /** Nothing waits for a write: what was decided has been done and told. */
  get settled(): boolean {
    return !this.#writing && this.#outbox.length === 0
  }

  /** Stopped by SIGSTOP. */
  get frozen(): boolean {
    return this.#frozen
  }

  get awake(): boolean {
    return this.#alive && !this.#frozen
  }

  get congested(): boolean {
    return this.#inbox.length >= inboxLimit
  }

  get now(): Instant {
    return this.#clock.instant(this.bornAt)
  }

  /** Open connections to `peer`, the oldest first. */
  connectionsTo(peer: PeerId): readonly End[] {
    return this.#connections.get(peer) ?? []
  }

  get connectedPeers(): readonly PeerId[] {
    return [...this.#connections.keys()]
  }

  /** Later, but as soon as may be. */
  command(command: Command): void {
    this.#world.after(0, () => this.schedule(() => this.#step(command)))
  }

  schedule(task: () => void): void {
    if (!this.#alive) return
    if (this.#frozen) this.#inbox.push(task)
    else task()
  }

  /** SIGSTOP. The kernel goes on: it accepts connections and fills the sockets. */
  freeze(): void {
    this.#frozen = true
  }

  /** SIGCONT: what waits in the sockets is read, then the timers fire, late. */
  thaw(): void {
    if (!this.#alive || !this.#frozen) return
    const { deadline } = this.#core
    const lagMs = deadline === undefined ? 0 : Math.max(0, this.now.monotonic - deadline)
    this.#frozen = false
    this.#backlog = 0
    const inbox = this.#inbox
    this.#inbox = []
    if (this.#wakesFirst && this.#due()) this.#step({ type: 'wake', lagMs })
    for (const task of inbox) this.schedule(task)
    if (this.#alive && lagMs > 0 && this.#due()) this.#step({ type: 'wake', lagMs })
    this.#setAlarm()
  }

  /** SIGKILL: the kernel closes the connections, the program is not asked. */
  kill(): void {
    this.#end((end) => end.orphan())
  }

  /** The machine went down: nobody closes anything. */
  vanish(): void {
    this.#end((end) => end.vanish())
  }

  admitted(end: End): boolean {
    if (this.#frozen && this.#backlog++ >= backlogLimit) return false
    this.#opening.add(end)
    return true
  }

  abandoned(end: End): void {
    this.#opening.delete(end)
  }

  opened(end: End): void {
    this.#opening.delete(end)
    const peer = end.remotePeer
    if (peer === undefined) return
    const ends = this.#connections.get(peer)
    if (ends !== undefined) {
      this.#connections.set(peer, [...ends, end])
      if (this.peer < peer) this.#dropOlderLater(end, peer)
      return
    }
    this.#connections.set(peer, [end])
    this.#step(this.#program.connected(peer))
  }

  /** As the real host does: of several connections the newest stays, and only the lower id closes the others. */
  #dropOlderLater(end: End, peer: PeerId): void {
    this.#later(settledMs, () => {
      if (end.state !== 'open') return
      const older = this.connectionsTo(peer).slice(0, -1)
      this.#later(settledMs, () => {
        for (const other of older) if (this.connectionsTo(peer).length > 1) other.close()
      })
    })
  }

  #later(delayMs: number, task: () => void): void {
    this.#world.after(delayMs, () => this.schedule(task))
  }

  closed(end: End, by: 'remote' | 'local'): void {
    const peer = end.remotePeer
    if (peer === undefined || !this.#alive) return
    const rest = (this.#connections.get(peer) ?? []).filter((other) => other !== end)
    if (rest.length > 0) {
      this.#connections.set(peer, rest)
      return
    }
    if (!this.#connections.delete(peer)) return
    const command = this.#program.disconnected(peer, by)
    if (by === 'remote') this.#step(command)
    else this.command(command)
  }

  received(end: End, frame: Frame): void {
    const peer = end.remotePeer
    if (peer === undefined) return
    if (frame.message !== undefined) {
      this.#step({ type: 'receive', from: peer, message: frame.message as Message }, frame.hash)
      return
    }
    let message: Message
    try {
      message = this.#program.codec.decode(frame.bytes)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.figures.malformed++
      this.#program.malformed?.(peer, this)
      this.#world.trace.step(this.#world.now, this.#index, frame.hash, 0)
      return
    }
    this.#step({ type: 'receive', from: peer, message }, frame.hash)
  }

  #step(input: Input<Message, Command>, inputHash = this.#hashInput(input)): void {
    if (!this.#alive) return
    this.figures.steps++
    const effects = this.#core.step(input, this.now)
    let hash = 0
    for (const effect of effects) hash = mixIn(hash, this.#hashEffect(effect))
    this.#world.trace.step(this.#world.now, this.#index, inputHash, hash)
    this.#carryOutAll(effects)
    if (!this.#alive) return
    this.#program.stepped?.(this)
    this.#setAlarm()
  }

  /** In order; a write holds back what comes after it until it is durable. */
  #carryOutAll(effects: readonly Effect<Message, Event, Request>[]): void {
    const waits = this.#draining || this.#writing || this.#outbox.length > 0 || effects.some(isPersist)
    if (waits) {
      for (const effect of effects) this.#outbox.push(effect)
    } else {
      this.#draining = true
      for (const effect of effects) if (this.#alive) this.#carryOut(effect)
      this.#draining = false
    }
    this.#drain()
  }

  #drain(): void {
    if (this.#draining) return
    this.#draining = true
    while (this.#alive && !this.#writing) {
      const effect = this.#outbox.shift()
      if (effect === undefined) break
      this.#carryOut(effect)
    }
    this.#draining = false
  }

  #carryOut(effect: Effect<Message, Event, Request>): void {
    if (isSend(effect)) this.#send(effect.to, effect.message)
    else if (isPersist(effect)) this.#commit(effect)
    else if (isNote(effect)) this.#note(effect.key, effect.value)
    else if (isEmit(effect)) this.#program.emitted(effect.event, this)
    else this.#program.request(effect as Request, this)
  }

  /** All records that wait go in one write, the newest of each key, as in the real driver. */
  #commit(first: PersistEffect): void {
    const entries = new Map([[first.key, first.value]])
    const rest: Effect<Message, Event, Request>[] = []
    for (const effect of this.#outbox) {
      if (isPersist(effect)) entries.set(effect.key, effect.value)
      else rest.push(effect)
    }
    this.#outbox = rest
    this.#writing = true
    this.machine.disk.writeAll(entries, () =>
      this.schedule(() => {
        this.#writing = false
        this.#drain()
      }),
    )
  }

  /** One write of a key at a time, of what is newest then. */
  #note(key: string, value: Uint8Array): void {
    const writing = this.#notes.has(key)
    this.#notes.set(key, value)
    if (!writing) this.#writeNote(key, value)
  }

  #writeNote(key: string, value: Uint8Array): void {
    this.machine.disk.write(key, value, () =>
      this.schedule(() => {
        const newest = this.#notes.get(key)
        if (newest === undefined || newest === value) this.#notes.delete(key)
        else this.#writeNote(key, newest)
      }),
    )
  }

  #send(to: PeerId, message: Message): void {
    this.#program.sending?.(message, to, this)
    const end = this.#linkTo(to)
    if (end === undefined) return
    const whole = this.#codecEvery === 1 || ++this.#sinceEncoded >= this.#codecEvery
    const frame = whole ? this.#encoded(message) : { bytes: noBytes, hash: 0, message }
    this.#world.trace.step(this.#world.now, this.#index, end.farIndex, frame.hash)
    if (!end.send(frame)) {
      this.figures.framesDropped++
      return
    }
    this.figures.framesSent++
    this.figures.bytesSent += frame.bytes.length
  }

  #encoded(message: Message): Frame {
    this.#sinceEncoded = 0
    this.figures.framesEncoded++
    const bytes = this.#program.codec.encode(message)
    if (bytes.length > this.#frameLimit) throw new Error(`a frame of ${bytes.length} bytes`)
    return { bytes, hash: hash32(bytes) }
  }

  /** The newest connection that has lasted; an older one may be cut without knowing it. */
  #linkTo(peer: PeerId): End | undefined {
    const ends = this.connectionsTo(peer)
    if (ends.length < 2) return ends[0]
    return ends.findLast((end) => this.#world.now - end.openedAt >= settledMs) ?? ends[0]
  }

  #due(): boolean {
    const { deadline } = this.#core
    return deadline !== undefined && deadline <= this.now.monotonic
  }

  #setAlarm(): void {
    const { deadline } = this.#core
    if (deadline === undefined || !this.#alive) return
    const at = Math.max(this.#world.now, this.#clock.worldTime(this.bornAt, deadline))
    // An earlier alarm looks again when it goes off.
    if (at >= this.#alarmAt) return
    this.#alarmAt = at
    const lateMs = this.#random.between(timerLateMinMs, timerLateMaxMs)
    this.#world.at(at + lateMs, () => {
      if (this.#alarmAt !== at) return
      this.#alarmAt = Number.POSITIVE_INFINITY
      if (!this.#alive || this.#frozen) return
      const due = this.#core.deadline
      if (due !== undefined && this.#due()) {
        this.#step({ type: 'wake', lagMs: Math.max(0, this.now.monotonic - due) })
      } else this.#setAlarm()
    })
  }

  #hashInput(input: Input<Message, Command>): number {
    if (input.type === 'wake') return mixIn(wakeHash, Math.round((input as { lagMs: number }).lagMs * 1000))
    const known = input.type === 'receive' ? undefined : this.#program.hash?.(input as Command)
    return known ?? hashText(JSON.stringify(input))
  }

  /** Of a packet only that it is one: its receiver and its bytes are folded in when it leaves. */
  #hashEffect(effect: Effect<Message, Event, Request>): number {
    if (isSend(effect)) return sendHash
    if (isPersist(effect)) return hash32(effect.value ?? new Uint8Array(0), hashText(effect.key))
    if (isNote(effect)) return hash32(effect.value, hashText(effect.key))
    const said = isEmit<Event>(effect) ? effect.event : (effect as Request)
    return this.#program.hash?.(said) ?? hashText(JSON.stringify(said))
  }

  #end(each: (end: End) => void): void {
    if (!this.#alive) return
    this.#alive = false
    this.ageMs = this.#world.now - this.bornAt
    this.#inbox = []
    this.#outbox = []
    this.machine.disk.crash()
    for (const ends of this.#connections.values()) for (const end of ends) each(end)
    this.#connections.clear()
    for (const end of this.#opening) each(end)
    this.#opening.clear()
  }
}

function isSend<M>(effect: Tagged): effect is { type: 'send'; to: PeerId; message: M } {
  return effect.type === 'send'
}

type PersistEffect = { type: 'persist'; key: string; value: Uint8Array | undefined }

function isPersist(effect: Tagged): effect is PersistEffect {
  return effect.type === 'persist'
}

function isNote(effect: Tagged): effect is { type: 'note'; key: string; value: Uint8Array } {
  return effect.type === 'note'
}

function isEmit<E>(effect: Tagged): effect is { type: 'emit'; event: E } {
  return effect.type === 'emit'
}
