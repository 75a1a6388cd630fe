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
import { type Api, pathOf, type RouteName, routes } from '../control/routes.ts'
import type {
  AdmissionRequest,
  ClockAnswer,
  ForceLeaveAnswer,
  ForceLeaveRequest,
  GroupQuery,
  GroupsAnswer,
  InviteAnswer,
  InviteRequest,
  IsolationEvent,
  JoinAnswer,
  JoinRequest,
  LeaveAnswer,
  LeaveGroupAnswer,
  LeaveRequest,
  MemberRow,
  MembersAnswer,
  MembersQuery,
  MessageLine,
  MessagesQuery,
  NoticeLine,
  PeersAnswer,
  PingAnswer,
  PingRequest,
  PluginsAnswer,
  PublishAnswer,
  PublishRequest,
  ReachabilityAnswer,
  ReachabilityRequest,
  StatusAnswer,
  TagsAnswer,
  TagsRequest,
} from '../control/schemas.ts'
import { controlNotePath, controlSocketPath, fitsSocket } from '../paths.ts'
import { answeredError, badAnswer, connectionError, notRunning } from './errors.ts'
import { type Exchange, exchangeChunks, exchangeText } from './http.ts'
import { SseDecoder, type SseMessage } from './sse.ts'

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
/** A group is joined, which may mean to fetch what came before, and a message waits its turn. */
const groupTimeoutMs = 45_000
/** The daemon asks some at a time, and gives up after two minutes. */
const reachabilityTimeoutMs = 130_000
/** Locks are handed over first. */
const leaveTimeoutMs = 30_000

export type MemberStreamEvent =
  /** Always first. */
  | { readonly type: 'snapshot'; readonly snapshot: MembersAnswer }
  /** A row that changed, or is new; with the detail `reaped` one that is in the table no more. */
  | { readonly type: 'member'; readonly member: MemberRow }
  /** The daemon hears from nobody, and may be the sick one; or that is over. */
  | { readonly type: 'isolated'; readonly isolation: IsolationEvent }

