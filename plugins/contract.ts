/**
 * What a plugin is to the daemon: the protocol that it adds to a peer
 * (`PeerPlugin`), and with it routes of the control API, verbs of the CLI,
 * metrics, and a checker that judges its histories.
 *
 * A module that `p2pd --plugin MODULE` loads exports one as `plugin`.
 * `plugins/mutex/` is the model: copy it.
 */
import type { z } from 'zod'
import type { PeerPlugin } from '../lib/plugin.ts'

export interface Plugin<Api = unknown> extends PeerPlugin<Api> {
  readonly routes?: (api: Api) => readonly PluginRoute[]
  /** Verbs of the CLI that are one request each; asked of the daemon, so that the CLI need not load the plugin. */
  readonly verbs?: readonly PluginVerb[]
  readonly metrics?: (api: Api) => readonly PluginMetric[]
  readonly checker?: PluginChecker
}

export interface PluginRoute {
  readonly method: 'GET' | 'POST'
  /** Below `/v1/`; a segment `:name` stands for any one segment. */
  readonly path: string
  readonly summary: string
  /** Checked before `handle`; without one nothing is taken. */
  readonly query?: z.ZodType
  readonly body?: z.ZodType
  /** What `handle` gives, for the OpenAPI document. */
  readonly answer?: z.ZodType
  readonly handle: (request: PluginRequest) => unknown
}

export interface PluginRequest {
  readonly params: Readonly<Record<string, string>>
  readonly query: unknown
  readonly body: unknown
  /** The client has hung up. */
  readonly signal: AbortSignal
}

export interface PluginVerb {
  readonly name: string
  readonly summary: string
  readonly examples: readonly (readonly [line: string, meaning: string])[]
  /** In order; each fills the segment, the key of the query or of the body of that name. */
  readonly arguments?: readonly {
    readonly name: string
    readonly summary: string
    readonly optional?: boolean
  }[]
  /** The route that it asks. */
  readonly method: 'GET' | 'POST'
  readonly path: string
}

/** Read when somebody asks for `/metrics`. The name begins with `p2pd_`. */
export interface PluginMetric {
  readonly name: string
  readonly help: string
  readonly type: 'gauge' | 'counter'
  readonly samples: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: number }[]
}

/** Judges a recorded history without sharing code with what made it. */
export interface PluginChecker {
  readonly name: string
  check(history: readonly unknown[]): readonly { readonly property: string; readonly message: string }[]
}
