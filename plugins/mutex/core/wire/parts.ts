/** What an electorate is made of, to the wire and from it: in frames, in what is signed, and on the disk. */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import type { QuorumSystem } from '../../../../lib/protocols/quorum/quorum.ts'
import type { ProtoReader } from '../../../../lib/wire/reader.ts'
import type { ProtoWriter } from '../../../../lib/wire/writer.ts'
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
} from '../electorate/messages.ts'
import { mutexLimits } from '../limits.ts'
import {
  append,
  Enumeration,
  malformed,
  readDuration,
  readElectorateId,
  readId,
  readName,
  readPeer,
  readRequestId,
  readSignature,
  required,
  writeDuration,
  writeRequestId,
} from './fields.ts'

const quorumSystems = new Enumeration<QuorumSystem>('majority')

export function writeCharter(writer: ProtoWriter, field: number, charter: Charter): void {
  const mark = writer.open(field)
  writeCharterFields(writer, charter)
  writer.close(mark)
}

export function writeCharterFields(writer: ProtoWriter, charter: Charter): void {
  writer.hex(1, charter.cluster)
  writer.hex(2, charter.nonce)
  writer.ascii(3, charter.founder)
  quorumSystems.write(writer, 4, charter.quorumSystem)
  writeDuration(writer, 5, charter.maxLeaseMs)
  writer.double(6, charter.driftBound)
  writer.uint(7, charter.maxVoters)
}

export function readCharter(outer: ProtoReader): Charter {
  const reader = outer.message('Charter')
  let cluster: string | undefined
  let nonce: string | undefined
  let founder: PeerId | undefined
  let quorumSystem: QuorumSystem | undefined
  let maxLeaseMs = 0
  let driftBound = 0
  let maxVoters = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) cluster = readId(reader)
    else if (field === 2) nonce = readId(reader)
    else if (field === 3) founder = readPeer(reader)
    else if (field === 4) quorumSystem = quorumSystems.read(reader)
    else if (field === 5) maxLeaseMs = readDuration(reader)
    else if (field === 6) driftBound = reader.double()
    else if (field === 7) maxVoters = reader.uint()
    else reader.unknown()
  }
  // Not `driftBound >= 0.5`: it may be no number at all.
  if (!(driftBound >= 0 && driftBound < 0.5)) throw malformed('a bound of drift outside of [0, 0.5)')
  if (![1, 3, 5, 7].includes(maxVoters)) throw malformed(`at most ${maxVoters} voters`)
  if (maxLeaseMs === 0) throw malformed('a charter without leases')
  return {
    cluster: required(cluster, 'cluster'),
    founder: required(founder, 'founder'),
    nonce: required(nonce, 'nonce'),
    quorumSystem: required(quorumSystem, 'quorum system'),
    maxLeaseMs,
    driftBound,
    maxVoters,
  }
}

export function writeBallot(writer: ProtoWriter, field: number, ballot: Ballot): void {
  const mark = writer.open(field)
  writer.uint(1, ballot.round)
  writer.ascii(2, ballot.peer)
  writer.uint(3, ballot.generation)
  writer.close(mark)
}

export function readBallot(outer: ProtoReader): Ballot {
  const reader = outer.message('Ballot')
  let round = 0
  let peer: PeerId | undefined
  let generation = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) round = reader.count()
    else if (field === 2) peer = readPeer(reader)
    else if (field === 3) generation = reader.count()
    else reader.unknown()
  }
  return { round, peer: required(peer, 'peer of a ballot'), generation }
}

export function writeDecision(writer: ProtoWriter, field: number, decision: Decision): void {
  const mark = writer.open(field)
  if (decision.type === 'voters') {
    writePeers(writer, 1, decision.voters)
    if (decision.replaced.length > 0) writePeers(writer, 2, decision.replaced)
  } else {
    writer.hex(3, decision.into)
  }
  writer.close(mark)
}

export function readDecision(outer: ProtoReader): Decision {
  const reader = outer.message('Decision')
  let voters: readonly PeerId[] | undefined
  let replaced: readonly PeerId[] | undefined
  let into: ElectorateId | undefined
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) voters = readPeers(reader)
    else if (field === 2) replaced = readPeers(reader)
    else if (field === 3) into = readElectorateId(reader)
    else reader.unknown()
  }
  if (into !== undefined) {
    if (voters !== undefined || replaced !== undefined) throw malformed('two decisions in one')
    return { type: 'dissolved', into }
  }
  if (voters === undefined || voters.length === 0) throw malformed('a decision for nobody')
  return { type: 'voters', voters, replaced: replaced ?? [] }
}

