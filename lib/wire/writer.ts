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

  hex(field: number, value: string): void {
    if (value.length === 0) return
    this.#room(value.length + 20)
    this.#uint(field * 8 + 2)
    this.#uint(value.length >>> 1)
    for (let i = 0; i < value.length; i += 2) {
      this.#bytes[this.#at++] = (digit(value.charCodeAt(i)) << 4) | digit(value.charCodeAt(i + 1))
    }
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

  #room(length: number): void {
    if (this.#at + length <= this.#bytes.length) return
    const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + length))
    bytes.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = bytes
  }
}

function digit(code: number): number {
  return code < 58 ? code - 48 : code - 87
}

function varintLength(value: number): number {
  let length = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) length += 1
  return length
}
