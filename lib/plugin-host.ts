/** Runs the plugins of a peer: each has a link, a part of the store, and the services that it needs. */
import type { Groups } from './group.ts'
import type { Counters } from './host/counters.ts'
import { Driver } from './host/driver.ts'
import { controlLimits, type Links } from './host/links.ts'
import type { Store } from './host/store.ts'
import type {
  PeerPlugin,
  PluginContext,
  PluginProtocol,
  RunningPlugin,
  ServiceName,
  Services,
} from './plugin.ts'
import type { Codec, Crypto, PeerId } from './protocols/core.ts'
import type { Profile } from './protocols/membership/config.ts'
import type { MemberView } from './protocols/membership/messages.ts'
import { settledWithin } from './settled-within.ts'
import { WireError } from './wire/errors.ts'
import { maxControlFrameBytes } from './wire/limits.ts'

export interface PluginHostInit {
  readonly plugins: readonly PeerPlugin[]
  readonly self: PeerId
  readonly cluster: string
  readonly profile: Profile
  readonly crypto: Crypto
  readonly store: Store
  readonly counters: Counters
  readonly members: () => readonly MemberView[]
  readonly groups: Groups
  /** Asks for a connection to whoever is reached at these addresses. */
  readonly dial: (peer: PeerId, addresses: readonly string[]) => void
  readonly trouble: (error: unknown) => void
  /** A broken assertion in a plugin. */
  readonly failed: (error: unknown) => void
}

/** A plugin asks for a connection as often as it likes; the peer tries so often. */
const redialMs = 1000
/** Peers whose last dial is remembered: the rate of others is bounded by the dialer's places. */
const maxDialled = 4096
/** A plugin that hangs does not keep the process. */
export const pluginStopMs = 2000

interface Running {
  readonly plugin: RunningPlugin<unknown>
  readonly driver: { stop(): void } | undefined
}

/**
 * A plugin is told what happens as it happens, and nothing before `run`: first
 * the connections that are open, then members, then that this life is settled,
 * as long as the peer starts its plugins before its membership.
 */
export class PluginHost {
  readonly #init: PluginHostInit
  readonly #running: Running[] = []
  readonly #connected = new Set<PeerId>()
  readonly #dialled = new Map<PeerId, number>()
  /** What each plugin gives the app, by name. */
  readonly apis: Readonly<Record<string, unknown>> = {}
  #stopped = false

  constructor(init: PluginHostInit) {
    this.#init = init
  }

  /** Runs all at once; resolves when their links take frames. Throws what a plugin throws. */
  run(links: Links): Promise<void> {
    const registrations: Promise<void>[] = []
    for (const plugin of this.#init.plugins) {
      const running = this.#run(plugin, links, registrations)
      this.#running.push(running)
      Object.defineProperty(this.apis, plugin.name, { value: running.plugin.api, enumerable: true })
    }
    return Promise.all(registrations).then(() => {})
  }

