import { finish, hashText, mixIn } from './hash.ts'

/**
 * Everything that happened, folded into 64 bits: two runs of one seed that
 * differ in a single step differ here.
 */
export class Trace {
  #low = 0x2545f491
  #high = 0x4f6cdd1d
  #steps = 0

  get steps(): number {
    return this.#steps
  }

  /** One step: when, where, what came in, what went out (hashes). */
  step(atMs: number, where: number, input: number, effects: number): void {
    this.#steps++
    // Microseconds, in two words: a double's low bits would make the hash depend on rounding that nobody sees.
    const micros = Math.round(atMs * 1000)
    this.#fold(micros % 2 ** 32)
    this.#fold(Math.floor(micros / 2 ** 32))
    this.#fold(where)
    this.#fold(input)
    this.#fold(effects)
  }

  /** Something outside the cores: a fault, a connection. */
  note(atMs: number, text: string): void {
    this.step(atMs, -1, hashText(text), 0)
  }

  /** 16 hexadecimal digits. */
  get digest(): string {
    return hex(finish(this.#low)) + hex(finish(this.#high))
  }

  #fold(word: number): void {
    this.#low = mixIn(this.#low, word)
    this.#high = mixIn(this.#high, word ^ 0x6a09e667)
  }
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}
