/** Who would lose contact if the list of admitted peers began, or grew, with these. */
import type { AdmissionList, MemberView } from '../../lib/index.ts'
import type { PeerChoice } from './schemas.ts'

/** Only the first `allow` cuts anybody off: from then on the list decides instead of the secret. */
export function planAdmission(
  list: AdmissionList,
  allow: readonly string[],
  members: readonly MemberView[],
): PeerChoice[] {
  if (list.restricted) return []
  const admitted = new Set<string>([...allow, ...list.allowed])
  return members
    .filter(
      ({ self, status }) => !self && (status === 'alive' || status === 'suspect' || status === 'joining'),
    )
    .filter(({ peer }) => !admitted.has(peer))
    .map(({ peer, name }) => ({ peerId: peer, name }))
}
