/** The multiaddrs that p2pd takes from people, checked before anything listens or dials. */
import { readAddress } from '../lib/host/addresses.ts'
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

/** Throws ERR_BAD_ADDRESS for the first that cannot be dialled. */
export function assertDialAddresses(addresses: readonly string[]): void {
  for (const address of addresses) if (!isDialAddress(address)) throw badAddress(address)
}

export function badAddress(address: string): P2pdError {
  return new P2pdError('ERR_BAD_ADDRESS', `${JSON.stringify(address.slice(0, 128))} is not a TCP multiaddr`, {
    hint: 'write it like /ip4/192.0.2.7/tcp/4001, /ip6/2001:db8::7/tcp/4001 or /dns/node.example/tcp/4001',
  })
}
