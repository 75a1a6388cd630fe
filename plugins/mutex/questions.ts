import { withResolvers } from '../../lib/host/with-resolvers.ts'
import { orAbort } from '../../lib/or-abort.ts'
import type { MutexEvent } from './core/messages.ts'
import { mutexStopped, tooMany } from './errors.ts'

type Answer = Extract<MutexEvent, { readonly type: 'wished' | 'inspected' }>

/** Questions that may wait for their answer. */
const maxQuestions = 1024

/** What the core was asked and has not answered yet, by token. */
export class Questions {
  readonly #open = new Map<number, ReturnType<typeof withResolvers<Answer>>>()

  /** Errors: ERR_TOO_MANY; ERR_STOPPED when the peer ends first; the signal's reason. */
  async ask<Type extends Answer['type']>(
    _type: Type,
    token: number,
    ask: () => void,
    signal: AbortSignal | undefined,
  ): Promise<Extract<Answer, { readonly type: Type }>> {
    signal?.throwIfAborted()
    if (this.#open.size >= maxQuestions) throw tooMany(`${maxQuestions} questions wait for their answer`)
    const answer = withResolvers<Answer>()
    this.#open.set(token, answer)
    try {
      ask()
      // The core answers a token by the event that its command asks for.
      return (await orAbort(answer.promise, signal)) as Extract<Answer, { readonly type: Type }>
    } finally {
      this.#open.delete(token)
    }
  }

  /** Of one that nobody waits for any more, it is ignored. */
  answered(answer: Answer): void {
    this.#open.get(answer.token)?.resolve(answer)
  }

  end(): void {
    for (const { reject } of this.#open.values()) reject(mutexStopped())
  }
}
