import type { MessageStream } from '@libp2p/interface'

/** What a TCP connection of libp2p writes to, as far as it matters here: Node's `Writable`. */
interface Sink {
  readonly writableCorked: number
  cork(): void
  uncork(): void
  write(chunk: Uint8Array): boolean
}

/**
 * What is written to a connection within one turn of the event loop leaves in one write to the socket.
 *
 * libp2p writes each frame of the multiplexer by itself, and making a connection takes some seventy of
 * them in either direction; each write is a system call, a packet and its acknowledgement. A fifth of
 * a joiner's processor time went there. It costs nobody a wait: a turn ends before anything else happens.
 */
export function writeTogether(connection: MessageStream): void {
  const sink: unknown = Reflect.get(connection, 'socket')
  if (!isSink(sink)) return
  const write = sink.write.bind(sink)
  sink.write = (chunk) => {
    if (sink.writableCorked === 0) {
      sink.cork()
      process.nextTick(() => sink.uncork())
    }
    return write(chunk)
  }
}

function isSink(value: unknown): value is Sink {
  if (typeof value !== 'object' || value === null) return false
  const has = (method: string): boolean => typeof Reflect.get(value, method) === 'function'
  return has('cork') && has('uncork') && has('write')
}
