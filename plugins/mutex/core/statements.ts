/**
 * What peers sign about locks and their electorate. Each kind of statement begins
 * with a domain tag of its own, so that no signature can be passed off as one of
 * another kind; the tag's number rises when the form of the bytes changes.
 *
 * Charters and accepts are encoded anew to verify them: there is one form, fields in the
 * order of their numbers and defaults left out. Votes are verified as received.
 */
import { ascii, concat } from '../../../lib/protocols/bytes.ts'
import type { Crypto, PeerId } from '../../../lib/protocols/core.ts'
import { ProtoReader } from '../../../lib/wire/reader.ts'
import { ProtoWriter } from '../../../lib/wire/writer.ts'
import type { Ballot, Charter, Decision, ElectorateId, RequestId } from './electorate/messages.ts'
import { mutexLimits } from './limits.ts'
import type { GrantNumber, SignedVotes, VoteStatement } from './messages.ts'
import { ballots, charters, decisions } from './wire/parts.ts'
import { append, decoding, hexText, malformed, readElectorateId, readName, required } from './wire/scalars.ts'
import { readNumber, readRequestId, writeNumber, writeRequestId } from './wire/votes.ts'

const charterTag = ascii('p2pd mutex charter 1\0')
const acceptTag = ascii('p2pd mutex accept 1\0')
const votesTag = ascii('p2pd mutex votes 1\0')

const writer = new ProtoWriter()

/** What the founder signs. */
export function charterBytes(charter: Charter): Uint8Array {
  writer.begin()
  charters.writeFields(writer, charter)
  return concat(charterTag, writer.finish())
}

/** The first half of SHA-256 of what the founder signs. */
export function electorateIdOf(charter: Charter, sha256: Crypto['sha256']): ElectorateId {
  return hexText(sha256(charterBytes(charter)).subarray(0, 16), 16) as ElectorateId
}

/** What a voter signs when it accepts: `decision` follows `version`. */
export function acceptBytes(
  electorate: ElectorateId,
  version: number,
  ballot: Ballot,
  decision: Decision,
): Uint8Array {
  writer.begin()
  writer.hex(1, electorate)
  writer.uint(2, version)
  ballots.write(writer, 3, ballot)
  decisions.write(writer, 4, decision)
  return concat(acceptTag, writer.finish())
}

/** Signs the grants of one frame, at most 256. */
export function signVotes(statements: readonly VoteStatement[], crypto: Crypto): SignedVotes {
  const bytes = encodeVotes(statements)
  return { bytes, signature: crypto.sign(concat(votesTag, bytes)) }
}

export function votesAreSigned(arbiter: PeerId, votes: SignedVotes, crypto: Crypto): boolean {
  return crypto.verify(arbiter, concat(votesTag, votes.bytes), votes.signature)
}

/**
 * Without the tag. What is the same as in the statement before is left out, since the
 * grants of a frame are of one version and go to one peer.
 */
export function encodeVotes(statements: readonly VoteStatement[]): Uint8Array {
  writer.begin()
  let before: VoteStatement | undefined
  for (const statement of statements) {
    const { electorate, version, lock, vote, proposal } = statement
    const mark = writer.open(1)
    if (electorate !== before?.electorate) writer.hex(1, electorate)
    if (version !== before?.version) writer.uint(2, version)
    writer.text(3, lock)
    writeRequestId(writer, 4, vote.request, before?.vote.request.peer)
    writeNumber(writer, 5, vote.grant)
    writer.uint(6, proposal)
    writer.close(mark)
    before = statement
  }
  return writer.finish()
}

/** At least one and at most 256 statements. Throws `WireError` ERR_MALFORMED. */
export function decodeVotes(bytes: Uint8Array): readonly VoteStatement[] {
  if (bytes.length > mutexLimits.statementBytes) throw malformed(`statements of ${bytes.length} bytes`)
  return decoding('list of statements', () => {
    const reader = new ProtoReader(bytes, 'VoteStatements', 1)
    const statements: VoteStatement[] = []
    for (let field = reader.next(); field !== 0; field = reader.next()) {
      if (field !== 1) reader.unknown()
      const statement = readStatement(reader, statements.at(-1))
      append(statements, statement, mutexLimits.statementsPerSignature, 'statements')
    }
    if (statements.length === 0) throw malformed('no statement')
    return statements
  })
}

function readStatement(outer: ProtoReader, before: VoteStatement | undefined): VoteStatement {
  const reader = outer.message('VoteStatement')
  let electorate = before?.electorate
  let version = before?.version
  let lock: string | undefined
  let request: RequestId | undefined
  let grant: GrantNumber | undefined
  let proposal = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) electorate = readElectorateId(reader)
    else if (field === 2) version = reader.count()
    else if (field === 3) lock = readName(reader)
    else if (field === 4) request = readRequestId(reader, before?.vote.request.peer)
    else if (field === 5) grant = readNumber(reader)
    else if (field === 6) proposal = reader.count()
    else reader.unknown()
  }
  return {
    electorate: required(electorate, 'electorate of a statement'),
    version: required(version, 'version of a statement'),
    lock: required(lock, 'lock of a statement'),
    vote: {
      request: required(request, 'request of a statement'),
      grant: required(grant, 'grant of a statement'),
    },
    proposal,
  }
}
