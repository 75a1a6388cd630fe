/** How much a message holds, for both sides of the control API; loads no package. */
import { multicastLimits } from '../lib/protocols/multicast/limits.ts'
import { P2pdError } from '../lib/wire/errors.ts'

export const maxPayloadBytes = multicastLimits.payloadBytes

/** `where` is what the message begins with. */
export function payloadTooLarge(where = ''): P2pdError {
  return new P2pdError('ERR_TOO_LARGE', `${where}a message holds at most ${maxPayloadBytes} bytes`, {
    hint: 'split it, or publish where it can be fetched',
  })
}
