import './with-resolvers.ts'
import { BlockList, isIP } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import type { PeerId } from '../protocols/core.ts'
import { P2pdError } from '../wire/errors.ts'
import { maxAddresses, maxAddressLength } from '../wire/limits.ts'
import { isPeerId } from './identity.ts'

/** An address that p2pd can dial or listen on: a host, a TCP port, perhaps who is expected there. */
export interface TcpAddress {
  readonly host: string
  readonly family: 'ip4' | 'ip6' | 'dns' | 'dns4' | 'dns6'
  readonly port: number
  readonly peer: PeerId | undefined
}

/** Reads `/ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT[/p2p/ID]`. Errors: ERR_BAD_ADDRESS. */
export function parseAddress(text: string): TcpAddress {
  const address = readAddress(text)
  if (address !== undefined) return address
  throw new P2pdError('ERR_BAD_ADDRESS', `not an address: ${text.slice(0, maxAddressLength)}`, {
    hint: 'for example /ip4/192.0.2.1/tcp/4001 or /dns4/example.org/tcp/4001/p2p/12D3KooW…',
  })
}

/** As `parseAddress`; undefined when it is none. */
export function readAddress(text: string): TcpAddress | undefined {
  if (text.length > maxAddressLength) return undefined
  try {
    const [host, tcp, p2p, ...rest] = multiaddr(text).getComponents()
    if (host?.value === undefined || tcp?.name !== 'tcp' || rest.length > 0) return undefined
    if (p2p !== undefined && (p2p.name !== 'p2p' || !isPeerId(p2p.value ?? ''))) return undefined
    if (!isFamily(host.name)) return undefined
    return {
      host: host.value,
      family: host.name,
      port: Number(tcp.value),
      peer: p2p?.value as PeerId | undefined,
    }
  } catch {
    return undefined
  }
}

function isFamily(name: string): name is TcpAddress['family'] {
  return name === 'ip4' || name === 'ip6' || name === 'dns' || name === 'dns4' || name === 'dns6'
}

export type HostKind = 'unspecified' | 'loopback' | 'link-local' | 'multicast' | 'global'

function blockList(ip4: readonly [string, number][], ip6: readonly [string, number][]): BlockList {
  const list = new BlockList()
  for (const [network, prefix] of ip4) list.addSubnet(network, prefix, 'ipv4')
  for (const [network, prefix] of ip6) list.addSubnet(network, prefix, 'ipv6')
  return list
}

/** BlockList matches IPv4-mapped IPv6 addresses against the IPv4 networks as well. */
const kinds: readonly (readonly [HostKind, BlockList])[] = [
  ['unspecified', blockList([['0.0.0.0', 8]], [['::', 128]])],
  ['loopback', blockList([['127.0.0.0', 8]], [['::1', 128]])],
  ['link-local', blockList([['169.254.0.0', 16]], [['fe80::', 10]])],
  // Multicast, reserved and broadcast.
  ['multicast', blockList([['224.0.0.0', 3]], [['ff00::', 8]])],
]

/** What kind of host an IP address names. `global` includes private networks. */
export function hostKind(ip: string): HostKind {
  const family = isIP(ip) === 6 ? 'ipv6' : 'ipv4'
  return kinds.find(([, list]) => list.check(ip, family))?.[0] ?? 'global'
}

/**
 * The addresses for the own member record, out of those that are listened on
 * (wildcards already expanded): at most 16, link-local ones never (they need a
 * zone), loopback only when there is nothing else or when it was asked for.
 */
export function recordAddresses(listening: readonly string[], asked: readonly string[]): readonly string[] {
  const askedForLoopback = asked.some((text) => isKind(text, 'loopback'))
  const usable = [...new Set(listening)].filter((text) => !isKind(text, 'link-local'))
  const reachable = usable.filter((text) => !isKind(text, 'loopback'))
  const chosen = askedForLoopback || reachable.length === 0 ? usable : reachable
  return chosen.slice(0, maxAddresses)
}

function isKind(text: string, kind: HostKind): boolean {
  const address = readAddress(text)
  return address !== undefined && isIP(address.host) !== 0 && hostKind(address.host) === kind
}

/** The multiaddr without `/p2p/ID`. */
export function withoutPeer(text: string): string {
  return text.replace(/\/p2p\/[^/]+$/, '')
}
