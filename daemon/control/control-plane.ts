/** The control API as a whole: what it serves, where it listens, and in which state the daemon is. */
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { MemberChange, MemberView } from '../../lib/index.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { DaemonConfig } from '../config.ts'
import type { DataDir } from '../data-dir.ts'
import { systemCode } from '../files.ts'
import type { MembershipTally } from '../membership-tally.ts'
import type { Metrics } from '../metrics.ts'
import type { Environment } from '../paths.ts'
import type { PeerPort } from '../peer-port.ts'
import type { PluginSet } from '../plugins/plugin-set.ts'
import type { ControlService } from './control-service.ts'
import { readOrMakeToken } from './control-token.ts'
import { EventFeed } from './event-feed.ts'
import { explainFailure, internalFailure } from './failure.ts'
import { createHandlers } from './handlers.ts'
import type { LoopbackGuard } from './loopback-guard.ts'
import { toRow, toRows } from './member-rows.ts'
import { MessageFeed } from './message-feed.ts'
import { PluginFeed, PluginRequests } from './plugin-feed.ts'
import type { IsolationEvent } from './schemas.ts'
import { createControlServer } from './server.ts'
import { type ControlSocket, listenOnSocket } from './socket.ts'
import type { TagMemory } from './tag-changes.ts'

export interface ControlPlaneInit {
  readonly dir: DataDir
  readonly env: Environment
  readonly config: DaemonConfig['control']
  readonly secret: Uint8Array
  readonly version: string
  readonly tally: MembershipTally
  readonly log: Logger
  readonly plugins: PluginSet
  readonly tagMemory: TagMemory
  /** Gives up membership; resolves when the others know. */
  readonly leave: (options: { readonly force: boolean }) => Promise<void>
  /** The client of `leave` has its answer. */
  readonly departed: () => void
}

type State =
  | { readonly type: 'starting' }
  | { readonly type: 'serving'; readonly peer: PeerPort }
  | { readonly type: 'stopping' }

export class ControlPlane {
  readonly #init: ControlPlaneInit
  readonly #service: ControlService
  readonly #feed = new EventFeed(() => ({ members: toRows(this.#peer().members()) }))
  readonly #messages: MessageFeed
  readonly #pluginStreams: PluginFeed
  readonly #pluginRequests = new PluginRequests()
  readonly #servers: FastifyInstance[] = []
  #state: State = { type: 'starting' }
  #metrics: Metrics | undefined
  #socket: ControlSocket | undefined
  /** `http://HOST:PORT` where it also listens on TCP. */
  #url: string | undefined

