import type { Random } from './random.ts'
import type { World } from './world.ts'

export interface DiskOptions {
  /** Of one synchronous write, ms. */
  readonly writeMinMs: number
  readonly writeMaxMs: number
}

export type DiskImage = ReadonlyMap<string, Uint8Array>

/** Undefined deletes the key. */
export type DiskEntries = ReadonlyMap<string, Uint8Array | undefined>

interface Write {
  readonly entries: DiskEntries
  state: 'in-flight' | 'durable' | 'lost'
}

/**
 * A key-value store that survives processes. A write is durable when it has
 * taken its time; a crash before that leaves either the old values or the new,
 * never a mixture.
 */
export class Disk {
  readonly #world: World
  readonly #random: Random
  readonly #options: DiskOptions
  #durable = new Map<string, Uint8Array>()
  #writes: Write[] = []
  #version = 0

  constructor(world: World, random: Random, options: DiskOptions) {
    this.#world = world
    this.#random = random
    this.#options = options
  }

  /** `done` runs when the value is durable, or gone if it is undefined; never after a crash. */
  write(key: string, value: Uint8Array | undefined, done: () => void): void {
    this.writeAll(new Map([[key, value]]), done)
  }

  /** As `write`, of several records at once: after a crash all of them are there, or none. */
  writeAll(entries: DiskEntries, done: () => void): void {
    const copies = new Map([...entries].map(([key, value]) => [key, value?.slice()]))
    const write: Write = { entries: copies, state: 'in-flight' }
    this.#writes.push(write)
    this.#world.after(this.#random.between(this.#options.writeMinMs, this.#options.writeMaxMs), () => {
      if (write.state !== 'in-flight') return
      this.#settle(write)
      done()
    })
  }

  /** Rises whenever something durable changes. */
  get version(): number {
    return this.#version
  }

  read(key: string): Uint8Array | undefined {
    return this.#durable.get(key)
  }

  /** A copy of what is durable: a backup, a clone, or what a process starts with. */
  image(): DiskImage {
    return new Map(this.#durable)
  }

  /** Replaces everything: a restored backup, a cloned disk; an empty image wipes. */
  restore(image: DiskImage): void {
    this.#durable = new Map(image)
    this.#version++
  }

  /** The process or the machine died: writes under way are lost or, by chance, were done. */
  crash(): void {
    for (const write of [...this.#writes]) {
      if (this.#random.chance(0.5)) this.#settle(write)
      else write.state = 'lost'
    }
    this.#writes = []
  }

  #settle(write: Write): void {
    write.state = 'durable'
    this.#version++
    for (const [key, value] of write.entries) {
      if (value === undefined) this.#durable.delete(key)
      else this.#durable.set(key, value)
    }
    this.#writes = this.#writes.filter((other) => other !== write)
  }
}
