/**
 * Messages that are not on the hot path: said field by field, and written and read by that.
 * One line a field holds its number in the schema, its form, its limit, and whether it may be absent.
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import type { ProtoReader } from '../../../../lib/wire/reader.ts'
import type { ProtoWriter } from '../../../../lib/wire/writer.ts'
import {
  append,
  type Enumeration,
  malformed,
  readDuration,
  readId,
  readLease,
  readName,
  readPeer,
  readReason,
  readSignature,
  writeDuration,
  writeLease,
  writeReason,
} from './scalars.ts'

/** As a field of another message. */
export interface Part<T> {
  write(writer: ProtoWriter, number: number, value: T): void
  /** Throws `WireError`. */
  read(outer: ProtoReader): T
}

export interface Message<T> extends Part<T> {
  /** The number of its field that may come again; 0 for none. */
  readonly repeats: number
  /** Inside no other. */
  writeFields(writer: ProtoWriter, value: T): void
  /** Up to the reader's end. Throws `WireError`. */
  readFields(reader: ProtoReader): T
}

export interface Field<T> {
  readonly number: number
  write(writer: ProtoWriter, value: T): void
  /** `before`: what the field has been read as already; of lists alone. */
  read(reader: ProtoReader, before: T | undefined): T
  /** What it is when it does not come; without this it has to. */
  readonly absent?: () => T
  readonly repeats?: true
}

type Fields<T> = { readonly [Name in keyof T]-?: Field<T[Name]> }

/** In the order of their numbers. `check` throws `WireError` for what no single field shows. At most one field is a list. */
export function messageOf<T extends object>(
  name: string,
  fields: Fields<T>,
  check?: (value: T) => void,
): Message<T> {
  const named = (Object.keys(fields) as (keyof T & string)[]).map((key) => [key, fields[key]] as const)
  const repeats = named.find(([, field]) => field.repeats)?.[1].number ?? 0
  const writeFields = (writer: ProtoWriter, value: T): void => {
    for (const [key, field] of named) field.write(writer, value[key])
  }
  const readFields = (reader: ProtoReader): T => {
    const value = readValue(name, named, reader)
    check?.(value)
    return value
  }
  return {
    repeats,
    writeFields,
    readFields,
    write(writer, number, value) {
      const mark = writer.open(number)
      writeFields(writer, value)
      writer.close(mark)
    },
    read: (outer) => readFields(outer.message(name, repeats)),
  }
}

type NamedField<T> = readonly [key: keyof T & string, field: Field<T[keyof T & string]>]

function readValue<T extends object>(name: string, named: readonly NamedField<T>[], reader: ProtoReader): T {
  const value: Partial<T> = {}
  for (let number = reader.next(); number !== 0; number = reader.next()) {
    const known = named.find(([, field]) => field.number === number)
    if (known === undefined) return reader.unknown()
    const [key, field] = known
    value[key] = field.read(reader, value[key])
  }
  for (const [key, field] of named) {
    if (key in value) continue
    if (field.absent === undefined) throw malformed(`a ${name} without its ${key}`)
    value[key] = field.absent()
  }
  return value as T
}

/** At most 2^53 - 1. */
export function count(number: number): Field<number> {
  return {
    number,
    write: (writer, value) => writer.uint(number, value),
    read: (reader) => reader.count(),
    absent: () => 0,
  }
}

/** Ms, rounded up to whole ones; at most a day. */
export function duration(number: number): Field<number> {
  return {
    number,
    write: (writer, value) => writeDuration(writer, number, value),
    read: readDuration,
    absent: () => 0,
  }
}

/** Ms, rounded down to whole ones; at least 1, at most a day. */
export function lease(number: number): Field<number> {
  return { number, write: (writer, value) => writeLease(writer, number, value), read: readLease }
}

export function bool(number: number): Field<boolean> {
  return {
    number,
    write: (writer, value) => writer.bool(number, value),
    read: (reader) => reader.bool(),
    absent: () => false,
  }
}

export function double(number: number): Field<number> {
  return {
    number,
    write: (writer, value) => writer.double(number, value),
    read: (reader) => reader.double(),
    absent: () => 0,
  }
}

/** 16 bytes, as 32 hexadecimal digits. */
export function id<Id extends string>(number: number): Field<Id> {
  return {
    number,
    write: (writer, value) => writer.hex(number, value),
    read: (reader) => readId(reader) as Id,
  }
}

export function peer(number: number): Field<PeerId> {
  return { number, write: (writer, value) => writer.ascii(number, value), read: readPeer }
}

/** Of a lock. */
export function name(number: number): Field<string> {
  return { number, write: (writer, value) => writer.text(number, value), read: readName }
}

export function reason(number: number): Field<string> {
  return {
    number,
    write: (writer, value) => writeReason(writer, number, value),
    read: readReason,
    absent: () => '',
  }
}

export function signature(number: number): Field<Uint8Array> {
  return { number, write: (writer, value) => writer.bytes(number, value), read: readSignature }
}

export function oneOf<Name extends string>(number: number, names: Enumeration<Name>): Field<Name> {
  return {
    number,
    write: (writer, value) => names.write(writer, number, value),
    read: (reader) => names.read(reader),
  }
}

export function part<T>(number: number, message: Part<T>): Field<T> {
  return { number, write: (writer, value) => message.write(writer, number, value), read: message.read }
}

/** Undefined when it does not come. */
export function optional<T>(field: Field<T>): Field<T | undefined> {
  return {
    number: field.number,
    write: (writer, value) => {
      if (value !== undefined) field.write(writer, value)
    },
    read: field.read,
    absent: () => undefined,
  }
}

/** Any number of them up to `most`; `what` is for errors. */
export function list<T>(of: Field<T>, most: number, what: string): Field<readonly T[]> {
  return {
    number: of.number,
    write: (writer, values) => {
      for (const value of values) of.write(writer, value)
    },
    read: (reader, before) => {
      // Its own of this message, begun by the first element below.
      const values = (before ?? []) as T[]
      append(values, of.read(reader, undefined), most, what)
      return values
    },
    absent: () => [],
    repeats: true,
  }
}
