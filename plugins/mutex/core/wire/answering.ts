/** What an arbiter says to a requester, to the wire and from it. The hot path: written and read by hand. */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import type { ProtoReader } from '../../../../lib/wire/reader.ts'
import type { ProtoWriter } from '../../../../lib/wire/writer.ts'
import type { RequestId } from '../electorate/messages.ts'
import { mutexLimits } from '../limits.ts'
import type {
  Answer,
  Answering,
  AnsweringItem,
  Refusal,
  SessionId,
  Unavailability,
  VoteName,
} from '../messages.ts'
import {
  append,
  Enumeration,
  malformed,
  readDuration,
  readLease,
  readPeer,
  required,
  writeDuration,
  writeLease,
} from './scalars.ts'
import {
  readLevel,
  readNothing,
  readNumber,
  readRequestId,
  readSignedVotes,
  readVote,
  writeLevel,
  writeNothing,
  writeNumber,
  writeRequestId,
  writeSignedVotes,
  writeVote,
} from './votes.ts'

type Item<Type extends AnsweringItem['type']> = Extract<AnsweringItem, { type: Type }>

const progress = new Enumeration<Answer['type']>('granted', 'queued', 'abstaining')

const refusals = new Enumeration<Refusal>(
  'timestamp-too-low',
  'timestamp-too-far',
  'lease-too-long',
  'token-too-far',
  'too-many',
)

const unavailabilities = new Enumeration<Unavailability>(
  'not-a-voter',
  'other-version',
  'starting',
  'installing',
  'sealed',
  'void',
)

/** The requests are all of one peer, the receiver, which is therefore named once. */
export function writeAnswering(writer: ProtoWriter, field: number, answering: Answering): void {
  const owner = ownerOf(answering.items)
  const mark = writer.open(field)
  writeNumber(writer, 1, answering.session)
  writer.uint(2, answering.seq)
  writer.uint(3, answering.ack)
  if (owner !== undefined) writer.ascii(4, owner)
  for (const item of answering.items) writeItem(writer, item, owner)
  writer.close(mark)
}

export function readAnswering(outer: ProtoReader): Answering {
  const reader = outer.message('Answering', 5)
  let session: SessionId | undefined
  let seq = 0
  let ack = 0
  let owner: PeerId | undefined
  const items: AnsweringItem[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) session = readNumber(reader)
    else if (field === 2) seq = reader.count()
    else if (field === 3) ack = reader.count()
    else if (field === 4) owner = readPeer(reader)
    else if (field === 5) append(items, readItem(reader, owner), mutexLimits.items, 'items')
    else reader.unknown()
  }
  return { session: required(session, 'session'), seq, ack, items }
}

function ownerOf(items: readonly AnsweringItem[]): PeerId | undefined {
  for (const item of items) {
    const request = firstRequest(item)
    if (request !== undefined) return request.peer
  }
  return undefined
}

function firstRequest(item: AnsweringItem): RequestId | undefined {
  switch (item.type) {
    case 'grant':
    case 'inquire':
    case 'confirmed':
      return item.vote.request
    case 'answer':
    case 'refused':
      return item.request
    case 'renewed':
      return item.refused[0]?.request
    case 'renew-mismatch':
    case 'reset':
    case 'unavailable':
    case 'signed':
      return undefined
  }
}

function writeItem(writer: ProtoWriter, item: AnsweringItem, owner: PeerId | undefined): void {
  const mark = writer.open(5)
  switch (item.type) {
    case 'grant':
      writeGranting(writer, item, owner)
      break
    case 'inquire':
      writeVote(writer, 2, item.vote, owner)
      break
    case 'confirmed':
      writeLevel(writer, 3, item.vote, item.token, owner)
      break
    case 'answer':
      writeAnswer(writer, item, owner)
      break
    case 'renewed':
      writeRenewed(writer, item, owner)
      break
    case 'renew-mismatch':
      writeNothing(writer, 6)
      break
    case 'refused':
      writeRefused(writer, item, owner)
      break
    case 'reset':
      writeNothing(writer, 8)
      break
    case 'unavailable':
      writeUnavailable(writer, item)
      break
    case 'signed':
      writeSignedVotes(writer, 10, item.votes)
  }
  writer.close(mark)
}

function readItem(outer: ProtoReader, owner: PeerId | undefined): AnsweringItem {
  const reader = outer.message('AnsweringItem')
  const item = readKind(reader, owner)
  if (reader.next() !== 0) throw malformed('two things in one item')
  return item
}

