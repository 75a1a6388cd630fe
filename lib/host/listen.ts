import { createServer } from 'node:net'
import { P2pdError } from '../wire/errors.ts'
import { parseAddress, type TcpAddress } from './addresses.ts'
import { hasCode } from './key-file.ts'

/** All interfaces, at one free port for both families. */
export const defaultListen: readonly string[] = ['/ip4/0.0.0.0/tcp/0', '/ip6/::/tcp/0']

/**
 * Settles the ports before libp2p listens, because libp2p reports any failure
 * as one text, and takes a busy IPv6 port for a machine without IPv6.
 *
 * Port 0 becomes `savedPort`, or the first free port found, the same for all
 * addresses that ask for 0. An IPv6 wildcard is left out on a machine without
 * IPv6. Errors: ERR_PORT_IN_USE, ERR_BAD_ADDRESS, ERR_PORT_DENIED.
 */
export async function settleListen(
  asked: readonly string[],
  savedPort: number | undefined,
): Promise<readonly string[]> {
  const settled: string[] = []
  let shared = savedPort
  for (const text of asked) {
    const address = parseAddress(text)
    if (address.family !== 'ip4' && address.family !== 'ip6') {
      throw new P2pdError('ERR_BAD_ADDRESS', `cannot listen on a name: ${text}`, {
        hint: 'listen on an IP address; --announce takes names',
      })
    }
    const port = await probe(text, address, address.port === 0 ? (shared ?? 0) : address.port)
    if (port === undefined) continue
    if (address.port === 0) shared = port
    settled.push(`/${address.family}/${address.host}/tcp/${port}`)
  }
  return settled
}

/** The port that was free; undefined where IPv6 does not exist. */
function probe(text: string, address: TcpAddress, port: number): Promise<number | undefined> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const noIp6 = hasCode(error, 'EAFNOSUPPORT') || hasCode(error, 'EADDRNOTAVAIL')
      if (noIp6 && address.family === 'ip6' && address.host === '::') resolve(undefined)
      else reject(listenError(text, port, error))
    })
    server.listen({ host: address.host, port, ipv6Only: address.family === 'ip6' }, () => {
      const bound = server.address()
      server.close(() => resolve(bound === null || typeof bound === 'string' ? port : bound.port))
    })
  })
}

export function listenError(text: string, port: number, cause: unknown): P2pdError {
  if (hasCode(cause, 'EADDRINUSE') || /EADDRINUSE/.test(String(cause))) {
    return new P2pdError('ERR_PORT_IN_USE', `port ${port} is in use (${text})`, {
      hint: 'stop the other program, or choose another port with --listen; other peers know this one by this port',
      cause,
    })
  }
  if (hasCode(cause, 'EACCES')) {
    return new P2pdError('ERR_PORT_DENIED', `not allowed to listen on port ${port} (${text})`, {
      hint: 'choose a port above 1023',
      cause,
    })
  }
  return new P2pdError('ERR_BAD_ADDRESS', `cannot listen on ${text}: ${String(cause)}`, {
    hint: hasCode(cause, 'EINVAL')
      ? 'link-local addresses of IPv6 and IPv4 addresses within IPv6 cannot be listened on; /ip6/::/tcp/4001 is all IPv6 addresses'
      : 'it must be an address of this machine, for example /ip4/0.0.0.0/tcp/4001',
    cause,
  })
}
