/** UTF-8 for pure code, which knows no `TextEncoder`. */
import { WireError } from './errors.ts'

/** Bytes of `text` in UTF-8; a lone surrogate counts as U+FFFD, which is what is written for it. */
export function utf8Length(text: string): number {
  let length = 0
  for (const point of codePoints(text)) length += lengthOf(point)
  return length
}

/** Calls `write` for each byte of `text`. */
export function eachUtf8Byte(text: string, write: (byte: number) => void): void {
  for (const point of codePoints(text)) {
    const length = lengthOf(point)
    if (length === 1) write(point)
    else {
      write((leads[length] as number) | (point >> (6 * (length - 1))))
      for (let rest = length - 2; rest >= 0; rest--) write(0x80 | ((point >> (6 * rest)) & 0x3f))
    }
  }
}

/** Throws `WireError` ERR_MALFORMED for what is not UTF-8: cut off, overlong, a surrogate, beyond U+10FFFF. */
export function utf8Text(bytes: Uint8Array): string {
  const units: number[] = []
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] as number
    const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
    let point = length === 1 ? first : first & (0x7f >> length)
    for (let i = 1; i < length; i++) {
      const next = bytes[at + i] ?? 0
      if ((next & 0xc0) !== 0x80) throw malformed()
      point = (point << 6) | (next & 0x3f)
    }
    const isLead = length === 1 || (first >= 0xc2 && first <= 0xf4)
    if (!isLead || lengthOf(point) !== length || isSurrogate(point) || point > 0x10ffff) throw malformed()
    if (point < 0x10000) units.push(point)
    else units.push(0xd800 + ((point - 0x10000) >> 10), 0xdc00 + ((point - 0x10000) & 0x3ff))
    at += length
  }
  let text = ''
  for (let at = 0; at < units.length; at += chunk) {
    text += String.fromCharCode(...units.slice(at, at + chunk))
  }
  return text
}

const chunk = 4096
/** Of the first byte, by the number of bytes. */
const leads = [0, 0, 0xc0, 0xe0, 0xf0] as const

function* codePoints(text: string): Generator<number> {
  for (const character of text) {
    const point = character.codePointAt(0) as number
    yield isSurrogate(point) ? 0xfffd : point
  }
}

function lengthOf(point: number): number {
  if (point < 0x80) return 1
  if (point < 0x800) return 2
  return point < 0x10000 ? 3 : 4
}

function isSurrogate(point: number): boolean {
  return point >= 0xd800 && point <= 0xdfff
}

function malformed(): WireError {
  return new WireError('ERR_MALFORMED', 'protobuf: text that is not UTF-8')
}
