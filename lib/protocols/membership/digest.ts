/**
 * A view in 64 bits: the sum, modulo 2^64, of a hash of what each member's row
 * says. Equal views have equal digests; a change costs one subtraction and one
 * addition, whatever the number of members.
 *
 * The same in 256 parts, by a hash of the peer id, tells where two views differ.
 */
import type { PeerId } from '../core.ts'
import { type Hash64, hash64 } from '../hash.ts'
import { bucketCount } from './messages.ts'

/** Sums and rows that many views may start from; never changed. */
export interface DigestBase {
  readonly sums: Sums
  row(peer: PeerId): Hash64 | undefined
  peersIn(bucket: number): readonly PeerId[]
}

/** Which of the 256 parts speaks of `peer`. */
export function bucketOf(peer: PeerId): number {
  return hash64(peer).low % bucketCount
}

export class Digest {
  readonly #base: DigestBase | undefined
  /** By bucket; undefined as a row: deleted from the base. */
  readonly #rows = new Map<number, Map<PeerId, Hash64 | undefined>>()
  readonly #sums: Sums

  constructor(base?: DigestBase) {
    this.#base = base
    this.#sums = new Sums(base?.sums)
  }

  get value(): bigint {
    return this.#sums.total
  }

  /** Of each bucket, in order. */
  get sums(): readonly bigint[] {
    return this.#sums.list()
  }

  /** `row` is everything that should be equal at two members which agree on `peer`. */
  set(peer: PeerId, row: string): void {
    const bucket = bucketOf(peer)
    const hash = rowHash(peer, row)
    this.#sums.subtract(bucket, this.#row(bucket, peer))
    this.#sums.add(bucket, hash)
    this.#rowsIn(bucket).set(peer, hash)
  }

  delete(peer: PeerId): void {
    const bucket = bucketOf(peer)
    this.#sums.subtract(bucket, this.#row(bucket, peer))
    if (this.#base?.row(peer) === undefined) this.#rowsIn(bucket).delete(peer)
    else this.#rowsIn(bucket).set(peer, undefined)
  }

  /** Whose rows are in that part. */
  peersIn(bucket: number): readonly PeerId[] {
    const rows = this.#rows.get(bucket)
    const own = [...(rows ?? [])].flatMap(([peer, row]) => (row === undefined ? [] : [peer]))
    const base = this.#base?.peersIn(bucket).filter((peer) => rows?.has(peer) !== true)
    return base === undefined ? own : [...base, ...own]
  }

  #row(bucket: number, peer: PeerId): Hash64 | undefined {
    const rows = this.#rows.get(bucket)
    return rows?.has(peer) ? rows.get(peer) : this.#base?.row(peer)
  }

  #rowsIn(bucket: number): Map<PeerId, Hash64 | undefined> {
    let rows = this.#rows.get(bucket)
    if (rows === undefined) {
      rows = new Map()
      this.#rows.set(bucket, rows)
    }
    return rows
  }
}

export function rowHash(peer: PeerId, row: string): Hash64 {
  return hash64(`${peer} ${row}`)
}

/** The parts' sums as halves of 32 bits: what changes all the time should not be made of big integers. */
export class Sums {
  readonly #high: Uint32Array
  readonly #low: Uint32Array
  #total: Hash64
  #value: bigint | undefined
  #list: readonly bigint[] | undefined

  constructor(base?: Sums) {
    this.#high = base === undefined ? new Uint32Array(bucketCount) : base.#high.slice()
    this.#low = base === undefined ? new Uint32Array(bucketCount) : base.#low.slice()
    this.#total = base === undefined ? { high: 0, low: 0 } : base.#total
  }

  get total(): bigint {
    this.#value ??= toBigInt(this.#total.high, this.#total.low)
    return this.#value
  }

  /** Made once for each change: it goes into packets, which nobody changes. */
  list(): readonly bigint[] {
    this.#list ??= Array.from(this.#high, (high, bucket) => toBigInt(high, this.#low[bucket] ?? 0))
    return this.#list
  }

  add(bucket: number, { high, low }: Hash64): void {
    const lower = (this.#low[bucket] ?? 0) + low
    this.#low[bucket] = lower
    this.#high[bucket] = (this.#high[bucket] ?? 0) + high + (lower >= 2 ** 32 ? 1 : 0)
    this.#total = sum(this.#total, { high, low })
    this.#value = this.#list = undefined
  }

  subtract(bucket: number, row: Hash64 | undefined): void {
    // Two's complement: the same sum the other way round.
    if (row !== undefined) this.add(bucket, sum({ high: ~row.high, low: ~row.low }, { high: 0, low: 1 }))
  }
}

function sum(a: Hash64, b: Hash64): Hash64 {
  const low = (a.low >>> 0) + (b.low >>> 0)
  return { high: (a.high + b.high + (low >= 2 ** 32 ? 1 : 0)) >>> 0, low: low >>> 0 }
}

function toBigInt(high: number, low: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low)
}
