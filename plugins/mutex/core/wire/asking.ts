/** What a requester says to an arbiter, to the wire and from it. The hot path: written and read by hand. */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import type { ProtoReader } from '../../../../lib/wire/reader.ts'
import type { ProtoWriter } from '../../../../lib/wire/writer.ts'
import type { RequestId } from '../electorate/messages.ts'
import { mutexLimits } from '../limits.ts'
import type { Asking, AskingItem, Evidence, GrantNumber, Listed, SessionId } from '../messages.ts'
import {
  append,
  digestBytes,
  hexText,
  malformed,
  readLease,
  readName,
  readPeer,
  required,
  writeLease,
} from './scalars.ts'
import {
  readLevel,
  readNothing,
  readNumber,
  readRequestId,
  readSignedVotes,
  readVote,
  readVotes,
  writeLevel,
  writeNothing,
  writeNumber,
  writeRequestId,
  writeSignedVotes,
  writeVote,
  writeVotes,
} from './votes.ts'

type Item<Type extends AskingItem['type']> = Extract<AskingItem, { type: Type }>

/** The requests are all of one peer, the sender, which is therefore named once. */
export function writeAsking(writer: ProtoWriter, field: number, asking: Asking): void {
  const owner = ownerOf(asking.items)
  const mark = writer.open(field)
  writeNumber(writer, 1, asking.session)
  writer.uint(2, asking.seq)
  writer.uint(3, asking.ack)
  if (owner !== undefined) writer.ascii(4, owner)
  for (const item of asking.items) writeItem(writer, item, owner)
  writer.close(mark)
}

export function readAsking(outer: ProtoReader): Asking {
  const reader = outer.message('Asking', 5)
  let session: SessionId | undefined
  let seq = 0
  let ack = 0
  let owner: PeerId | undefined
  const items: AskingItem[] = []
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

function ownerOf(items: readonly AskingItem[]): PeerId | undefined {
  for (const item of items) {
    const request = firstRequest(item)
    if (request !== undefined) return request.peer
  }
  return undefined
}

function firstRequest(item: AskingItem): RequestId | undefined {
  switch (item.type) {
    case 'sync':
      return item.requests[0]?.request
    case 'request':
      return item.request.request
    case 'ping':
    case 'renew':
      return undefined
    case 'renew-each':
      return item.votes[0]?.request
    case 'confirm':
    case 'relinquish':
      return item.vote.request
    case 'release':
    case 'cancel':
      return item.request
  }
}

function writeItem(writer: ProtoWriter, item: AskingItem, owner: PeerId | undefined): void {
  const mark = writer.open(5)
  switch (item.type) {
    case 'sync':
      writeSync(writer, item, owner)
      break
    case 'request':
      writeListed(writer, 2, item.request, owner)
      break
    case 'ping':
      writeNothing(writer, 3)
      break
    case 'renew':
      writer.hex(4, item.digest)
      break
    case 'renew-each':
      writeVotes(writer, 5, item.votes, owner)
      break
    case 'confirm':
      writeLevel(writer, 6, item.vote, item.token, owner)
      break
    case 'relinquish':
      writeVote(writer, 7, item.vote, owner)
      break
    case 'release':
      writeRelease(writer, item, owner)
      break
    case 'cancel':
      writeCancel(writer, item, owner)
  }
  writer.close(mark)
}

function readItem(outer: ProtoReader, owner: PeerId | undefined): AskingItem {
  const reader = outer.message('AskingItem')
  const item = readKind(reader, owner)
  if (reader.next() !== 0) throw malformed('two things in one item')
  return item
}

function readKind(reader: ProtoReader, owner: PeerId | undefined): AskingItem {
  switch (reader.next()) {
    case 0:
      throw malformed('an item without a kind')
    case 1:
      return readSync(reader, owner)
    case 2:
      return { type: 'request', request: readListed(reader, owner) }
    case 3:
      readNothing(reader)
      return { type: 'ping' }
    case 4:
      return { type: 'renew', digest: hexText(reader.bytes(), digestBytes) }
    case 5:
      return { type: 'renew-each', votes: readVotes(reader, owner) }
    case 6:
      return { type: 'confirm', ...readLevel(reader, owner) }
    case 7:
      return { type: 'relinquish', vote: readVote(reader, owner) }
    case 8:
      return readRelease(reader, owner)
    case 9:
      return readCancel(reader, owner)
    default:
      return reader.unknown()
  }
}

function writeSync(writer: ProtoWriter, item: Item<'sync'>, owner: PeerId | undefined): void {
  const mark = writer.open(1)
  writer.uint(1, item.version)
  for (const listed of item.requests) writeListed(writer, 2, listed, owner)
  writer.close(mark)
}

function readSync(outer: ProtoReader, owner: PeerId | undefined): Item<'sync'> {
  const reader = outer.message('Sync', 2)
  let version = 0
  const requests: Listed[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) version = reader.count()
    else if (field === 2) {
      append(requests, readListed(reader, owner), mutexLimits.requestsPerPeer, 'requests')
    } else reader.unknown()
  }
  return { type: 'sync', version, requests }
}

