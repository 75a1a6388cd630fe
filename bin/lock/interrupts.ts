/** Ctrl-C and its like: the first asks to end, the second does not ask. */
import { constants } from 'node:os'

const handled = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

export class Interrupts {
  readonly #first = new AbortController()
  readonly #second = new AbortController()
  readonly #listeners = handled.map((name) => [name, () => this.#take(name)] as const)
  #name: NodeJS.Signals | undefined

  constructor() {
    for (const [name, listener] of this.#listeners) process.on(name, listener)
  }

  get first(): AbortSignal {
    return this.#first.signal
  }

  get second(): AbortSignal {
    return this.#second.signal
  }

  /** The first one. */
  get name(): NodeJS.Signals | undefined {
    return this.#name
  }

  /** 128 + its number. */
  get exitCode(): number {
    return this.#name === undefined ? 0 : 128 + constants.signals[this.#name]
  }

  /** Signals do again what they do by default. */
  dispose(): void {
    for (const [name, listener] of this.#listeners) process.off(name, listener)
  }

  #take(name: NodeJS.Signals): void {
    if (this.#name === undefined) {
      this.#name = name
      this.#first.abort()
    } else {
      this.#second.abort()
    }
  }
}
