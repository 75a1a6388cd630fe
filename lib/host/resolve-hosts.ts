import { lookup } from 'node:dns/promises'
import { maxAddresses } from '../wire/limits.ts'
import type { TcpAddress } from './addresses.ts'

/** Names are resolved here, so that the rule about loopback cannot be passed by a name. */
export async function resolveHosts(address: TcpAddress): Promise<readonly string[]> {
  switch (address.family) {
    case 'ip4':
    case 'ip6':
      return [address.host]
    case 'dns':
    case 'dns4':
    case 'dns6': {
      const family = address.family === 'dns' ? 0 : address.family === 'dns4' ? 4 : 6
      const found = await lookup(address.host, { all: true, family })
      // A name that is an address with a zone, `::1%lo`, stands for that; no multiaddr does.
      const hosts = found.flatMap(({ address: host }) => (host.includes('%') ? [] : [host]))
      return hosts.slice(0, maxAddresses)
    }
  }
}
