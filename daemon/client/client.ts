/**
 * A daemon's control API as typed methods, over its Unix socket.
 *
 * ```ts
 * const client = ControlClient.open(dataDir)
 * const { members } = await client.members()
 * for await (const event of client.memberEvents({ signal })) …
 * ```
 *
 * Holds no connection: every call looks the socket up anew, so one client
 * outlives restarts of its daemon. Every failure is a P2pdError, but an aborted
 * signal, which throws its own reason.
 */
import { existsSync, readFileSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { type Api, routes } from '../control/routes.ts'
import type {
  AdmissionRequest,
  InviteAnswer,
  InviteRequest,
  JoinAnswer,
  JoinRequest,
  LeaveAnswer,
  MemberRow,
  MembersAnswer,
  MembersQuery,
  PeersAnswer,
  PingAnswer,
  PingRequest,
  StatusAnswer,
} from '../control/schemas.ts'
import { controlNotePath, controlSocketPath, fitsSocket } from '../paths.ts'
import { answeredError, badAnswer, connectionError, notRunning } from './errors.ts'
import { type Exchange, exchangeChunks, exchangeText } from './http.ts'
import { SseDecoder } from './sse.ts'

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  /** Of the whole call, ms; for a stream, until it begins. */
  readonly timeoutMs?: number
}

export interface ClientLimits {
  /** Of one answer, and of one event of a stream. */
  readonly maxAnswerBytes: number
}

/** 10,000 members, the most that a view holds, at 16 addresses each. */
const defaultLimits: ClientLimits = { maxAnswerBytes: 32 * 1024 * 1024 }

/** Of a call that the daemon answers out of its memory. */
const callTimeoutMs = 10_000
/** What a call may take beyond the time-out that it asks of the daemon. */
const marginMs = 5000

export type MemberStreamEvent =
  /** Always first. */
  | { readonly type: 'snapshot'; readonly snapshot: MembersAnswer }
  /** A row that changed, or is new. */
  | { readonly type: 'member'; readonly member: MemberRow }

export class ControlClient {
  readonly dataDir: string
  readonly #limits: ClientLimits

  private constructor(dataDir: string, limits: ClientLimits) {
    this.dataDir = dataDir
    this.#limits = limits
  }

  /** `dataDir` is absolute: see `resolveDataDir`. Touches nothing yet. */
  static open(dataDir: string, limits: ClientLimits = defaultLimits): ControlClient {
    return new ControlClient(dataDir, limits)
  }

  status(options: CallOptions = {}): Promise<StatusAnswer> {
    return this.#call('status', undefined, undefined, options)
  }

  members(query: MembersQuery = {}, options: CallOptions = {}): Promise<MembersAnswer> {
    return this.#call('members', query, undefined, options)
  }

