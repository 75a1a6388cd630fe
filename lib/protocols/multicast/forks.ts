/**
 * Authors whose logs are not one chain: proven to have signed two contents for
 * one dot, or denied by the operator. Outcasts, for short.
 *
 * Plain quarantine would block honest messages that name theirs. So an outcast's
 * message is delivered exactly if an author in good standing names it, directly
 * or through others: somebody honest delivered it while nothing was known.
 */
import { entryKey } from './dots.ts'
import type { AuthorKey, DotKey, EntryKey, Proof, SignedHeader } from './messages.ts'

const maxNeeded = 4096

export class Forks {
  readonly #proofs = new Map<AuthorKey, Proof>()
  readonly #denied = new Set<AuthorKey>()
  readonly #needed = new Map<EntryKey, number>()

  isOutcast(author: AuthorKey): boolean {
    return this.#proofs.has(author) || this.#denied.has(author)
  }

  get none(): boolean {
    return this.#proofs.size === 0 && this.#denied.size === 0
  }

  isProven(author: AuthorKey): boolean {
    return this.#proofs.has(author)
  }

  proofs(): readonly Proof[] {
    return [...this.#proofs.values()]
  }

  authors(): readonly AuthorKey[] {
    return [...this.#proofs.keys()]
  }

  proofOf(author: AuthorKey): Proof | undefined {
    return this.#proofs.get(author)
  }

  prove(proof: Proof): void {
    this.#proofs.set(proof.first.authorKey, proof)
  }

  deny(author: AuthorKey, denied: boolean): void {
    if (denied) this.#denied.add(author)
    else this.#denied.delete(author)
  }

  /** Somebody in good standing, or needed itself, names this dot of an outcast. True when that is news. */
  need(dot: DotKey): boolean {
    const entry = entryKey(dot.author, dot.epoch)
    if ((this.#needed.get(entry) ?? 0) >= dot.seq) return false
    this.#needed.delete(entry)
    this.#needed.set(entry, dot.seq)
    // Named and never delivered: those that were named longest ago do not exist.
    if (this.#needed.size > maxNeeded) {
      const [oldest] = this.#needed.keys()
      if (oldest !== undefined) this.#needed.delete(oldest)
    }
    return true
  }

  /** Up to this seq the outcast's log is needed. */
  neededUpTo(entry: EntryKey): number {
    return this.#needed.get(entry) ?? 0
  }

  /** Delivered up to `seq`: no longer of interest. */
  satisfied(entry: EntryKey, seq: number): void {
    if (this.neededUpTo(entry) <= seq) this.#needed.delete(entry)
  }
}

/**
 * Whether two headers cannot both come from an honest author: they claim a common
 * seq, or one follows the other and names another predecessor. Signatures are
 * the caller's to verify.
 */
export function contradict(a: SignedHeader, b: SignedHeader): boolean {
  const same =
    a.entry === b.entry && a.header.group === b.header.group && a.header.cluster === b.header.cluster
  if (a.hash === b.hash || a.header.author !== b.header.author) return false
  if (same && a.header.seq <= b.last && b.header.seq <= a.last) return true
  return misnames(a, b) || misnames(b, a)
}

/** `next` follows `before` and names another header as its predecessor. */
function misnames(before: SignedHeader, next: SignedHeader): boolean {
  const { header } = next
  if (header.group !== before.header.group || header.cluster !== before.header.cluster) return false
  if (header.author !== before.header.author || header.previous === before.hash) return false
  const { old } = header
  if (old !== undefined) return old.epoch === before.header.epoch && old.seq === before.last
  return next.entry === before.entry && header.seq === before.last + 1
}
