/**
 * A look at encoded protobuf before it is decoded.
 *
 * A decoder makes an object of every field that it meets: two bytes on the wire
 * are a hundred in memory, and a frame of 2 MiB holds a million of them. This
 * walk keeps nothing of what it reads, and refuses what repeats too often, what has too many
 * fields in all, what is of another wire type than the schema's (the decoder
 * would read on in the wrong place) and, where nothing may be added, unknown fields.
 */
import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf'
import { WireError } from './errors.ts'

export interface ShapeLimits {
  /** Most elements of each repeated field, by `Message.field`, as the schema spells them. */
  readonly repeats: Readonly<Record<string, number>>
  /** Names of messages that may hold no unknown field. */
  readonly closed: readonly string[]
}

/** What `checkShape` asks of one kind of message. */
export interface Shape {
  readonly name: string
  readonly closed: boolean
  /** By field number. */
  readonly fields: readonly (FieldShape | undefined)[]
}

interface FieldShape {
  readonly wireType: number
  readonly most: number
  readonly mostBytes: number
  readonly message: Shape | undefined
}

const varint = 0
const fixed64 = 1
const delimited = 2
const fixed32 = 5

/** Every repeated field under `schema` needs a limit: one without throws. No message may contain itself. */
export function shapeOf(schema: DescMessage, limits: ShapeLimits): Shape {
  const fields: (FieldShape | undefined)[] = []
  for (const field of schema.fields) fields[field.number] = fieldShape(schema, field, limits)
  return { name: schema.name, closed: limits.closed.includes(schema.name), fields }
}

function fieldShape(schema: DescMessage, field: DescField, limits: ShapeLimits): FieldShape {
  const once = { most: 1, mostBytes: Number.POSITIVE_INFINITY, message: undefined }
  if (field.fieldKind === 'scalar') return { ...once, wireType: wireTypeOf(field.scalar) }
  if (field.fieldKind === 'message') {
    return { ...once, wireType: delimited, message: shapeOf(field.message, limits) }
  }
  const most = limits.repeats[`${schema.name}.${field.name}`]
  if (field.fieldKind !== 'list' || most === undefined) {
    throw new Error(`${schema.name}.${field.name} has no limit`)
  }
  if (field.listKind === 'message') {
    return { ...once, wireType: delimited, most, message: shapeOf(field.message, limits) }
  }
  // Ten bytes are the longest varint: what is packed is bounded before it is unpacked.
  if (field.packed) return { ...once, wireType: delimited, mostBytes: 10 * most }
  return { ...once, wireType: delimited, most }
}

function wireTypeOf(scalar: ScalarType): number {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return delimited
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
    case ScalarType.DOUBLE:
      return fixed64
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
    case ScalarType.FLOAT:
      return fixed32
    default:
      return varint
  }
}

/** Throws `WireError` ERR_MALFORMED. `mostFields` counts every field of every message in `bytes`. */
export function checkShape(bytes: Uint8Array, shape: Shape, mostFields: number): void {
  walk({ bytes, at: 0, left: mostFields }, bytes.length, shape)
}

interface Cursor {
  readonly bytes: Uint8Array
  at: number
  /** Fields that may still come. */
  left: number
}

function walk(cursor: Cursor, end: number, shape: Shape): void {
  const seen: number[] = []
  while (cursor.at < end) {
    cursor.left -= 1
    if (cursor.left < 0) throw malformed('too many fields')
    const tag = uint32(cursor)
    const wireType = tag & 7
    const number = tag >>> 3
    const field = shape.fields[number]
    if (field === undefined) {
      if (shape.closed || number === 0) throw malformed(`unknown field ${number} of ${shape.name}`)
      skip(cursor, wireType)
      continue
    }
    if (wireType !== field.wireType) throw malformed(`field ${number} of ${shape.name} has another type`)
    const count = (seen[number] ?? 0) + 1
    if (count > field.most) throw malformed(`field ${number} of ${shape.name} more than ${field.most} times`)
    seen[number] = count
    enter(cursor, end, field)
  }
  if (cursor.at !== end) throw malformed(`a ${shape.name} that ends inside a field`)
}

function enter(cursor: Cursor, end: number, field: FieldShape): void {
  if (field.wireType !== delimited) {
    skip(cursor, field.wireType)
    return
  }
  const length = uint32(cursor)
  if (length > field.mostBytes || cursor.at + length > end) throw malformed('a field that is too long')
  if (field.message === undefined) cursor.at += length
  else walk(cursor, cursor.at + length, field.message)
}

function skip(cursor: Cursor, wireType: number): void {
  switch (wireType) {
    case varint:
      skipVarint(cursor)
      break
    case fixed64:
      cursor.at += 8
      break
    case delimited: {
      const length = uint32(cursor)
      cursor.at += length
      break
    }
    case fixed32:
      cursor.at += 4
      break
    default:
      throw malformed(`wire type ${wireType}`)
  }
}

function skipVarint(cursor: Cursor): void {
  for (let length = 1; length <= 10; length++) {
    const byte = cursor.bytes[cursor.at++]
    if (byte === undefined) break
    if (byte < 0x80) return
  }
  throw malformed('a number that does not end')
}

function uint32(cursor: Cursor): number {
  let value = 0
  let scale = 1
  for (let length = 1; length <= 5; length++) {
    const byte = cursor.bytes[cursor.at++]
    if (byte === undefined) break
    value += (byte & 0x7f) * scale
    if (byte < 0x80 && value <= 0xffff_ffff) return value
    if (byte < 0x80) break
    scale *= 128
  }
  throw malformed('a tag or a length beyond 32 bits')
}

function malformed(what: string): WireError {
  return new WireError('ERR_MALFORMED', `protobuf: ${what}`)
}
