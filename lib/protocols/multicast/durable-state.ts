/**
 * What a member of groups keeps on disk, with each delivery: how far it has
 * delivered, as the last header of each author and epoch; the frontier; own
 * messages that others may still need; proofs of equivocation.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { WireError } from '../../wire/errors.ts'
import { GroupStateSchema, ProofSchema, SignedHeaderSchema } from '../../wire/gen/multicast_pb.ts'
import { isGroupName } from '../../wire/group-name.ts'
import { ProtoWriter } from '../../wire/writer.ts'
import { proofToWire, toProof } from './codec.ts'
import { malformed } from './decoding.ts'
import { compareDots, groupIdOf, type Sha256 } from './dots.ts'
import { openEnvelope, openSignedHeader } from './envelope.ts'
import { toFrontierDot } from './fields.ts'
import type { AuthorKey, DotKey, EntryKey, Envelope, FrontierDot, Proof, SignedHeader } from './messages.ts'

/** `group` below is a group's id; of those keys no part but the last holds a slash. */
export const durableKeys = {
  group: (name: string): string => `group/${name}`,
  /** The last delivered header of one author and epoch. */
  entry: (group: string, entry: EntryKey): string => `entry/${group}/${entry}`,
  /** An own envelope, as `encodeEnvelope` makes it, by its first seq. */
  own: (group: string, epoch: number, seq: number): string => `own/${group}/${epoch}/${seq}`,
  proof: (group: string, author: AuthorKey): string => `proof/${group}/${author}`,
  clock: 'clock',
} as const

export interface GroupState {
  readonly name: string
  /** It stands on a baseline: one that returns, not one that is new. */
  readonly based: boolean
  readonly frontier: readonly FrontierDot[]
}

export interface DurableGroup extends GroupState {
  /** 32 hexadecimal digits. */
  readonly id: string
  readonly entries: readonly SignedHeader[]
  /** In order of epoch and seq. */
  readonly own: readonly Envelope[]
  readonly proofs: readonly Proof[]
}

const writer = new ProtoWriter()
const dotWriter = new ProtoWriter()
const entryWriter = new ProtoWriter()

export function encodeGroupState(state: GroupState): Uint8Array {
  writer.begin()
  writer.ascii(1, state.name)
  writer.uint(2, state.based ? 1 : 0)
  for (const dot of state.frontier) {
    writeDot(dotWriter, dot)
    for (const entry of dot.below) {
      writeDot(entryWriter, entry)
      dotWriter.bytes(4, entryWriter.finish())
    }
    dotWriter.uint(5, dot.exact ? 1 : 0)
    writer.bytes(3, dotWriter.finish())
  }
  return writer.finish()
}

function writeDot(to: ProtoWriter, { author, epoch, seq }: DotKey): void {
  to.hex(1, author)
  to.uint(2, epoch)
  to.uint(3, seq)
}

export function encodeEntry(header: SignedHeader): Uint8Array {
  writer.begin()
  writer.bytes(1, header.bytes)
  writer.bytes(2, header.signature)
  return writer.finish()
}

export function encodeProof(proof: Proof): Uint8Array {
  return toBinary(ProofSchema, create(ProofSchema, proofToWire(proof)))
}

/**
 * All groups that `durable` tells of, by name. What belongs to a group without a
 * record was about to be deleted, and is left out. Throws `WireError` ERR_STORE_CORRUPT: a vector
 * that cannot be read must not be taken for an empty one, nor a used dot for a free one.
 */
export function loadGroups(durable: ReadonlyMap<string, Uint8Array>, sha256: Sha256): DurableGroup[] {
  const groups = new Map<string, Loading>()
  for (const [key, value] of durable) {
    if (!key.startsWith('group/')) continue
    const state = readable(key, () => decodeGroupState(key, value))
    const id = groupIdOf(state.name, sha256)
    groups.set(id, { ...state, id, entries: [], own: [], proofs: [] })
  }
  for (const [key, value] of durable) {
    const [kind, id] = key.split('/', 2)
    const group = id === undefined || kind === 'group' ? undefined : groups.get(id)
    if (group !== undefined) readable(key, () => place(group, key, value, sha256))
  }
  const loaded = [...groups.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const group of loaded) sort(group)
  return loaded
}

interface Loading extends GroupState {
  readonly id: string
  readonly entries: SignedHeader[]
  readonly own: Envelope[]
  readonly proofs: Proof[]
}

function decodeGroupState(key: string, bytes: Uint8Array): GroupState {
  const state = fromBinary(GroupStateSchema, bytes)
  if (!isGroupName(state.name)) throw malformed('a group name that is none')
  expectKey(key, durableKeys.group(state.name))
  return { name: state.name, based: state.based, frontier: state.frontier.map(toFrontierDot) }
}

/** Values have to be those of their keys: a copied or renamed record is damage too. A newer version's kinds are left alone. */
function place(group: Loading, key: string, value: Uint8Array, sha256: Sha256): void {
  const [kind] = key.split('/', 1)
  switch (kind) {
    case 'entry': {
      const header = openSignedHeader(fromBinary(SignedHeaderSchema, value), sha256)
      expectKey(key, durableKeys.entry(header.header.group, header.entry))
      group.entries.push(header)
      return
    }
    case 'own': {
      const envelope = openEnvelope(value, sha256)
      const { header } = envelope
      expectKey(key, durableKeys.own(header.group, header.epoch, header.seq))
      group.own.push(envelope)
      return
    }
    case 'proof': {
      const proof = toProof(fromBinary(ProofSchema, value), sha256)
      expectKey(key, durableKeys.proof(proof.first.header.group, proof.first.authorKey))
      group.proofs.push(proof)
      return
    }
  }
}

/** The order of the disk is the host's; a core must not depend on it. */
function sort(group: Loading): void {
  group.entries.sort((a, b) => compareDots(dotOf(a), dotOf(b)))
  group.own.sort((a, b) => compareDots(dotOf(a), dotOf(b)))
  group.proofs.sort((a, b) => compareDots(dotOf(a.first), dotOf(b.first)))
}

function dotOf(signed: SignedHeader) {
  return { author: signed.authorKey, epoch: signed.header.epoch, seq: signed.last }
}

function expectKey(key: string, expected: string): void {
  if (key !== expected) throw malformed(`under ${key} what belongs under ${expected}`)
}

function readable<T>(key: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new WireError('ERR_STORE_CORRUPT', `what is stored of multicast under ${key} cannot be read`, {
      hint: 'restore the data directory, or move it away and join again as a new peer',
      cause,
    })
  }
}
