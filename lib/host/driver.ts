import type { Codec, Core, Effect, Instant, PeerId } from '../protocols/core.ts'
import type { Counters } from './counters.ts'
import { afterTurns, turnsBeforeWake } from './loop-turns.ts'

export interface DriverInit<Message, Command extends { readonly type: string }, Event, Request> {
  readonly core: Core<Message, Command, Event, Request>
  readonly codec: Codec<Message>
  readonly counters: Counters
  readonly send: (to: PeerId, bytes: Uint8Array) => void
  /** False for what would only be encoded to be dropped; true by default. */
  readonly hasRoom?: (to: PeerId, message: Message) => boolean
  /** Resolves when all entries are on the disk, and the keys of undefined ones are not. */
  readonly write: (entries: ReadonlyMap<string, Uint8Array | undefined>) => Promise<void>
  readonly emit: (event: Event) => void
  readonly request: (request: Request) => void
  /** A write failed and is tried again; later effects of the core wait for it. */
  readonly writeFailed: (error: unknown) => void
  /** A broken assertion: the core has thrown, and is never stepped again. */
  readonly failed: (error: unknown) => void
  /** Bytes that an event or a request keeps in memory while it waits for the disk; none by default. */
  readonly weigh?: (effect: Event | Request) => number
  readonly clock?: () => Instant
}

/** `performance.now()` measures ages; the wall clock is for people and seeds. */
export const systemClock = (): Instant => ({ monotonic: performance.now(), wall: Date.now() })

/** `setTimeout` overflows beyond 2^31 - 1 ms; an hour is as good, it just looks again. */
const longestTimerMs = 3_600_000

/** Effects that may wait for the disk; beyond it, what is best effort anyway is dropped. */
const maxWaitingEffects = 4096
/** Even those that must not be dropped: the disk has failed for good. */
const maxWaitingAtAll = 65_536
/** Of one write: more at once would only cost memory. */
const maxGroupBytes = 4 * 1024 * 1024

const firstRetryMs = 100
const longestRetryMs = 5000

/** Runs a core on real time: see the embedder's duties in `lib/protocols/core.ts`. */
export class Driver<Message, Command extends { readonly type: string }, Event, Request = never> {
  readonly #init: DriverInit<Message, Command, Event, Request>
  readonly #clock: () => Instant
  #effects: Waiting<Message, Event, Request>[] = []
  #waitingBytes = 0
  #flushing = false
  #writing = false
  #notes = new Map<string, Uint8Array>()
  #noting = false
  #stepping = false
  #timer: NodeJS.Timeout | undefined
  #timerDue = Number.POSITIVE_INFINITY
  #hopping = false
  #stopped = false

  constructor(init: DriverInit<Message, Command, Event, Request>) {
    this.#init = init
    this.#clock = init.clock ?? systemClock
  }

  /** Bytes of one frame. Throws `WireError` when they are no message. */
  receive(from: PeerId, bytes: Uint8Array): void {
    if (this.#stopped) return
    this.#step({ type: 'receive', from, message: this.#init.codec.decode(bytes) })
  }

  command(command: Command): void {
    if (!this.#stopped) this.#step(command)
  }

  /** Effects that wait for the disk: whoever feeds this driver stops while they are many. */
  get waiting(): number {
    return this.#effects.length
  }

  /** What they keep in memory, as far as it is weighed. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** No more steps and no more effects; a write under way still ends. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#effects = []
    this.#waitingBytes = 0
  }

  #step(input: Parameters<Core<Message, Command, Event, Request>['step']>[0]): void {
    try {
      if (this.#stepping) throw new Error('a core was stepped from within its own step')
      this.#stepping = true
      this.#queue(this.#init.core.step(input, this.#clock()))
    } catch (error) {
      this.#fail(error)
      return
    } finally {
      this.#stepping = false
    }
    this.#flush()
    this.#arm()
  }

  #queue(effects: readonly Effect<Message, Event, Request>[]): void {
    // Looked at before: one step may do much, if all that was held back waited for one message.
    if (this.#effects.length > maxWaitingAtAll) throw new Error('the store fell too far behind')
    let records: Records | undefined
    for (const effect of effects) {
      if (isPersist(effect)) {
        if (records === undefined) {
          records = { type: 'records', entries: new Map(), bytes: 0 }
          this.#effects.push(records)
        }
        records.entries.set(effect.key, effect.value)
        records.bytes += effect.value?.byteLength ?? 0
        continue
      }
      if (isSend(effect) && this.#effects.length >= maxWaitingEffects) {
        this.#init.counters.dropped['store-behind'] += 1
        continue
      }
      this.#effects.push(effect)
      this.#waitingBytes += this.#weightOf(effect)
    }
  }

  #weightOf(effect: Effect<Message, Event, Request>): number {
    const { weigh } = this.#init
    if (weigh === undefined || isSend(effect) || isPersist(effect) || isNote(effect)) return 0
    return weigh(isEmit(effect) ? effect.event : (effect as Request))
  }

  /** In order; an effect that leads to another step only queues what that returns. */
  #flush(): void {
    if (this.#flushing || this.#writing) return
    this.#flushing = true
    let at = 0
    try {
      for (; at < this.#effects.length; at += 1) {
        const effect = this.#effects[at]
        if (effect === undefined) break
        if (isRecords(effect)) {
          this.#commit()
          break
        }
        this.#waitingBytes -= this.#weightOf(effect)
        this.#perform(effect)
      }
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#effects.splice(0, at)
      this.#flushing = false
    }
  }

  #perform(effect: Effect<Message, Event, Request>): void {
    if (isSend(effect)) this.#send(effect.to, effect.message)
    else if (isEmit(effect)) this.#init.emit(effect.event)
    else if (isNote(effect)) this.#note(effect.key, effect.value)
    else this.#init.request(effect as Request)
  }

  #send(to: PeerId, message: Message): void {
    const { codec, counters, hasRoom, send } = this.#init
    if (hasRoom?.(to, message) === false) counters.dropped['queue-full'] += 1
    else send(to, codec.encode(message))
  }

