/** The mutex as a plugin of a peer: core, codec and service on the peer's link, disk and membership. */
import type { FirstLife, PeerPlugin, PluginContext, RunningPlugin } from '../../lib/plugin.ts'
import type { PeerId } from '../../lib/protocols/core.ts'
import type { MemberView } from '../../lib/protocols/membership/messages.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { MutexApi } from './api.ts'
import { frameCodec } from './core/codec.ts'
import { type MutexConfig, mutexConfigProblem, mutexDefaults, mutexLocal } from './core/config.ts'
import { type FirstRecords, firstRecords } from './core/electorate/founding.ts'
import { mutexLimits } from './core/limits.ts'
import type { Frame, MemberNews, MutexCommand, MutexEvent, MutexRequest } from './core/messages.ts'
import { Mutex } from './core/mutex.ts'
import { MutexService } from './service.ts'

/** Knobs of locks, and who founds. */
export interface MutexOptions extends Partial<MutexConfig> {
  /**
   * Founds together with others when so many peers without an electorate are
   * connected to each other, this one included: for identical configurations.
   */
  readonly expect?: number
}

/**
 * All that one turn of the event loop has to say goes out in one frame a peer, at its end: when no promise
 * is left to go on, so that whoever releases and asks again at once costs the voters one frame and not two.
 * Not with `setImmediate`: it would wait for whatever else has come from the network.
 */
const atEndOfTurn = (act: () => void): void => queueMicrotask(() => process.nextTick(act))

/** `beforeStop` is awaited before the locks end. Errors: ERR_BAD_OPTION. */
export function mutexPlugin(options: MutexOptions, beforeStop: () => Promise<void>): PeerPlugin<MutexApi> {
  const { expect, ...changes } = options
  assertOptions(changes, expect)
  return {
    name: 'mutex',
    needs: ['membership'],
    link: {
      maxFrameBytes: mutexLimits.frameBytes,
      // One that is as large as can be, and what follows it.
      queueBytes: 2 * mutexLimits.frameBytes,
      queueFrames: 2048,
    },
    firstRecords: (first) => firstRecords(foundingOf(first, configOf(changes, 'lan'), expect)),
    run: (context) => runMutex(context, configOf(changes, context.profile), expect, beforeStop),
  }
}

function configOf(changes: Partial<MutexConfig>, profile: PluginContext['profile']): MutexConfig {
  return { ...mutexDefaults, ...(profile === 'local' ? mutexLocal : {}), ...changes }
}

function assertOptions(changes: Partial<MutexConfig>, expect: number | undefined): void {
  const unknown = Object.keys(changes).find((key) => !(key in mutexDefaults))
  const problem =
    unknown !== undefined
      ? `there is no option ${unknown}`
      : expect !== undefined && !(Number.isInteger(expect) && expect >= 1)
        ? 'expect is no whole number from 1 on'
        : mutexConfigProblem(configOf(changes, 'lan'))
  if (problem !== undefined) throw new P2pdError('ERR_BAD_OPTION', `mutex: ${problem}`)
}

function foundingOf(first: FirstLife, config: MutexConfig, expect: number | undefined): FirstRecords {
  const { self, cluster, crypto, joins } = first
  const nonce = Buffer.from(first.randomBytes(16)).toString('hex')
  const origin = expect !== undefined ? 'expecting' : joins ? 'joiner' : 'founder'
  return { self, cluster, crypto, nonce, config, origin }
}

function runMutex(
  context: PluginContext,
  config: MutexConfig,
  expect: number | undefined,
  beforeStop: () => Promise<void>,
): RunningPlugin<MutexApi> {
  const { self, cluster, crypto, durable, services } = context
  const { membership } = services
  if (membership === undefined) throw new Error('a mutex without membership')
  const core = new Mutex({
    self,
    cluster,
    config,
    crypto,
    random: Math.random,
    durable,
    ...(expect === undefined ? {} : { expect }),
  })
  const driver = context.drive<Frame, MutexCommand, MutexEvent, MutexRequest>({
    core,
    codec: frameCodec,
    emitted: (event) => service.emitted(event),
    requested: (request) => {
      if (request.type === 'dial') context.dial(request.peer)
      else atEndOfTurn(() => driver.command(request))
    },
  })
  const service = new MutexService({
    self,
    config,
    core,
    command: (command) => driver.command(command),
    nameOf: (peer) => membership.members().find((member) => member.peer === peer)?.name,
    strike: (peer) => context.strike(peer),
    trouble: (error) => context.trouble(error),
  })
  return new Running({
    service,
    command: (command) => driver.command(command),
    members: () => membership.members(),
    beforeStop,
  })
}

interface RunningInit {
  readonly service: MutexService
  readonly command: (command: MutexCommand) => void
  readonly members: () => readonly MemberView[]
  readonly beforeStop: () => Promise<void>
}

/** Tells the core of peers from the moment on at which this life is settled, and then of those before. */
class Running implements RunningPlugin<MutexApi> {
  readonly api: MutexService
  readonly #init: RunningInit
  readonly #connected = new Set<PeerId>()
  #started = false

  constructor(init: RunningInit) {
    this.api = init.service
    this.#init = init
  }

  joined(generation: number): void {
    this.#started = true
    this.api.start(generation, this.#init.members().map(newsOf))
    for (const peer of this.#connected) this.#init.command({ type: 'connected', peer })
  }

  connected(peer: PeerId): void {
    this.#connected.add(peer)
    if (this.#started) this.#init.command({ type: 'connected', peer })
  }

  disconnected(peer: PeerId): void {
    this.#connected.delete(peer)
    if (this.#started) this.#init.command({ type: 'disconnected', peer })
  }

  member(member: MemberView): void {
    if (this.#started) this.#init.command({ type: 'member', member: newsOf(member) })
  }

  leave(options: { readonly force: boolean }): Promise<void> {
    return this.api.leave(options)
  }

  async stop(): Promise<void> {
    await this.#init.beforeStop()
    await this.api.stop()
  }

  ended(): void {
    this.api.end()
  }
}

/** The process that stops comes back: only who leaves gives up its vote. */
export function newsOf({ peer, status, reason, generation, connected }: MemberView): MemberNews {
  return { peer, status: standingOf(status, reason), generation, connected }
}

function standingOf(status: MemberView['status'], reason: MemberView['reason']): MemberNews['status'] {
  switch (status) {
    case 'joining':
      return 'alive'
    case 'leaving':
    case 'left':
      // Whom a person dismissed has handed nothing over: to the electorate it is as dead as before.
      return reason === 'dismissed' ? 'dead' : reason === 'stopping' ? 'stopping' : 'left'
    case 'stalled':
      return 'suspect'
    default:
      return status
  }
}
