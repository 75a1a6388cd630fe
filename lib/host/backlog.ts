import type { MessageStream } from '@libp2p/interface'

/**
 * What may wait in one layer of a connection. Streams hold back as soon as the
 * socket does, but each may have a window of 256 KiB under way by then; and a peer that
 * gives large windows and reads slowly would otherwise have the rest pile up below them.
 */
export const maxBacklogBytes = 8 * 1024 * 1024

/** libp2p bounds streams, and neither the socket nor what encrypts it; beyond that it is aborted. */
export function limitBacklog(layer: MessageStream): void {
  layer.maxWriteBufferLength = maxBacklogBytes
}

/** It was. */
export function isBacklogged(error: Error | undefined): boolean {
  return error?.name === 'StreamBufferError'
}
