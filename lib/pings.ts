/** Round trips that somebody waits for. */
import { orAbort } from './or-abort.ts'
import type { PeerId } from './protocols/core.ts'
import { P2pdError } from './wire/errors.ts'

/** Pings that may wait for their answer. */
const maxPings = 1024

export class Pings {
  readonly #measure: (peer: PeerId, token: number) => void
  readonly #waiting = new Map<number, (rttMs: number | undefined) => void>()
  #nextToken = 1

  /** `measure` asks for one round trip; `answered` is told what came of it. */
  constructor(measure: (peer: PeerId, token: number) => void) {
    this.#measure = measure
  }

  /** Errors: ERR_NO_ANSWER, ERR_TOO_MANY; the signal's reason. */
  async ping(peer: PeerId, signal: AbortSignal | undefined): Promise<{ readonly rttMs: number }> {
    if (this.#waiting.size >= maxPings) throw new P2pdError('ERR_TOO_MANY', 'too many pings at once')
    const token = this.#nextToken
    this.#nextToken += 1
    const answer = new Promise<number | undefined>((resolve) => this.#waiting.set(token, resolve))
    try {
      this.#measure(peer, token)
      const rttMs = await orAbort(answer, signal)
      if (rttMs !== undefined) return { rttMs }
    } finally {
      this.#waiting.delete(token)
    }
    throw new P2pdError('ERR_NO_ANSWER', `${peer} did not answer`, { hint: 'see p2pd members for its state' })
  }

  answered(token: number, rttMs: number | undefined): void {
    this.#waiting.get(token)?.(rttMs)
  }

  end(): void {
    for (const answer of this.#waiting.values()) answer(undefined)
  }
}
