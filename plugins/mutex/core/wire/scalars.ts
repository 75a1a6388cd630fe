/** Numbers, texts and ids, to the wire and from it. Readers throw `WireError`. */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { WireError } from '../../../../lib/wire/errors.ts'
import { maxPeerIdLength } from '../../../../lib/wire/limits.ts'
import type { ProtoReader } from '../../../../lib/wire/reader.ts'
import { TextMemory } from '../../../../lib/wire/text-memory.ts'
import { utf8Text } from '../../../../lib/wire/utf8.ts'
import type { ProtoWriter } from '../../../../lib/wire/writer.ts'
import type { ElectorateId } from '../electorate/messages.ts'
import { mutexLimits } from '../limits.ts'
import { isLockName } from '../lock-name.ts'

export function malformed(what: string): WireError {
  return new WireError('ERR_MALFORMED', `mutex: ${what}`)
}

/** Runs a decoder: what it throws is a `WireError`. */
export function decoding<T>(what: string, decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    if (cause instanceof WireError) throw cause
    throw new WireError('ERR_MALFORMED', `mutex: not a ${what}`, { cause })
  }
}

/** For what a message cannot do without. */
export function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw malformed(`no ${what}`)
  return value
}

/** Appends, within a limit. */
export function append<T>(list: T[], value: T, most: number, what: string): void {
  if (list.length >= most) throw malformed(`more than ${most} ${what}`)
  list.push(value)
}

const peers = new TextMemory(maxPeerIdLength, (bytes) => {
  const text = String.fromCharCode(...bytes)
  if (!/^[0-9A-Za-z]+$/.test(text)) throw malformed('a peer id that is none')
  return text
})

const names = new TextMemory(mutexLimits.nameBytes, (bytes) => {
  const text = utf8Text(bytes)
  if (!isLockName(text)) throw malformed('a name that is none')
  return text
})

const idBytes = 16
/** Of all votes of a peer, see `digestOf`. */
export const digestBytes = 8
const ids = new TextMemory(idBytes, (bytes) => hexText(bytes, idBytes))

/** Its shape only; whether a key stands behind it shows when a signature is verified. */
export function readPeer(reader: ProtoReader): PeerId {
  return reader.text(peers) as PeerId
}

export function readName(reader: ProtoReader): string {
  return reader.text(names)
}

/** Of 16 bytes, as 32 hexadecimal digits. */
export function readId(reader: ProtoReader): string {
  return reader.text(ids)
}

export function readElectorateId(reader: ProtoReader): ElectorateId {
  return readId(reader) as ElectorateId
}

export function hexText(bytes: Uint8Array, length: number): string {
  if (bytes.length !== length) throw malformed(`an id of ${bytes.length} bytes`)
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}

/** Printable ASCII, which can neither repaint nor reorder a line. */
export function readReason(reader: ProtoReader): string {
  const bytes = reader.bytes()
  if (bytes.length > mutexLimits.reasonLength) throw malformed(`a reason of ${bytes.length} bytes`)
  const text = String.fromCharCode(...bytes)
  if (!/^[ -~]*$/.test(text)) throw malformed('a reason that is not printable ASCII')
  return text
}

/** What does not fit is cut off, and what is not printable ASCII becomes a question mark. */
export function writeReason(writer: ProtoWriter, field: number, reason: string): void {
  writer.ascii(field, reason.slice(0, mutexLimits.reasonLength).replace(/[^ -~]/g, '?'))
}

/** Whole ms, up to a day. */
export function readDuration(reader: ProtoReader): number {
  const ms = reader.uint()
  if (ms > mutexLimits.durationMs) throw malformed('a time of more than a day')
  return ms
}

/** Rounded up: what blocks somebody may do so a little longer, never shorter. */
export function writeDuration(writer: ProtoWriter, field: number, ms: number): void {
  writer.uint(field, Math.max(0, Math.ceil(ms)))
}

/** Whole ms, from 1 to a day. */
export function readLease(reader: ProtoReader): number {
  const ms = readDuration(reader)
  if (ms === 0) throw malformed('a lease of nothing')
  return ms
}

/** Rounded down: who holds something may do so a little shorter, never longer. */
export function writeLease(writer: ProtoWriter, field: number, ms: number): void {
  writer.uint(field, Math.max(0, Math.floor(ms)))
}

/** A copy: a view would keep the whole frame in memory, and of a Buffer `slice` is a view. */
export function readSignature(reader: ProtoReader): Uint8Array {
  const bytes = reader.bytes()
  if (bytes.length === 0 || bytes.length > mutexLimits.signatureBytes) {
    throw malformed(`a signature of ${bytes.length} bytes`)
  }
  return new Uint8Array(bytes)
}

/** Names of this code for values of an enum on the wire, and back. */
export class Enumeration<Name extends string> {
  readonly #names: readonly Name[]

  /** In the order of the schema, whose value 0 is nothing's. */
  constructor(...names: readonly Name[]) {
    this.#names = names
  }

  write(writer: ProtoWriter, field: number, name: Name): void {
    writer.uint(field, this.#names.indexOf(name) + 1)
  }

  read(reader: ProtoReader): Name {
    const name = this.#names[reader.uint() - 1]
    if (name === undefined) throw malformed('a value that is none of its kind')
    return name
  }
}
