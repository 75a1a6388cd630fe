/**
 * Signed statements: a member's record, signed by its owner, and an accusation,
 * signed by its accuser.
 *
 * The signature covers a domain tag and the received bytes of the body. Nothing
 * is re-encoded to verify or to relay, because protobuf is not canonical and a
 * newer version's fields must survive. Decoding checks every limit first.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { WireError } from '../../wire/errors.ts'
import {
  type AccusationBody,
  AccusationBodySchema,
  type RecordBody,
  RecordBodySchema,
  SignedSchema,
  type Tag,
  Charge as WireCharge,
  Presence as WirePresence,
  type Signed as WireSigned,
} from '../../wire/gen/membership_pb.ts'
import { isGroupName } from '../../wire/group-name.ts'
import { maxAddresses, maxAddressLength, maxGroups, maxTags } from '../../wire/limits.ts'
import { isTagKey, isTagValue } from '../../wire/tag.ts'
import { ascii, concat } from '../bytes.ts'
import type { Crypto, PeerId } from '../core.ts'
import type { Accusation, Charge, MemberRecord, Presence, Signed, Tags } from './messages.ts'

/** Refused before anything is kept. Lengths of text are in UTF-16 units, as `length` counts them. */
export const statementLimits = {
  recordBytes: 40 * 1024,
  accusationBytes: 1024,
  addresses: maxAddresses,
  addressLength: maxAddressLength,
  /** With names of 64 characters 17 KiB: with all else at its limit a record still fits `recordBytes`. */
  groups: maxGroups,
  /** With keys and values at their longest 10 KiB: with all else at its limit a record has 37 KiB. */
  tags: maxTags,
  nameLength: 128,
  versionLength: 64,
  peerIdLength: 64,
  clusterLength: 64,
  /** Generations and incarnations: exact in a double, with room to count on. */
  counter: 2 ** 52,
} as const

/** Makes and opens the statements of one kind. */
interface Kind<Body> {
  encode(body: Body): Uint8Array
  decode(bytes: Uint8Array): Body
  readonly tag: Uint8Array
  readonly maxBytes: number
  signer(body: Body): PeerId
}

const recordKind: Kind<MemberRecord> = {
  tag: ascii('p2pd membership record 1\0'),
  maxBytes: statementLimits.recordBytes,
  signer: (record) => record.peer,
  encode: (record) =>
    toBinary(
      RecordBodySchema,
      create(RecordBodySchema, {
        cluster: record.cluster,
        peer: record.peer,
        generation: BigInt(record.generation),
        incarnation: BigInt(record.incarnation),
        presence: presences[record.presence],
        addresses: [...record.addresses],
        name: record.name,
        version: record.version,
        groups: [...record.groups],
        tags: tagEntries(record.tags).map(([key, value]) => ({ key, value })),
      }),
    ),
  decode: (bytes) => toRecord(fromBinary(RecordBodySchema, bytes)),
}

const accusationKind: Kind<Accusation> = {
  tag: ascii('p2pd membership accusation 1\0'),
  maxBytes: statementLimits.accusationBytes,
  signer: (accusation) => accusation.accuser,
  encode: (accusation) =>
    toBinary(
      AccusationBodySchema,
      create(AccusationBodySchema, {
        charge: charges[accusation.charge],
        cluster: accusation.cluster,
        subject: accusation.subject,
        generation: BigInt(accusation.generation),
        incarnation: BigInt(accusation.incarnation),
        accuser: accusation.accuser,
        accuserGeneration: BigInt(accusation.accuserGeneration),
      }),
    ),
  decode: (bytes) => toAccusation(fromBinary(AccusationBodySchema, bytes)),
}

export function signRecord(record: MemberRecord, crypto: Crypto): Signed<MemberRecord> {
  return seal(recordKind, record, crypto)
}

export function signAccusation(accusation: Accusation, crypto: Crypto): Signed<Accusation> {
  return seal(accusationKind, accusation, crypto)
}

export function recordIsSigned(signed: Signed<MemberRecord>, crypto: Crypto): boolean {
  return isSigned(recordKind, signed, crypto)
}

export function accusationIsSigned(signed: Signed<Accusation>, crypto: Crypto): boolean {
  return isSigned(accusationKind, signed, crypto)
}

/** One incarnation of a member. */
export type Incarnation = Pick<MemberRecord, 'peer' | 'generation' | 'incarnation'>

/** Whether it is of that very incarnation, in this cluster. */
export function isAbout(accusation: Accusation, subject: Incarnation, cluster: string): boolean {
  return (
    accusation.cluster === cluster &&
    accusation.subject === subject.peer &&
    accusation.generation === subject.generation &&
    accusation.incarnation === subject.incarnation
  )
}

/** Decodes within limits; the signature is not yet verified. Throws `WireError`. */
export function openRecord(wire: WireSigned): Signed<MemberRecord> {
  return open(recordKind, wire)
}

/** Decodes within limits; the signature is not yet verified. Throws `WireError`. */
export function openAccusation(wire: WireSigned): Signed<Accusation> {
  return open(accusationKind, wire)
}

export function toWire(signed: Signed<unknown>): WireSigned {
  return create(SignedSchema, { body: signed.bytes, signature: signed.signature })
}

