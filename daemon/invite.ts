/**
 * An invite: one line that lets a machine into a cluster.
 *
 * ```
 * p2pd-invite-1:<base64url of checksum ‖ JSON>
 * ```
 *
 * The checksum (first 8 bytes of SHA-256 over version and JSON) tells a torn or
 * edited line from a whole one; it protects from accidents, not from people:
 * who holds the line holds the secret.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { P2pdError } from '../lib/wire/errors.ts'

export interface Invite {
  readonly cluster: string
  /** The cluster secret: 32 bytes. */
  readonly secret: Uint8Array
  /** Where to dial, multiaddrs; at most 16. None where they are given otherwise. */
  readonly addresses: readonly string[]
  /** Peer id of the inviter; '' in an invite into a cluster that is yet to be founded. */
  readonly inviter: string
}

export const inviteLimits = {
  /** Of the whole file, comments included. */
  bytes: 64 * 1024,
  addresses: 16,
  addressChars: 512,
  secretBytes: 32,
} as const

const version = 1
const prefix = `p2pd-invite-${version}:`
const checksumBytes = 8

export function encodeInvite(invite: Invite): string {
  const payload = Buffer.from(
    JSON.stringify({
      cluster: invite.cluster,
      secret: Buffer.from(invite.secret).toString('base64url'),
      addresses: invite.addresses,
      inviter: invite.inviter,
    }),
  )
  return prefix + Buffer.concat([checksum(payload), payload]).toString('base64url')
}

/**
 * Blank lines and lines that begin with `#` are skipped, space around the line too.
 *
 * Throws ERR_INVITE_TORN for anything that is not one whole invite, and
 * ERR_INVITE_VERSION for one that another version made.
 */
export function decodeInvite(text: string): Invite {
  if (Buffer.byteLength(text) > inviteLimits.bytes) throw torn(`it exceeds ${inviteLimits.bytes} bytes`)
  const lines = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
  const [line] = lines
  if (line === undefined) throw torn('it is empty')
  if (lines.length > 1) throw torn('it has more than one line')
  return decodeLine(line)
}

function decodeLine(line: string): Invite {
  const named = /^p2pd-invite-(\d{1,9}):(.*)$/.exec(line)
  if (named === null) throw torn(`it does not begin with ${prefix}`)
  if (named[1] !== String(version)) {
    throw new P2pdError('ERR_INVITE_VERSION', `the invite is of version ${named[1]}, this is ${version}`, {
      hint: 'install the same version of p2pd on both machines',
    })
  }
  const encoded = named[2] ?? ''
  const bytes = Buffer.from(encoded, 'base64url')
  // Node skips what is not base64url, so compare with the one right spelling.
  if (bytes.toString('base64url') !== encoded) throw torn('it holds characters that do not belong there')
  const payload = bytes.subarray(checksumBytes)
  if (
    bytes.length <= checksumBytes ||
    !timingSafeEqual(bytes.subarray(0, checksumBytes), checksum(payload))
  ) {
    throw torn('its checksum does not match')
  }
  return parsePayload(payload.toString())
}

function parsePayload(json: string): Invite {
  let fields: unknown
  try {
    fields = JSON.parse(json)
  } catch {
    throw torn('its contents do not parse')
  }
  const cluster = field(fields, 'cluster')
  const secret = field(fields, 'secret')
  const addresses = field(fields, 'addresses')
  const inviter = field(fields, 'inviter')
  if (typeof cluster !== 'string' || typeof secret !== 'string' || typeof inviter !== 'string') {
    throw torn('a field is missing')
  }
  if (!Array.isArray(addresses) || addresses.length > inviteLimits.addresses)
    throw torn('its addresses are wrong')
  if (!addresses.every(isAddress)) throw torn('its addresses are wrong')
  const key = Buffer.from(secret, 'base64url')
  if (key.length !== inviteLimits.secretBytes) throw torn('its secret is of the wrong length')
  return { cluster, secret: new Uint8Array(key), addresses, inviter }
}

function isAddress(value: unknown): value is string {
  return typeof value === 'string' && value.length <= inviteLimits.addressChars
}

function checksum(payload: Uint8Array): Buffer {
  return createHash('sha256').update(prefix).update(payload).digest().subarray(0, checksumBytes)
}

function torn(why: string): P2pdError {
  return new P2pdError('ERR_INVITE_TORN', `this is not a whole invite: ${why}`, {
    hint: "make a new one with 'p2pd invite' and copy the whole line",
  })
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
