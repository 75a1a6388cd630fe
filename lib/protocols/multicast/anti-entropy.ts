/**
 * Anti-entropy: what nobody asks for, because nobody knows that it exists, shows
 * when two members compare what they have delivered.
 *
 * ```
 *   A ── summary(digest, forked) ──▶ B
 *   A ◀── proofs that A lacks ────── B      proofs of equivocation first: they explain differences
 *   A ◀── vector ─────────────────── B      where the digests differ
 *   A ── vector ────────────────────▶ B     each pulls what it lacks
 * ```
 */
import type { PeerId } from '../core.ts'
import type { CausalOrder } from './causal-order.ts'
import { entryKey } from './dots.ts'
import type { Inquiries } from './inquiries.ts'
import { multicastLimits } from './limits.ts'
import type { AuthorKey, PacketBody, Proof, VectorEntry } from './messages.ts'
import { Pace } from './pace.ts'
import type { Repair } from './repair.ts'

export interface AntiEntropyPort {
  readonly now: () => number
  readonly send: (to: PeerId, body: PacketBody) => void
}

/** Peers may not make this one compare more often, ms. */
export const answerIntervalMs = 100
const hashDigits = 16

export class AntiEntropy {
  readonly #order: CausalOrder
  readonly #repair: Repair
  readonly #inquiries: Inquiries
  readonly #port: AntiEntropyPort
  /** When a summary, and when a vector, of theirs was last answered. */
  readonly #compared = new Pace(answerIntervalMs)
  readonly #told = new Pace(answerIntervalMs)

  constructor(order: CausalOrder, repair: Repair, inquiries: Inquiries, port: AntiEntropyPort) {
    this.#order = order
    this.#repair = repair
    this.#inquiries = inquiries
    this.#port = port
  }

  begin(peer: PeerId, reply = false): void {
    const { delivered, forks } = this.#order
    this.#port.send(peer, {
      type: 'summary',
      digest: delivered.digest,
      forked: forks.authors().slice(0, multicastLimits.vectorEntries),
      reply,
    })
  }

  summary(from: PeerId, body: Extract<PacketBody, { type: 'summary' }>): void {
    if (!this.#compared.allows(from, this.#port.now())) return
    const { forks, delivered } = this.#order
    const theirs = new Set<AuthorKey>(body.forked)
    this.sendProofs(
      from,
      forks.proofs().filter((proof) => !theirs.has(proof.first.authorKey)),
    )
    const lacking = body.forked.some((author) => !forks.isProven(author))
    if (lacking && !body.reply) this.begin(from, true)
    if (body.digest !== delivered.digest) this.#sendVector(from, true)
  }

  sendProofs(to: PeerId, proofs: readonly Proof[]): void {
    for (let at = 0; at < proofs.length; at += multicastLimits.proofs) {
      this.#port.send(to, { type: 'proofs', proofs: proofs.slice(at, at + multicastLimits.proofs) })
    }
  }

  vector(from: PeerId, body: Extract<PacketBody, { type: 'vector' }>): void {
    const { delivered, forks } = this.#order
    for (const entry of body.entries) {
      if (forks.isOutcast(entry.author)) continue
      const last = delivered.last(entryKey(entry.author, entry.epoch))
      const have = last?.last ?? 0
      if (entry.seq > have) this.#repair.want(entry, from, { soon: true })
      else if (entry.seq === have && last !== undefined && !last.hash.startsWith(entry.hash)) {
        // Two chains under one name: the header that the other one has proves it.
        this.#inquiries.ask(entry, from, [last.hash])
      }
    }
    if (body.reply && this.#told.allows(from, this.#port.now())) this.#sendVector(from, false)
  }

  forget(peer: PeerId): void {
    this.#compared.forget(peer)
    this.#told.forget(peer)
  }

  #sendVector(to: PeerId, reply: boolean): void {
    const entries: VectorEntry[] = []
    for (const header of this.#order.delivered.values()) {
      if (this.#order.forks.isOutcast(header.authorKey)) continue
      const { authorKey: author, last: seq, hash } = header
      entries.push({ author, epoch: header.header.epoch, seq, hash: hash.slice(0, hashDigits) })
    }
    const size = multicastLimits.vectorEntries
    for (let at = 0; at === 0 || at < entries.length; at += size) {
      // One answer is enough, to the first frame: it holds all that there is.
      this.#port.send(to, { type: 'vector', entries: entries.slice(at, at + size), reply: reply && at === 0 })
    }
  }
}
