import { eachUtf8Byte } from './utf8.ts'

/**
 * Writes protobuf by hand, for the few messages that are written with each
 * delivery: with the library, reflection was a tenth of what a message costs its sender,
 * and more where code is cold. Tests hold it to the bytes of the library.
 */
export class ProtoWriter {
  #bytes = new Uint8Array(512)
  #at = 0

  /** Forgets what was written before. */
  begin(): void {
    this.#at = 0
  }

  /** A copy of what was written; then it begins again. */
  finish(): Uint8Array {
    const bytes = this.#bytes.slice(0, this.#at)
    this.#at = 0
    return bytes
  }

  bytes(field: number, value: Uint8Array): void {
    this.#room(value.length + 20)
    this.#uint(field * 8 + 2)
    this.#uint(value.length)
    this.#bytes.set(value, this.#at)
    this.#at += value.length
  }

  /** Unless it is empty, which is the default. */
  bytesUnlessEmpty(field: number, value: Uint8Array): void {
    if (value.length > 0) this.bytes(field, value)
  }

  /** Text that is known to be ASCII. */
  ascii(field: number, value: string): void {
    if (value.length === 0) return
    this.#room(value.length + 20)
    this.#uint(field * 8 + 2)
    this.#uint(value.length)
    for (let i = 0; i < value.length; i++) this.#bytes[this.#at++] = value.charCodeAt(i)
  }

  /** In UTF-8; what has lone surrogates is not well-formed, and does not come back as it was. */
  text(field: number, value: string): void {
    if (value.length === 0) return
    const mark = this.open(field)
    this.#room(value.length * 3)
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i)
      if (code >= 0x80) {
        this.#at = mark
        eachUtf8Byte(value, this.#push)
        break
      }
      this.#bytes[this.#at++] = code
    }
    this.close(mark)
  }

  /** Begins a message inside this one, which has to be closed again; gives what `close` is told. */
  open(field: number): number {
    this.#room(20)
    this.#uint(field * 8 + 2)
    // A length of one byte, as nearly all have; `close` makes room for a longer one.
    this.#at += 1
    return this.#at
  }

  close(mark: number): void {
    const length = this.#at - mark
    const more = varintLength(length) - 1
    if (more > 0) {
      this.#room(more)
      this.#bytes.copyWithin(mark + more, mark, this.#at)
    }
    this.#at = mark - 1
    this.#uint(length)
    this.#at += length
  }

  hex(field: number, value: string): void {
    if (value.length === 0) return
    this.#room(value.length + 20)
    this.#uint(field * 8 + 2)
    this.#uint(value.length >>> 1)
    for (let i = 0; i < value.length; i += 2) {
      this.#bytes[this.#at++] = (digit(value.charCodeAt(i)) << 4) | digit(value.charCodeAt(i + 1))
    }
  }

  bool(field: number, value: boolean): void {
    this.uint(field, value ? 1 : 0)
  }

  double(field: number, value: number): void {
    if (Object.is(value, 0)) return
    halves.setFloat64(0, value, true)
    this.fixed64(field, halves.getUint32(0, true), halves.getUint32(4, true))
  }

  /** At most 2^53; zero is the default and is left out. */
  uint(field: number, value: number): void {
    if (value === 0) return
    this.#room(20)
    this.#uint(field * 8)
    this.#uint(value)
  }

  packedUints(field: number, values: readonly number[]): void {
    let length = 0
    for (const value of values) length += varintLength(value)
    this.#room(length + 20)
    this.#uint(field * 8 + 2)
    this.#uint(length)
    for (const value of values) this.#uint(value)
  }

  /** Little-endian halves. */
  fixed64(field: number, low: number, high: number): void {
    this.#room(20)
    this.#uint(field * 8 + 1)
    for (const half of [low, high]) {
      for (let shift = 0; shift < 32; shift += 8) this.#bytes[this.#at++] = (half >>> shift) & 0xff
    }
  }

  #uint(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    this.#bytes[this.#at++] = rest
  }

  readonly #push = (byte: number): void => {
    this.#bytes[this.#at++] = byte
  }

  #room(length: number): void {
    if (this.#at + length <= this.#bytes.length) return
    const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + length))
    bytes.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = bytes
  }
}

const halves = new DataView(new ArrayBuffer(8))

function digit(code: number): number {
  return code < 58 ? code - 48 : code - 87
}

function varintLength(value: number): number {
  let length = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) length += 1
  return length
}