  private constructor(init: ControlPlaneInit) {
    this.#init = init
    const explain = (error: unknown) => explainFailure(error) ?? internalFailure(init.log, error)
    this.#messages = new MessageFeed(explain)
    this.#pluginStreams = new PluginFeed(explain)
    const startedAt = performance.now()
    this.#service = {
      version: init.version,
      log: init.log,
      departed: init.departed,
      handlers: createHandlers({
        peer: () => this.#peer(),
        secret: init.secret,
        version: init.version,
        uptimeMs: () => performance.now() - startedAt,
        leave: init.leave,
        tagMemory: init.tagMemory,
        plugins: init.plugins,
        log: init.log,
      }),
      peer: () => this.#peer(),
      serves: () => this.#state.type === 'serving',
      messages: this.#messages,
      plugins: init.plugins,
      pluginStreams: this.#pluginStreams,
      pluginRequests: this.#pluginRequests,
      feed: () => {
        this.#peer()
        return this.#feed
      },
      metrics: async () => {
        const metrics = await this.#loadMetrics()
        return { contentType: metrics.contentType, text: await metrics.text() }
      },
    }
  }

  /** Listens; until `serve` everything but health and metrics is ERR_NOT_READY. */
  static async open(init: ControlPlaneInit): Promise<ControlPlane> {
    const plane = new ControlPlane(init)
    try {
      await plane.#listen()
      return plane
    } catch (error) {
      await plane.close()
      throw error
    }
  }

  get socketPath(): string {
    return this.#socket?.path ?? ''
  }

  get url(): string | undefined {
    return this.#url
  }

  serve(peer: PeerPort): void {
    this.#state = { type: 'serving', peer }
  }

  /** Tells the watchers of a changed row. */
  publish(member: MemberView, change: MemberChange): void {
    if (this.#state.type !== 'starting') this.#feed.publish(toRow(member, change))
  }

  /** Tells them that this peer hears from nobody, or does again. */
  publishIsolation(isolation: IsolationEvent): void {
    this.#feed.publishIsolation(isolation)
  }

  /** From now on ERR_STOPPING; watchers still hear of changes. */
  stopping(): void {
    this.#state = { type: 'stopping' }
  }

  async close(): Promise<void> {
    this.#metrics?.stop()
    this.#feed.close()
    this.#messages.close()
    this.#pluginStreams.close()
    this.#pluginRequests.close()
    await Promise.all(this.#servers.map((server) => server.close()))
    await this.#socket?.remove()
  }

  async #listen(): Promise<void> {
    const { dir, env, config } = this.#init
    const local = createControlServer(this.#service)
    this.#servers.push(local)
    this.#socket = await listenOnSocket(local, dir, env)
    if (config.tcp !== undefined) await this.#listenOnTcp(config.tcp)
  }

  async #listenOnTcp(place: string): Promise<void> {
    const { config } = this.#init
    const at = place.lastIndexOf(':')
    const host = place.slice(0, at).replace(/^\[|\]$/g, '')
    const asked = Number(place.slice(at + 1))
    const guard: { current: LoopbackGuard } = {
      current: { token: await readOrMakeToken(config.tokenFile), hosts: [], origins: [] },
    }
    const server = createControlServer(this.#service, () => guard.current)
    this.#servers.push(server)
    await server.listen({ host, port: asked }).catch((error: unknown) => {
      throw explainListenError(error, place)
    })
    const bound = server.addresses()[0]
    const port = typeof bound === 'object' ? bound.port : asked
    const own = [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, place.toLowerCase()]
    guard.current = {
      ...guard.current,
      hosts: [...own, ...config.hosts.map((name) => name.toLowerCase())],
      origins: config.origins.map((origin) => new URL(origin).origin),
    }
    this.#url = `http://${place.slice(0, at)}:${port}`
  }

  #peer(): PeerPort {
    switch (this.#state.type) {
      case 'serving':
        return this.#state.peer
      case 'starting':
        throw new P2pdError('ERR_NOT_READY', 'the daemon is starting', { hint: 'try again in a moment' })
      case 'stopping':
        throw new P2pdError('ERR_STOPPING', 'the daemon is stopping')
    }
  }

  async #loadMetrics(): Promise<Metrics> {
    const { createMetrics } = await import('../metrics.ts')
    this.#metrics ??= createMetrics({
      peer: () => (this.#state.type === 'serving' ? this.#state.peer : undefined),
      tally: this.#init.tally,
      version: this.#init.version,
      watchers: () => this.#feed.readers,
      groupReaders: () => this.#messages.readers,
      plugins: this.#init.plugins,
      pluginStreams: () => this.#pluginStreams.readers,
      log: this.#init.log,
    })
    return this.#metrics
  }
}

function explainListenError(error: unknown, place: string): unknown {
  switch (systemCode(error)) {
    case 'EADDRINUSE':
      return new P2pdError('ERR_PORT_IN_USE', `${place} is in use (control.tcp)`, {
        hint: 'choose another port for control.tcp',
        cause: error,
      })
    case 'EACCES':
    case 'EADDRNOTAVAIL':
    case 'ERR_SOCKET_BAD_PORT':
      return new P2pdError('ERR_CONFIG', `control.tcp: cannot listen at ${place}`, {
        hint: 'a loopback address and a port above 1023, like 127.0.0.1:7070',
        cause: error,
      })
    default:
      return error
  }
}
