/** Fields that several messages share, from the wire and to it. */
import { maxPeerIdLength } from '../../wire/limits.ts'
import type { PeerId } from '../core.ts'
import { malformed } from './decoding.ts'
import { authorKeyBytes, fromHex, toHex } from './dots.ts'
import { multicastLimits } from './limits.ts'
import type { AuthorKey, DotKey, FrontierDot, Range, VectorEntry } from './messages.ts'

/** Lengths of what travels as bytes and is handled as hexadecimal. */
export const hashBytes = 32
export const idBytes = 16
export const digestBytes = 16

const maxCounter = BigInt(multicastLimits.counter)
const maxSeq = BigInt(multicastLimits.seq)

interface WireDot {
  readonly author: Uint8Array
  readonly epoch: bigint
  readonly seq: bigint
}

interface WireEntry extends WireDot {
  readonly hash: bigint
}

/** Throws `WireError` beyond 2^52. */
export function counter(value: bigint, field: string): number {
  if (value > maxCounter) throw malformed(`a ${field} beyond 2^52`)
  return Number(value)
}

/** Zero stands for none, where that is allowed. */
export function seqOf(value: bigint): number {
  if (value > maxSeq) throw malformed('a seq beyond 2^40 - 1')
  return Number(value)
}

export function hexOf(bytes: Uint8Array, length: number, field: string): string {
  if (bytes.length !== length) throw malformed(`a ${field} of ${bytes.length} bytes`)
  return toHex(bytes)
}

export function authorOf(bytes: Uint8Array): AuthorKey {
  return hexOf(bytes, authorKeyBytes, 'author') as AuthorKey
}

/** Checks the shape only; whether a key stands behind it shows when a signature is verified. */
export function peerId(value: string): PeerId {
  if (value.length > maxPeerIdLength || !/^[0-9A-Za-z]+$/.test(value)) {
    throw malformed('a peer id that is none')
  }
  return value as PeerId
}

export function toEntry(wire: WireEntry): VectorEntry {
  return {
    author: authorOf(wire.author),
    epoch: counter(wire.epoch, 'epoch'),
    seq: seqOf(wire.seq),
    hash: wire.hash === 0n ? '' : wire.hash.toString(16).padStart(16, '0'),
  }
}

export function entryToWire(entry: VectorEntry) {
  return { ...dotToWire(entry), hash: entry.hash === '' ? 0n : BigInt(`0x${entry.hash}`) }
}

export function toFrontierDot(wire: WireDot & { below: readonly WireEntry[]; exact: boolean }): FrontierDot {
  const seq = seqOf(wire.seq)
  if (seq === 0) throw malformed('a dot without a seq')
  return {
    author: authorOf(wire.author),
    epoch: counter(wire.epoch, 'epoch'),
    seq,
    below: wire.below.map(toEntry),
    exact: wire.exact,
  }
}

export function frontierDotToWire(dot: FrontierDot) {
  return { ...dotToWire(dot), below: dot.below.map(entryToWire), exact: dot.exact }
}

interface WireRange {
  readonly author: Uint8Array
  readonly epoch: bigint
  readonly from: bigint
  readonly to: bigint
}

export function toRange(wire: WireRange): Range {
  const from = seqOf(wire.from)
  const to = seqOf(wire.to)
  if (from < 1 || to < from) throw malformed(`a range from ${from} to ${to}`)
  return { author: authorOf(wire.author), epoch: counter(wire.epoch, 'epoch'), from, to }
}

export function rangeToWire(range: Range): WireRange {
  return {
    author: fromHex(range.author),
    epoch: BigInt(range.epoch),
    from: BigInt(range.from),
    to: BigInt(range.to),
  }
}

function dotToWire(dot: DotKey): WireDot {
  return { author: fromHex(dot.author), epoch: BigInt(dot.epoch), seq: BigInt(dot.seq) }
}
