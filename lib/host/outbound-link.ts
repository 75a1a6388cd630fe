import './with-resolvers.ts'
import type { Connection, Stream } from '@libp2p/interface'
import type { Counters } from './counters.ts'

export interface LinkLimits {
  /** What may wait for a peer that does not read. */
  readonly queueBytes: number
  readonly queueFrames: number
}

const firstRetryMs = 100
const longestRetryMs = 10_000
/** A stream that lived this long was no failure; the next retry is quick again. */
const provenMs = 10_000
const openTimeoutMs = 5000

/**
 * The sending half of a link: one stream that stays open, and the frames that
 * wait for it. Opens a stream when there is a connection, again with back-off
 * when it breaks, and moves to a newer connection when told to.
 */
export class OutboundLink {
  readonly #protocol: string
  readonly #limits: LinkLimits
  readonly #counters: Counters
  #connection: Connection | undefined
  #stream: Stream | undefined
  #openedAt = 0
  #opening = false
  #retryMs = firstRetryMs
  #retry: NodeJS.Timeout | undefined
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #closed = false

  constructor(protocol: string, limits: LinkLimits, counters: Counters) {
    this.#protocol = protocol
    this.#limits = limits
    this.#counters = counters
  }

  /** False when the frame was dropped, because the peer reads too slowly. */
  send(frame: Uint8Array): boolean {
    const full =
      this.#queue.length >= this.#limits.queueFrames ||
      this.#queuedBytes + frame.byteLength > this.#limits.queueBytes
    if (full) {
      this.#counters.dropped['queue-full'] += 1
      return false
    }
    this.#queue.push(frame)
    this.#queuedBytes += frame.byteLength
    this.#flush()
    return true
  }

  /** Bytes that wait here; those that libp2p holds are not counted. */
  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** Sends over `connection` from now on; what was handed to the former stream still leaves by that one. */
  use(connection: Connection): void {
    if (this.#connection === connection && this.#connection.status === 'open') return
    this.#connection = connection
    this.#release()
    this.#retryMs = firstRetryMs
    void this.#open()
  }

  close(): void {
    this.#closed = true
    this.#release()
    this.#queue = []
    this.#queuedBytes = 0
  }

  #release(): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
    const stream = this.#stream
    this.#stream = undefined
    if (stream?.status === 'open') stream.close().catch((error: Error) => stream.abort(error))
  }

  async #open(): Promise<void> {
    const connection = this.#connection
    if (this.#opening || this.#closed || connection?.status !== 'open') return
    this.#opening = true
    try {
      this.#adopt(connection, await this.#newStream(connection))
    } catch (error) {
      this.#openFailed(connection, error)
    } finally {
      this.#opening = false
      // It may have been told to use another connection meanwhile.
      if (this.#connection !== connection) void this.#open()
    }
  }

  #newStream(connection: Connection): Promise<Stream> {
    return connection.newStream(this.#protocol, {
      signal: AbortSignal.timeout(openTimeoutMs),
      maxOutboundStreams: 8,
    })
  }

  #adopt(connection: Connection, stream: Stream): void {
    if (this.#closed || this.#connection !== connection) {
      stream.close().catch((error: Error) => stream.abort(error))
      return
    }
    this.#stream = stream
    this.#openedAt = performance.now()
    // Nothing is expected here: what the peer sends on it is thrown away, not buffered.
    stream.closeRead().catch((error: Error) => stream.abort(error))
    // At once: a moment later a stream with much to send has filled the connection again.
    stream.addEventListener('drain', () => this.#flush())
    // Later: libp2p says so in the middle of sending.
    stream.addEventListener('idle', () => queueMicrotask(() => this.#flush()))
    stream.addEventListener('close', () => this.#lost(stream), { once: true })
    this.#flush()
  }

  #lost(stream: Stream): void {
    if (this.#stream !== stream) return
    this.#stream = undefined
    if (performance.now() - this.#openedAt > provenMs) this.#retryMs = firstRetryMs
    this.#reopenLater()
  }

  #openFailed(connection: Connection, error: unknown): void {
    // A multiplexer that broke leaves a connection that looks open and can do nothing.
    const dead =
      error instanceof Error && (error.name === 'ConnectionClosedError' || error.name === 'MuxerClosedError')
    if (dead && connection.status === 'open') connection.abort(error)
    // Told to use another one meanwhile, it is opened there at once: a retry would open a second stream.
    else if (this.#connection === connection) this.#reopenLater()
  }

  #reopenLater(): void {
    if (this.#closed || this.#retry !== undefined || this.#connection?.status !== 'open') return
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      void this.#open()
    }, this.#retryMs)
    this.#retry.unref()
    this.#retryMs = Math.min(this.#retryMs * 2, longestRetryMs)
  }

  /**
   * One frame after the other, each when the last has left the stream's buffer:
   * while that holds the rest of a large one, a further one at each turn would
   * add up to more than it may hold, and the stream be aborted.
   */
  #flush(): void {
    const stream = this.#stream
    if (stream === undefined) return
    while (this.#queue.length > 0 && isReady(stream)) {
      const frame = this.#queue.shift()
      if (frame === undefined) return
      this.#queuedBytes -= frame.byteLength
      this.#counters.framesOut += 1
      this.#counters.bytesOut += frame.byteLength
      try {
        if (!stream.send(frame)) return
      } catch (error) {
        stream.abort(error instanceof Error ? error : new Error(String(error)))
        return
      }
    }
  }
}

function isReady(stream: Stream): boolean {
  return stream.writeStatus === 'writable' && !stream.writableNeedsDrain && stream.writeBufferLength === 0
}
