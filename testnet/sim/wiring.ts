import type { PeerId } from '../../lib/protocols/core.ts'
import type { End, Endpoint } from './connection.ts'
import type { Machine } from './machine.ts'
import type { Network } from './network.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

/** A process that keeps connections. */
export interface Wired extends Endpoint {
  connectionsTo(peer: PeerId): readonly End[]
}

/** A host, and its running or last process. */
export interface WiredHost {
  readonly peer: PeerId
  readonly machine: Machine
  readonly present: { readonly process: Wired } | undefined
}

const dialTimeoutMs = 2000
const firstRetryMs = 100
const longestRetryMs = 2000

/** Keeps a connection between every two that run, as membership does on real hosts. */
export class Wiring {
  readonly #world: World
  readonly #network: Network
  readonly #hosts: readonly WiredHost[]
  readonly #random: Random

  constructor(world: World, network: Network, hosts: readonly WiredHost[]) {
    this.#world = world
    this.#network = network
    this.#hosts = hosts
    this.#random = world.random.stream('wiring')
  }

  /** Its process has just started. */
  arrived(host: WiredHost): void {
    const process = host.present?.process
    if (process === undefined) return
    for (const other of this.#hosts) {
      const theirs = runs(other)
      if (other === host || theirs === undefined) continue
      const dialler = host.machine.index < other.machine.index ? process : theirs
      this.#dialLater(dialler, this.#random.between(0, 100), firstRetryMs)
    }
  }

  /** The last connection between that process and another is gone. */
  lost(process: Wired): void {
    this.#dialLater(process, this.#random.between(10, 300), firstRetryMs)
  }

  /** Somebody asks for a connection now. */
  wanted(process: Wired, peer: PeerId): void {
    const to = this.#hosts.find((host) => host.peer === peer)
    if (to === undefined || runs(to) === undefined || process.connectionsTo(peer).length > 0) return
    this.#dial(process, to, Number.POSITIVE_INFINITY)
  }

  /** Replaces a stream that was cut: by itself it would come back long after its path. */
  renew(a: WiredHost, b: WiredHost): void {
    const process = runs(a)
    if (process === undefined || runs(b) === undefined) return
    for (const end of [...process.connectionsTo(b.peer)]) end.reset()
  }

  /** To all whom it lacks; the one with the lower index dials. */
  #dialLater(process: Wired, delayMs: number, retryMs: number): void {
    this.#world.after(delayMs, () => {
      if (!process.alive) return
      for (const other of this.#hosts) {
        if (runs(other) === undefined || process.machine.index >= other.machine.index) continue
        if (process.connectionsTo(other.peer).length === 0) this.#dial(process, other, retryMs)
      }
    })
  }

  /** @param retryMs infinite: once */
  #dial(process: Wired, to: WiredHost, retryMs: number): void {
    const [address] = to.machine.addresses
    if (address === undefined) return
    const lacks = (): boolean => process.connectionsTo(to.peer).length === 0
    this.#network.connect(process, address, dialTimeoutMs, lacks, (result) => {
      if (result.type === 'open' || !Number.isFinite(retryMs)) return
      this.#world.after(retryMs, () => {
        if (!process.alive || runs(to) === undefined || !lacks()) return
        this.#dial(process, to, Math.min(longestRetryMs, 2 * retryMs))
      })
    })
  }
}

function runs(host: WiredHost): Wired | undefined {
  return host.present?.process.alive === true ? host.present.process : undefined
}
