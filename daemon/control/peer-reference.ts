/** From what a person types (an id, a unique prefix of one, a unique name) to a peer. */
import type { MemberView, PeerId } from '../../lib/index.ts'
import { ControlFailure } from './failure.ts'
import { publicStatus } from './member-rows.ts'
import type { MemberStatusName, PeerChoice } from './schemas.ts'

/** Most candidates named in an error. */
const maxChoices = 16

/**
 * A whole id wins over a name, a name over a prefix.
 *
 * Throws ERR_AMBIGUOUS_PEER with the candidates, ERR_UNKNOWN_PEER.
 */
export function resolvePeer<Known extends PeerChoice>(reference: string, known: readonly Known[]): Known {
  const exact = known.find(({ peerId }) => peerId === reference)
  if (exact !== undefined) return exact
  const named = known.filter(({ name }) => name === reference)
  const matching = named.length > 0 ? named : known.filter(({ peerId }) => peerId.startsWith(reference))
  const [only, ...others] = matching
  if (only === undefined) {
    throw new ControlFailure('ERR_UNKNOWN_PEER', `no member is called ${quote(reference)}`, {
      hint: "'p2pd members' lists names and ids",
    })
  }
  if (others.length === 0) return only
  throw new ControlFailure('ERR_AMBIGUOUS_PEER', `${matching.length} members match ${quote(reference)}`, {
    hint: 'name one by more of its id',
    peers: matching.slice(0, maxChoices).map(({ peerId, name, status }) => ({
      peerId,
      name,
      ...(status === undefined ? {} : { status }),
    })),
  })
}

export interface KnownPeer {
  readonly peerId: PeerId
  readonly name: string
  readonly status?: MemberStatusName
}

export function choices(members: readonly MemberView[]): KnownPeer[] {
  return members.map(({ peer, name, status }) => ({ peerId: peer, name, status: publicStatus(status) }))
}

export function quote(reference: string): string {
  return JSON.stringify(reference.slice(0, 64))
}
