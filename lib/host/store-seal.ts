import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { syncDirectory } from './key-file.ts'

/**
 * Proof that the store holds what was last written to it.
 *
 * LevelDB opens without a word when the end of its log is torn, and also when
 * its middle is damaged: whatever it cannot read is as if never written. A torn
 * end that was never acknowledged is harmless; a generation or an incarnation
 * that went backwards is not. So each batch carries a seal, the count of batches
 * and the XOR of the hashes of all records, and after each batch the count is
 * also written to a witness file beside it. On opening, the records must match
 * the seal, and the seal must not be older than the witness.
 */
export interface Seal {
  readonly count: bigint
  readonly digest: Uint8Array
}

export const emptySeal: Seal = { count: 0n, digest: new Uint8Array(32) }

/** The seal after the record under `key` changed from `before` to `after`; undefined is no record. */
export function reseal(
  seal: Seal,
  key: string,
  before: Uint8Array | undefined,
  after: Uint8Array | undefined,
): Seal {
  const digest = Uint8Array.from(seal.digest)
  if (before !== undefined) mix(digest, key, before)
  if (after !== undefined) mix(digest, key, after)
  return { count: seal.count, digest }
}

function mix(digest: Uint8Array, key: string, value: Uint8Array): void {
  const hash = createHash('sha256')
    .update(`${Buffer.byteLength(key)}:${key}`)
    .update(value)
    .digest()
  for (let at = 0; at < digest.byteLength; at += 1) digest[at] = (digest[at] ?? 0) ^ (hash[at] ?? 0)
}

export function encodeSeal(seal: Seal): Uint8Array {
  const bytes = Buffer.alloc(40)
  bytes.writeBigUInt64BE(seal.count)
  bytes.set(seal.digest, 8)
  return bytes
}

export function decodeSeal(bytes: Uint8Array): Seal | undefined {
  if (bytes.byteLength !== 40) return undefined
  return {
    count: Buffer.from(bytes.buffer, bytes.byteOffset, 8).readBigUInt64BE(),
    digest: Uint8Array.from(bytes.subarray(8)),
  }
}

const slotBytes = 32

/** Two slots written in turn, so that a torn write never loses both. */
export class Witness {
  readonly #file: FileHandle

  private constructor(file: FileHandle) {
    this.#file = file
  }

  static async create(directory: string): Promise<Witness> {
    const witness = new Witness(await open(`${directory}/${Witness.fileName}`, 'wx+', 0o600))
    await witness.write(0n)
    await syncDirectory(directory)
    return witness
  }

  static async open(directory: string): Promise<Witness> {
    return new Witness(await open(`${directory}/${Witness.fileName}`, 'r+'))
  }

  /** LevelDB leaves files alone whose names it does not know. */
  static readonly fileName = 'witness'

  /** The highest count that was written; undefined when both slots are damaged. */
  async read(): Promise<bigint | undefined> {
    const bytes = Buffer.alloc(2 * slotBytes)
    await this.#file.read(bytes, 0, bytes.byteLength, 0)
    const counts = [bytes.subarray(0, slotBytes), bytes.subarray(slotBytes)]
      .filter((slot) => slot.equals(slotOf(slot.readBigUInt64BE())))
      .map((slot) => slot.readBigUInt64BE())
    return counts.reduce<bigint | undefined>((a, b) => (a === undefined || b > a ? b : a), undefined)
  }

  async write(count: bigint): Promise<void> {
    const slot = slotOf(count)
    await this.#file.write(slot, 0, slot.byteLength, Number(count % 2n) * slotBytes)
    await this.#file.datasync()
  }

  async close(): Promise<void> {
    await this.#file.close()
  }
}

function slotOf(count: bigint): Buffer {
  const slot = Buffer.alloc(slotBytes)
  slot.writeBigUInt64BE(count)
  slot.set(
    createHash('sha256').update('p2pd witness').update(slot.subarray(0, 8)).digest().subarray(0, 24),
    8,
  )
  return slot
}
