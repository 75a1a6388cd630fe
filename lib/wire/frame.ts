import { WireError } from './errors.ts'
import { maxFramePrefixBytes } from './limits.ts'

/**
 * Frames on a link: an unsigned LEB128 length, then that many bytes (the framing
 * of libp2p and of protobuf's delimited messages).
 */
export function encodeFrame(body: Uint8Array, maxBytes: number): Uint8Array {
  if (body.byteLength > maxBytes) {
    throw new WireError('ERR_FRAME_TOO_LARGE', `a frame of ${body.byteLength} bytes exceeds ${maxBytes}`)
  }
  const prefix: number[] = []
  let rest = body.byteLength
  while (rest > 0x7f) {
    prefix.push((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  prefix.push(rest)
  const frame = new Uint8Array(prefix.length + body.byteLength)
  frame.set(prefix)
  frame.set(body, prefix.length)
  return frame
}

/**
 * Cuts a byte stream into frames, however it arrives.
 *
 * A length above the limit is refused before anything is allocated, and a buffer
 * grows only as fast as bytes arrive: who announces 2 MiB must send them. After
 * a throw the stream cannot be resynchronised and the decoder must not be used.
 */
export class FrameDecoder {
  readonly #maxBytes: number
  #length = 0
  #prefixBytes = 0
  #body: Uint8Array | undefined
  #filled = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** The frames that `chunk` completes, each its own copy. Throws `WireError` at the first bad length. */
  *push(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
    let at = 0
    while (at < chunk.byteLength) {
      if (this.#body === undefined) {
        this.#readPrefixByte(chunk[at] ?? 0)
        at += 1
      } else {
        at += this.#fill(chunk, at)
      }
      if (this.#body !== undefined && this.#filled === this.#length) yield this.#take()
    }
  }

  #readPrefixByte(byte: number): void {
    this.#length += (byte & 0x7f) * 2 ** (7 * this.#prefixBytes)
    this.#prefixBytes += 1
    if (this.#length > this.#maxBytes) {
      throw new WireError('ERR_FRAME_TOO_LARGE', `a length above ${this.#maxBytes} bytes was announced`)
    }
    if ((byte & 0x80) === 0) {
      if (byte === 0 && this.#prefixBytes > 1) {
        throw new WireError('ERR_FRAME_MALFORMED', 'a length was padded')
      }
      this.#body = new Uint8Array(Math.min(this.#length, 4096))
    } else if (this.#prefixBytes === maxFramePrefixBytes) {
      throw new WireError('ERR_FRAME_MALFORMED', 'a length does not end')
    }
  }

  #fill(chunk: Uint8Array, at: number): number {
    const count = Math.min(chunk.byteLength - at, this.#length - this.#filled)
    this.#reserve(this.#filled + count).set(chunk.subarray(at, at + count), this.#filled)
    this.#filled += count
    return count
  }

  #reserve(bytes: number): Uint8Array {
    let body = this.#body ?? new Uint8Array()
    if (bytes > body.byteLength) {
      const grown = new Uint8Array(Math.min(this.#length, Math.max(bytes, body.byteLength * 2)))
      grown.set(body.subarray(0, this.#filled))
      body = grown
      this.#body = grown
    }
    return body
  }

  #take(): Uint8Array {
    const body = (this.#body ?? new Uint8Array()).subarray(0, this.#length)
    this.#body = undefined
    this.#length = 0
    this.#prefixBytes = 0
    this.#filled = 0
    return body
  }
}
