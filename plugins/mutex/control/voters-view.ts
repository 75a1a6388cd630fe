/** The electorate as the control API shows it. */
import type { PeerId } from '../../../lib/protocols/core.ts'
import type { MutexApi } from '../api.ts'
import type { SignedVotes, VoteConflict } from '../core/messages.ts'
import type { VotersAnswer } from './schemas.ts'

/** Of signed votes in one answer, in characters; what voters sign may be long, and no reader asked for it. */
const maxProofChars = 1024 * 1024

export function showVoters(api: MutexApi, nameOf: (peer: PeerId) => string): VotersAnswer {
  const view = api.electorate()
  const { id, version, founder, voters, reachable, self, abstainsForMs, conflict, change, maxLeaseMs } = view
  return {
    id: id ?? null,
    version,
    founder: founder ?? null,
    voters: voters.map(({ peer, answering }) => ({ peerId: peer, name: nameOf(peer), answering })),
    reachable,
    self,
    abstainsForMs,
    void: view.void ?? null,
    conflict:
      conflict === undefined ? null : { id: conflict.id, peerId: conflict.peer, name: nameOf(conflict.peer) },
    change: change === undefined ? null : { phase: change.phase, voters: [...change.voters] },
    maxLeaseMs: maxLeaseMs ?? null,
    conflictingVotes: showConflicts(api.conflicts(), nameOf),
  }
}

function showConflicts(
  conflicts: readonly VoteConflict[],
  nameOf: (peer: PeerId) => string,
): VotersAnswer['conflictingVotes'] {
  const proofs: VotersAnswer['conflictingVotes']['proofs'] = []
  let chars = 0
  for (const { arbiter, lock, first, second } of conflicts) {
    const proof = {
      voter: arbiter,
      name: nameOf(arbiter),
      lock,
      first: showSigned(first),
      second: showSigned(second),
    }
    const longer = chars + proof.first.bytes.length + proof.second.bytes.length
    if (longer > maxProofChars) continue
    chars = longer
    proofs.push(proof)
  }
  return { count: conflicts.length, proofs }
}

function showSigned({ bytes, signature }: SignedVotes): { bytes: string; signature: string } {
  return {
    bytes: Buffer.from(bytes).toString('base64'),
    signature: Buffer.from(signature).toString('base64'),
  }
}
