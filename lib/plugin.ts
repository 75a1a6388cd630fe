/**
 * A plugin: a protocol of its own inside a peer, on the peer's connections, disk
 * and services. What a daemon adds to it (routes, verbs, metrics) stands in
 * `plugins/contract.ts`; an app needs only this.
 */
import type { ClockReading, Groups } from './group.ts'
import type { Codec, Core, Crypto, PeerId } from './protocols/core.ts'
import type { Profile } from './protocols/membership/config.ts'
import type { MemberView } from './protocols/membership/messages.ts'

export type ServiceName = 'membership' | 'multicast' | 'clock'

export interface PeerPlugin<Api = unknown> {
  /**
   * 1 to 32 lower-case letters, digits and dashes, a letter first. Of its link
   * (`/p2pd/NAME/1`), its part of the store and its place in `peer.plugins`.
   */
  readonly name: string
  /** The services that it uses; it is given no others. */
  readonly needs: readonly ServiceName[]
  /** What may wait on its link to one peer, and the largest frame; the limits of control protocols by default. */
  readonly link?: PluginLink
  /**
   * Records that must be on disk before a new identity is: called once in the
   * life of an identity, so that an identity without them is one whose disk was lost.
   * Of an identity that ran without this plugin before, at its first start with
   * it, if the store is still the one that was made with that identity.
   */
  firstRecords?(first: FirstLife): ReadonlyMap<string, Uint8Array>
  /** Errors: whatever it throws ends the start of the peer. */
  run(context: PluginContext): RunningPlugin<Api>
}

export interface PluginLink {
  readonly maxFrameBytes: number
  readonly queueBytes: number
  readonly queueFrames: number
}

export interface FirstLife {
  readonly self: PeerId
  readonly cluster: string
  readonly crypto: Crypto
  readonly randomBytes: (length: number) => Uint8Array
  /** Others found what one alone may found: the peer was told of them by `join`, or looks for them by `mdns`, and is not the `first`. */
  readonly joins: boolean
}

export interface PluginContext {
  readonly self: PeerId
  /** 32 hexadecimal digits. */
  readonly cluster: string
  /** The peer's profile of time-outs. */
  readonly profile: Profile
  readonly crypto: Crypto
  readonly services: Services
  /** What its core persisted in former lives. */
  readonly durable: ReadonlyMap<string, Uint8Array>
  /**
   * Runs the core on the plugin's link and its part of the store. Called once, within `run`.
   * The returned commands are ignored once the peer has stopped.
   */
  drive<Message, Command extends { readonly type: string }, Event, Request>(
    protocol: PluginProtocol<Message, Command, Event, Request>,
  ): PluginDriver<Command>
  /** Asks for a connection to a member, unless there is one. Best effort, at most once a second for each. */
  dial(peer: PeerId): void
  /** A peer broke the protocol: when it repeats that, its connections are cut. */
  strike(peer: PeerId): void
  /** Something failed that is tried again; told to the app as `trouble`. */
  trouble(error: unknown): void
}

export interface PluginProtocol<Message, Command extends { readonly type: string }, Event, Request> {
  readonly core: Core<Message, Command, Event, Request>
  readonly codec: Codec<Message>
  readonly emitted: (event: Event) => void
  readonly requested: (request: Request) => void
}

export interface PluginDriver<Command> {
  command(command: Command): void
}

/** Those that the plugin needs; the others are absent. */
export interface Services {
  readonly membership?: MembershipService
  readonly multicast?: Groups
  readonly clock?: { now(): ClockReading }
}

export interface MembershipService {
  members(): readonly MemberView[]
}

/** Everything but `api` is optional: a plugin that is only a client of services has no more. */
export interface RunningPlugin<Api> {
  readonly api: Api
  /** This life is settled: its generation is on disk. What came before is told first: connections, then members. */
  joined?(generation: number): void
  connected?(peer: PeerId): void
  disconnected?(peer: PeerId): void
  member?(member: MemberView): void
  /** Before membership is given up; rejects when the peer must stay (`ERR_LEAVE_INCOMPLETE`). */
  leave?(options: { readonly force: boolean }): Promise<void>
  /**
   * Within 2 s, before the links close and before membership says that this peer
   * stops. Not called when the peer ends by itself, by a broken assertion or
   * because its identity is in use elsewhere, nor when its start fails.
   */
  stop?(): Promise<void>
  /** The peer has ended, for whatever reason: nothing that still waits will be answered. Called last, once. */
  ended?(): void
}

/** What the plugins of a peer give the app: `peer.plugins`. */
export type PluginApis<Plugins extends Readonly<Record<string, PeerPlugin>>> = {
  readonly [Name in keyof Plugins]: Plugins[Name] extends PeerPlugin<infer Api> ? Api : never
}

/** Of a peer without any. */
export type NoPlugins = Readonly<Record<never, never>>
