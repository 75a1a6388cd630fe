/**
 * A group's stream to whoever reads it, as server-sent events (WHATWG HTML §9.2).
 *
 * The library reads its log by cursor, so a reader is told the next item when its
 * socket has taken the one before: one that stalls costs one item, and nobody is
 * cut for being slow. One that comes back after the log has moved on is told
 * ERR_CURSOR_UNKNOWN, before the stream if that is known by then, else as its last event.
 */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { GroupItem } from '../../lib/group.ts'
import type { P2pdError } from '../../lib/wire/errors.ts'
import { ControlFailure } from './failure.ts'
import { toLine } from './message-lines.ts'
import type { MessageLine, NoticeLine, StreamError } from './schemas.ts'

export interface MessageFeedLimits {
  /** Readers at a time, of all groups. */
  readonly readers: number
  /** Between two comments that keep an idle connection open, ms. */
  readonly keepAliveMs: number
  /** After its last event a reader may still take what was written for it during this time, ms. */
  readonly lingerMs: number
}

export const messageFeedLimits: MessageFeedLimits = { readers: 64, keepAliveMs: 15_000, lingerMs: 2000 }

export interface MessageSource {
  readonly items: AsyncIterator<GroupItem>
  /** Asked when `items` has come to its end: what the reader is told; nothing when the daemon ends. */
  ended(): P2pdError | undefined
}

interface Reader {
  readonly response: ServerResponse
  readonly aborter: AbortController
  begun: boolean
}

export class MessageFeed {
  readonly #limits: MessageFeedLimits
  readonly #explain: (error: unknown) => P2pdError
  readonly #readers = new Set<Reader>()
  #keepAlive: NodeJS.Timeout | undefined

  /** `explain` makes an error of ours of whatever is thrown in mid-stream. */
  constructor(explain: (error: unknown) => P2pdError, limits: MessageFeedLimits = messageFeedLimits) {
    this.#explain = explain
    this.#limits = limits
  }

  get readers(): number {
    return this.#readers.size
  }

  /**
   * Resolves when the stream has begun, `begin` having been called right before.
   * What throws before that has written nothing: ERR_TOO_MANY_STREAMS, and what `open` throws.
   */
  async attach(
    response: ServerResponse,
    open: (signal: AbortSignal) => Promise<MessageSource>,
    begin: () => void,
  ): Promise<void> {
    if (this.#readers.size >= this.#limits.readers) throw tooMany(this.#limits.readers)
    const reader: Reader = { response, aborter: new AbortController(), begun: false }
    this.#readers.add(reader)
    response.once('close', () => this.#detach(reader))
    try {
      const source = await open(reader.aborter.signal)
      const first = source.items.next()
      await settledOrTurn(first)
      reader.aborter.signal.throwIfAborted()
      begin()
      this.#begin(reader)
      void this.#pump(reader, source, first)
    } catch (error) {
      this.#detach(reader)
      throw error
    }
  }

  /** Ends every stream. */
  close(): void {
    for (const { aborter, response, begun } of this.#readers) {
      aborter.abort()
      if (begun) response.end()
    }
  }

  #begin(reader: Reader): void {
    reader.begun = true
    reader.response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    // The header must go out, so that the client knows that nothing from now on escapes it.
    reader.response.write(':\n\n')
    this.#keepAlive ??= setInterval(() => this.#beat(), this.#limits.keepAliveMs).unref()
  }

  async #pump(
    { response, aborter: { signal } }: Reader,
    { items, ended }: MessageSource,
    first: Promise<IteratorResult<GroupItem, unknown>>,
  ): Promise<void> {
    let last: P2pdError | undefined
    try {
      let result = await first
      while (!result.done && !signal.aborted) {
        if (!response.write(formatLine(toLine(result.value)))) await once(response, 'drain', { signal })
        result = await items.next()
      }
      last = ended()
    } catch (error) {
      if (!signal.aborted) last = this.#explain(error)
    }
    if (signal.aborted) last = undefined
    response.end(last === undefined ? undefined : formatError(last))
    setTimeout(() => response.destroy(), this.#limits.lingerMs).unref()
    // Its place in the library; the stream is over, whatever that says.
    await items.return?.().catch(() => {})
  }

  #beat(): void {
    for (const { response, begun } of this.#readers) {
      if (begun && response.writableLength === 0 && !response.writableEnded) response.write(':\n\n')
    }
  }

  #detach(reader: Reader): void {
    this.#readers.delete(reader)
    reader.aborter.abort()
    if (this.#readers.size > 0) return
    clearInterval(this.#keepAlive)
    this.#keepAlive = undefined
  }
}

/** A cursor that is refused is refused within this turn of the event loop; the next message may never come. */
async function settledOrTurn(first: Promise<unknown>): Promise<void> {
  // Awaited again by the pump: until then a rejection is not unhandled.
  first.catch(() => {})
  await Promise.race([first, new Promise((resolve) => setImmediate(resolve))])
}

function tooMany(readers: number): ControlFailure {
  return new ControlFailure('ERR_TOO_MANY_STREAMS', `${readers} clients are reading groups already`, {
    hint: 'close one of them',
  })
}

function formatLine(line: MessageLine | NoticeLine): string {
  const head = 'event' in line ? `event: ${line.event}` : `id: ${line.cursor}\nevent: message`
  return `${head}\ndata: ${JSON.stringify(line)}\n\n`
}

function formatError({ code, message, hint }: P2pdError): string {
  const error: StreamError = { code, message, hint: hint ?? null }
  return `event: error\ndata: ${JSON.stringify(error)}\n\n`
}
