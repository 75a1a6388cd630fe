/** Round trips that somebody waits for. */
import { orAbort } from './or-abort.ts'
import type { PeerId } from './protocols/core.ts'
import type { DialFailure, DialOutcome } from './protocols/membership/messages.ts'
import { P2pdError } from './wire/errors.ts'

/** Pings that may wait for their answer. */
const maxPings = 1024

/** The connection that a round trip took. */
export interface PingPath {
  /** The other end's multiaddr as this end sees it. */
  readonly address: string
  readonly direction: 'inbound' | 'outbound'
  /** Made for this round trip: there was none before. */
  readonly dialled: boolean
}

export interface Pong {
  readonly rttMs: number
  /** Undefined when the connection has closed since. */
  readonly path: PingPath | undefined
}

/** Nobody answered; `reason` says how. */
export class NoAnswerError extends P2pdError {
  /** `silent`: there is a connection, and nothing came over it. */
  readonly reason: DialFailure | 'silent'

  constructor(peer: PeerId, reason: DialFailure | 'silent') {
    super('ERR_NO_ANSWER', `${peer} did not answer: ${wording[reason]}`, {
      hint: 'see p2pd members for its state',
    })
    this.reason = reason
  }
}

const wording: Readonly<Record<DialFailure | 'silent', string>> = {
  silent: 'nothing came over the connection',
  refused: 'its addresses refuse connections',
  timeout: 'its addresses do not answer',
  unanswered: 'its machine accepts connections, its process says nothing',
  untried: 'too many dials are under way',
  'other-identity': 'somebody else is at its addresses',
  self: 'its addresses are those of this peer',
  denied: 'one of the two does not admit the other',
  unreachable: 'its addresses cannot be reached',
}

export interface PingsInit {
  readonly isConnected: (peer: PeerId) => boolean
  /** A connection where there is none. */
  readonly dial: (peer: PeerId) => Promise<DialOutcome>
  /** It was made for a round trip alone, which is over. */
  readonly release: (peer: PeerId) => void
  /** Asks for one round trip; `answered` is told what came of it. */
  readonly measure: (peer: PeerId, token: number) => void
  readonly pathOf: (peer: PeerId) => Omit<PingPath, 'dialled'> | undefined
}

interface Waiter {
  readonly peer: PeerId
  readonly answered: (rttMs: number | undefined) => void
}

export class Pings {
  readonly #init: PingsInit
  readonly #waiting = new Map<number, Waiter>()
  #nextToken = 1

  constructor(init: PingsInit) {
    this.#init = init
  }

  /** Errors: ERR_NO_ANSWER (a NoAnswerError), ERR_TOO_MANY; the signal's reason. */
  async ping(peer: PeerId, signal: AbortSignal | undefined): Promise<Pong> {
    if (this.#waiting.size >= maxPings) throw new P2pdError('ERR_TOO_MANY', 'too many pings at once')
    const token = this.#nextToken
    this.#nextToken += 1
    const answer = new Promise<number | undefined>((answered) => this.#waiting.set(token, { peer, answered }))
    const dialled = !this.#init.isConnected(peer)
    try {
      if (dialled) await this.#connect(peer, signal)
      this.#init.measure(peer, token)
      const rttMs = await orAbort(answer, signal)
      const path = this.#init.pathOf(peer)
      if (rttMs !== undefined) return { rttMs, path: path && { ...path, dialled } }
    } finally {
      this.#waiting.delete(token)
      if (dialled) this.#init.release(peer)
    }
    throw new NoAnswerError(peer, 'silent')
  }

  /** A round trip to it is under way. */
  waitsFor(peer: PeerId): boolean {
    return [...this.#waiting.values()].some((waiter) => waiter.peer === peer)
  }

  answered(token: number, rttMs: number | undefined): void {
    this.#waiting.get(token)?.answered(rttMs)
  }

  end(): void {
    for (const { answered } of this.#waiting.values()) answered(undefined)
  }

  async #connect(peer: PeerId, signal: AbortSignal | undefined): Promise<void> {
    const outcome = await orAbort(this.#init.dial(peer), signal)
    if (outcome.type === 'failed') throw new NoAnswerError(peer, outcome.reason)
  }
}
