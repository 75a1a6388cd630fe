/** Join through addresses, and wait until somebody there is a connected member. */
import { setTimeout as delay } from 'node:timers/promises'
import type { MemberView, PeerId } from '../../lib/index.ts'
import type { PeerPort } from '../peer-port.ts'
import { ControlFailure } from './failure.ts'

/** How often the membership table is looked at, ms. */
const lookEveryMs = 50

/**
 * Who answered, at least one. A member counts when it bears one of the addresses
 * or ids; for an address without an id also when it was not connected before,
 * because behind NAT or a DNS name its record shows other addresses.
 *
 * Throws ERR_JOIN_FAILED after `timeoutMs`.
 */
export async function joinThrough(
  peer: PeerPort,
  addresses: readonly string[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<PeerId[]> {
  const before = new Set(connected(peer).map((member) => member.peer))
  const meant = new Set(addresses.flatMap((address) => address.split('/p2p/')))
  const anybody = addresses.some((address) => !address.includes('/p2p/'))
  const deadline = performance.now() + timeoutMs
  peer.join(addresses)
  for (;;) {
    const contacted = connected(peer).filter(
      (member) => isMeant(member, meant) || (anybody && !before.has(member.peer)),
    )
    if (contacted.length > 0) return contacted.map((member) => member.peer)
    if (performance.now() >= deadline) throw failed()
    await delay(lookEveryMs, undefined, { signal })
  }
}

function connected(peer: PeerPort): MemberView[] {
  return peer.members().filter((member) => member.connected && !member.self && member.status === 'alive')
}

function isMeant(member: MemberView, meant: ReadonlySet<string>): boolean {
  return (
    meant.has(member.peer) || member.addresses.some((address) => meant.has(address.split('/p2p/')[0] ?? ''))
  )
}

function failed(): ControlFailure {
  return new ControlFailure('ERR_JOIN_FAILED', 'none of these addresses answered as a member', {
    hint: 'check that a daemon of the same cluster listens there and that no firewall is in between',
  })
}