  /** Ends when the daemon ends the stream; a lost connection throws ERR_CONNECTION_LOST. */
  async *memberEvents(options: CallOptions = {}): AsyncGenerator<MemberStreamEvent, void, undefined> {
    const exchange = this.#exchange('memberEvents', undefined, undefined, options, 'text/event-stream')
    const decoder = new SseDecoder(this.#limits.maxAnswerBytes)
    try {
      for await (const chunk of exchangeChunks(exchange)) {
        for (const { event, data } of decoder.push(chunk)) {
          if (event === 'snapshot') yield { type: 'snapshot', snapshot: parse<MembersAnswer>(data) }
          else if (event === 'member') yield { type: 'member', member: parse<MemberRow>(data) }
          else if (event === 'overrun') throw answeredError(200, `{"error":${data}}`)
        }
      }
    } catch (error) {
      throw this.#explain(error, options.signal)
    }
  }

  ping(request: PingRequest, options: CallOptions = {}): Promise<PingAnswer> {
    return this.#call('ping', undefined, request, patient(request.timeoutMs, options))
  }

  /** The answer holds the cluster secret. */
  invite(options: CallOptions = {}): Promise<InviteAnswer> {
    return this.#call('invite', undefined, undefined, options)
  }

  inviteAt(request: InviteRequest, options: CallOptions = {}): Promise<InviteAnswer> {
    return this.#call('inviteAt', undefined, request, options)
  }

  join(request: JoinRequest, options: CallOptions = {}): Promise<JoinAnswer> {
    return this.#call('join', undefined, request, patient(request.timeoutMs, options))
  }

  /** Resolves once the departure is announced; the daemon ends after it. */
  leave(options: CallOptions = {}): Promise<LeaveAnswer> {
    return this.#call('leave', undefined, {}, options)
  }

  peers(options: CallOptions = {}): Promise<PeersAnswer> {
    return this.#call('peers', undefined, undefined, options)
  }

  allowPeers(request: AdmissionRequest, options: CallOptions = {}): Promise<PeersAnswer> {
    return this.#call('allowPeers', undefined, request, options)
  }

  denyPeers(request: AdmissionRequest, options: CallOptions = {}): Promise<PeersAnswer> {
    return this.#call('denyPeers', undefined, request, options)
  }

  /** In the text format of Prometheus. */
  async metrics(options: CallOptions = {}): Promise<string> {
    try {
      return await exchangeText(this.#exchange('metrics', undefined, undefined, options, 'text/plain'))
    } catch (error) {
      throw this.#explain(error, options.signal)
    }
  }

  /** True once the daemon is ready, false while it is not or is not there. */
  async isReady(options: CallOptions = {}): Promise<boolean> {
    try {
      await this.#call('ready', undefined, undefined, options)
      return true
    } catch {
      options.signal?.throwIfAborted()
      return false
    }
  }

  async #call<Name extends keyof Api>(
    name: Name,
    query: Readonly<Record<string, string | undefined>> | undefined,
    body: Api[Name]['body'],
    options: CallOptions,
  ): Promise<Api[Name]['answer']> {
    const exchange = this.#exchange(name, query, body, options, 'application/json')
    try {
      return parse<Api[Name]['answer']>(await exchangeText(exchange))
    } catch (error) {
      throw this.#explain(error, options.signal)
    }
  }

  #exchange(
    name: keyof typeof routes,
    query: Readonly<Record<string, string | undefined>> | undefined,
    body: unknown,
    options: CallOptions,
    accept: string,
  ): Exchange {
    const { method, path } = routes[name]
    return {
      socketPath: this.#socketPath(),
      method,
      path: path + queryString(query),
      body,
      accept,
      timeoutMs: options.timeoutMs ?? callTimeoutMs,
      signal: options.signal,
      maxAnswerBytes: this.#limits.maxAnswerBytes,
    }
  }

  /** The socket inside the data directory, or where the note beside it says. */
  #socketPath(): string {
    const inside = controlSocketPath(this.dataDir)
    const insideFits = fitsSocket(inside)
    if (insideFits && existsSync(inside)) return inside
    const noted = this.#notedPath()
    if (noted !== undefined) return noted
    if (!insideFits) throw notRunning(this.dataDir)
    // Not there, or not to be seen by this user: connecting tells which.
    return inside
  }

  #notedPath(): string | undefined {
    try {
      const noted = readFileSync(controlNotePath(this.dataDir), 'utf8').trim()
      return isAbsolute(noted) && fitsSocket(noted) ? noted : undefined
    } catch (error) {
      const explained = connectionError(error, this.dataDir)
      if (explained.code === 'ERR_DENIED') throw explained
      return undefined
    }
  }

  #explain(error: unknown, signal: AbortSignal | undefined): unknown {
    return signal?.aborted ? signal.reason : connectionError(error, this.dataDir)
  }
}

/** The daemon validates what it sends against the schema of this very type. */
function parse<Answer>(text: string): Answer {
  try {
    return JSON.parse(text) as Answer
  } catch (error) {
    throw badAnswer('the daemon answered with something that is not JSON', error)
  }
}

function patient(daemonTimeoutMs: number | undefined, options: CallOptions): CallOptions {
  if (daemonTimeoutMs === undefined || options.timeoutMs !== undefined) return options
  return { ...options, timeoutMs: daemonTimeoutMs + marginMs }
}

function queryString(query: Readonly<Record<string, string | undefined>> | undefined): string {
  const pairs = Object.entries(query ?? {}).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  )
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}
