/**
 * Where to listen: free ports are chosen once, saved, and from then on kept.
 *
 * Each address is bound and let go before the node starts, so that a taken port
 * is known before anything is written. A saved port that is taken is an error,
 * never another port: other machines have it in their lists and firewalls.
 */
import { createServer } from 'node:net'
import { P2pdError } from '../lib/wire/errors.ts'
import { formatAddress, parseAddress, type TcpAddress } from './address.ts'
import { systemCode } from './files.ts'

const everywhere = ['/ip4/0.0.0.0/tcp/0', '/ip6/::/tcp/0'] as const

/** Tries at a port that is free on every address. */
const maxTries = 16

/**
 * The addresses with ports. `asked` undefined: those saved last, else all
 * interfaces. Port 0 in `asked` means the port saved for that address, else a
 * free one, the same for all of them.
 *
 * Throws ERR_PORT_IN_USE, ERR_DENIED or ERR_BAD_ADDRESS.
 */
export async function chooseListen(
  asked: readonly string[] | undefined,
  saved: readonly string[] | undefined,
): Promise<readonly string[]> {
  const known = parseAll(saved ?? [])
  const wanted = parseAll(asked ?? saved ?? (await available(everywhere))).map((address) =>
    address.port === 0 ? { ...address, port: savedPort(address, known) } : address,
  )
  for (const address of wanted) if (address.port !== 0) await bindOnce(address)
  if (wanted.every((address) => address.port !== 0)) return wanted.map(formatAddress)

  const port = await freePort(wanted.filter((address) => address.port === 0))
  return wanted.map((address) => formatAddress(address.port === 0 ? { ...address, port } : address))
}

function savedPort(address: TcpAddress, known: readonly TcpAddress[]): number {
  const same = known.filter(({ family, host }) => family === address.family && host === address.host)
  return same.length === 1 ? (same[0]?.port ?? 0) : 0
}

/** Without those of a family that this machine does not have. */
async function available(addresses: readonly string[]): Promise<readonly string[]> {
  const usable: string[] = []
  for (const address of parseAll(addresses)) {
    try {
      await bindOnce(address)
      usable.push(formatAddress(address))
    } catch (error) {
      if (!(error instanceof P2pdError) || error.code !== 'ERR_BAD_ADDRESS') throw error
    }
  }
  return usable
}

async function freePort(addresses: readonly TcpAddress[]): Promise<number> {
  const [first, ...others] = addresses
  if (first === undefined) throw new RangeError('no address to find a port for')
  for (let tries = 1; ; tries++) {
    const port = await bindOnce({ ...first, port: 0 })
    try {
      for (const address of others) await bindOnce({ ...address, port })
      return port
    } catch (error) {
      if (tries >= maxTries) throw error
    }
  }
}

/** The port that it got. */
function bindOnce({ family, host, port }: TcpAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error) => reject(explain(error, host, port)))
    server.listen({ host, port, ipv6Only: family === 'ip6' }, () => {
      const bound = server.address()
      server.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : port))
    })
  })
}

function parseAll(addresses: readonly string[]): TcpAddress[] {
  return addresses.flatMap((text) => parseAddress(text) ?? [])
}

function explain(error: unknown, host: string, port: number): unknown {
  switch (systemCode(error)) {
    case 'EADDRINUSE':
      return new P2pdError('ERR_PORT_IN_USE', `port ${port} at ${host} is in use`, {
        hint: 'stop what listens there, or choose another port with --listen /ip4/0.0.0.0/tcp/PORT',
        cause: error,
      })
    case 'EACCES':
      return new P2pdError('ERR_DENIED', `this user may not listen on port ${port}`, {
        hint: 'choose a port above 1023 with --listen',
        cause: error,
      })
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
    case 'EINVAL':
      return new P2pdError('ERR_BAD_ADDRESS', `${host} is not an address of this machine`, {
        hint: "listen at one of 'ip address', or at 0.0.0.0; --announce is for addresses that others see",
        cause: error,
      })
    default:
      return error
  }
}
