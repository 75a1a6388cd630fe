/**
 * What a peer keeps on disk about locks and their electorate. Each record begins
 * with its format, so that one that was cut to nothing is not taken for one full of zeros.
 *
 * Every decoder throws `P2pdError` ERR_STORE_CORRUPT: who cannot read what it
 * promised, sealed or counted must not go on as if it had not.
 */
import { P2pdError } from '../../../lib/wire/errors.ts'
import { ProtoReader } from '../../../lib/wire/reader.ts'
import { ProtoWriter } from '../../../lib/wire/writer.ts'
import type { Ballot, Chain, Grant, Link, RequestId, Stamp } from './electorate/messages.ts'
import { mutexLimits } from './limits.ts'
import type { GrantNumber, VoteConflict } from './messages.ts'
import {
  ballots,
  charters,
  grantNumbers,
  grants,
  links,
  type Proposal,
  proposals,
  requestIds,
  signedVotes,
  stamps,
} from './wire/parts.ts'
import { Enumeration, malformed } from './wire/scalars.ts'
import {
  bool,
  count,
  duration,
  list,
  type Message,
  messageOf,
  name,
  oneOf,
  optional,
  part,
  peer,
  signature,
} from './wire/schema.ts'

/** Of Paxos, on what follows `version`. */
export interface AcceptorState {
  readonly version: number
  readonly promised: Ballot | undefined
  readonly accepted: Proposal | undefined
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

const chains = messageOf<Chain>('ChainRecord', {
  charter: part(2, charters),
  signature: signature(3),
  links: list(part(4, links), mutexLimits.chain, 'links'),
})

export function encodeChain(chain: Chain): Uint8Array {
  return save(chains, chain)
}

export function decodeChain(bytes: Uint8Array): Chain {
  return load('chain of decisions', chains, bytes)
}

const linkRecords = messageOf<{ readonly link: Link }>('LinkRecord', { link: part(2, links) })

export function encodeLink(link: Link): Uint8Array {
  return save(linkRecords, { link })
}

export function decodeLink(bytes: Uint8Array): Link {
  return load('link of the chain', linkRecords, bytes).link
}

const acceptors = messageOf<AcceptorState>('AcceptorRecord', {
  version: count(2),
  promised: optional(part(3, ballots)),
  accepted: optional(part(4, proposals)),
})

export function encodeAcceptor(state: AcceptorState): Uint8Array {
  return save(acceptors, state)
}

export function decodeAcceptor(bytes: Uint8Array): AcceptorState {
  return load('promise', acceptors, bytes)
}

const origins = messageOf<Origin>('OriginRecord', {
  type: oneOf(2, new Enumeration<Origin['type']>('founder', 'joiner', 'expecting')),
})

export function encodeOrigin(origin: Origin): Uint8Array {
  return save(origins, origin)
}

export function decodeOrigin(bytes: Uint8Array): Origin {
  return load('origin', origins, bytes)
}

const stampRecords = messageOf<{ readonly stamp: Stamp }>('StampRecord', { stamp: part(2, stamps) })

export function encodeStamp(stamp: Stamp): Uint8Array {
  return save(stampRecords, { stamp })
}

export function decodeStamp(bytes: Uint8Array): Stamp {
  return load('stamp', stampRecords, bytes).stamp
}

const arbiters = messageOf<ArbiterRecord>('ArbiterRecord', {
  installed: count(2),
  sealed: count(3),
  granted: bool(4),
  ceiling: count(5),
  longestLeaseMs: duration(6),
  void: optional(oneOf(7, new Enumeration<NonNullable<ArbiterRecord['void']>>('lost', 'rolled-back'))),
})

export function encodeArbiter(state: ArbiterRecord): Uint8Array {
  return save(arbiters, state)
}

export function decodeArbiter(bytes: Uint8Array): ArbiterRecord {
  return load('state of the arbiter', arbiters, bytes)
}

const grantLists = messageOf<{ readonly grants: readonly Grant[] }>('Grants', {
  grants: list(part(1, grants), Number.POSITIVE_INFINITY, 'grants'),
})

const stoppedVotes = messageOf<StoppedVote>('StoppedVote', {
  lock: name(1),
  request: part(2, requestIds),
  grant: part(3, grantNumbers),
  level: count(4),
  remainingMs: duration(5),
  leaseMs: duration(6),
})

const stops = messageOf<Omit<StopRecord, 'inherited'> & { readonly inherited: { grants: readonly Grant[] } }>(
  'StopRecord',
  {
    abstainsForMs: duration(2),
    inherited: part(3, grantLists),
    votes: list(part(4, stoppedVotes), Number.POSITIVE_INFINITY, 'votes'),
  },
)

export function encodeStop(record: StopRecord): Uint8Array {
  return save(stops, { ...record, inherited: { grants: record.inherited } })
}

export function decodeStop(bytes: Uint8Array): StopRecord {
  const record = load('state of a clean stop', stops, bytes)
  return { ...record, inherited: record.inherited.grants }
}

const conflicts = messageOf<VoteConflict>('Conflict', {
  arbiter: peer(1),
  lock: name(2),
  first: part(3, signedVotes),
  second: part(4, signedVotes),
})

const conflictLists = messageOf<{ readonly conflicts: readonly VoteConflict[] }>('ConflictsRecord', {
  conflicts: list(part(2, conflicts), mutexLimits.conflicts, 'conflicts'),
})

export function encodeConflicts(proven: readonly VoteConflict[]): Uint8Array {
  return save(conflictLists, { conflicts: proven })
}

export function decodeConflicts(bytes: Uint8Array): readonly VoteConflict[] {
  return load('proofs of contradiction', conflictLists, bytes).conflicts
}

const format = 1
const writer = new ProtoWriter()

function save<T>(message: Message<T>, value: T): Uint8Array {
  writer.begin()
  writer.uint(1, format)
  message.writeFields(writer, value)
  return writer.finish()
}

function load<T>(what: string, message: Message<T>, bytes: Uint8Array): T {
  try {
    // It is the own disk: nothing but its size bounds how much is in it.
    const reader = new ProtoReader(bytes, what, message.repeats, { left: Number.POSITIVE_INFINITY })
    if (reader.next() !== 1 || reader.uint() !== format) throw malformed('a record of another format')
    return message.readFields(reader)
  } catch (cause) {
    throw new P2pdError('ERR_STORE_CORRUPT', `the stored ${what} of locks cannot be read`, {
      hint: 'restore the data directory, or move it away and join again as a new peer',
      cause,
    })
  }
}
