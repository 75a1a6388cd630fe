/**
 * What gossip asks before it forwards a message: is it to be passed on, refused
 * for good, or let lie.
 *
 * Refused for good (`reject`, which costs the sender its standing) is only what
 * every peer refuses. What depends on what this peer happens to know is ignored.
 * The signature comes last: it costs more than all the rest together.
 */
import { WireError } from '../../wire/errors.ts'
import type { Crypto, PeerId } from '../core.ts'
import { toHex } from './dots.ts'
import { headerIsSigned, openEnvelope } from './envelope.ts'
import type { Envelope, Refusal, SignedHeader, Verdict } from './messages.ts'

export interface ExaminerInit {
  /** 32 hexadecimal digits. */
  readonly cluster: string
  readonly crypto: Crypto
  readonly isKnown: (author: PeerId) => boolean
  /** Whether the core has delivered this very header, or holds it. */
  readonly seen: (header: SignedHeader) => boolean
}

/** Headers remembered: those of the last second or more of the fastest traffic, in about 3 MB. */
const maxRemembered = 8192

/** A header whose author's signature was verified. */
interface Verified {
  /** In hexadecimal: the bytes themselves may be a view that keeps more alive. */
  readonly signature: string
  /** With its payloads, by gossip: what comes again is a duplicate. */
  readonly gossiped: boolean
}

export class Examiner {
  /** How many envelopes were not taken, by reason: here, and by the core, which sees more of them. */
  readonly refused: Record<Refusal, number> = {
    malformed: 0,
    'other-cluster': 0,
    'other-group': 0,
    'bad-signature': 0,
    'payload-mismatch': 0,
    'unknown-author': 0,
    duplicate: 0,
    'too-far-ahead': 0,
    quota: 0,
    lamport: 0,
  }
  readonly #init: ExaminerInit
  /** By header hash, least recently used first. */
  readonly #verified = new Map<string, Verified>()

  constructor(init: ExaminerInit) {
    this.#init = init
  }

  /** `group`: the id in whose topic it came. Never throws for what `bytes` hold. */
  examine(group: string, bytes: Uint8Array): Verdict {
    const verdict = this.#judge(group, bytes)
    if (verdict.type !== 'accept') this.count(verdict.reason)
    return verdict
  }

  /** Whether the author signed it. What was verified lately is not verified again, whichever way it comes. */
  verify(header: SignedHeader): boolean {
    return this.#verify(header, false)
  }

  /** One more that was not taken. */
  count(reason: Refusal): void {
    this.refused[reason] += 1
  }

  #judge(group: string, bytes: Uint8Array): Verdict {
    const envelope = this.#open(bytes)
    if (typeof envelope === 'string') return { type: 'reject', reason: envelope }
    const { header } = envelope
    if (header.cluster !== this.#init.cluster) return { type: 'reject', reason: 'other-cluster' }
    if (header.group !== group) return { type: 'reject', reason: 'other-group' }
    if (!this.#init.isKnown(header.author)) {
      return { type: 'ignore', reason: 'unknown-author', author: header.author }
    }
    if (this.#verified.get(envelope.hash)?.gossiped === true || this.#init.seen(envelope)) {
      return { type: 'ignore', reason: 'duplicate', author: undefined }
    }
    if (!this.#verify(envelope, true)) return { type: 'reject', reason: 'bad-signature' }
    return { type: 'accept', envelope }
  }

  #open(bytes: Uint8Array): Envelope | 'malformed' | 'payload-mismatch' {
    try {
      return openEnvelope(bytes, this.#init.crypto.sha256)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      return error.code === 'ERR_PAYLOAD_MISMATCH' ? 'payload-mismatch' : 'malformed'
    }
  }

  #verify(header: SignedHeader, gossiped: boolean): boolean {
    // The hash covers the header alone. Somebody can send a true header with another
    // signature: it must neither pass for verified, since it would be stored and served
    // to others who refuse it, nor make the true one fail. So a failure is not remembered.
    const signature = toHex(header.signature)
    const known = this.#verified.get(header.hash)
    if (known?.signature !== signature && !headerIsSigned(header, this.#init.crypto)) return false
    this.#remember(header.hash, { signature, gossiped: gossiped || known?.gossiped === true })
    return true
  }

  #remember(hash: string, verified: Verified): void {
    this.#verified.delete(hash)
    this.#verified.set(hash, verified)
    if (this.#verified.size <= maxRemembered) return
    const [oldest] = this.#verified.keys()
    if (oldest !== undefined) this.#verified.delete(oldest)
  }
}
