/** How multicast's decoders refuse. */
import { WireError } from '../../wire/errors.ts'

export function malformed(what: string): WireError {
  return new WireError('ERR_MALFORMED', `multicast: ${what}`)
}

export function tooLarge(what: string): WireError {
  return new WireError('ERR_TOO_LARGE', `multicast: ${what}`)
}

/** Runs a decoder: what it throws is a `WireError`. */
export function decoding<T>(what: string, decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    if (cause instanceof WireError) throw cause
    throw new WireError('ERR_MALFORMED', `multicast: not a ${what}`, { cause })
  }
}
