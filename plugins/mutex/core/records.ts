/**
 * What a peer keeps on disk about locks and their electorate. Each record begins
 * with its format, so that one that was cut to nothing is not taken for one full of zeros.
 *
 * Every decoder throws `P2pdError` ERR_STORE_CORRUPT: who cannot read what it
 * promised, sealed or counted must not go on as if it had not.
 */
import type { PeerId } from '../../../lib/protocols/core.ts'
import { P2pdError } from '../../../lib/wire/errors.ts'
import { ProtoReader } from '../../../lib/wire/reader.ts'
import { ProtoWriter } from '../../../lib/wire/writer.ts'
import type { Ballot, Chain, Charter, Grant, Link, Report, RequestId, Stamp } from './electorate/messages.ts'
import { mutexLimits } from './limits.ts'
import type { GrantNumber } from './messages.ts'
import {
  append,
  Enumeration,
  malformed,
  readDuration,
  readName,
  readNumber,
  readPeer,
  readRequestId,
  readSignature,
  readStamp,
  required,
  writeDuration,
  writeNumber,
  writeRequestId,
  writeStamp,
} from './wire/fields.ts'
import {
  type Proposal,
  readBallot,
  readCharter,
  readGrant,
  readLink,
  readProposal,
  readReport,
  writeBallot,
  writeCharter,
  writeGrant,
  writeLink,
  writeProposal,
  writeReport,
} from './wire/parts.ts'

/** Of Paxos, on what follows `version`. */
export interface AcceptorState {
  readonly version: number
  readonly promised: Ballot | undefined
  readonly accepted: Proposal | undefined
}

/** The report of a voter that has sealed `version`. Its times count from when it was written. */
export interface StoredReport {
  readonly version: number
  readonly report: Report
}

/** How this peer came to the cluster. */
export interface Origin {
  readonly type: 'founder' | 'joiner' | 'expecting'
}

/** What an arbiter must not forget. */
export interface ArbiterRecord {
  readonly installed: number
  readonly sealed: number
  readonly granted: boolean
  /** Of every lock that has no counter of its own. */
  readonly floor: number
  /** No counter is above. */
  readonly ceiling: number
  readonly longestLeaseMs: number
  readonly void: 'lost' | 'rolled-back' | undefined
}

/** What an arbiter that stops cleanly leaves to its next life. Times count from the restart. */
export interface StopRecord {
  readonly abstainsForMs: number
  readonly inherited: readonly Grant[]
  readonly votes: readonly StoppedVote[]
}

export interface StoppedVote {
  readonly lock: string
  readonly request: RequestId
  readonly grant: GrantNumber
  /** The token that it proposed, or confirmed since. */
  readonly level: number
  readonly remainingMs: number
  readonly leaseMs: number
}

const format = 1
const writer = new ProtoWriter()

export function encodeChain(chain: Chain): Uint8Array {
  begin()
  writeCharter(writer, 2, chain.charter)
  writer.bytes(3, chain.signature)
  for (const link of chain.links) writeLink(writer, 4, link)
  return writer.finish()
}

export function decodeChain(bytes: Uint8Array): Chain {
  let charter: Charter | undefined
  let signature: Uint8Array | undefined
  const links: Link[] = []
  return load(
    'chain of decisions',
    bytes,
    4,
    (reader, field) => {
      if (field === 2) charter = readCharter(reader)
      else if (field === 3) signature = readSignature(reader)
      else if (field === 4) append(links, readLink(reader), mutexLimits.chain, 'links')
      else reader.unknown()
    },
    () => ({
      charter: required(charter, 'charter'),
      signature: required(signature, 'signature'),
      links,
    }),
  )
}

export function encodeLink(link: Link): Uint8Array {
  begin()
  writeLink(writer, 2, link)
  return writer.finish()
}

export function decodeLink(bytes: Uint8Array): Link {
  let link: Link | undefined
  return load(
    'link of the chain',
    bytes,
    0,
    (reader, field) => {
      if (field === 2) link = readLink(reader)
      else reader.unknown()
    },
    () => required(link, 'link'),
  )
}

