/**
 * What stands before the control API when it listens on TCP.
 *
 * Loopback is not a boundary: any local user can connect, and any web page can
 * make a browser do so, with a Host of its choice when it rebinds its name. So a
 * bearer token is asked for, the Host must be ours, and a request that names an
 * Origin must name one that was allowed.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { P2pdError } from '../../lib/wire/errors.ts'

export interface LoopbackGuard {
  readonly token: string
  /** Accepted Host headers, lower case, with port. */
  readonly hosts: readonly string[]
  readonly origins: readonly string[]
}

/** Throws ERR_FOREIGN_HOST, ERR_FOREIGN_ORIGIN or ERR_UNAUTHORIZED. */
export function assertAllowed(guard: LoopbackGuard, headers: IncomingHttpHeaders): void {
  const host = headers.host?.toLowerCase()
  if (host === undefined || !guard.hosts.includes(host)) {
    throw new P2pdError('ERR_FOREIGN_HOST', 'this Host is not served here', {
      hint: 'add it to control.hosts in the config file if it is meant to be',
    })
  }
  const { origin } = headers
  if (origin !== undefined && !guard.origins.includes(origin.toLowerCase())) {
    throw new P2pdError('ERR_FOREIGN_ORIGIN', 'this Origin may not use the control API', {
      hint: 'add it to control.origins in the config file if it is meant to',
    })
  }
  const token = /^Bearer ([\x21-\x7e]+)$/i.exec(headers.authorization ?? '')?.[1]
  if (token === undefined || !sameText(token, guard.token)) {
    throw new P2pdError('ERR_UNAUTHORIZED', 'a bearer token is needed', {
      hint: 'send the contents of control.token in the data directory as Authorization: Bearer TOKEN',
    })
  }
}

/** Hashed first, so that neither length nor prefix shows in the time taken. */
function sameText(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest())
}
