/**
 * What a plugin is to the daemon: the protocol that it adds to a peer
 * (`PeerPlugin`), and with it routes of the control API, verbs of the CLI,
 * metrics, keys of `status`, and a checker that judges its histories.
 *
 * A module that `p2pd --plugin MODULE` loads exports one as `plugin`.
 * `plugins/mutex/` is the model: copy it.
 *
 * All of it but the values is declared before the peer runs, so that whatever
 * collides is refused before anything touches the disk. What is asked while the
 * peer does not run is answered with ERR_NOT_READY, and never reaches the plugin.
 */
import type { z } from 'zod'
import type { PeerPlugin } from '../lib/plugin.ts'
import type { PeerId } from '../lib/protocols/core.ts'
import type { P2pdError } from '../lib/wire/errors.ts'

/** `Api` is what `run` gives; methods, and no functions as properties, so that a list may hold plugins of all kinds. */
export interface Plugin<Api = unknown> extends PeerPlugin<Api> {
  /** Called once, before the peer runs. */
  routes?(tools: PluginTools): readonly PluginRoute<Api>[]
  /** Verbs of the CLI that are one request each; asked of the daemon, so that the CLI need not load the plugin. */
  readonly verbs?: readonly PluginVerb[]
  readonly metrics?: readonly PluginMetric<Api>[]
  readonly status?: PluginStatus<Api>
  /** The HTTP status of its own error codes, 4xx or 5xx; that of one that is not here is 500. */
  readonly errorStatus?: Readonly<Record<string, number>>
  readonly checker?: PluginChecker
}

/** For a module that stands where it can import no package. */
export interface PluginTools {
  readonly z: typeof z
  /** What a handler throws to be answered as `{ error: { code, message, hint } }`; anything else is ERR_INTERNAL, and logged. */
  readonly P2pdError: typeof P2pdError
}

export type PluginRoute<Api = unknown> = PluginAnswerRoute<Api> | PluginStreamRoute<Api>

interface PluginRouteBase {
  readonly method: 'GET' | 'POST'
  /** Whole: `/v1/greetings/:name`. A segment `:name` stands for any one segment. */
  readonly path: string
  readonly summary: string
  /** Checked before the plugin is asked; without one nothing is taken. All values of the query are strings. */
  readonly query?: z.ZodType
  readonly body?: z.ZodType
}

/** One request, one JSON object. */
export interface PluginAnswerRoute<Api = unknown> extends PluginRouteBase {
  /** What `handle` gives, for the OpenAPI document. */
  readonly answer?: z.ZodType
  handle(request: PluginRequest<Api>): unknown
}

/** One request, server-sent events. */
export interface PluginStreamRoute<Api = unknown> extends PluginRouteBase {
  /**
   * What it throws, or rejects with, is answered like a failed request; so it is
   * when the iterator throws at once, without waiting for anything. What is thrown
   * later is the last event, `error`, with code, message and hint.
   *
   * The header goes out without waiting for the first item. The next item is asked
   * for when the socket has taken the last one. When the client hangs up, or the
   * daemon ends, `request.signal` aborts, and then the iterator's `return` is called.
   * A comment every 15 s keeps the connection open.
   */
  stream(
    request: PluginRequest<Api>,
  ): AsyncIterable<PluginStreamEvent> | Promise<AsyncIterable<PluginStreamEvent>>
}

export interface PluginStreamEvent {
  /** 1 to 64 lower-case letters, digits and dashes; `error` is the daemon's. */
  readonly event: string
  /** JSON. */
  readonly data: unknown
  /** One line; what a client that comes back sends as `lastEventId`. */
  readonly id?: string
}

export interface PluginRequest<Api = unknown> {
  readonly api: Api
  /** Decoded. */
  readonly params: Readonly<Record<string, string>>
  /** What the schema made of it; undefined without one. */
  readonly query: unknown
  readonly body: unknown
  /** Of a client that resumes a stream. */
  readonly lastEventId: string | undefined
  /** The client has hung up; or the daemon ends, and the peer has stopped. */
  readonly signal: AbortSignal
  /**
   * The member that a user means by an id, a unique prefix of one, or a unique
   * name. Errors: ERR_UNKNOWN_PEER, ERR_AMBIGUOUS_PEER.
   */
  peerOf(reference: string): PeerId
  /** What the member calls itself; '' when there is none of that id. */
  nameOf(peer: PeerId): string
}

export interface PluginVerb {
  /** 1 to 32 lower-case letters, digits and dashes, a letter first. */
  readonly name: string
  readonly summary: string
  readonly examples: readonly (readonly [line: string, meaning: string])[]
  /**
   * In order, optional ones last; each fills the segment, else the key of the
   * query (GET) or of the body (POST), of that name, as a string.
   */
  readonly arguments?: readonly {
    readonly name: string
    readonly summary: string
    readonly optional?: boolean
  }[]
  /** The plugin's own route that it asks; one that streams prints a line an event, until it ends. */
  readonly method: 'GET' | 'POST'
  readonly path: string
}

/** `samples` is read when somebody asks for `/metrics`, while the peer runs. */
export interface PluginMetric<Api = unknown> {
  /** `p2pd_PLUGIN_…`, dashes of the plugin's name as underscores; that of a counter ends in `_total`. */
  readonly name: string
  readonly help: string
  readonly type: 'gauge' | 'counter'
  /** Names of labels. */
  readonly labels?: readonly string[]
  /** At most 64 are shown; values of labels come from a fixed set, never from what a stranger sends. */
  samples(api: Api): readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: number }[]
}

/** What the plugin adds to `GET /v1/status`. */
export interface PluginStatus<Api = unknown> {
  /** None that the daemon or another plugin has, but `quorum` and `locks`, which the daemon leaves to one plugin. */
  readonly keys: readonly string[]
  /** JSON values of those keys, at once and out of memory: `status` waits for it. */
  read(api: Api): Readonly<Record<string, unknown>>
}

/** Judges a recorded history without sharing code with what made it. */
export interface PluginChecker {
  readonly name: string
  check(history: readonly unknown[]): readonly { readonly property: string; readonly message: string }[]
}
