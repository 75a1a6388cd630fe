/**
 * Changed member rows to whoever watches, and whether they are to be believed, as server-sent events (WHATWG HTML §9.2).
 *
 * Recent changes stay in a ring, so that a client that lost its connection goes
 * on after the `id:` it saw last; one that was away for too long, or comes from
 * another life of this daemon, begins with a snapshot again. No reader can make
 * the daemon hold more than its share: a slow one is told `overrun` and cut.
 */
import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { ControlFailure } from './failure.ts'
import type { IsolationEvent, MemberRow, MembersAnswer, OverrunEvent } from './schemas.ts'

export interface FeedLimits {
  /** Clients at a time. */
  readonly readers: number
  /** Changes kept for those that come back. */
  readonly ring: number
  /** Unsent bytes a client, beyond the snapshot. */
  readonly bufferedBytes: number
  /** Between two comments that keep the connection open, ms. */
  readonly keepAliveMs: number
  /** A reader that was cut may still take what was written for it during this time, ms. */
  readonly lingerMs: number
}

export const feedLimits: FeedLimits = {
  readers: 64,
  ring: 1024,
  bufferedBytes: 256 * 1024,
  keepAliveMs: 15_000,
  lingerMs: 2000,
}

interface Reader {
  readonly response: ServerResponse
  readonly allowanceBytes: number
}

export class EventFeed {
  readonly #snapshot: () => MembersAnswer
  readonly #limits: FeedLimits
  /** Tells the ids of this process from those of an earlier one. */
  readonly #life = randomBytes(4).toString('hex')
  readonly #readers = new Set<Reader>()
  readonly #ring: string[] = []
  /** Of the last change; the first one is 1. */
  #seq = 0
  #isolation: IsolationEvent | undefined
  #keepAlive: NodeJS.Timeout | undefined

  constructor(snapshot: () => MembersAnswer, limits: FeedLimits = feedLimits) {
    this.#snapshot = snapshot
    this.#limits = limits
  }

  get readers(): number {
    return this.#readers.size
  }

  publish(row: MemberRow): void {
    this.#tell('member', row)
  }

  /** Whoever begins with a snapshot is told while it holds. */
  publishIsolation(isolation: IsolationEvent): void {
    this.#isolation = isolation.isolated ? isolation : undefined
    this.#tell('isolated', isolation)
  }

  #tell(type: 'member' | 'isolated', data: MemberRow | IsolationEvent): void {
    this.#seq += 1
    const event = format(type, data, this.#id(this.#seq))
    this.#ring.push(event)
    if (this.#ring.length > this.#limits.ring) this.#ring.shift()
    for (const reader of this.#readers) this.#write(reader, event)
  }

  /** Throws ERR_TOO_MANY_STREAMS before anything is written. */
  attach(response: ServerResponse, lastEventId: string | undefined): void {
    if (this.#readers.size >= this.#limits.readers) {
      throw new ControlFailure(
        'ERR_TOO_MANY_STREAMS',
        `${this.#limits.readers} clients are watching already`,
        {
          hint: 'close one of them',
        },
      )
    }
    const missed = this.#missed(lastEventId)
    const first = missed?.join('') ?? this.#opening()
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    const reader = { response, allowanceBytes: Buffer.byteLength(first) + this.#limits.bufferedBytes }
    this.#readers.add(reader)
    response.once('close', () => this.#detach(reader))
    // Also without a missed change the header must go out, so that the client knows it is connected.
    response.write(first === '' ? ':\n\n' : first)
    this.#keepAlive ??= setInterval(() => this.#beat(), this.#limits.keepAliveMs).unref()
  }

  /** Ends every stream. */
  close(): void {
    for (const { response } of this.#readers) response.end()
  }

  #opening(): string {
    const id = this.#id(this.#seq)
    const isolated = this.#isolation === undefined ? '' : format('isolated', this.#isolation, id)
    return format('snapshot', this.#snapshot(), id) + isolated
  }

  /** The changes after `lastEventId`; undefined when they cannot all be told. */
  #missed(lastEventId: string | undefined): readonly string[] | undefined {
    const match = /^([0-9a-f]{8})-(\d{1,15})$/.exec(lastEventId ?? '')
    if (match === null || match[1] !== this.#life) return undefined
    const count = this.#seq - Number(match[2])
    if (count < 0 || count > this.#ring.length) return undefined
    return this.#ring.slice(this.#ring.length - count)
  }

  #write(reader: Reader, event: string): void {
    const { response, allowanceBytes } = reader
    response.write(event)
    if (response.writableLength <= allowanceBytes) return
    this.#detach(reader)
    const notice: OverrunEvent = {
      code: 'ERR_SLOW_READER',
      message: 'the client reads too slowly; connect again for a snapshot',
    }
    response.end(format('overrun', notice, undefined))
    setTimeout(() => response.destroy(), this.#limits.lingerMs).unref()
  }

  #beat(): void {
    for (const reader of this.#readers) this.#write(reader, ':\n\n')
  }

  #detach(reader: Reader): void {
    this.#readers.delete(reader)
    if (this.#readers.size > 0) return
    clearInterval(this.#keepAlive)
    this.#keepAlive = undefined
  }

  #id(seq: number): string {
    return `${this.#life}-${seq}`
  }
}

function format(
  event: string,
  data: MembersAnswer | MemberRow | IsolationEvent | OverrunEvent,
  id: string | undefined,
): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}
