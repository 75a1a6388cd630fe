/**
 * Items that come one by one to whoever reads them, as server-sent events (WHATWG HTML §9.2).
 *
 * A reader is told the next item when its socket has taken the one before: one
 * that stalls costs one item, and nobody is cut for being slow.
 */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { orAbort } from '../../lib/or-abort.ts'
import type { P2pdError } from '../../lib/wire/errors.ts'
import type { StreamError } from './schemas.ts'

export interface StreamFeedLimits {
  /** Readers at a time. */
  readonly readers: number
  /** Between two comments that keep an idle connection open, ms. */
  readonly keepAliveMs: number
  /** After its last event a reader may still take what was written for it during this time, ms. */
  readonly lingerMs: number
}

export interface StreamFeedInit<Item> {
  readonly limits: StreamFeedLimits
  /** One event of the stream; `formatEvent` makes it. What it throws ends the stream. */
  readonly format: (item: Item) => string
  /** Makes an error of ours of whatever is thrown in mid-stream. */
  readonly explain: (error: unknown) => P2pdError
  /** What is thrown when there are `readers` already. */
  readonly tooMany: (readers: number) => P2pdError
}

export interface StreamSource<Item> {
  readonly items: AsyncIterator<Item>
  /** Asked when `items` has come to its end: what the reader is told; nothing when the stream just ends. */
  ended(): P2pdError | undefined
}

interface Reader {
  readonly response: ServerResponse
  readonly aborter: AbortController
  begun: boolean
}

export class StreamFeed<Item> {
  readonly #init: StreamFeedInit<Item>
  readonly #readers = new Set<Reader>()
  #keepAlive: NodeJS.Timeout | undefined

  constructor(init: StreamFeedInit<Item>) {
    this.#init = init
  }

  get readers(): number {
    return this.#readers.size
  }

  /**
   * Resolves when the stream has begun, `begin` having been called right before.
   * What throws before that has written nothing: `tooMany`, what `open` throws, and
   * what the first item throws without having waited for anything.
   */
  async attach(
    response: ServerResponse,
    open: (signal: AbortSignal) => Promise<StreamSource<Item>>,
    begin: () => void,
  ): Promise<void> {
    const { limits, tooMany } = this.#init
    if (this.#readers.size >= limits.readers) throw tooMany(limits.readers)
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
    this.#keepAlive ??= setInterval(() => this.#beat(), this.#init.limits.keepAliveMs).unref()
  }

  async #pump(
    { response, aborter: { signal } }: Reader,
    { items, ended }: StreamSource<Item>,
    first: Promise<IteratorResult<Item, unknown>>,
  ): Promise<void> {
    let last: P2pdError | undefined
    try {
      // A source that does not heed the signal keeps nobody.
      let result = await orAbort(first, signal)
      while (!result.done && !signal.aborted) {
        if (!response.write(this.#init.format(result.value))) await once(response, 'drain', { signal })
        result = await orAbort(items.next(), signal)
      }
      last = ended()
    } catch (error) {
      if (!signal.aborted) last = this.#init.explain(error)
    }
    if (signal.aborted) last = undefined
    response.end(last === undefined ? undefined : formatEvent({ event: 'error', data: toStreamError(last) }))
    setTimeout(() => response.destroy(), this.#init.limits.lingerMs).unref()
    // Its place where it reads; the stream is over, whatever that says.
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

/** `event` and `id` hold no line break; `data` is anything that JSON can say. */
export function formatEvent({
  event,
  data,
  id,
}: {
  readonly event: string
  readonly data: unknown
  readonly id?: string | undefined
}): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}

/** What is refused is refused within this turn of the event loop; the next item may never come. */
async function settledOrTurn(first: Promise<unknown>): Promise<void> {
  // Awaited again by the pump: until then a rejection is not unhandled.
  first.catch(() => {})
  await Promise.race([first, new Promise((resolve) => setImmediate(resolve))])
}

function toStreamError({ code, message, hint }: P2pdError): StreamError {
  return { code, message, hint: hint ?? null }
}