function seal<Body>(kind: Kind<Body>, body: Body, crypto: Crypto): Signed<Body> {
  const bytes = kind.encode(body)
  return { body, bytes, signature: crypto.sign(concat(kind.tag, bytes)) }
}

function isSigned<Body>(kind: Kind<Body>, signed: Signed<Body>, crypto: Crypto): boolean {
  return crypto.verify(kind.signer(signed.body), concat(kind.tag, signed.bytes), signed.signature)
}

function open<Body>(kind: Kind<Body>, wire: WireSigned): Signed<Body> {
  if (wire.body.length > kind.maxBytes) throw malformed(`a signed body of ${wire.body.length} bytes`)
  if (wire.signature.length > 128) throw malformed('a signature of more than 128 bytes')
  // Copies: what protobuf gives are views, and one kept record would keep its whole packet in memory.
  return { body: kind.decode(wire.body), bytes: wire.body.slice(), signature: wire.signature.slice() }
}

const presences = {
  alive: WirePresence.ALIVE,
  left: WirePresence.LEFT,
  stopping: WirePresence.STOPPING,
} as const satisfies Record<Presence, WirePresence>

const charges = {
  suspected: WireCharge.SUSPECTED,
  refused: WireCharge.REFUSED,
  dismissed: WireCharge.DISMISSED,
} as const satisfies Record<Charge, WireCharge>

function toRecord(body: RecordBody): MemberRecord {
  if (body.addresses.length > statementLimits.addresses) throw malformed('more than 16 addresses')
  for (const address of body.addresses) text(address, statementLimits.addressLength, 'address')
  return {
    cluster: text(body.cluster, statementLimits.clusterLength, 'cluster'),
    peer: peerId(body.peer),
    generation: counter(body.generation, 'generation'),
    incarnation: counter(body.incarnation, 'incarnation'),
    presence: named(presences, body.presence, 'presence'),
    addresses: body.addresses,
    name: text(body.name, statementLimits.nameLength, 'name'),
    version: text(body.version, statementLimits.versionLength, 'version'),
    groups: groups(body.groups),
    tags: tags(body.tags),
  }
}

function toAccusation(body: AccusationBody): Accusation {
  return {
    charge: named(charges, body.charge, 'charge'),
    cluster: text(body.cluster, statementLimits.clusterLength, 'cluster'),
    subject: peerId(body.subject),
    generation: counter(body.generation, 'generation'),
    incarnation: counter(body.incarnation, 'incarnation'),
    accuser: peerId(body.accuser),
    accuserGeneration: counter(body.accuserGeneration, 'accuser generation'),
  }
}

/** The domain's name of a wire enum's value. Throws `WireError` for one that this version does not know. */
export function named<Name extends string>(
  table: Readonly<Record<Name, number>>,
  value: number,
  field: string,
): Name {
  for (const name in table) if (table[name] === value) return name
  throw malformed(`an unknown ${field}`)
}

/** A wire counter as an exact number. Throws `WireError` beyond 2^52. */
export function counter(value: bigint, field: string): number {
  if (value > BigInt(statementLimits.counter)) throw malformed(`a ${field} beyond 2^52`)
  return Number(value)
}

/** Checks the shape only; whether a key stands behind it shows when a signature is verified. */
export function peerId(value: string): PeerId {
  if (value.length > statementLimits.peerIdLength || !/^[0-9A-Za-z]+$/.test(value)) {
    throw malformed('a peer id that is none')
  }
  return value as PeerId
}

/** Throws `WireError` for what cannot name a group. */
export function groupName(value: string): string {
  if (!isGroupName(value)) throw malformed('a group name that is none')
  return value
}

/** In rising order, each once, so that one membership has one form. */
function groups(names: readonly string[]): readonly string[] {
  if (names.length > statementLimits.groups) throw malformed(`${names.length} groups`)
  for (const [i, name] of names.entries()) {
    if (groupName(name) <= (names[i - 1] ?? '')) throw malformed('groups out of order')
  }
  return names
}

/** In rising order of keys. An object cannot keep it: of its keys those that look like numbers come first. */
export function tagEntries(tags: Tags): readonly (readonly [key: string, value: string])[] {
  return Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1))
}

/** In rising order of keys, each once. */
function tags(entries: readonly Tag[]): Tags {
  if (entries.length > statementLimits.tags) throw malformed(`${entries.length} tags`)
  let last = ''
  for (const { key, value } of entries) {
    if (!isTagKey(key) || !isTagValue(value)) throw malformed('a tag that is none')
    if (key <= last) throw malformed('tags out of order')
    last = key
  }
  return Object.fromEntries(entries.map(({ key, value }) => [key, value]))
}

export function malformed(what: string): WireError {
  return new WireError('ERR_MALFORMED', `membership: ${what}`)
}

/** Text for tables and logs: bounded, and of printable ASCII, which can neither repaint nor reorder a line. */
function text(value: string, maxLength: number, field: string): string {
  if (value.length > maxLength) throw malformed(`a ${field} of ${value.length} characters`)
  if (!/^[ -~]*$/.test(value)) throw malformed(`a ${field} that is not printable ASCII`)
  return value
}
