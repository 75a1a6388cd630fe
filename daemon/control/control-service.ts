import type { Logger } from 'pino'
import type { PeerPort } from '../peer-port.ts'
import type { PluginSet } from '../plugins/plugin-set.ts'
import type { Handlers } from './contract.ts'
import type { EventFeed } from './event-feed.ts'
import type { MessageFeed } from './message-feed.ts'
import type { PluginFeed, PluginRequests } from './plugin-feed.ts'

/** What the routes are made of, whichever way a request comes in. */
export interface ControlService {
  readonly handlers: Handlers
  readonly version: string
  /** Throws ERR_NOT_READY, and ERR_STOPPING. */
  peer(): PeerPort
  /** Whether `peer` would not throw. */
  serves(): boolean
  /** Throws ERR_NOT_READY. */
  feed(): EventFeed
  readonly messages: MessageFeed
  readonly plugins: PluginSet
  readonly pluginStreams: PluginFeed
  readonly pluginRequests: PluginRequests
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>
  /** The answer to `leave` is out, or its client is gone. */
  departed(): void
  readonly log: Logger
}
