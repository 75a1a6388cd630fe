import type { IncomingMessage } from 'node:http'

/** Of a refused body that is thrown away, bytes and ms. */
const maxBytes = 32 * 1024 * 1024
const maxMs = 1000

/**
 * Reads the rest of a body that was refused, and keeps none of it: a client that
 * still writes would find its connection reset, and never see the answer.
 */
export function discardBody(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    let bytes = 0
    const timer = setTimeout(done, maxMs)
    function count(chunk: Uint8Array): void {
      bytes += chunk.byteLength
      if (bytes > maxBytes) done()
    }
    function done(): void {
      clearTimeout(timer)
      request.off('data', count).off('end', done).off('close', done)
      resolve()
    }
    request.on('data', count).once('end', done).once('close', done)
    request.resume()
  })
}