  /** One write at a time, of what is newest then. */
  #note(key: string, value: Uint8Array): void {
    this.#notes.set(key, value)
    if (this.#noting) return
    this.#noting = true
    void this.#writeNotes()
  }

  async #writeNotes(): Promise<void> {
    while (this.#notes.size > 0) {
      const notes = this.#notes
      this.#notes = new Map()
      await this.#writeUntilDurable(notes)
    }
    this.#noting = false
  }

  /**
   * Group commit: all records that wait go to the disk in one write, the newest
   * of each key, wherever in the queue they stand; those of one step never in two. To write a later one earlier
   * is safe, for a record is durable before the effects behind it all the same;
   * and a core that persists with each step then costs one write a disk's turn
   * instead of one a step.
   */
  #commit(): void {
    const entries = new Map<string, Uint8Array | undefined>()
    const rest: Waiting<Message, Event, Request>[] = []
    let bytes = 0
    for (const effect of this.#effects) {
      // Records that no longer fit end the group, or an older value might follow a newer one.
      if (!isRecords(effect) || bytes >= maxGroupBytes) {
        rest.push(effect)
        continue
      }
      for (const [key, value] of effect.entries) entries.set(key, value)
      bytes += effect.bytes
    }
    this.#effects = rest
    this.#writing = true
    void this.#writeUntilDurable(entries).then(() => {
      this.#writing = false
      if (!this.#stopped) this.#flush()
    })
  }

  async #writeUntilDurable(entries: ReadonlyMap<string, Uint8Array | undefined>): Promise<void> {
    for (let retryMs = firstRetryMs; !this.#stopped; retryMs = Math.min(retryMs * 2, longestRetryMs)) {
      try {
        await this.#init.write(entries)
        this.#init.counters.storeWrites += 1
        break
      } catch (error) {
        this.#init.counters.storeFailures += 1
        this.#init.writeFailed(error)
        await new Promise((resolve) => setTimeout(resolve, retryMs).unref())
      }
    }
  }

  /** A timer that fires too early is left alone: re-arming costs more than one idle look. */
  #arm(): void {
    if (this.#stopped || this.#hopping) return
    const deadline = this.#init.core.deadline
    if (deadline === undefined) {
      clearTimeout(this.#timer)
      this.#timerDue = Number.POSITIVE_INFINITY
      return
    }
    if (this.#timerDue <= deadline) return
    clearTimeout(this.#timer)
    const now = this.#clock().monotonic
    const waitMs = Math.min(longestTimerMs, Math.max(0, Math.ceil(deadline - now)))
    this.#timerDue = now + waitMs
    this.#timer = setTimeout(() => this.#fired(), waitMs)
  }

  #fired(): void {
    const lagMs = Math.max(0, this.#clock().monotonic - this.#timerDue)
    this.#timerDue = Number.POSITIVE_INFINITY
    this.#init.counters.loopLagMs = lagMs
    this.#init.counters.loopLagMaxMs = Math.max(this.#init.counters.loopLagMaxMs, lagMs)
    const deadline = this.#init.core.deadline
    if (deadline === undefined || deadline > this.#clock().monotonic) {
      this.#arm()
      return
    }
    this.#hopping = true
    afterTurns(turnsBeforeWake, () => this.#hopped(lagMs))
  }

  #hopped(lagMs: number): void {
    if (this.#stopped) return
    this.#hopping = false
    const deadline = this.#init.core.deadline
    if (deadline !== undefined && deadline <= this.#clock().monotonic) this.#step({ type: 'wake', lagMs })
    else this.#arm()
  }

  #fail(error: unknown): void {
    if (this.#stopped) return
    this.stop()
    this.#init.failed(error)
  }
}

/** What one step persists: on the disk together, or not at all. */
interface Records {
  readonly type: 'records'
  readonly entries: Map<string, Uint8Array | undefined>
  bytes: number
}

type Waiting<M, E, R> = Effect<M, E, R> | Records

function isRecords<M, E, R>(waiting: Waiting<M, E, R>): waiting is Records {
  return (waiting as Typed).type === 'records'
}

type Typed = { readonly type: string }
type Send<M> = { readonly type: 'send'; readonly to: PeerId; readonly message: M }
type Persist = { readonly type: 'persist'; readonly key: string; readonly value: Uint8Array | undefined }
type Note = { readonly type: 'note'; readonly key: string; readonly value: Uint8Array }
type Emit<E> = { readonly type: 'emit'; readonly event: E }

function isSend<M, E, R>(effect: Effect<M, E, R>): effect is Send<M> & Effect<M, E, R> {
  return (effect as Typed).type === 'send'
}

function isPersist<M, E, R>(effect: Effect<M, E, R>): effect is Persist & Effect<M, E, R> {
  return (effect as Typed).type === 'persist'
}

function isNote<M, E, R>(effect: Effect<M, E, R>): effect is Note & Effect<M, E, R> {
  return (effect as Typed).type === 'note'
}

function isEmit<M, E, R>(effect: Effect<M, E, R>): effect is Emit<E> & Effect<M, E, R> {
  return (effect as Typed).type === 'emit'
}
