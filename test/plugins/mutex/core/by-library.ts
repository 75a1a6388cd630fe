/**
 * The same message as the protobuf library reads it and as this code says it, both
 * brought to one plain form: defaults left out, bytes as hexadecimal digits, values of
 * enums as the schema spells them.
 */
import assert from 'node:assert/strict'
import { type DescEnum, type DescMessage, fromBinary, toBinary } from '@bufbuild/protobuf'
import * as schema from '../../../../lib/wire/gen/mutex_pb.ts'
import type { AnsweringItem, AskingItem, Frame, PeerItem } from '../../../../plugins/mutex/core/messages.ts'

/** Read by the library and written by it again; what the schema does not know is lost on the way. */
export function throughTheLibrary(desc: DescMessage, bytes: Uint8Array): Uint8Array {
  return toBinary(desc, fromBinary(desc, bytes, { readUnknownFields: false }))
}

/** A frame as the library reads it. */
export function asRead(bytes: Uint8Array): unknown {
  return plain(fromBinary(schema.FrameSchema, bytes), '')
}

/** `owner`: whose the requests are that name nobody. */
function plain(value: unknown, owner: string): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map((element) => plain(element, owner))
  if (typeof value !== 'object' || value === null) return value
  const message = value as Record<string, unknown>
  const named = typeof message.owner === 'string' ? message.owner : owner
  const entries = Object.entries(message).map(([key, field]): readonly [string, unknown] => {
    if (key === 'kind' && isOneOf(field)) return [field.case, plain(field.value, named)]
    if (key === 'peer' && message.$typeName === 'p2pd.mutex.v1.RequestId') return [key, field || named]
    return [key, plain(field, named)]
  })
  return filled(entries.filter(([key]) => key !== '$typeName' && key !== 'owner'))
}

function isOneOf(field: unknown): field is { readonly case: string; readonly value: unknown } {
  return typeof field === 'object' && field !== null && 'case' in field
}

/** What is not left out as a default. Messages stay, also empty ones: that they are there says something. */
function filled(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const isDefault = (value: unknown) =>
    value === undefined ||
    value === 0 ||
    value === '' ||
    value === false ||
    (Array.isArray(value) && value.length === 0)
  return Object.fromEntries(entries.filter(([, value]) => !isDefault(value)))
}

/** A frame as this code says it, under the names of the schema. */
export function asSaid(frame: Frame): unknown {
  const { id, asking, answering, items, ...rest } = frame
  return said({
    ...rest,
    electorate: id,
    asking: asking && { ...asking, items: asking.items.map(kindOf) },
    answering: answering && { ...answering, items: answering.items.map(kindOf) },
    items: items.map(kindOf),
  })
}

/** The item under its name in the schema. */
function kindOf(item: AskingItem | AnsweringItem | PeerItem): Record<string, unknown> {
  const { type, ...body } = item
  switch (item.type) {
    case 'request':
      return { request: item.request }
    case 'renew':
      return { renew: item.digest }
    case 'relinquish':
    case 'inquire':
      return { [item.type]: item.vote }
    case 'signed':
      return { signed: item.votes }
    case 'answer': {
      const { type: progress, ...rest } = item.answer
      return {
        answer: { request: item.request, progress: numberOf(schema.ProgressSchema, progress), ...rest },
      }
    }
    case 'refused':
      return { refused: { ...body, reason: numberOf(schema.RefusalSchema, item.reason) } }
    case 'unavailable':
      return { unavailable: { reason: numberOf(schema.UnavailabilitySchema, item.reason) } }
    case 'wish': {
      const kind = numberOf(schema.WishKindSchema, item.wish.type)
      return { wish: { token: item.token, wish: { kind, peer: item.wish.peer } } }
    }
    case 'wish-answer':
      return { wishAnswer: { ...body, outcome: numberOf(schema.OutcomeSchema, item.outcome) } }
    case 'ready?':
      return { readyAsked: body }
    default:
      return { [type.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())]: body }
  }
}

function said(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(said)
  if (typeof value !== 'object' || value === null) return value
  const message = value as Record<string, unknown>
  if (message.type === 'voters') {
    const replaced = message.replaced as readonly string[]
    return {
      voters: { peers: message.voters },
      ...(replaced.length > 0 ? { replaced: { peers: replaced } } : {}),
    }
  }
  if (message.type === 'dissolved') return { dissolvedInto: message.into }
  return filled(
    Object.entries(message).map(([key, field]) => {
      if (key === 'quorumSystem') return [key, numberOf(schema.QuorumSystemSchema, field as string)]
      return [key === 'bytes' ? 'statements' : key, said(field)]
    }),
  )
}

/** Names in an enum of the schema have the enum's own before theirs. */
function numberOf(desc: DescEnum, name: string): number {
  const prefix = desc.name.replace(/(?<=[a-z])(?=[A-Z])/g, '_')
  const full = `${prefix}_${name.replaceAll('-', '_')}`.toUpperCase()
  const value = desc.values.find((each) => each.name === full)
  assert.ok(value, full)
  return value.number
}
