/** Payloads as JSON carries them: text where they are text, base64 otherwise. Nothing is ever altered on the way. */
import { isUtf8 } from 'node:buffer'
import { P2pdError } from '../../lib/wire/errors.ts'
import { maxPayloadBytes, payloadTooLarge } from '../payload-limit.ts'
import { limits } from './schemas.ts'

export interface EncodedPayload {
  readonly data: string
  readonly encoding: 'utf8' | 'base64'
}

export function encodePayload(bytes: Uint8Array): EncodedPayload {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const encoding = isUtf8(buffer) ? 'utf8' : 'base64'
  return { data: buffer.toString(encoding), encoding }
}

/** Throws ERR_TOO_LARGE before anything is decoded, and ERR_BAD_REQUEST for what would not come out as it went in. */
export function decodePayload({ data, encoding }: EncodedPayload): Uint8Array {
  if (data.length > limits.payloadChars) throw payloadTooLarge()
  const bytes = Buffer.from(data, encoding)
  if (bytes.byteLength > maxPayloadBytes) throw payloadTooLarge()
  if (bytes.toString(encoding) !== data) throw encoding === 'utf8' ? badText() : badBase64()
  return bytes
}

function badText(): P2pdError {
  return new P2pdError('ERR_BAD_REQUEST', 'data: half a surrogate pair is no UTF-8', {
    hint: 'send bytes that are no text as base64',
  })
}

function badBase64(): P2pdError {
  return new P2pdError('ERR_BAD_REQUEST', 'data: not base64', {
    hint: 'the alphabet of RFC 4648 section 4 with its padding, and nothing around it',
  })
}