  connected(peer: PeerId): void {
    if (this.#connected.has(peer)) return
    this.#connected.add(peer)
    this.#tell((plugin) => plugin.connected?.(peer))
  }

  disconnected(peer: PeerId): void {
    if (this.#connected.delete(peer)) this.#tell((plugin) => plugin.disconnected?.(peer))
  }

  member(member: MemberView): void {
    this.#tell((plugin) => plugin.member?.(member))
  }

  joined(generation: number): void {
    this.#tell((plugin) => plugin.joined?.(generation))
  }

  /** One after the other, in the order given. Rejects as the first does that must stay; those before it have left. */
  async leave(options: { readonly force: boolean }): Promise<void> {
    for (const { plugin } of this.#running) await plugin.leave?.(options)
  }

  /** Lets them say their last words, within 2 s in all. */
  async settle(): Promise<void> {
    const ends = this.#running.map(({ plugin }) => ending(plugin).catch(this.#init.trouble))
    await settledWithin(Promise.all(ends), pluginStopMs)
  }

  /** No more steps, no more effects. */
  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    for (const { driver } of this.#running) driver?.stop()
    for (const { plugin } of this.#running) {
      try {
        plugin.ended?.()
      } catch (error) {
        this.#init.trouble(error)
      }
    }
  }

  #run(plugin: PeerPlugin, links: Links, registrations: Promise<void>[]): Running {
    const { self, cluster, profile, crypto, store, trouble } = this.#init
    let driver: { stop(): void } | undefined
    let starting = true
    const context: PluginContext = {
      self,
      cluster,
      profile,
      crypto,
      services: this.#servicesOf(plugin.needs),
      durable: store.load(plugin.name),
      drive: (protocol) => {
        if (!starting || driver !== undefined)
          throw new Error(`${plugin.name}: drive() is called once, in run`)
        const made = this.#drive(plugin, protocol, links)
        driver = made.driver
        registrations.push(made.registered)
        return { command: (command) => made.driver.command(command) }
      },
      dial: (peer) => this.#dial(peer),
      strike: (peer) => links.strike(peer, 'misbehaved'),
      trouble,
    }
    try {
      return { plugin: plugin.run(context), driver }
    } catch (error) {
      // It is not among those that run yet, and its core may have a timer.
      driver?.stop()
      throw error
    } finally {
      starting = false
    }
  }

  #drive<Message, Command extends { readonly type: string }, Event, Request>(
    { name, link }: PeerPlugin,
    protocol: PluginProtocol<Message, Command, Event, Request>,
    links: Links,
  ): { readonly driver: Driver<Message, Command, Event, Request>; readonly registered: Promise<void> } {
    const { store, counters, trouble, failed } = this.#init
    const driver = new Driver({
      core: protocol.core,
      codec: {
        encode: (message) => protocol.codec.encode(message),
        decode: malformedIfThrown(protocol.codec),
      },
      counters,
      send: (to, bytes) => links.send(to, name, bytes),
      write: (entries) => store.write(name, entries),
      emit: protocol.emitted,
      request: protocol.requested,
      writeFailed: trouble,
      failed,
    })
    const registered = links.register({
      ...controlLimits,
      maxFrameBytes: maxControlFrameBytes,
      ...link,
      name,
      receive: (from, frame) => driver.receive(from, frame),
    })
    return { driver, registered }
  }

  #servicesOf(needs: readonly ServiceName[]): Services {
    const { members, groups } = this.#init
    return {
      ...(needs.includes('membership') ? { membership: { members } } : {}),
      ...(needs.includes('multicast') ? { multicast: groupsAlone(groups) } : {}),
      ...(needs.includes('clock') ? { clock: { now: () => groups.clock() } } : {}),
    }
  }

  #dial(peer: PeerId): void {
    const { self, members, dial } = this.#init
    if (this.#stopped || peer === self || this.#connected.has(peer)) return
    const now = performance.now()
    if (now < (this.#dialled.get(peer) ?? Number.NEGATIVE_INFINITY) + redialMs) return
    const member = members().find((row) => row.peer === peer)
    if (member === undefined) return
    this.#dialled.delete(peer)
    this.#dialled.set(peer, now)
    const [oldest] = this.#dialled.keys()
    if (this.#dialled.size > maxDialled && oldest !== undefined) this.#dialled.delete(oldest)
    dial(peer, member.addresses)
  }

  /** A plugin that throws here breaks the peer, as a core does. */
  #tell(news: (plugin: RunningPlugin<unknown>) => void): void {
    if (this.#stopped) return
    try {
      for (const { plugin } of this.#running) news(plugin)
    } catch (error) {
      this.#init.failed(error)
    }
  }
}

async function ending(plugin: RunningPlugin<unknown>): Promise<void> {
  await plugin.stop?.()
}

/** What comes from outside must not end the peer, and a module elsewhere has no `WireError` of this one. */
function malformedIfThrown<Message>(codec: Codec<Message>): (bytes: Uint8Array) => Message {
  return (bytes) => {
    try {
      return codec.decode(bytes)
    } catch (error) {
      if (error instanceof WireError) throw error
      throw new WireError('ERR_MALFORMED', `not a message: ${String(error)}`, { cause: error })
    }
  }
}

/** The peer itself is more than a plugin may have. */
function groupsAlone(groups: Groups): Groups {
  return {
    group: (name, options) => groups.group(name, options),
    groups: () => groups.groups(),
    forks: () => groups.forks(),
    clock: (group) => groups.clock(group),
    trace: (group) => groups.trace(group),
  }
}
