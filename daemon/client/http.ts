/** One HTTP/1.1 exchange over a Unix socket, with a deadline, a signal and a bounded answer. */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { P2pdError } from '../../lib/wire/errors.ts'
import { answeredError, timedOut } from './errors.ts'

export interface Exchange {
  readonly socketPath: string
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Sent as JSON. */
  readonly body: unknown
  readonly accept: string
  /** Of the whole exchange; for a stream, until its first byte. */
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  readonly maxAnswerBytes: number
}

/** The body of a 2xx answer; anything else throws. */
export async function exchangeText(exchange: Exchange): Promise<string> {
  const { request, release, reason } = start(exchange)
  try {
    const response = await answerOf(request)
    const body = await readText(response, exchange.maxAnswerBytes)
    if (!isOk(response)) throw answeredError(response.statusCode ?? 0, body)
    return body
  } catch (error) {
    throw reason() ?? error
  } finally {
    release()
    request.destroy()
  }
}

/** The chunks of a 2xx answer as they come, until the daemon ends it or the caller stops. */
export async function* exchangeChunks(exchange: Exchange): AsyncGenerator<Uint8Array, void, undefined> {
  const { request, release, reason, stopTimer } = start(exchange)
  try {
    const response = await answerOf(request)
    if (!isOk(response)) {
      throw answeredError(response.statusCode ?? 0, await readText(response, exchange.maxAnswerBytes))
    }
    stopTimer()
    for await (const chunk of response) yield chunk
  } catch (error) {
    throw reason() ?? error
  } finally {
    release()
    request.destroy()
  }
}

interface Started {
  readonly request: ClientRequest
  /** Why this side broke the exchange off, if it did. */
  readonly reason: () => unknown
  readonly stopTimer: () => void
  readonly release: () => void
}

function start(exchange: Exchange): Started {
  const { socketPath, method, path, body, accept, timeoutMs, signal } = exchange
  signal?.throwIfAborted()
  const payload = body === undefined ? undefined : JSON.stringify(body)
  const headers: Record<string, string> = { accept, host: 'localhost' }
  if (payload !== undefined) {
    headers['content-type'] = 'application/json'
    headers['content-length'] = String(Buffer.byteLength(payload))
  }
  // No agent: a kept connection would outlive a daemon that restarts.
  const request = httpRequest({ socketPath, method, path, headers, agent: false })

  let reason: unknown
  const breakOff = (why: unknown): void => {
    reason ??= why
    request.destroy()
  }
  const onAbort = (): void => breakOff(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  const timer = setTimeout(() => breakOff(timedOut(`${method} ${path}`, timeoutMs)), timeoutMs)
  const stopTimer = (): void => clearTimeout(timer)
  request.end(payload)
  return {
    request,
    reason: () => reason,
    stopTimer,
    release: () => {
      stopTimer()
      signal?.removeEventListener('abort', onAbort)
    },
  }
}

function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve)
    // Stays: a request that is destroyed after its answer may emit once more.
    request.on('error', reject)
  })
}

async function readText(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) {
      throw new P2pdError('ERR_ANSWER_TOO_LARGE', `the daemon's answer exceeds ${maxBytes} bytes`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function isOk(response: IncomingMessage): boolean {
  const status = response.statusCode ?? 0
  return status >= 200 && status < 300
}
