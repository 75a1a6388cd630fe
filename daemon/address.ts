/**
 * The multiaddrs that p2pd takes from people: TCP over IP, or over a DNS name.
 *
 * Checked here, before anything listens or dials, so that a typing error is one
 * line and not a failed dial later.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { P2pdError } from '../lib/wire/errors.ts'

export const addressLimits = { chars: 512, count: 16 } as const

export interface TcpAddress {
  readonly family: 'ip4' | 'ip6' | 'dns' | 'dns4' | 'dns6'
  readonly host: string
  readonly port: number
  readonly peer: string | undefined
}

const dnsName = /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_-]{1,63})*\.?$/

/** Undefined when `text` is not such a multiaddr. */
export function parseAddress(text: string): TcpAddress | undefined {
  if (text.length > addressLimits.chars) return undefined
  const match =
    /^\/(ip4|ip6|dns4?|dns6)\/([^/]+)\/tcp\/(\d{1,5})(?:\/p2p\/([1-9A-HJ-NP-Za-km-z]{32,64}))?\/?$/.exec(text)
  if (match === null) return undefined
  const [, family, host = '', digits = '', peer] = match
  const port = Number(digits)
  if (port > 65_535) return undefined
  switch (family) {
    case 'ip4':
      return isIPv4(host) ? { family, host, port, peer } : undefined
    case 'ip6':
      return isIPv6(host) && !host.includes('%') ? { family, host, port, peer } : undefined
    case 'dns':
    case 'dns4':
    case 'dns6':
      return dnsName.test(host) ? { family, host, port, peer } : undefined
    default:
      return undefined
  }
}

export function formatAddress({ family, host, port }: TcpAddress): string {
  return `/${family}/${host}/tcp/${port}`
}

/** An address to listen at: an IP of this machine; port 0 means a free one. */
export function isListenAddress(text: string): boolean {
  const address = parseAddress(text)
  return address !== undefined && address.family.startsWith('ip') && address.peer === undefined
}

/** An address to dial: a port is needed. */
export function isDialAddress(text: string): boolean {
  const address = parseAddress(text)
  return address !== undefined && address.port > 0
}

/** Throws ERR_BAD_ADDRESS for the first that cannot be dialled. */
export function assertDialAddresses(addresses: readonly string[]): void {
  for (const address of addresses) if (!isDialAddress(address)) throw badAddress(address)
}

export function badAddress(address: string): P2pdError {
  return new P2pdError('ERR_BAD_ADDRESS', `${JSON.stringify(address.slice(0, 128))} is not a TCP multiaddr`, {
    hint: 'write it like /ip4/192.0.2.7/tcp/4001, /ip6/2001:db8::7/tcp/4001 or /dns/node.example/tcp/4001',
  })
}
