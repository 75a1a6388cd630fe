/**
 * What is delivered: of each log (author and epoch) the last header, and with it
 * everything before, because seqs have no holes.
 */
import { entryKey } from './dots.ts'
import type { AuthorKey, DotKey, EntryKey, SignedHeader } from './messages.ts'

export class DeliveredSet {
  readonly #last = new Map<EntryKey, SignedHeader>()
  /** How many logs each author has, one an epoch; and the most that one has. */
  readonly #logs = new Map<AuthorKey, number>()
  #most = 0
  readonly #excluded = new Set<AuthorKey>()
  /** Of the last headers' hashes, lane by lane modulo 2^32. */
  readonly #sum = new Uint32Array(4)

  get size(): number {
    return this.#last.size
  }

  /** The last delivered seq; 0 for none. */
  seq(entry: EntryKey): number {
    return this.#last.get(entry)?.last ?? 0
  }

  last(entry: EntryKey): SignedHeader | undefined {
    return this.#last.get(entry)
  }

  includes(dot: DotKey): boolean {
    return this.seq(entryKey(dot.author, dot.epoch)) >= dot.seq
  }

  /** The last header of each log. */
  values(): IterableIterator<SignedHeader> {
    return this.#last.values()
  }

  advance(header: SignedHeader): void {
    const before = this.#last.get(header.entry)
    this.#last.set(header.entry, header)
    if (before === undefined) this.#count(header.authorKey)
    if (this.#excluded.has(header.authorKey)) return
    if (before !== undefined) this.#add(before.hash, -1)
    this.#add(header.hash, 1)
  }

  /** Epochs of this author of which something is delivered. */
  logsOf(author: AuthorKey): number {
    return this.#logs.get(author) ?? 0
  }

  /** Whether any author has so many. */
  hasCrowd(logs: number): boolean {
    return this.#most >= logs
  }

  #count(author: AuthorKey): void {
    const logs = this.logsOf(author) + 1
    this.#logs.set(author, logs)
    this.#most = Math.max(this.#most, logs)
  }

  /** An author whose logs may differ from member to member: left out of the digest from now on. */
  exclude(author: AuthorKey): void {
    if (this.#excluded.has(author)) return
    this.#excluded.add(author)
    for (const header of this.#last.values()) if (header.authorKey === author) this.#add(header.hash, -1)
  }

  include(author: AuthorKey): void {
    if (!this.#excluded.delete(author)) return
    for (const header of this.#last.values()) if (header.authorKey === author) this.#add(header.hash, 1)
  }

  /**
   * 32 hexadecimal digits, equal for equal sets: a sum over the hashes of the last
   * headers. A header's hash commits to author, epoch, seq and, by its chain, to
   * all that came before, so two sets with one version vector and a fork differ. A
   * sum, and not a hash of the sorted list, because it costs one addition a delivery.
   */
  get digest(): string {
    return [...this.#sum].map((lane) => lane.toString(16).padStart(8, '0')).join('')
  }

  #add(hash: string, sign: 1 | -1): void {
    for (let lane = 0; lane < 4; lane++) {
      const value = Number.parseInt(hash.slice(lane * 8, lane * 8 + 8), 16)
      this.#sum[lane] = (this.#sum[lane] as number) + sign * value
    }
  }
}