function writePeers(writer: ProtoWriter, field: number, peers: readonly PeerId[]): void {
  const mark = writer.open(field)
  for (const peer of peers) writer.ascii(1, peer)
  writer.close(mark)
}

/** Each once: a quorum counts voters. */
function readPeers(outer: ProtoReader): readonly PeerId[] {
  const reader = outer.message('Peers', 1)
  const peers: PeerId[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field !== 1) reader.unknown()
    const peer = readPeer(reader)
    if (peers.includes(peer)) throw malformed('a voter named twice')
    append(peers, peer, mutexLimits.voters, 'voters')
  }
  return peers
}

export interface Proposal {
  readonly ballot: Ballot
  readonly decision: Decision
}

export function writeProposal(writer: ProtoWriter, field: number, proposal: Proposal): void {
  const mark = writer.open(field)
  writeBallot(writer, 1, proposal.ballot)
  writeDecision(writer, 2, proposal.decision)
  writer.close(mark)
}

export function readProposal(outer: ProtoReader): Proposal {
  const reader = outer.message('Proposal')
  let ballot: Ballot | undefined
  let decision: Decision | undefined
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) ballot = readBallot(reader)
    else if (field === 2) decision = readDecision(reader)
    else reader.unknown()
  }
  return { ballot: required(ballot, 'ballot'), decision: required(decision, 'decision') }
}

export function writeAccept(writer: ProtoWriter, field: number, accept: SignedAccept): void {
  const mark = writer.open(field)
  writer.ascii(1, accept.voter)
  writer.bytes(2, accept.signature)
  writer.close(mark)
}

export function readAccept(outer: ProtoReader): SignedAccept {
  const reader = outer.message('SignedAccept')
  let voter: PeerId | undefined
  let signature: Uint8Array | undefined
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) voter = readPeer(reader)
    else if (field === 2) signature = readSignature(reader)
    else reader.unknown()
  }
  return { voter: required(voter, 'voter'), signature: required(signature, 'signature of a voter') }
}

export function writeLink(writer: ProtoWriter, field: number, link: Link): void {
  const mark = writer.open(field)
  writer.uint(1, link.version)
  writeBallot(writer, 2, link.ballot)
  writeDecision(writer, 3, link.decision)
  for (const accept of link.accepts) writeAccept(writer, 4, accept)
  writer.close(mark)
}

export function readLink(outer: ProtoReader): Link {
  const reader = outer.message('Link', 4)
  let version = 0
  let ballot: Ballot | undefined
  let decision: Decision | undefined
  const accepts: SignedAccept[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) version = reader.count()
    else if (field === 2) ballot = readBallot(reader)
    else if (field === 3) decision = readDecision(reader)
    else if (field === 4) append(accepts, readAccept(reader), mutexLimits.voters, 'accepts')
    else reader.unknown()
  }
  return {
    version,
    ballot: required(ballot, 'ballot of a link'),
    decision: required(decision, 'decision of a link'),
    accepts,
  }
}

export function writeReport(writer: ProtoWriter, field: number, report: Report): void {
  const mark = writer.open(field)
  writer.uint(1, report.floor)
  writeDuration(writer, 2, report.unknownForMs)
  writeDuration(writer, 3, report.longestLeaseMs)
  for (const grant of report.grants) writeGrant(writer, 4, grant)
  writer.close(mark)
}

export function readReport(outer: ProtoReader): Report {
  const reader = outer.message('Report', 4)
  let floor = 0
  let unknownForMs = 0
  let longestLeaseMs = 0
  const grants: Grant[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) floor = reader.count()
    else if (field === 2) unknownForMs = readDuration(reader)
    else if (field === 3) longestLeaseMs = readDuration(reader)
    else if (field === 4) append(grants, readGrant(reader), mutexLimits.grants, 'grants')
    else reader.unknown()
  }
  return { floor, grants, unknownForMs, longestLeaseMs }
}

export function writeGrant(writer: ProtoWriter, field: number, grant: Grant): void {
  const mark = writer.open(field)
  writer.text(1, grant.lock)
  writeRequestId(writer, 2, grant.request)
  writeDuration(writer, 3, grant.remainingMs)
  writer.close(mark)
}

export function readGrant(outer: ProtoReader): Grant {
  const reader = outer.message('Grant')
  let lock: string | undefined
  let request: RequestId | undefined
  let remainingMs = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) lock = readName(reader)
    else if (field === 2) request = readRequestId(reader)
    else if (field === 3) remainingMs = readDuration(reader)
    else reader.unknown()
  }
  return {
    lock: required(lock, 'lock of a grant'),
    request: required(request, 'request of a grant'),
    remainingMs,
  }
}
