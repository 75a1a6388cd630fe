import './with-resolvers.ts'
import type { Connection, Stream } from '@libp2p/interface'
import { concat } from '../protocols/bytes.ts'
import type { PeerId } from '../protocols/core.ts'
import { P2pdError } from '../wire/errors.ts'
import type { Counters } from './counters.ts'
import { type Exchange, nonceBytes, proofBytes, SecretProof } from './secret-proof.ts'

export const doorProtocol = '/p2pd/admission/1'
/** Of one connection: one under way, and one that is about to be gone. */
export const maxDoorStreams = 2

export interface DoorkeeperInit {
  readonly self: PeerId
  readonly secret: Uint8Array
  readonly cluster: string
  /** Who knows the secret may still be kept out. */
  readonly admits: (peer: PeerId) => boolean
  readonly counters: Counters
}

/** Exchanges that others began and have not ended. */
export const maxAnswers = 128
const answerWithinMs = 3000
/** The oldest makes room when it has taken so long: an honest one takes milliseconds. */
const slowMs = 1000
const welcome = Uint8Array.of(1)

/**
 * Asks a peer at the other end of an encrypted connection for a proof of the
 * secret, and answers who asks: where there is no pnet, nobody else gets in.
 */
export class Doorkeeper {
  readonly #init: DoorkeeperInit
  readonly #proof: SecretProof
  readonly #now: () => number
  /** Since when. Oldest first. */
  readonly #answering = new Map<AbortController, number>()

  constructor(init: DoorkeeperInit, now: () => number = () => performance.now()) {
    this.#init = init
    this.#now = now
    this.#proof = new SecretProof(init.secret, init.cluster)
  }

  /** Resolves when both have proved it and the peer has let us in. Errors: ERR_DENIED, those of the connection, the signal's reason. */
  async ask(connection: Connection, signal: AbortSignal): Promise<void> {
    const peer = connection.remotePeer.toString() as PeerId
    if (!this.#init.admits(peer)) throw denied(peer)
    const stream = await connection.newStream(doorProtocol, { signal })
    await within(stream, signal, async (reader) => {
      const askerNonce = this.#proof.nonce()
      stream.send(askerNonce)
      const answer = await reader.read(nonceBytes + proofBytes)
      const exchange: Exchange = {
        asker: this.#init.self,
        answerer: peer,
        askerNonce,
        answererNonce: answer.subarray(0, nonceBytes),
      }
      if (!this.#proof.verify('answer', exchange, answer.subarray(nonceBytes))) throw denied(peer)
      stream.send(this.#proof.prove('ask', exchange))
      await reader.read(welcome.byteLength)
    })
    stream.close().catch((error: Error) => stream.abort(error))
  }

  /** `admitted` is called when the asker has proved it, before that hears so. Never throws. */
  async answer(stream: Stream, peer: PeerId, admitted: () => void): Promise<void> {
    const { admits, counters } = this.#init
    if (!this.#hasRoom()) {
      counters.refusedHandshakes.crowded += 1
      stream.abort(new P2pdError('ERR_TOO_MANY', 'too many ask for a proof at once'))
      return
    }
    const ending = new AbortController()
    const timer = setTimeout(() => ending.abort(), answerWithinMs)
    this.#answering.set(ending, this.#now())
    try {
      await within(stream, ending.signal, (reader) => this.#answer(stream, peer, reader))
    } catch {
      counters.refusedHandshakes.handshake += 1
      return
    } finally {
      clearTimeout(timer)
      this.#answering.delete(ending)
    }
    if (!admits(peer)) {
      counters.refusedHandshakes.denied += 1
      stream.abort(denied(peer))
      return
    }
    admitted()
    try {
      stream.send(welcome)
      await stream.close()
    } catch (error) {
      stream.abort(asError(error))
    }
  }

  #hasRoom(): boolean {
    if (this.#answering.size < maxAnswers) return true
    const [oldest] = this.#answering
    if (oldest === undefined) return true
    const [ending, since] = oldest
    if (this.#now() - since < slowMs) return false
    this.#answering.delete(ending)
    ending.abort()
    return true
  }

  async #answer(stream: Stream, peer: PeerId, reader: Reader): Promise<void> {
    const askerNonce = await reader.read(nonceBytes)
    const answererNonce = this.#proof.nonce()
    const exchange: Exchange = { asker: peer, answerer: this.#init.self, askerNonce, answererNonce }
    stream.send(concat(answererNonce, this.#proof.prove('answer', exchange)))
    if (!this.#proof.verify('ask', exchange, await reader.read(proofBytes))) throw denied(peer)
  }
}

function denied(peer: PeerId): P2pdError {
  return new P2pdError('ERR_DENIED', `${peer} did not prove that it knows the secret, or is not admitted`)
}

/** Runs the exchange; at the signal the stream goes, and with it whatever is waited for. */
async function within(
  stream: Stream,
  signal: AbortSignal,
  exchange: (reader: Reader) => Promise<void>,
): Promise<void> {
  signal.throwIfAborted()
  const onAbort = (): void => stream.abort(asError(signal.reason))
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await exchange(new Reader(stream))
  } catch (error) {
    stream.abort(asError(error))
    throw signal.aborted ? asError(signal.reason) : error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** Takes the bytes that are expected and no more. */
class Reader {
  readonly #source: AsyncIterator<Uint8Array | { subarray(): Uint8Array }>
  #rest = new Uint8Array(0)

  constructor(stream: Stream) {
    this.#source = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array | { subarray(): Uint8Array }>
  }

  async read(length: number): Promise<Uint8Array> {
    while (this.#rest.byteLength < length) {
      const { done, value } = await this.#source.next()
      if (done === true) throw new P2pdError('ERR_DENIED', 'the peer ended the exchange')
      this.#rest = concat(this.#rest, value.subarray())
      // Nobody says more than is asked for: the next part comes when this one was answered.
      if (this.#rest.byteLength > length) throw new P2pdError('ERR_DENIED', 'the peer said too much')
    }
    const bytes = this.#rest
    this.#rest = new Uint8Array(0)
    return bytes
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}
