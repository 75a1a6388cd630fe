/** The multiaddrs that p2pd takes from people, checked before anything listens or dials. */
import { isIP } from 'node:net'
import { hostKind, readAddress } from '../lib/host/addresses.ts'
import { P2pdError } from '../lib/wire/errors.ts'

/** Of one list; a member record holds no more. */
export const maxAddressCount = 16

/** An address to listen at: an IP of this machine; port 0 means a free one. */
export function isListenAddress(text: string): boolean {
  const address = readAddress(text)
  return address?.peer === undefined && (address?.family === 'ip4' || address?.family === 'ip6')
}

/** An address to dial: a port is needed. */
export function isDialAddress(text: string): boolean {
  return (readAddress(text)?.port ?? 0) > 0
}

/** A dial address that can lead somewhere: what people write for others, or for this peer, to dial. */
export function isReachableAddress(text: string): boolean {
  return isDialAddress(text) && unreachable(text) === undefined
}

/** Throws ERR_BAD_ADDRESS for the first that cannot be dialled. */
export function assertDialAddresses(addresses: readonly string[]): void {
  for (const address of addresses) if (!isReachableAddress(address)) throw badAddress(address)
}

interface Problem {
  readonly message: string
  readonly hint: string
}

/** Why nobody can be reached at an address although it is one. */
function unreachable(text: string): Problem | undefined {
  const address = readAddress(text)
  if (address === undefined || isIP(address.host) === 0) return undefined
  const kind = hostKind(address.host)
  if (kind === 'unspecified') {
    return {
      message: 'stands for all addresses of a machine, which can be listened on, not dialled',
      hint: 'name one of them, such as /ip4/192.0.2.7/tcp/4001 or /ip6/2001:db8::7/tcp/4001',
    }
  }
  if (kind === 'multicast') return { message: 'names no machine', hint: 'name the address of one' }
  if (kind !== 'link-local' || address.family !== 'ip6') return undefined
  return {
    message: 'is a link-local address of IPv6, which leads nowhere without the interface',
    hint: 'name another address of that machine; one of fd00::/8 does within a site',
  }
}

/** `use`: what it was given for. */
export function badAddress(address: string, use: 'listen' | 'dial' = 'dial'): P2pdError {
  const { message, hint } = (use === 'dial' ? unreachable(address) : undefined) ?? noAddress[use]
  return new P2pdError('ERR_BAD_ADDRESS', `${JSON.stringify(address.slice(0, 128))} ${message}`, { hint })
}

const noAddress: Readonly<Record<'listen' | 'dial', Problem>> = {
  listen: {
    message: 'is not a TCP multiaddr to listen at',
    hint: 'write it like /ip4/0.0.0.0/tcp/4001 or /ip6/::/tcp/4001',
  },
  dial: {
    message: 'is not a TCP multiaddr',
    hint: 'write it like /ip4/192.0.2.7/tcp/4001, /ip6/2001:db8::7/tcp/4001 or /dns/node.example/tcp/4001',
  },
}