/** What a group's stream tells: a delivery, or what else happens to it. */
export type GroupStreamEvent =
  | { readonly type: 'message'; readonly message: MessageLine }
  | { readonly type: 'notice'; readonly notice: NoticeLine }

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
    const exchange = this.#exchange('memberEvents', { options, accept: eventStream })
    for await (const { event, data } of this.#events(exchange, options.signal)) {
      if (event === 'snapshot') yield { type: 'snapshot', snapshot: parse<MembersAnswer>(data) }
      else if (event === 'member') yield { type: 'member', member: parse<MemberRow>(data) }
      else if (event === 'isolated') yield { type: 'isolated', isolation: parse<IsolationEvent>(data) }
      else if (event === 'overrun') throw answeredError(200, `{"error":${data}}`)
    }
  }

  groups(options: CallOptions = {}): Promise<GroupsAnswer> {
    return this.#call('groups', undefined, undefined, options)
  }

  /** Joins the group. Resolves when the message is in the daemon's log and on its way. */
  publish(group: string, request: PublishRequest, options: CallOptions = {}): Promise<PublishAnswer> {
    return this.#call('publish', undefined, request, { timeoutMs: groupTimeoutMs, ...options }, { group })
  }

  /**
   * Joins the group. Ends when the daemon ends the stream; a lost connection
   * throws ERR_CONNECTION_LOST. To resume, begin anew after the last message's cursor.
   */
  async *messages(
    group: string,
    query: MessagesQuery = {},
    options: CallOptions = {},
  ): AsyncGenerator<GroupStreamEvent, void, undefined> {
    const exchange = this.#exchange('messages', {
      params: { group },
      query,
      options: { timeoutMs: groupTimeoutMs, ...options },
      accept: eventStream,
    })
    for await (const { event, data } of this.#events(exchange, options.signal)) {
      if (event === 'message') yield { type: 'message', message: parse<MessageLine>(data) }
      else if (event === 'error') throw answeredError(200, `{"error":${data}}`)
      else yield { type: 'notice', notice: parse<NoticeLine>(data) }
    }
  }

  leaveGroup(group: string, options: CallOptions = {}): Promise<LeaveGroupAnswer> {
    return this.#call('leaveGroup', undefined, {}, options, { group })
  }

  clock(query: GroupQuery = {}, options: CallOptions = {}): Promise<ClockAnswer> {
    return this.#call('clock', query, undefined, options)
  }

  /** The last events of the daemon in a group: JSON lines, in pieces cut anywhere. */
  async *trace(
    query: GroupQuery = {},
    options: CallOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const exchange = this.#exchange('trace', { query, options, accept: 'application/x-ndjson' })
    try {
      yield* exchangeChunks(exchange)
    } catch (error) {
      throw this.#explain(error, options.signal)
    }
  }

  ping(request: PingRequest, options: CallOptions = {}): Promise<PingAnswer> {
    return this.#call('ping', undefined, request, patient(request.timeoutMs, options))
  }

  /** Rejects only where nothing can be asked: who does not answer is a row. */
  reachability(request: ReachabilityRequest = {}, options: CallOptions = {}): Promise<ReachabilityAnswer> {
    return this.#call('reachability', undefined, request, { timeoutMs: reachabilityTimeoutMs, ...options })
  }

  /** Resolves when the daemon's table shows it as left. */
  forceLeave(request: ForceLeaveRequest, options: CallOptions = {}): Promise<ForceLeaveAnswer> {
    return this.#call('forceLeave', undefined, request, patient(request.timeoutMs, options))
  }

  tags(options: CallOptions = {}): Promise<TagsAnswer> {
    return this.#call('tags', undefined, undefined, options)
  }

  changeTags(request: TagsRequest, options: CallOptions = {}): Promise<TagsAnswer> {
    return this.#call('changeTags', undefined, request, options)
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

  /** Resolves once the departure is announced; the daemon ends after it. Errors: ERR_LEAVE_INCOMPLETE, and it goes on. */
  leave({ force = false, ...options }: LeaveRequest & CallOptions = {}): Promise<LeaveAnswer> {
    return this.#call('leave', undefined, { force }, { timeoutMs: leaveTimeoutMs, ...options })
  }

  /** What plugins add to the control API and to the CLI; also while the daemon starts. */
  plugins(options: CallOptions = {}): Promise<PluginsAnswer> {
    return this.#call('plugins', undefined, undefined, options)
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

  /** One request of a route that a plugin brought along. */
  async ask<Answer>(call: RouteCall, options: CallOptions = {}): Promise<Answer> {
    const exchange = this.#exchangeAt(call, options, 'application/json')
    try {
      return parse<Answer>(await exchangeText(exchange))
    } catch (error) {
      throw this.#explain(error, options.signal)
    }
  }

  /** The events of such a route; an `error` throws. Ends when the daemon ends the stream. */
  async *listen(call: RouteCall, options: CallOptions = {}): AsyncGenerator<SseMessage, void, undefined> {
    const exchange = this.#exchangeAt(call, options, eventStream)
    for await (const message of this.#events(exchange, options.signal)) {
      if (message.event === 'error') throw answeredError(200, `{"error":${message.data}}`)
      yield message
    }
  }

  /** In the text format of Prometheus. */
  async metrics(options: CallOptions = {}): Promise<string> {
    try {
      return await exchangeText(this.#exchange('metrics', { options, accept: 'text/plain' }))
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
    query: Query | undefined,
    body: Api[Name]['body'],
    options: CallOptions,
    params: Readonly<Record<string, string>> = {},
  ): Promise<Api[Name]['answer']> {
    const exchange = this.#exchange(name, { params, query, body, options, accept: 'application/json' })
    try {
      return parse<Api[Name]['answer']>(await exchangeText(exchange))
    } catch (error) {
      throw this.#explain(error, options.signal)
    }
  }

  async *#events(
    exchange: Exchange,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<SseMessage, void, undefined> {
    const decoder = new SseDecoder(this.#limits.maxAnswerBytes)
    try {
      for await (const chunk of exchangeChunks(exchange)) yield* decoder.push(chunk)
    } catch (error) {
      throw this.#explain(error, signal)
    }
  }

  #exchange(name: RouteName, { params, query, body, options, accept }: Call): Exchange {
    const route = routes[name]
    const call = { method: route.method, path: pathOf(route, params), query, body }
    return this.#exchangeAt(call, options, accept)
  }

  #exchangeAt({ method, path, query, body }: RouteCall, options: CallOptions, accept: string): Exchange {
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

/** A request of a route that this module does not know. */
export interface RouteCall {
  readonly method: 'GET' | 'POST'
  /** Its segments encoded: see `pathOf`. */
  readonly path: string
  readonly query?: Query | undefined
  /** Sent as JSON. */
  readonly body?: unknown
}

interface Call {
  readonly params?: Readonly<Record<string, string>>
  readonly query?: Query | undefined
  readonly body?: unknown
  readonly options: CallOptions
  readonly accept: string
}

/** A list is one pair for each. */
export type Query = Readonly<Record<string, string | readonly string[] | undefined>>

const eventStream = 'text/event-stream'

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

function queryString(query: Query | undefined): string {
  const pairs = Object.entries(query ?? {}).flatMap(([name, value]) =>
    [value ?? []].flat().map((text) => `${name}=${encodeURIComponent(text)}`),
  )
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}
