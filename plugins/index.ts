/**
 * What a plugin is written against; loads nothing of the peer itself.
 *
 * ```ts
 * import type { Plugin } from 'p2pd/plugin'
 *
 * export const plugin: Plugin<{ greet(): void }> = { name: 'hello', needs: [], run(context) { … } }
 * ```
 */

export type {
  FirstLife,
  MembershipService,
  PeerPlugin,
  PluginContext,
  PluginDriver,
  PluginLink,
  PluginProtocol,
  RunningPlugin,
  ServiceName,
  Services,
} from '../lib/plugin.ts'
export type { Codec, Core, Crypto, Effect, Input, Instant, PeerId } from '../lib/protocols/core.ts'
export type { MemberStatus, MemberView } from '../lib/protocols/membership/messages.ts'
export { type ErrorCode, P2pdError, WireError } from '../lib/wire/errors.ts'
export type {
  Plugin,
  PluginAnswerRoute,
  PluginChecker,
  PluginMetric,
  PluginRequest,
  PluginRoute,
  PluginStatus,
  PluginStreamEvent,
  PluginStreamRoute,
  PluginTools,
  PluginVerb,
} from './contract.ts'
