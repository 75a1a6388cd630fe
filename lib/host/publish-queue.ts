import type { Stream } from '@libp2p/interface'

export interface PublishQueueInit {
  /** Hands a message over; settles when it lies in the streams' buffers. */
  readonly send: (topic: string, data: Uint8Array) => Promise<void>
  /** The streams by which it may go. */
  readonly streams: () => Iterable<Stream>
}

interface Message {
  readonly topic: string
  readonly data: Uint8Array
}

/** Own messages that wait, as much as may be out before it is stable. */
const maxQueuedBytes = 16 * 1024 * 1024
const maxQueued = 16_384

/** Of one stream: enough to keep it busy, and an eighth of what aborts it. */
const fullBytes = 1024 * 1024

/** A peer whose stream stays full for so long holds nobody up any more: repair brings it what it misses. */
const stalledMs = 2000

/**
 * Own messages on their way to gossipsub, which writes whatever it is given into
 * the streams, and has a stream aborted when that is too much. So the next
 * message waits until no stream is full, but for those that have been full too long.
 */
export class PublishQueue {
  readonly #init: PublishQueueInit
  readonly #queue: Message[] = []
  readonly #fullSince = new WeakMap<Stream, number>()
  #queuedBytes = 0
  #sending = false
  #again: NodeJS.Timeout | undefined
  #stopped = false

  constructor(init: PublishQueueInit) {
    this.#init = init
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** False when there is no room. */
  push(topic: string, data: Uint8Array): boolean {
    const full = this.#queue.length >= maxQueued || this.#queuedBytes + data.byteLength > maxQueuedBytes
    if (full || this.#stopped) return false
    this.#queue.push({ topic, data })
    this.#queuedBytes += data.byteLength
    this.drained()
    return true
  }

  /** There may be room in the streams. */
  drained(): void {
    if (!this.#sending && this.#queue.length > 0) void this.#drain()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#again)
    this.#queue.length = 0
    this.#queuedBytes = 0
  }

  async #drain(): Promise<void> {
    this.#sending = true
    try {
      while (!this.#stopped && !this.#blocked()) {
        const message = this.#queue.shift()
        if (message === undefined) break
        this.#queuedBytes -= message.data.byteLength
        await this.#init.send(message.topic, message.data)
      }
    } finally {
      this.#sending = false
    }
  }

  /** Also asks to be looked at again: a stalled stream tells nothing. */
  #blocked(): boolean {
    const now = performance.now()
    let blocked = false
    for (const stream of this.#init.streams()) {
      if (stream.writeBufferLength < fullBytes) {
        this.#fullSince.delete(stream)
        continue
      }
      const since = this.#fullSince.get(stream) ?? now
      this.#fullSince.set(stream, since)
      if (now - since < stalledMs) blocked = true
    }
    if (blocked && this.#again === undefined) this.#lookAgain()
    return blocked
  }

  #lookAgain(): void {
    this.#again = setTimeout(() => {
      this.#again = undefined
      this.drained()
    }, stalledMs / 4)
    this.#again.unref()
  }
}
