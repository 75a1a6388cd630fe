/**
 * A view that many members may start from: signed records on which everybody
 * agrees, with what is derived from them. Nobody changes it; each member keeps
 * what differs for itself. It is for simulations, where ten thousand views of ten
 * thousand members do not fit the memory otherwise.
 */
import type { PeerId } from '../core.ts'
import type { Hash64 } from '../hash.ts'
import { bucketOf, type DigestBase, rowHash, Sums } from './digest.ts'
import { digestRow } from './member.ts'
import { bucketCount, type MemberRecord, type Signed } from './messages.ts'
import { RingsBase } from './rings.ts'

export class BaseView implements DigestBase {
  readonly records: ReadonlyMap<PeerId, Signed<MemberRecord>>
  readonly rings: RingsBase
  readonly sums = new Sums()
  /** Of all records. */
  readonly recordBytes: number
  readonly #rows = new Map<PeerId, Hash64>()
  readonly #buckets: PeerId[][] = Array.from({ length: bucketCount }, () => [])

  /** @param records of members that are alive; their signatures have been verified */
  constructor(records: readonly Signed<MemberRecord>[], rings: number) {
    this.records = new Map(records.map((record) => [record.body.peer, record]))
    this.rings = new RingsBase([...this.records.keys()], rings)
    let recordBytes = 0
    for (const [peer, { body, bytes }] of this.records) {
      const row = rowHash(peer, digestRow(body, 0, 0, 0))
      const bucket = bucketOf(peer)
      this.#rows.set(peer, row)
      this.#buckets[bucket]?.push(peer)
      this.sums.add(bucket, row)
      recordBytes += bytes.length
    }
    this.recordBytes = recordBytes
  }

  row(peer: PeerId): Hash64 | undefined {
    return this.#rows.get(peer)
  }

  peersIn(bucket: number): readonly PeerId[] {
    return this.#buckets[bucket] ?? []
  }
}
