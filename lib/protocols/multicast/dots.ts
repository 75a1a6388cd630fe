/**
 * How authors and their messages are named inside headers and as keys of maps.
 *
 * A dot is (author, epoch, seq). On the wire an author is the first 12 bytes of
 * SHA-256 of its peer id, so that a dependency costs 24 bytes and not 65; who
 * collides with a known member is not admitted.
 */
import { ascii } from '../bytes.ts'
import type { PeerId } from '../core.ts'
import { malformed } from './decoding.ts'
import { multicastLimits } from './limits.ts'
import type { AuthorKey, DotKey, EntryKey, SignedHeader } from './messages.ts'

export type Sha256 = (bytes: Uint8Array) => Uint8Array

export const authorKeyBytes = 12
export const dotBytes = 24

export function authorKeyOf(author: PeerId, sha256: Sha256): AuthorKey {
  const known = remembered(sha256)
  let key = known.get(author)
  if (key === undefined) {
    key = toHex(sha256(ascii(author)).subarray(0, authorKeyBytes)) as AuthorKey
    if (known.size >= maxRemembered) known.clear()
    known.set(author, key)
  }
  return key
}

/** Each header names its author, and few authors write most of them: a hash less a message. */
const keysOf = new WeakMap<Sha256, Map<PeerId, AuthorKey>>()
const maxRemembered = 4096

function remembered(sha256: Sha256): Map<PeerId, AuthorKey> {
  const known = keysOf.get(sha256) ?? new Map<PeerId, AuthorKey>()
  keysOf.set(sha256, known)
  return known
}

export function entryKey(author: AuthorKey, epoch: number): EntryKey {
  return `${author}#${epoch}` as EntryKey
}

export function parseEntryKey(key: EntryKey): { readonly author: AuthorKey; readonly epoch: number } {
  return {
    author: key.slice(0, 2 * authorKeyBytes) as AuthorKey,
    epoch: Number(key.slice(2 * authorKeyBytes + 1)),
  }
}

/** A key of maps. */
export function dotText(dot: DotKey): string {
  return `${dot.author}#${dot.epoch}:${dot.seq}`
}

/** The last message of an envelope. */
export function dotOf(header: SignedHeader): DotKey {
  return { author: header.authorKey, epoch: header.header.epoch, seq: header.last }
}

/** By author, then epoch, then seq: negative when `a` is first. */
export function compareDots(a: DotKey, b: DotKey): number {
  if (a.author !== b.author) return a.author < b.author ? -1 : 1
  return a.epoch - b.epoch || a.seq - b.seq
}

/** 24 bytes a dot, big-endian: 12 of the author, 7 of the epoch, 5 of the seq. */
export function packDots(dots: readonly DotKey[]): Uint8Array {
  const bytes = new Uint8Array(dots.length * dotBytes)
  for (const [i, dot] of dots.entries()) {
    const at = i * dotBytes
    writeHex(bytes, at, dot.author)
    writeUint(bytes, at + authorKeyBytes, 7, dot.epoch)
    writeUint(bytes, at + authorKeyBytes + 7, 5, dot.seq)
  }
  return bytes
}

/** At most `max` dots; what is longer is refused by its length alone. Throws `WireError` ERR_MALFORMED. */
export function unpackDots(bytes: Uint8Array, max: number): DotKey[] {
  if (bytes.length % dotBytes !== 0) throw malformed(`dots in ${bytes.length} bytes`)
  if (bytes.length > max * dotBytes) throw malformed(`${bytes.length / dotBytes} dots`)
  const dots: DotKey[] = []
  for (let at = 0; at < bytes.length; at += dotBytes) {
    const epoch = readUint(bytes, at + authorKeyBytes, 7)
    const seq = readUint(bytes, at + authorKeyBytes + 7, 5)
    if (epoch > multicastLimits.counter) throw malformed('an epoch beyond 2^52')
    if (seq === 0) throw malformed('a dot without a seq')
    dots.push({
      author: toHex(bytes.subarray(at, at + authorKeyBytes)) as AuthorKey,
      epoch,
      seq,
    })
  }
  return dots
}

/** 32 hexadecimal digits, which name the group on the wire: its name is told to nobody who does not know it. */
export function groupIdOf(name: string, sha256: Sha256): string {
  return toHex(sha256(ascii(`p2pd group\0${name}`)).subarray(0, 16))
}

/** In one piece: a text put together pair by pair is kept as its pieces, six times as large. */
export function toHex(bytes: Uint8Array): string {
  const codes: number[] = []
  for (const byte of bytes) codes.push(hexDigits.charCodeAt(byte >>> 4), hexDigits.charCodeAt(byte & 0xf))
  return String.fromCharCode(...codes)
}

/** Throws `WireError` ERR_MALFORMED for what is not pairs of lower-case hexadecimal digits. */
export function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length >>> 1)
  writeHex(bytes, 0, text)
  return bytes
}

const hexDigits = '0123456789abcdef'

const noDigit = 0xff
const digits = new Uint8Array(256).fill(noDigit)
for (let digit = 0; digit < 16; digit++) digits[digit.toString(16).charCodeAt(0)] = digit

/** As `fromHex`, into `bytes`. */
export function writeHex(bytes: Uint8Array, at: number, text: string): void {
  if (text.length % 2 !== 0) throw malformed('half a byte in hexadecimal')
  for (let i = 0; i < text.length; i += 2) {
    const high = digits[text.charCodeAt(i)] ?? noDigit
    const low = digits[text.charCodeAt(i + 1)] ?? noDigit
    if (high === noDigit || low === noDigit) throw malformed('text that is not hexadecimal')
    bytes[at + (i >>> 1)] = (high << 4) | low
  }
}

/** Big-endian. Not with shifts: those end at 32 bits. */
export function writeUint(bytes: Uint8Array, at: number, length: number, value: number): void {
  let rest = value
  for (let i = at + length - 1; i >= at; i--) {
    bytes[i] = rest % 256
    rest = Math.floor(rest / 256)
  }
}

/** Big-endian, at most 7 bytes. Above 2^53 the result is rounded, which does no harm: everything above 2^52 is refused. */
export function readUint(bytes: Uint8Array, at: number, length: number): number {
  let value = 0
  for (let i = at; i < at + length; i++) value = value * 256 + (bytes[i] ?? 0)
  return value
}
