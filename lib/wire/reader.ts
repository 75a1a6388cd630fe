/**
 * Reads protobuf by hand, for the few messages that come with each delivery:
 * nothing is made but what is asked for. Each field may come once, but for one
 * that repeats. Every method throws `WireError` ERR_MALFORMED.
 */
import { WireError } from './errors.ts'

const varint = 0
const fixed64 = 1
const delimited = 2

export class ProtoReader {
  readonly #bytes: Uint8Array
  readonly #name: string
  readonly #repeats: number
  #at = 0
  #seen = 0
  #field = 0
  #wireType = varint

  /** `name` is for errors; `repeats`: the number of the field that may come again. */
  constructor(bytes: Uint8Array, name: string, repeats = 0) {
    this.#bytes = bytes
    this.#name = name
    this.#repeats = repeats
  }

  /** The number of the next field; 0 at the end. Its value has to be read before the next one. */
  next(): number {
    if (this.#at === this.#bytes.length) return 0
    const tag = this.#varint()
    const field = Math.floor(tag / 8)
    this.#field = field
    this.#wireType = tag % 8
    if (field === 0 || field > 30) this.unknown()
    const bit = 1 << field
    if ((this.#seen & bit) !== 0 && field !== this.#repeats) throw this.#malformed('twice')
    this.#seen |= bit
    return field
  }

  unknown(): never {
    throw new WireError('ERR_MALFORMED', `protobuf: unknown field ${this.#field} of ${this.#name}`)
  }

  /** Beyond 2^53 it is rounded: the caller refuses what is so large. */
  uint(): number {
    this.#expect(varint)
    return this.#varint()
  }

  /** A view. */
  bytes(): Uint8Array {
    this.#expect(delimited)
    const length = this.#varint()
    const from = this.#at
    if (length > this.#bytes.length - from) throw this.#malformed('too long')
    this.#at = from + length
    return this.#bytes.subarray(from, this.#at)
  }

  /** As its lower and upper 32 bits. */
  fixed64(): readonly [low: number, high: number] {
    this.#expect(fixed64)
    if (this.#bytes.length - this.#at < 8) throw this.#malformed('too long')
    return [this.#fixed32(), this.#fixed32()]
  }

  /** Packed, at most `most` of them. */
  uints(most: number): number[] {
    this.#expect(delimited)
    const length = this.#varint()
    const end = this.#at + length
    if (end > this.#bytes.length) throw this.#malformed('too long')
    const values: number[] = []
    while (this.#at < end) {
      if (values.length >= most) throw this.#malformed(`of more than ${most} numbers`)
      values.push(this.#varint())
    }
    if (this.#at !== end) throw this.#malformed('cut off')
    return values
  }

  #expect(wireType: number): void {
    if (this.#wireType !== wireType) throw this.#malformed('of another type')
  }

  #fixed32(): number {
    const at = this.#at
    const bytes = this.#bytes
    this.#at = at + 4
    const low = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16)
    return (low | ((bytes[at + 3] ?? 0) << 24)) >>> 0
  }

  #varint(): number {
    let value = 0
    let scale = 1
    for (let length = 1; length <= 10; length++) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) break
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      scale *= 128
    }
    throw this.#malformed('a number that does not end')
  }

  #malformed(what: string): WireError {
    return new WireError('ERR_MALFORMED', `protobuf: field ${this.#field} of ${this.#name}: ${what}`)
  }
}
