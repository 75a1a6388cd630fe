/** What requests and votes are called, and what is signed of them, to the wire and from it. Readers throw `WireError`. */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import type { ProtoReader } from '../../../../lib/wire/reader.ts'
import type { ProtoWriter } from '../../../../lib/wire/writer.ts'
import type { RequestId, Stamp } from '../electorate/messages.ts'
import { mutexLimits } from '../limits.ts'
import type { GrantNumber, SessionId, SignedVotes, VoteName } from '../messages.ts'
import { append, malformed, readPeer, readSignature, required } from './scalars.ts'

/** The peer is left out where it is `owner`, which the message around names. */
export function writeRequestId(
  writer: ProtoWriter,
  field: number,
  request: RequestId,
  owner?: PeerId | undefined,
): void {
  const mark = writer.open(field)
  writer.uint(1, request.generation)
  writer.uint(2, request.counter)
  if (request.peer !== owner) writer.ascii(3, request.peer)
  writer.close(mark)
}

export function readRequestId(outer: ProtoReader, owner?: PeerId | undefined): RequestId {
  const reader = outer.message('RequestId')
  let peer = owner
  let generation = 0
  let counter = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) generation = reader.count()
    else if (field === 2) counter = reader.count()
    else if (field === 3) peer = readPeer(reader)
    else reader.unknown()
  }
  return { peer: required(peer, 'peer of a request'), generation, counter }
}

/** Of a session, or of a grant. */
export function writeNumber(writer: ProtoWriter, field: number, number: GrantNumber | SessionId): void {
  writePair(writer, field, number.generation, number.counter)
}

export function readNumber(outer: ProtoReader): GrantNumber {
  const reader = outer.message('GrantNumber')
  let generation = 0
  let counter = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) generation = reader.count()
    else if (field === 2) counter = reader.count()
    else reader.unknown()
  }
  return { generation, counter }
}

export function writeStamp(writer: ProtoWriter, field: number, stamp: Stamp): void {
  writePair(writer, field, stamp.generation, stamp.write)
}

export function readStamp(outer: ProtoReader): Stamp {
  const { generation, counter: write } = readNumber(outer)
  return { generation, write }
}

function writePair(writer: ProtoWriter, field: number, first: number, second: number): void {
  const mark = writer.open(field)
  writer.uint(1, first)
  writer.uint(2, second)
  writer.close(mark)
}

export function writeVote(
  writer: ProtoWriter,
  field: number,
  vote: VoteName,
  owner?: PeerId | undefined,
): void {
  const mark = writer.open(field)
  writeRequestId(writer, 1, vote.request, owner)
  writeNumber(writer, 2, vote.grant)
  writer.close(mark)
}

export function readVote(outer: ProtoReader, owner?: PeerId | undefined): VoteName {
  const reader = outer.message('Vote')
  let request: RequestId | undefined
  let grant: GrantNumber | undefined
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) request = readRequestId(reader, owner)
    else if (field === 2) grant = readNumber(reader)
    else reader.unknown()
  }
  return { request: required(request, 'request of a vote'), grant: required(grant, 'grant of a vote') }
}

export function writeVotes(
  writer: ProtoWriter,
  field: number,
  votes: readonly VoteName[],
  owner: PeerId | undefined,
): void {
  const mark = writer.open(field)
  for (const vote of votes) writeVote(writer, 1, vote, owner)
  writer.close(mark)
}

export function readVotes(outer: ProtoReader, owner: PeerId | undefined): readonly VoteName[] {
  const reader = outer.message('Votes', 1)
  const votes: VoteName[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) append(votes, readVote(reader, owner), mutexLimits.requestsPerPeer, 'votes')
    else reader.unknown()
  }
  return votes
}

export function writeLevel(
  writer: ProtoWriter,
  field: number,
  vote: VoteName,
  token: number,
  owner: PeerId | undefined,
): void {
  const mark = writer.open(field)
  writeVote(writer, 1, vote, owner)
  writer.uint(2, token)
  writer.close(mark)
}

export function readLevel(
  outer: ProtoReader,
  owner: PeerId | undefined,
): { readonly vote: VoteName; readonly token: number } {
  const reader = outer.message('Level')
  let vote: VoteName | undefined
  let token = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) vote = readVote(reader, owner)
    else if (field === 2) token = reader.count()
    else reader.unknown()
  }
  return { vote: required(vote, 'vote'), token }
}

export function writeSignedVotes(writer: ProtoWriter, field: number, votes: SignedVotes): void {
  const mark = writer.open(field)
  writer.bytes(1, votes.bytes)
  writer.bytes(2, votes.signature)
  writer.close(mark)
}

/** The statements stay as they are, to be verified; what is in them is not looked at here. */
export function readSignedVotes(outer: ProtoReader): SignedVotes {
  const reader = outer.message('SignedVotes')
  let bytes: Uint8Array | undefined
  let signature: Uint8Array | undefined
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) bytes = readStatements(reader)
    else if (field === 2) signature = readSignature(reader)
    else reader.unknown()
  }
  return { bytes: required(bytes, 'statements'), signature: required(signature, 'signature') }
}

function readStatements(reader: ProtoReader): Uint8Array {
  const bytes = reader.bytes()
  if (bytes.length === 0 || bytes.length > mutexLimits.statementBytes) {
    throw malformed(`statements of ${bytes.length} bytes`)
  }
  return new Uint8Array(bytes)
}

export function writeNothing(writer: ProtoWriter, field: number): void {
  writer.close(writer.open(field))
}

export function readNothing(outer: ProtoReader): void {
  const reader = outer.message('Nothing')
  if (reader.next() !== 0) reader.unknown()
}
