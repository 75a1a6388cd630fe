import type { Codec, Core, Effect, Input, Instant, PeerId } from '../../../lib/protocols/core.ts'
import { WireError } from '../../../lib/wire/errors.ts'
import { HostClock } from '../../../testnet/sim/clock.ts'
import type { End } from '../../../testnet/sim/connection.ts'
import { Disk } from '../../../testnet/sim/disk.ts'
import { Machine } from '../../../testnet/sim/machine.ts'
import { Network, type NetworkOptions } from '../../../testnet/sim/network.ts'
import { Process } from '../../../testnet/sim/process.ts'
import { Random } from '../../../testnet/sim/random.ts'
import { World } from '../../../testnet/sim/world.ts'

export type ToyCommand =
  | { readonly type: 'connected'; readonly peer: PeerId }
  | { readonly type: 'disconnected'; readonly peer: PeerId; readonly closedBy: 'remote' | 'local' }
  /** Write `value`, then say it to `to`. */
  | { readonly type: 'say'; readonly to: PeerId; readonly value: number; readonly durably: boolean }
  | { readonly type: 'note'; readonly value: number }
  | { readonly type: 'wake-at'; readonly at: number }

export type ToyEvent =
  | { readonly type: 'heard'; readonly from: PeerId; readonly value: number }
  | { readonly type: 'woken'; readonly lagMs: number }
  | { readonly type: 'connected' | 'disconnected-remote' | 'disconnected-local'; readonly peer: PeerId }

export type ToyProcess = Process<number, ToyCommand, ToyEvent, never>

/** Says numbers and hears them: the smallest core that uses everything an embedder offers. */
export class ToyCore implements Core<number, ToyCommand, ToyEvent> {
  deadline: number | undefined

  step(input: Input<number, ToyCommand>, _now: Instant): readonly Effect<number, ToyEvent>[] {
    switch (input.type) {
      case 'receive':
        return [{ type: 'emit', event: { type: 'heard', from: input.from, value: input.message } }]
      case 'wake':
        this.deadline = undefined
        return [{ type: 'emit', event: { type: 'woken', lagMs: input.lagMs } }]
      case 'say': {
        const send = { type: 'send', to: input.to, message: input.value } as const
        if (!input.durably) return [send]
        return [{ type: 'persist', key: 'said', value: Uint8Array.of(input.value) }, send]
      }
      case 'note':
        return [{ type: 'note', key: 'noted', value: Uint8Array.of(input.value) }]
      case 'wake-at':
        this.deadline = input.at
        return []
      case 'connected':
        return [{ type: 'emit', event: { type: 'connected', peer: input.peer } }]
      case 'disconnected':
        return [{ type: 'emit', event: { type: `disconnected-${input.closedBy}`, peer: input.peer } }]
    }
  }
}

export const toyCodec: Codec<number> = {
  encode: (value) => Uint8Array.of(value >> 8, value & 255),
  decode: (bytes) => {
    if (bytes.length !== 2) throw new WireError('ERR_MALFORMED', 'not two bytes')
    return ((bytes[0] as number) << 8) | (bytes[1] as number)
  },
}

export interface ToyHost {
  readonly peer: PeerId
  readonly machine: Machine
  readonly address: string
  readonly events: (ToyEvent & { readonly at: number })[]
  process: ToyProcess
}

export const quietNetwork: NetworkOptions = {
  transport: 'stream',
  latencyMinMs: 1,
  latencyMaxMs: 1,
  jitterMs: 0,
  loss: 0,
  duplication: 0,
  reordering: 0,
  corruption: 0,
}

/** A world of toys. */
export class ToyWorld {
  readonly world: World
  readonly network: Network
  readonly hosts: ToyHost[] = []
  readonly #random: Random

  constructor(options: Partial<NetworkOptions> = {}, seed = 1) {
    this.#random = new Random(seed, 'toy')
    this.world = new World(this.#random)
    this.network = new Network(this.world, this.#random.stream('network'), { ...quietNetwork, ...options })
  }

  addHost(writeMs = 1): ToyHost {
    const index = this.hosts.length
    const peer = `peer${index}` as PeerId
    const address = `/ip4/10.0.0.${index}/tcp/1`
    const random = this.#random.stream(peer)
    const disk = new Disk(this.world, random.stream('disk'), { writeMinMs: writeMs, writeMaxMs: writeMs })
    const clock = new HostClock(this.world, { driftPpm: 0, wallAtZeroMs: 1_000_000 })
    const machine = new Machine({ index, disk, clock, network: this.network })
    machine.readdress([address])
    const events: ToyHost['events'] = []
    const host: ToyHost = { peer, machine, address, events, process: this.#process(peer, machine, 1, events) }
    this.hosts.push(host)
    return host
  }

  restart(host: ToyHost): void {
    host.machine.powerOn()
    host.process = this.#process(host.peer, host.machine, host.process.life + 1, host.events)
  }

  /** The result's type, or the reason of the failure; 'pending' until the world has run on. */
  connect(from: ToyHost, address: string, timeoutMs = 1000): { state: string; end: End | undefined } {
    const outcome: { state: string; end: End | undefined } = { state: 'pending', end: undefined }
    this.network.connect(
      from.process,
      address,
      timeoutMs,
      () => true,
      (result) => {
        outcome.state = result.type === 'open' ? 'open' : result.reason
        if (result.type === 'open') outcome.end = result.end
      },
    )
    return outcome
  }

  run(forMs: number): void {
    this.world.runUntil(this.world.now + forMs)
  }

  #process(peer: PeerId, machine: Machine, life: number, events: ToyHost['events']): ToyProcess {
    const process: ToyProcess = new Process(this.world, {
      peer,
      machine,
      life,
      random: this.#random.stream(`${peer} ${life}`),
      program: {
        core: new ToyCore(),
        codec: toyCodec,
        connected: (other) => ({ type: 'connected', peer: other }),
        disconnected: (other, closedBy) => ({ type: 'disconnected', peer: other, closedBy }),
        request: () => {},
        emitted: (event) => events.push({ ...event, at: this.world.now }),
      },
    })
    machine.run(process)
    return process
  }
}

/** What a host heard, in order. */
export function heard(host: ToyHost): number[] {
  return host.events.flatMap((event) => (event.type === 'heard' ? [event.value] : []))
}
