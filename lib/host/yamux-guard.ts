import './with-resolvers.ts'
import type {
  MessageStream,
  Stream,
  StreamMessageEvent,
  StreamMuxer,
  StreamMuxerFactory,
} from '@libp2p/interface'
import { P2pdError } from '../wire/errors.ts'
import { isBacklogged, limitBacklog } from './backlog.ts'
import type { Counters } from './counters.ts'
import { Rate } from './rate.ts'

export interface YamuxLimits {
  /** Of one frame's data: no honest one is larger than a stream's window. */
  readonly maxFrameBytes: number
  /** Of a stream whose protocol is not agreed on yet: until then libp2p keeps 4 MiB of what comes. */
  readonly maxEarlyBytes: number
  /** Protocols over which no more than that is said either. */
  readonly brief: ReadonlySet<string>
  /** Streams and pings that the peer may begin at once, and then each second. */
  readonly burst: number
  readonly perSecond: number
}

type Breach = 'oversized' | 'misbehaved'

/**
 * yamux with the limits that it lacks. It collects a frame of up to 4 GiB before it looks at
 * the stream's window; it answers each ping and each stream, however many; and what
 * it says about streams waits without bound when the peer does not read. Whoever goes beyond is cut off and counted.
 */
export function guardYamux(
  make: () => StreamMuxerFactory,
  limits: YamuxLimits,
  counters: Counters,
): () => StreamMuxerFactory {
  return () => {
    const inner = make()
    return {
      protocol: inner.protocol,
      createStreamMuxer: (connection) => {
        const frames = new Frames(limits)
        guard(connection, frames, counters)
        const muxer = inner.createStreamMuxer(connection) as StreamMuxer
        frames.streams = () => muxer.streams
        return muxer
      },
    }
  }
}

/** It hears before yamux does what comes. */
function guard(connection: MessageStream, frames: Frames, counters: Counters): void {
  limitBacklog(connection)
  const onMessage = (event: StreamMessageEvent): void => {
    const breach = frames.read(event.data instanceof Uint8Array ? [event.data] : event.data)
    if (breach === undefined) return
    event.stopImmediatePropagation()
    connection.removeEventListener('message', onMessage)
    counters.dropped[breach] += 1
    counters.linksCut += 1
    connection.abort(new P2pdError('ERR_MISBEHAVED', 'the peer breaks the limits of the multiplexer'))
  }
  connection.addEventListener('message', onMessage)
  connection.addEventListener(
    'close',
    ({ error }) => {
      if (!isBacklogged(error)) return
      counters.dropped['queue-full'] += 1
      counters.linksCut += 1
    },
    { once: true },
  )
}

const headerBytes = 12
/** Of a header: version, type, flags (2 bytes), stream (4), and length (4), big-endian. */
const typeAt = 1
const flagsAt = 3
const streamAt = 4
const lengthAt = 8
const types = { data: 0, windowUpdate: 1, ping: 2 } as const
const syn = 1
/** More than any stream has early: it need not be looked up again. */
const negotiated = Number.MAX_SAFE_INTEGER
/** Streams, open ones and such as are gone; far more than may be open. */
const maxRemembered = 256

/** Reads the headers of yamux's frames as they come, in pieces of any size. */
class Frames {
  readonly #limits: YamuxLimits
  readonly #begun: Rate
  /** What came on each stream, until it was found to have a protocol. */
  readonly #early = new Map<number, number>()
  /** Streams that began in what is read now: the multiplexer does not have them yet. */
  readonly #begins = new Set<number>()
  readonly #header = new DataView(new ArrayBuffer(headerBytes))
  /** Of the multiplexer. */
  streams: () => readonly Pick<Stream, 'id' | 'protocol'>[] = () => []
  #headerBytes = 0
  /** Of the frame whose data is being passed over. */
  #dataBytes = 0

  constructor(limits: YamuxLimits) {
    this.#limits = limits
    this.#begun = new Rate(limits.burst, limits.perSecond, performance.now())
  }

  read(parts: Iterable<Uint8Array>): Breach | undefined {
    this.#begins.clear()
    for (const part of parts) {
      const breach = this.#readPart(part)
      if (breach !== undefined) return breach
    }
    return undefined
  }

  #readPart(bytes: Uint8Array): Breach | undefined {
    for (let at = 0; at < bytes.byteLength; ) {
      if (this.#dataBytes > 0) {
        const passed = Math.min(this.#dataBytes, bytes.byteLength - at)
        this.#dataBytes -= passed
        at += passed
        continue
      }
      this.#header.setUint8(this.#headerBytes, bytes[at] ?? 0)
      this.#headerBytes += 1
      at += 1
      const breach = this.#headerBytes === headerBytes ? this.#take() : undefined
      if (breach !== undefined) return breach
    }
    return undefined
  }

  #take(): Breach | undefined {
    this.#headerBytes = 0
    const type = this.#header.getUint8(typeAt)
    const stream = this.#header.getUint32(streamAt)
    const length = this.#header.getUint32(lengthAt)
    if (type <= types.ping && (this.#header.getUint8(flagsAt) & syn) !== 0) {
      if (!this.#begun.take(performance.now())) return 'misbehaved'
      this.#begins.add(stream)
    }
    if (type !== types.data) return undefined
    if (length > this.#limits.maxFrameBytes) return 'oversized'
    if (!this.#mayTake(stream, length)) return 'misbehaved'
    this.#dataBytes = length
    return undefined
  }

  #mayTake(stream: number, bytes: number): boolean {
    const early = (this.#early.get(stream) ?? 0) + bytes
    if (early > this.#limits.maxEarlyBytes && early < negotiated) {
      const open = this.streams().find(({ id }) => id === String(stream))
      // Of one that is gone some may still be under way.
      if (open === undefined ? this.#begins.has(stream) : this.#isBrief(open.protocol)) return false
      this.#early.set(stream, negotiated)
    } else if (early < negotiated) this.#early.set(stream, early)
    if (this.#early.size > maxRemembered) this.#forget()
    return true
  }

  #isBrief(protocol: string): boolean {
    return protocol === '' || this.#limits.brief.has(protocol)
  }

  #forget(): void {
    const open = new Set(this.streams().map(({ id }) => Number(id)))
    for (const stream of this.#early.keys()) if (!open.has(stream)) this.#early.delete(stream)
  }
}