function readKind(reader: ProtoReader, owner: PeerId | undefined): AnsweringItem {
  switch (reader.next()) {
    case 0:
      throw malformed('an item without a kind')
    case 1:
      return readGranting(reader, owner)
    case 2:
      return { type: 'inquire', vote: readVote(reader, owner) }
    case 3:
      return { type: 'confirmed', ...readLevel(reader, owner) }
    case 4:
      return readAnswer(reader, owner)
    case 5:
      return readRenewed(reader, owner)
    case 6:
      readNothing(reader)
      return { type: 'renew-mismatch' }
    case 7:
      return readRefused(reader, owner)
    case 8:
      readNothing(reader)
      return { type: 'reset' }
    case 9:
      return readUnavailable(reader)
    case 10:
      return { type: 'signed', votes: readSignedVotes(reader) }
    default:
      return reader.unknown()
  }
}

function writeGranting(writer: ProtoWriter, item: Item<'grant'>, owner: PeerId | undefined): void {
  const mark = writer.open(1)
  writeVote(writer, 1, item.vote, owner)
  writer.uint(2, item.proposal)
  writer.uint(3, item.clock)
  writeLease(writer, 4, item.leaseMs)
  writer.uint(5, item.base)
  writer.close(mark)
}

function readGranting(outer: ProtoReader, owner: PeerId | undefined): Item<'grant'> {
  const reader = outer.message('Granting')
  let vote: VoteName | undefined
  let proposal = 0
  let clock = 0
  let leaseMs: number | undefined
  let base = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) vote = readVote(reader, owner)
    else if (field === 2) proposal = reader.count()
    else if (field === 3) clock = reader.count()
    else if (field === 4) leaseMs = readLease(reader)
    else if (field === 5) base = reader.count()
    else reader.unknown()
  }
  return {
    type: 'grant',
    vote: required(vote, 'vote of a grant'),
    proposal,
    clock,
    leaseMs: required(leaseMs, 'lease of a grant'),
    base,
  }
}

function writeAnswer(writer: ProtoWriter, item: Item<'answer'>, owner: PeerId | undefined): void {
  const mark = writer.open(4)
  writeRequestId(writer, 1, item.request, owner)
  progress.write(writer, 2, item.answer.type)
  if (item.answer.type === 'abstaining') writeDuration(writer, 3, item.answer.remainingMs)
  writer.close(mark)
}

function readAnswer(outer: ProtoReader, owner: PeerId | undefined): Item<'answer'> {
  const reader = outer.message('Answer')
  let request: RequestId | undefined
  let type: Answer['type'] | undefined
  let remainingMs = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) request = readRequestId(reader, owner)
    else if (field === 2) type = progress.read(reader)
    else if (field === 3) remainingMs = readDuration(reader)
    else reader.unknown()
  }
  return {
    type: 'answer',
    request: required(request, 'request of an answer'),
    answer: answerOf(required(type, 'answer'), remainingMs),
  }
}

function answerOf(type: Answer['type'], remainingMs: number): Answer {
  if (type === 'abstaining') return { type, remainingMs }
  if (remainingMs !== 0) throw malformed('an abstention of who does not abstain')
  return { type }
}

function writeRenewed(writer: ProtoWriter, item: Item<'renewed'>, owner: PeerId | undefined): void {
  const mark = writer.open(5)
  writer.uint(1, item.base)
  for (const vote of item.refused) writeVote(writer, 2, vote, owner)
  writer.close(mark)
}

function readRenewed(outer: ProtoReader, owner: PeerId | undefined): Item<'renewed'> {
  const reader = outer.message('Renewed', 2)
  let base = 0
  const refused: VoteName[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) base = reader.count()
    else if (field === 2) append(refused, readVote(reader, owner), mutexLimits.requestsPerPeer, 'votes')
    else reader.unknown()
  }
  return { type: 'renewed', base, refused }
}

function writeRefused(writer: ProtoWriter, item: Item<'refused'>, owner: PeerId | undefined): void {
  const mark = writer.open(7)
  writeRequestId(writer, 1, item.request, owner)
  refusals.write(writer, 2, item.reason)
  writer.close(mark)
}

function readRefused(outer: ProtoReader, owner: PeerId | undefined): Item<'refused'> {
  const reader = outer.message('Refused')
  let request: RequestId | undefined
  let reason: Refusal | undefined
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) request = readRequestId(reader, owner)
    else if (field === 2) reason = refusals.read(reader)
    else reader.unknown()
  }
  return {
    type: 'refused',
    request: required(request, 'request of a refusal'),
    reason: required(reason, 'reason of a refusal'),
  }
}

function writeUnavailable(writer: ProtoWriter, item: Item<'unavailable'>): void {
  const mark = writer.open(9)
  unavailabilities.write(writer, 1, item.reason)
  writer.close(mark)
}

function readUnavailable(outer: ProtoReader): Item<'unavailable'> {
  const reader = outer.message('Unavailable')
  let reason: Unavailability | undefined
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) reason = unavailabilities.read(reader)
    else reader.unknown()
  }
  return { type: 'unavailable', reason: required(reason, 'reason') }
}
