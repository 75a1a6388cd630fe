import type { HostClock } from './clock.ts'
import type { Endpoint, NetworkNode } from './connection.ts'
import type { Disk } from './disk.ts'
import type { Network } from './network.ts'

/** A computer: a disk, clocks, addresses, and at most one process that listens at them. */
export class Machine implements NetworkNode {
  readonly index: number
  readonly disk: Disk
  readonly clock: HostClock
  readonly #network: Network
  #addresses: readonly string[] = []
  #powered = true
  #suspended = false
  #process: Endpoint | undefined

  constructor(plan: {
    readonly index: number
    readonly disk: Disk
    readonly clock: HostClock
    readonly network: Network
  }) {
    this.index = plan.index
    this.disk = plan.disk
    this.clock = plan.clock
    this.#network = plan.network
  }

  get up(): boolean {
    return this.#powered && !this.#suspended
  }

  get addresses(): readonly string[] {
    return this.#addresses
  }

  /** The process that listens; undefined: connects are refused. */
  get process(): Endpoint | undefined {
    return this.#process?.alive === true ? this.#process : undefined
  }

  run(process: Endpoint): void {
    this.#process = process
  }

  powerOff(): void {
    this.#powered = false
  }

  powerOn(): void {
    this.#powered = true
    this.#suspended = false
  }

  /** A virtual machine stands still: its kernel takes nothing either, and forgets nothing. */
  suspend(): void {
    this.#suspended = true
    this.#process?.freeze()
  }

  resume(): void {
    this.#suspended = false
    this.#process?.thaw()
  }

  /** Old addresses answer no more; connections that are open stay open. */
  readdress(addresses: readonly string[]): void {
    for (const address of this.#addresses) this.#network.unbind(address)
    for (const address of addresses) this.#network.bind(address, this)
    this.#addresses = addresses
  }
}
