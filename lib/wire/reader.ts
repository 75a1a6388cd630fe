/**
 * Reads protobuf by hand, for the few messages that come with each delivery:
 * nothing is made but what is asked for. Each field may come once, but for one
 * that repeats. Every method throws `WireError` ERR_MALFORMED.
 */
import { WireError } from './errors.ts'
import type { TextMemory } from './text-memory.ts'

const varint = 0
const fixed64 = 1
const delimited = 2

/** Messages inside one that is read, unless it says otherwise: two bytes on the wire are a hundred in memory. */
const usualMessages = 65_536

export class ProtoReader {
  readonly #bytes: Uint8Array
  readonly #name: string
  readonly #repeats: number
  readonly #budget: { left: number }
  #end: number
  #at = 0
  #seen = 0
  #field = 0
  #wireType = varint

  /**
   * `name` is for errors; `repeats`: the number of the field that may come again;
   * `budget`: what is left of the messages that may be inside this one, at any depth.
   */
  constructor(bytes: Uint8Array, name: string, repeats = 0, budget = { left: usualMessages }) {
    this.#bytes = bytes
    this.#name = name
    this.#repeats = repeats
    this.#budget = budget
    this.#end = bytes.length
  }

  /** The number of the next field; 0 at the end. Its value has to be read before the next one. */
  next(): number {
    if (this.#at === this.#end) return 0
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

  /** The message inside this one that the field is; to be read to its end before this one's next field. */
  message(name: string, repeats = 0): ProtoReader {
    const from = this.#delimited()
    this.#budget.left -= 1
    if (this.#budget.left < 0) throw this.#malformed('too many messages')
    const inner = new ProtoReader(this.#bytes, name, repeats, this.#budget)
    inner.#at = from
    inner.#end = this.#at
    return inner
  }

  /** A text that is likely to have come before. */
  text(memory: TextMemory): string {
    const from = this.#delimited()
    return memory.text(this.#bytes, from, this.#at)
  }

  /** A whole number that is exact: at most 2^53 - 1. */
  count(): number {
    const value = this.uint()
    if (value > Number.MAX_SAFE_INTEGER) throw this.#malformed('beyond 2^53 - 1')
    return value
  }

  bool(): boolean {
    const value = this.uint()
    if (value > 1) throw this.#malformed('neither false nor true')
    return value === 1
  }

  double(): number {
    const [low, high] = this.fixed64()
    halves.setUint32(0, low, true)
    halves.setUint32(4, high, true)
    return halves.getFloat64(0, true)
  }

  /** Beyond 2^53 it is rounded: the caller refuses what is so large. */
  uint(): number {
    this.#expect(varint)
    return this.#varint()
  }

  /** A view. */
  bytes(): Uint8Array {
    const from = this.#delimited()
    return this.#bytes.subarray(from, this.#at)
  }

  /** As its lower and upper 32 bits. */
  fixed64(): readonly [low: number, high: number] {
    this.#expect(fixed64)
    if (this.#end - this.#at < 8) throw this.#malformed('too long')
    return [this.#fixed32(), this.#fixed32()]
  }

  /** Packed, at most `most` of them. */
  uints(most: number): number[] {
    this.#expect(delimited)
    const length = this.#varint()
    const end = this.#at + length
    if (end > this.#end) throw this.#malformed('too long')
    const values: number[] = []
    while (this.#at < end) {
      if (values.length >= most) throw this.#malformed(`of more than ${most} numbers`)
      values.push(this.#varint())
    }
    if (this.#at !== end) throw this.#malformed('cut off')
    return values
  }

  /** Goes behind what the length announces; gives where it begins. */
  #delimited(): number {
    this.#expect(delimited)
    const length = this.#varint()
    const from = this.#at
    if (length > this.#end - from) throw this.#malformed('too long')
    this.#at = from + length
    return from
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
      if (this.#at >= this.#end) break
      const byte = this.#bytes[this.#at++] as number
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

const halves = new DataView(new ArrayBuffer(8))
