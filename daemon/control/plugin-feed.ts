/** Streams and requests of plugins that are under way. */
import type { FastifyReply } from 'fastify'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { PluginStreamEvent } from '../../plugins/contract.ts'
import { ControlFailure } from './failure.ts'
import { formatEvent, StreamFeed, type StreamFeedLimits } from './stream-feed.ts'

/** Of all plugins together: each holder of a lock has one. */
export const pluginFeedLimits: StreamFeedLimits = { readers: 256, keepAliveMs: 15_000, lingerMs: 2000 }

export class PluginFeed extends StreamFeed<PluginStreamEvent> {
  constructor(explain: (error: unknown) => P2pdError, limits: StreamFeedLimits = pluginFeedLimits) {
    super({ limits, format, explain: (error) => explain(ownError(error)), tooMany })
  }
}

/** What plugins are still answering; ends with the daemon. */
export class PluginRequests {
  readonly #aborters = new Set<AbortController>()

  /** Aborts when the client hangs up, and at `close`. */
  begin(reply: FastifyReply): AbortSignal {
    const aborter = new AbortController()
    this.#aborters.add(aborter)
    reply.raw.once('close', () => {
      this.#aborters.delete(aborter)
      aborter.abort()
    })
    return aborter.signal
  }

  close(): void {
    for (const aborter of this.#aborters) aborter.abort()
  }
}

/** A module with a copy of p2pd of its own throws errors of another class. */
export function ownError(error: unknown): unknown {
  if (error instanceof P2pdError || !(error instanceof Error) || error.name !== 'P2pdError') return error
  const code: unknown = Reflect.get(error, 'code')
  const hint: unknown = Reflect.get(error, 'hint')
  if (typeof code !== 'string' || !/^ERR_[A-Z0-9_]+$/.test(code)) return error
  return new P2pdError(code as `ERR_${string}`, error.message, typeof hint === 'string' ? { hint } : {})
}

function format({ event, data, id }: PluginStreamEvent): string {
  if (!/^[a-z0-9-]{1,64}$/.test(event) || event === 'error')
    throw new TypeError(`no name of an event: ${event}`)
  if (id !== undefined && /[\r\n\0]/.test(id)) throw new TypeError('the id of an event is one line')
  return formatEvent({ event, data: data ?? null, id })
}

function tooMany(readers: number): ControlFailure {
  return new ControlFailure('ERR_TOO_MANY_STREAMS', `${readers} clients hold streams of plugins already`, {
    hint: 'end one of them',
  })
}
