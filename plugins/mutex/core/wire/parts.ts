/** What an electorate is made of, on the wire: in frames, in what is signed, and on the disk. */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import type { QuorumSystem } from '../../../../lib/protocols/quorum/quorum.ts'
import type {
  Ballot,
  Charter,
  Decision,
  ElectorateId,
  Grant,
  Link,
  Report,
  RequestId,
  SignedAccept,
  Stamp,
} from '../electorate/messages.ts'
import { mutexLimits } from '../limits.ts'
import type { GrantNumber, SignedVotes } from '../messages.ts'
import { Enumeration, malformed } from './scalars.ts'
import {
  count,
  double,
  duration,
  id,
  lease,
  list,
  messageOf,
  name,
  oneOf,
  optional,
  type Part,
  part,
  peer,
  signature,
} from './schema.ts'
import {
  readNumber,
  readRequestId,
  readSignedVotes,
  readStamp,
  writeNumber,
  writeRequestId,
  writeSignedVotes,
  writeStamp,
} from './votes.ts'

export interface Proposal {
  readonly ballot: Ballot
  readonly decision: Decision
}

const quorumSystems = new Enumeration<QuorumSystem>('majority')

export const charters = messageOf<Charter>(
  'Charter',
  {
    cluster: id(1),
    nonce: id(2),
    founder: peer(3),
    quorumSystem: oneOf(4, quorumSystems),
    maxLeaseMs: lease(5),
    driftBound: double(6),
    maxVoters: count(7),
  },
  ({ driftBound, maxVoters }) => {
    // Not `driftBound >= 0.5`: it may be no number at all.
    if (!(driftBound >= 0 && driftBound < 0.5)) throw malformed('a bound of drift outside of [0, 0.5)')
    if (![1, 3, 5, 7].includes(maxVoters)) throw malformed(`at most ${maxVoters} voters`)
  },
)

export const ballots = messageOf<Ballot>('Ballot', { round: count(1), peer: peer(2), generation: count(3) })

/** Each once: a quorum counts voters. */
const peerLists = messageOf<{ readonly peers: readonly PeerId[] }>(
  'Peers',
  { peers: list(peer(1), mutexLimits.voters, 'voters') },
  ({ peers }) => {
    if (new Set(peers).size !== peers.length) throw malformed('a voter named twice')
  },
)

interface WireDecision {
  readonly voters: { readonly peers: readonly PeerId[] } | undefined
  readonly replaced: { readonly peers: readonly PeerId[] } | undefined
  readonly into: ElectorateId | undefined
}

const wireDecisions = messageOf<WireDecision>('Decision', {
  voters: optional(part(1, peerLists)),
  replaced: optional(part(2, peerLists)),
  into: optional(id(3)),
})

export const decisions: Part<Decision> = {
  write(writer, number, decision) {
    wireDecisions.write(writer, number, decisionToWire(decision))
  },
  read(outer) {
    const { voters, replaced, into } = wireDecisions.read(outer)
    if (into !== undefined) {
      if (voters !== undefined || replaced !== undefined) throw malformed('two decisions in one')
      return { type: 'dissolved', into }
    }
    if (voters === undefined || voters.peers.length === 0) throw malformed('a decision for nobody')
    return { type: 'voters', voters: voters.peers, replaced: replaced?.peers ?? [] }
  },
}

function decisionToWire(decision: Decision): WireDecision {
  switch (decision.type) {
    case 'voters': {
      const replaced = decision.replaced.length === 0 ? undefined : { peers: decision.replaced }
      return { voters: { peers: decision.voters }, replaced, into: undefined }
    }
    case 'dissolved':
      return { voters: undefined, replaced: undefined, into: decision.into }
  }
}

export const proposals = messageOf<Proposal>('Proposal', {
  ballot: part(1, ballots),
  decision: part(2, decisions),
})

export const accepts = messageOf<SignedAccept>('SignedAccept', { voter: peer(1), signature: signature(2) })

export const links = messageOf<Link>('Link', {
  version: count(1),
  ballot: part(2, ballots),
  decision: part(3, decisions),
  accepts: list(part(4, accepts), mutexLimits.voters, 'accepts'),
})

/** With its peer. */
export const requestIds: Part<RequestId> = {
  write: (writer, number, request) => writeRequestId(writer, number, request),
  read: (outer) => readRequestId(outer),
}

export const grantNumbers: Part<GrantNumber> = { write: writeNumber, read: readNumber }

export const signedVotes: Part<SignedVotes> = { write: writeSignedVotes, read: readSignedVotes }

export const stamps: Part<Stamp> = { write: writeStamp, read: readStamp }

export const grants = messageOf<Grant>('Grant', {
  lock: name(1),
  request: part(2, requestIds),
  remainingMs: duration(3),
})

export const reports = messageOf<Report>('Report', {
  floor: count(1),
  unknownForMs: duration(2),
  longestLeaseMs: duration(3),
  grants: list(part(4, grants), mutexLimits.grants, 'grants'),
})
