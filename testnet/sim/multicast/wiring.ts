import type { Network } from '../network.ts'
import type { Random } from '../random.ts'
import type { World } from '../world.ts'
import { type GroupHost, isUp, type Life } from './group-host.ts'

const dialTimeoutMs = 2000
const firstRetryMs = 100
const longestRetryMs = 2000

/** Keeps a connection between every two that run, as membership does on real hosts. */
export class Wiring {
  readonly #world: World
  readonly #network: Network
  readonly #hosts: readonly GroupHost[]
  readonly #random: Random

  constructor(world: World, network: Network, hosts: readonly GroupHost[]) {
    this.#world = world
    this.#network = network
    this.#hosts = hosts
    this.#random = world.random.stream('wiring')
  }

  arrived(life: Life): void {
    for (const other of this.#hosts) {
      if (other === life.host || !isUp(other)) continue
      this.#dialLater(
        life.index < other.present.index ? life : other.present,
        this.#random.between(0, 100),
        firstRetryMs,
      )
    }
  }

  /** The last connection between the two is gone. */
  lost(life: Life): void {
    this.#dialLater(life, this.#random.between(10, 300), firstRetryMs)
  }

  /** Replaces a stream that was cut: by itself it would come back long after its path. */
  renew(a: GroupHost, b: GroupHost): void {
    if (!isUp(a) || !isUp(b)) return
    for (const end of [...a.present.process.connectionsTo(b.peer)]) end.reset()
  }

  /** To all whom it lacks; the one with the lower index dials. */
  #dialLater(life: Life, delayMs: number, retryMs: number): void {
    this.#world.after(delayMs, () => {
      if (!life.process.alive) return
      for (const other of this.#hosts) {
        if (!isUp(other) || other === life.host || life.index > other.present.index) continue
        if (life.process.connectionsTo(other.peer).length === 0) this.#dial(life, other, retryMs)
      }
    })
  }

  #dial(life: Life, to: GroupHost, retryMs: number): void {
    const [address] = to.machine.addresses
    if (address === undefined) return
    const welcome = (): boolean => life.process.connectionsTo(to.peer).length === 0
    this.#network.connect(life.process, address, dialTimeoutMs, welcome, (result) => {
      if (result.type === 'open') return
      this.#world.after(retryMs, () => {
        if (!life.process.alive || !isUp(to) || life.process.connectionsTo(to.peer).length > 0) return
        this.#dial(life, to, Math.min(longestRetryMs, 2 * retryMs))
      })
    })
  }
}
