/**
 * A group's stream for the apps of this peer: messages by index, notices in
 * their place between them, any number of readers each at its own pace.
 *
 * Nothing is buffered a reader: each asks the log for what follows its position,
 * so a slow one costs nothing and holds nobody up.
 */

import type { GroupItem, GroupMessage, GroupNotice, ReadOptions, VectorEntries } from './group.ts'
import { cursorUnknown, decodeCursor, encodeCursor } from './group-cursor.ts'
import { withResolvers } from './host/with-resolvers.ts'
import { formatHybrid } from './protocols/clocks/hybrid.ts'
import type { LogMessage } from './protocols/multicast/messages.ts'
import { P2pdError } from './wire/errors.ts'

/** What a feed reads: the core's log of one group. */
export interface FeedSource {
  /** Drawn at the start of this life: 24 hexadecimal digits. */
  readonly log: string
  readonly name: string
  bounds(): { readonly first: number; readonly last: number }
  read(index: number, max: number): readonly LogMessage[]
  vectorOf(
    index: number,
  ): { readonly vector: ReadonlyMap<string, number>; readonly exact: boolean } | undefined
}

/** Notices that a slow reader can still be told. */
const maxNotices = 1024
const batch = 64
const batchBytes = 256 * 1024

export class GroupFeed {
  readonly #source: FeedSource
  /** With the index of the message that each follows, and its own number. */
  #notices: { readonly after: number; readonly number: number; readonly notice: GroupNotice }[] = []
  #noticed = 0
  /** The last message that is on disk: what comes after it is not shown yet. */
  #shown = 0
  #ended = false
  #news = withResolvers<void>()

  constructor(source: FeedSource) {
    this.#source = source
  }

  /** Messages up to `index` may be read. */
  show(index: number): void {
    this.#shown = Math.max(this.#shown, index)
    this.#wake()
  }

  notice(notice: GroupNotice): void {
    this.#noticed += 1
    this.#notices.push({ after: this.#shown, number: this.#noticed, notice })
    if (this.#notices.length > maxNotices) this.#notices.shift()
    this.#wake()
  }

  end(): void {
    this.#ended = true
    this.#wake()
  }

  /** Errors, at once: ERR_BAD_CURSOR, ERR_CURSOR_UNKNOWN. The latter also later, to who falls behind the log. */
  items(options: ReadOptions = {}): AsyncIterableIterator<GroupItem> {
    const from = options.from ?? 'latest'
    const position = this.#position(from)
    // What was missing once and came is no news to who begins now: `begun` tells those notices apart.
    return this.#read(
      position,
      from === 'latest' ? this.#noticed : this.#noticedBefore(position),
      this.#noticed,
      options,
    )
  }

  messages(options: ReadOptions = {}): AsyncIterableIterator<GroupMessage> {
    return messagesOf(this.items(options))
  }

  message(message: LogMessage, withVector: boolean): GroupMessage {
    const { index, author, epoch, seq, lamport, hybrid, payload } = message
    return {
      type: 'message',
      group: this.#source.name,
      sender: author,
      epoch,
      seq,
      lamport,
      ...(withVector ? this.#vector(index) : {}),
      hlc: hybrid === undefined ? null : formatHybrid(hybrid),
      index,
      cursor: encodeCursor(this.#source.log, index),
      data: payload,
    }
  }

  #vector(index: number): { readonly vector?: VectorEntries; readonly vectorExact?: boolean } {
    const known = this.#source.vectorOf(index)
    if (known === undefined) return {}
    return { vector: Object.fromEntries(known.vector), vectorExact: known.exact }
  }

  #position(from: string): number {
    if (from === 'latest') return this.#shown
    const { first } = this.#source.bounds()
    if (from === 'earliest') return first - 1
    const index = decodeCursor(this.#source.log, from)
    if (index < first - 1 || index > this.#shown) throw cursorUnknown('its message has left the log')
    return index
  }

  /** The last notice that stands before the message after `position`: who reads on from there has been told of it. */
  #noticedBefore(position: number): number {
    const next = this.#notices.find(({ after }) => after >= position)
    return next === undefined ? this.#noticed : next.number - 1
  }

  async *#read(
    from: number,
    noticed: number,
    begun: number,
    options: ReadOptions,
  ): AsyncIterableIterator<GroupItem> {
    const { signal } = options
    const withVector = options.vector !== false
    const onAbort = (): void => this.#wake()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      let position = from
      let told = noticed
      while (!isAborted(signal)) {
        if (position + 1 < this.#source.bounds().first) throw cursorUnknown('the reader fell behind the log')
        const news = this.#news.promise
        const next = this.#notices.find(({ number }) => number > told)
        if (next !== undefined && next.after <= position) {
          told = next.number
          if (next.notice.type !== 'gap' || next.number > begun) yield next.notice
          // The log may have moved on meanwhile.
          continue
        }
        const upTo = Math.min(this.#shown, next?.after ?? Number.POSITIVE_INFINITY)
        const messages = this.#batch(position, upTo)
        for (const message of messages) {
          position = message.index
          yield this.message(message, withVector)
          if (isAborted(signal)) return
        }
        if (messages.length > 0) continue
        if (this.#ended) return
        await news
      }
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** A reader that stalls keeps what it was about to be told, also when the log has gone on. */
  #batch(position: number, upTo: number): readonly LogMessage[] {
    if (upTo <= position) return []
    const messages = this.#source.read(position, Math.min(batch, upTo - position))
    let bytes = 0
    const end = messages.findIndex(({ payload }) => {
      bytes += payload.length
      return bytes > batchBytes
    })
    return end === -1 ? messages : messages.slice(0, Math.max(1, end))
  }

  #wake(): void {
    const news = this.#news
    this.#news = withResolvers<void>()
    news.resolve()
  }
}

/** A function, because it changes behind the compiler's back. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}

async function* messagesOf(items: AsyncIterable<GroupItem>): AsyncIterableIterator<GroupMessage> {
  for await (const item of items) if (item.type === 'message') yield item
}

export function stopped(): P2pdError {
  return new P2pdError('ERR_STOPPED', 'the peer has stopped')
}
