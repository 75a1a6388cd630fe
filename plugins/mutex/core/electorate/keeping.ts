/** Where the electorate's half keeps what, and the small records that are its own. */

import type { PeerId } from '../../../../lib/protocols/core.ts'
import { P2pdError } from '../../../../lib/wire/errors.ts'
import { ProtoReader } from '../../../../lib/wire/reader.ts'
import { ProtoWriter } from '../../../../lib/wire/writer.ts'
import type { ElectorateId, Stamp } from './messages.ts'

export const electorateKeys = {
  /** How this peer came to the cluster: without it, an identity has lost its disk. */
  origin: 'origin',
  /** The charter, as a chain without links. */
  charter: 'charter',
  /** The decision that follows that version. */
  link: (version: number): string => `link/${version}`,
  linkPrefix: 'link/',
  /** The chain of an electorate that was given up. */
  gone: (id: ElectorateId): string => `gone/${id}`,
  gonePrefix: 'gone/',
  /** The version that requests go to. */
  live: 'live',
  /** What it promised and accepted of the next decision. */
  acceptor: 'acceptor',
  /** The last version after which it said that it would vote. */
  ready: 'ready',
  /** Found void: at which version, and the highest own stamp that others told of. */
  voided: 'voided',
  /** The stamp that nobody has vouched for yet. */
  base: 'base',
  /** Others have heard of this electorate. */
  met: 'met',
  /** Of another voter. */
  stamp: (peer: PeerId): string => `stamp/${peer}`,
  stampPrefix: 'stamp/',
} as const

const format = 1
const mostNumbers = 8
const writer = new ProtoWriter()

/** A few whole numbers. */
export function encodeNumbers(...numbers: readonly number[]): Uint8Array {
  writer.begin()
  writer.uint(1, format)
  writer.packedUints(2, numbers)
  return writer.finish()
}

/** As many as `count`. Throws `P2pdError` ERR_STORE_CORRUPT. */
export function decodeNumbers(what: string, bytes: Uint8Array, count: number): readonly number[] {
  const numbers = readNumbers(bytes)
  if (numbers?.length === count) return numbers
  throw new P2pdError('ERR_STORE_CORRUPT', `the stored ${what} of the electorate cannot be read`, {
    hint: 'restore the data directory, or move it away and join again as a new peer',
  })
}

function readNumbers(bytes: Uint8Array): readonly number[] | undefined {
  try {
    const reader = new ProtoReader(bytes, 'numbers')
    if (reader.next() !== 1 || reader.uint() !== format || reader.next() !== 2) return undefined
    const numbers = reader.uints(mostNumbers)
    return reader.next() === 0 && numbers.every(Number.isSafeInteger) ? numbers : undefined
  } catch {
    return undefined
  }
}

export function encodeStampPair(first: Stamp, second: Stamp): Uint8Array {
  return encodeNumbers(first.generation, first.write, second.generation, second.write)
}

export function decodeStampPair(bytes: Uint8Array): readonly [Stamp, Stamp] {
  const [a = 0, b = 0, c = 0, d = 0] = decodeNumbers('stamp', bytes, 4)
  return [
    { generation: a, write: b },
    { generation: c, write: d },
  ]
}