export function encodeAcceptor(state: AcceptorState): Uint8Array {
  begin()
  writer.uint(2, state.version)
  if (state.promised !== undefined) writeBallot(writer, 3, state.promised)
  if (state.accepted !== undefined) writeProposal(writer, 4, state.accepted)
  return writer.finish()
}

export function decodeAcceptor(bytes: Uint8Array): AcceptorState {
  let version = 0
  let promised: Ballot | undefined
  let accepted: Proposal | undefined
  return load(
    'promise',
    bytes,
    0,
    (reader, field) => {
      if (field === 2) version = reader.count()
      else if (field === 3) promised = readBallot(reader)
      else if (field === 4) accepted = readProposal(reader)
      else reader.unknown()
    },
    () => ({ version, promised, accepted }),
  )
}

export function encodeReport({ version, report }: StoredReport): Uint8Array {
  begin()
  writer.uint(2, version)
  writeReport(writer, 3, report)
  return writer.finish()
}

export function decodeReport(bytes: Uint8Array): StoredReport {
  let version = 0
  let report: Report | undefined
  return load(
    'report',
    bytes,
    0,
    (reader, field) => {
      if (field === 2) version = reader.count()
      else if (field === 3) report = readReport(reader)
      else reader.unknown()
    },
    () => ({ version, report: required(report, 'report') }),
  )
}

const origins = new Enumeration<Origin['type']>('founder', 'joiner', 'expecting')

export function encodeOrigin(origin: Origin): Uint8Array {
  begin()
  origins.write(writer, 2, origin.type)
  return writer.finish()
}

export function decodeOrigin(bytes: Uint8Array): Origin {
  let type: Origin['type'] | undefined
  return load(
    'origin',
    bytes,
    0,
    (reader, field) => {
      if (field === 2) type = origins.read(reader)
      else reader.unknown()
    },
    () => ({ type: required(type, 'origin') }),
  )
}

export function encodeStamp(stamp: Stamp): Uint8Array {
  begin()
  writeStamp(writer, 2, stamp)
  return writer.finish()
}

export function decodeStamp(bytes: Uint8Array): Stamp {
  let stamp: Stamp | undefined
  return load(
    'stamp',
    bytes,
    0,
    (reader, field) => {
      if (field === 2) stamp = readStamp(reader)
      else reader.unknown()
    },
    () => required(stamp, 'stamp'),
  )
}

/** The highest stamp known of each peer. */
export function encodeStamps(stamps: ReadonlyMap<PeerId, Stamp>): Uint8Array {
  begin()
  for (const [peer, stamp] of stamps) {
    const mark = writer.open(2)
    writer.ascii(1, peer)
    writeStamp(writer, 2, stamp)
    writer.close(mark)
  }
  return writer.finish()
}

export function decodeStamps(bytes: Uint8Array): Map<PeerId, Stamp> {
  const stamps = new Map<PeerId, Stamp>()
  return load(
    'stamps of others',
    bytes,
    2,
    (reader, field) => {
      if (field !== 2) reader.unknown()
      const [peer, stamp] = readPeerStamp(reader)
      stamps.set(peer, stamp)
    },
    () => stamps,
  )
}

function readPeerStamp(outer: ProtoReader): readonly [PeerId, Stamp] {
  const reader = outer.message('PeerStamp')
  let peer: PeerId | undefined
  let stamp: Stamp | undefined
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) peer = readPeer(reader)
    else if (field === 2) stamp = readStamp(reader)
    else reader.unknown()
  }
  return [required(peer, 'peer of a stamp'), required(stamp, 'stamp')]
}

const voids = new Enumeration<NonNullable<ArbiterRecord['void']>>('lost', 'rolled-back')

export function encodeArbiter(state: ArbiterRecord): Uint8Array {
  begin()
  writer.uint(2, state.installed)
  writer.uint(3, state.sealed)
  writer.bool(4, state.granted)
  writer.uint(5, state.floor)
  writer.uint(6, state.ceiling)
  writeDuration(writer, 7, state.longestLeaseMs)
  if (state.void !== undefined) voids.write(writer, 8, state.void)
  return writer.finish()
}

