import { P2pdError } from '../wire/errors.ts'

/**
 * Values from a synchronous producer to one asynchronous reader. A reader that
 * falls `limit` values behind gets ERR_TOO_SLOW instead of a gap it cannot see.
 */
export class BoundedQueue<T> implements AsyncIterableIterator<T> {
  readonly #limit: number
  readonly #onReturn: () => void
  readonly #values: T[] = []
  #wake: (() => void) | undefined
  #ended = false
  #error: P2pdError | undefined

  constructor(limit: number, onReturn: () => void) {
    this.#limit = limit
    this.#onReturn = onReturn
  }

  push(value: T): void {
    if (this.#ended) return
    if (this.#values.length >= this.#limit) {
      this.#error = new P2pdError('ERR_TOO_SLOW', `the reader fell ${this.#limit} values behind`, {
        hint: 'read again from the beginning',
      })
      this.end()
      return
    }
    this.#values.push(value)
    this.#wake?.()
  }

  /** What is queued is still delivered. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#onReturn()
    this.#wake?.()
  }

  async next(): Promise<IteratorResult<T>> {
    for (;;) {
      if (this.#values.length > 0) return { done: false, value: this.#values.shift() as T }
      if (this.#error !== undefined) throw this.#error
      if (this.#ended) return { done: true, value: undefined }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  async return(): Promise<IteratorResult<T>> {
    this.#values.length = 0
    this.end()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
