import { WireError } from './errors.ts'

/**
 * Texts that come again and again: the peers, names and ids of a protocol's hot
 * messages. Making a string of bytes costs more than comparing them, and strings
 * that are the same object are found faster in maps.
 */

const slots = 1024

interface Slot {
  readonly bytes: Uint8Array
  readonly text: string
}

/** One place a hash: who collides takes the other's place, so that nobody can make it grow or search. */
export class TextMemory {
  readonly #mostBytes: number
  readonly #decode: (bytes: Uint8Array) => string
  readonly #slots: (Slot | undefined)[] = Array.from({ length: slots }, () => undefined)

  /** Holds 1024 texts of at most `mostBytes`; `decode` checks what it is given, and throws `WireError`. */
  constructor(mostBytes: number, decode: (bytes: Uint8Array) => string) {
    this.#mostBytes = mostBytes
    this.#decode = decode
  }

  /** What `decode` makes of `bytes` from `from` up to `to`. Throws `WireError` ERR_MALFORMED above the limit, before anything else. */
  text(bytes: Uint8Array, from: number, to: number): string {
    if (to - from > this.#mostBytes) throw new WireError('ERR_MALFORMED', `a text of ${to - from} bytes`)
    const place = placeOf(bytes, from, to)
    const known = this.#slots[place]
    if (known !== undefined && isSame(known.bytes, bytes, from, to)) return known.text
    // Not `slice`: of a Buffer, which hosts hand in, that is a view.
    const copy = new Uint8Array(bytes.subarray(from, to))
    const text = this.#decode(copy)
    this.#slots[place] = { bytes: copy, text }
    return text
  }
}

/** Of every byte: names may differ in any one of them. */
function placeOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0
  for (let at = from; at < to; at++) hash = (Math.imul(hash, 31) + (bytes[at] as number)) | 0
  // The lowest bits are little mixed.
  return (hash ^ (hash >>> 12)) & (slots - 1)
}

function isSame(known: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (known.length !== to - from) return false
  for (let i = 0; i < known.length; i++) if (known[i] !== bytes[from + i]) return false
  return true
}