export function decodeArbiter(bytes: Uint8Array): ArbiterRecord {
  const record: { -readonly [Field in keyof ArbiterRecord]: ArbiterRecord[Field] } = {
    installed: 0,
    sealed: 0,
    granted: false,
    floor: 0,
    ceiling: 0,
    longestLeaseMs: 0,
    void: undefined,
  }
  return load(
    'state of the arbiter',
    bytes,
    0,
    (reader, field) => {
      if (field === 2) record.installed = reader.count()
      else if (field === 3) record.sealed = reader.count()
      else if (field === 4) record.granted = reader.bool()
      else if (field === 5) record.floor = reader.count()
      else if (field === 6) record.ceiling = reader.count()
      else if (field === 7) record.longestLeaseMs = readDuration(reader)
      else if (field === 8) record.void = voids.read(reader)
      else reader.unknown()
    },
    () => record,
  )
}

export function encodeStop(record: StopRecord): Uint8Array {
  begin()
  writeDuration(writer, 2, record.abstainsForMs)
  const grants = writer.open(3)
  for (const grant of record.inherited) writeGrant(writer, 1, grant)
  writer.close(grants)
  for (const vote of record.votes) {
    const mark = writer.open(4)
    writer.text(1, vote.lock)
    writeRequestId(writer, 2, vote.request)
    writeNumber(writer, 3, vote.grant)
    writer.uint(4, vote.level)
    writeDuration(writer, 5, vote.remainingMs)
    writeDuration(writer, 6, vote.leaseMs)
    writer.close(mark)
  }
  return writer.finish()
}

export function decodeStop(bytes: Uint8Array): StopRecord {
  let abstainsForMs = 0
  let inherited: readonly Grant[] = []
  const votes: StoppedVote[] = []
  return load(
    'state of a clean stop',
    bytes,
    4,
    (reader, field) => {
      if (field === 2) abstainsForMs = readDuration(reader)
      else if (field === 3) inherited = readGrants(reader)
      else if (field === 4) votes.push(readStoppedVote(reader))
      else reader.unknown()
    },
    () => ({ abstainsForMs, inherited, votes }),
  )
}

function readGrants(outer: ProtoReader): readonly Grant[] {
  const reader = outer.message('Grants', 1)
  const grants: Grant[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) grants.push(readGrant(reader))
    else reader.unknown()
  }
  return grants
}

function readStoppedVote(outer: ProtoReader): StoppedVote {
  const reader = outer.message('StoppedVote')
  let lock: string | undefined
  let request: RequestId | undefined
  let grant: GrantNumber | undefined
  let level = 0
  let remainingMs = 0
  let leaseMs = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) lock = readName(reader)
    else if (field === 2) request = readRequestId(reader)
    else if (field === 3) grant = readNumber(reader)
    else if (field === 4) level = reader.count()
    else if (field === 5) remainingMs = readDuration(reader)
    else if (field === 6) leaseMs = readDuration(reader)
    else reader.unknown()
  }
  return {
    lock: required(lock, 'lock of a vote'),
    request: required(request, 'request of a vote'),
    grant: required(grant, 'grant of a vote'),
    level,
    remainingMs,
    leaseMs,
  }
}

function begin(): void {
  writer.begin()
  writer.uint(1, format)
}

/** Reads all fields of a record, of which the one of number `repeats` may come again, and makes `result` of them. */
function load<T>(
  what: string,
  bytes: Uint8Array,
  repeats: number,
  each: (reader: ProtoReader, field: number) => void,
  result: () => T,
): T {
  try {
    // It is the own disk: nothing but its size bounds how much is in it.
    const reader = new ProtoReader(bytes, what, repeats, { left: Number.POSITIVE_INFINITY })
    if (reader.next() !== 1 || reader.uint() !== format) throw malformed('a record of another format')
    for (let field = reader.next(); field !== 0; field = reader.next()) each(reader, field)
    return result()
  } catch (cause) {
    throw new P2pdError('ERR_STORE_CORRUPT', `the stored ${what} of locks cannot be read`, {
      hint: 'restore the data directory, or move it away and join again as a new peer',
      cause,
    })
  }
}