function writeListed(writer: ProtoWriter, field: number, listed: Listed, owner: PeerId | undefined): void {
  const mark = writer.open(field)
  writeRequestId(writer, 1, listed.request, owner)
  writer.text(2, listed.lock)
  writer.uint(3, listed.timestamp)
  writeLease(writer, 4, listed.leaseMs)
  writer.uint(5, listed.hint)
  if (listed.grant !== undefined) writeNumber(writer, 6, listed.grant)
  writer.uint(7, listed.token)
  writer.close(mark)
}

function readListed(outer: ProtoReader, owner: PeerId | undefined): Listed {
  const reader = outer.message('Listed')
  let request: RequestId | undefined
  let lock: string | undefined
  let timestamp = 0
  let leaseMs: number | undefined
  let hint = 0
  let grant: GrantNumber | undefined
  let token = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) request = readRequestId(reader, owner)
    else if (field === 2) lock = readName(reader)
    else if (field === 3) timestamp = reader.count()
    else if (field === 4) leaseMs = readLease(reader)
    else if (field === 5) hint = reader.count()
    else if (field === 6) grant = readNumber(reader)
    else if (field === 7) token = reader.count()
    else reader.unknown()
  }
  return {
    request: required(request, 'request id'),
    lock: required(lock, 'lock of a request'),
    timestamp,
    leaseMs: required(leaseMs, 'lease of a request'),
    hint,
    grant,
    token,
  }
}

function writeRelease(writer: ProtoWriter, item: Item<'release'>, owner: PeerId | undefined): void {
  const mark = writer.open(8)
  writeRequestId(writer, 1, item.request, owner)
  writer.text(2, item.lock)
  writer.uint(3, item.token)
  for (const evidence of item.grants) writeEvidence(writer, 4, evidence)
  writer.close(mark)
}

function readRelease(outer: ProtoReader, owner: PeerId | undefined): Item<'release'> {
  const reader = outer.message('Release', 4)
  let request: RequestId | undefined
  let lock: string | undefined
  let token = 0
  const grants: Evidence[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) request = readRequestId(reader, owner)
    else if (field === 2) lock = readName(reader)
    else if (field === 3) token = reader.count()
    else if (field === 4) append(grants, readEvidence(reader), mutexLimits.voters, 'grants')
    else reader.unknown()
  }
  return {
    type: 'release',
    request: required(request, 'request of a release'),
    lock: required(lock, 'lock of a release'),
    token,
    grants,
  }
}

function writeEvidence(writer: ProtoWriter, field: number, evidence: Evidence): void {
  const mark = writer.open(field)
  writer.ascii(1, evidence.arbiter)
  writeNumber(writer, 2, evidence.grant)
  writer.uint(3, evidence.proposal)
  if (evidence.signed !== undefined) writeSignedVotes(writer, 4, evidence.signed)
  writer.close(mark)
}

function readEvidence(outer: ProtoReader): Evidence {
  const reader = outer.message('Evidence')
  let arbiter: PeerId | undefined
  let grant: GrantNumber | undefined
  let proposal = 0
  let signed: Evidence['signed']
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) arbiter = readPeer(reader)
    else if (field === 2) grant = readNumber(reader)
    else if (field === 3) proposal = reader.count()
    else if (field === 4) signed = readSignedVotes(reader)
    else reader.unknown()
  }
  return { arbiter: required(arbiter, 'arbiter'), grant: required(grant, 'grant'), proposal, signed }
}

function writeCancel(writer: ProtoWriter, item: Item<'cancel'>, owner: PeerId | undefined): void {
  const mark = writer.open(9)
  writeRequestId(writer, 1, item.request, owner)
  writer.text(2, item.lock)
  writer.close(mark)
}

function readCancel(outer: ProtoReader, owner: PeerId | undefined): Item<'cancel'> {
  const reader = outer.message('Cancel')
  let request: RequestId | undefined
  let lock: string | undefined
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) request = readRequestId(reader, owner)
    else if (field === 2) lock = readName(reader)
    else reader.unknown()
  }
  return {
    type: 'cancel',
    request: required(request, 'request of a cancel'),
    lock: required(lock, 'lock of a cancel'),
  }
}
