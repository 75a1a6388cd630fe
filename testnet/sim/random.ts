import { hashText } from './hash.ts'

/**
 * A seeded generator (sfc32) with independent named streams.
 *
 * A stream depends on the seed and on its own name alone, never on how much was
 * drawn elsewhere: one more draw for a latency does not move the faults.
 */
export class Random {
  readonly #seed: number
  readonly #path: string
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number, path = '') {
    this.#seed = seed
    this.#path = path
    this.#a = hashText(path, seed)
    this.#b = hashText(path, seed ^ 0x5bd1e995)
    this.#c = hashText(path, Math.floor(seed / 2 ** 32) ^ 0x27d4eb2f)
    for (let i = 0; i < 12; i++) this.next()
  }

  /** The stream of that name; calling twice gives two generators with the same sequence. */
  stream(name: string): Random {
    return new Random(this.#seed, `${this.#path}/${name}`)
  }

  /** Uniform in [0, 1), 32 bits. */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + this.next() * (high - low)
  }

  /** A whole number in [low, high]. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** Mean `mean`, cut off at ten times that. */
  exponential(mean: number): number {
    return Math.min(-Math.log(1 - this.next()), 10) * mean
  }

  /** One of `list`, which is not empty. */
  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new Error('nothing to pick from')
    return list[Math.floor(this.next() * list.length)] as T
  }

  /** A key of `weights`, in proportion to its weight. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const keys = Object.keys(weights) as K[]
    let rest = this.next() * keys.reduce((sum, key) => sum + weights[key], 0)
    for (const key of keys) {
      rest -= weights[key]
      if (rest < 0) return key
    }
    return this.pick(keys)
  }

  /** A new list in random order (Fisher–Yates). */
  shuffled<T>(list: readonly T[]): T[] {
    const out = [...list]
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.whole(0, i)
      const kept = out[i] as T
      out[i] = out[j] as T
      out[j] = kept
    }
    return out
  }
}
