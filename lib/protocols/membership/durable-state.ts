/**
 * What a member keeps on disk: its own counters, which must never fall, the
 * peers to dial after a restart, which are hints and nothing more, and who is gone.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { WireError } from '../../wire/errors.ts'
import {
  KnownPeersSchema,
  RunningTimeSchema,
  SelfStateSchema,
  TombstonesSchema,
} from '../../wire/gen/membership_pb.ts'
import type { PeerId } from '../core.ts'
import { counter, peerId } from './statements.ts'

export const durableKeys = {
  self: 'self',
  peers: 'peers',
  runningTime: 'running-time',
  /** One key a part, see `Tombstones.parts`. */
  tombstones: (part: number) => `tombstones-${part}`,
} as const

export interface SelfState {
  readonly generation: number
  readonly incarnation: number
  readonly rolledBack: boolean
}

export interface KnownPeer {
  readonly peer: PeerId
  readonly generation: number
  readonly addresses: readonly string[]
  /** When it was last there, on the count of `RunningTime`, ms. */
  readonly hereAt: number
}

/** A life that is gone, and may not be brought back by hearsay. */
export interface Tombstone {
  readonly peer: PeerId
  readonly generation: number
  /** What was known of it then: only more is news. */
  readonly incarnation: number
  /** Where it may answer again; empty for who left. */
  readonly addresses: readonly string[]
  /** On the count of `RunningTime`, ms. */
  readonly goneAt: number
}

export function encodeSelfState(state: SelfState): Uint8Array {
  return toBinary(
    SelfStateSchema,
    create(SelfStateSchema, {
      generation: BigInt(state.generation),
      incarnation: BigInt(state.incarnation),
      rolledBack: state.rolledBack,
    }),
  )
}

/** Throws `WireError` ERR_STORE_CORRUPT: counters that cannot be read must not start again at zero. */
export function decodeSelfState(bytes: Uint8Array | undefined): SelfState {
  if (bytes === undefined) return { generation: 0, incarnation: 0, rolledBack: false }
  return readable('own counters', () => {
    const state = fromBinary(SelfStateSchema, bytes)
    return {
      generation: counter(state.generation, 'generation'),
      incarnation: counter(state.incarnation, 'incarnation'),
      rolledBack: state.rolledBack,
    }
  })
}

export function encodeKnownPeers(peers: readonly KnownPeer[]): Uint8Array {
  return toBinary(
    KnownPeersSchema,
    create(KnownPeersSchema, {
      peers: peers.map((known) => ({
        peer: known.peer,
        generation: BigInt(known.generation),
        addresses: [...known.addresses],
        hereAtMs: BigInt(Math.floor(known.hereAt)),
      })),
    }),
  )
}

export function decodeKnownPeers(bytes: Uint8Array | undefined): KnownPeer[] {
  if (bytes === undefined) return []
  return readable('known peers', () =>
    fromBinary(KnownPeersSchema, bytes).peers.map((known) => ({
      peer: peerId(known.peer),
      generation: counter(known.generation, 'generation'),
      addresses: known.addresses,
      hereAt: counter(known.hereAtMs, 'running time'),
    })),
  )
}

export function encodeTombstones(tombstones: readonly Tombstone[]): Uint8Array {
  return toBinary(
    TombstonesSchema,
    create(TombstonesSchema, {
      tombstones: tombstones.map((stone) => ({
        peer: stone.peer,
        generation: BigInt(stone.generation),
        incarnation: BigInt(stone.incarnation),
        addresses: [...stone.addresses],
        goneAtMs: BigInt(Math.floor(stone.goneAt)),
      })),
    }),
  )
}

export function decodeTombstones(bytes: Uint8Array | undefined): Tombstone[] {
  if (bytes === undefined) return []
  return readable('tombstones', () =>
    fromBinary(TombstonesSchema, bytes).tombstones.map((stone) => ({
      peer: peerId(stone.peer),
      generation: counter(stone.generation, 'generation'),
      incarnation: counter(stone.incarnation, 'incarnation'),
      addresses: stone.addresses,
      goneAt: counter(stone.goneAtMs, 'running time'),
    })),
  )
}

export function encodeRunningTime(ms: number): Uint8Array {
  return toBinary(RunningTimeSchema, create(RunningTimeSchema, { ms: BigInt(Math.floor(ms)) }))
}

export function decodeRunningTime(bytes: Uint8Array | undefined): number {
  if (bytes === undefined) return 0
  return readable('running time', () => counter(fromBinary(RunningTimeSchema, bytes).ms, 'running time'))
}

function readable<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new WireError('ERR_STORE_CORRUPT', `the stored ${what} cannot be read`, {
      hint: 'restore the data directory, or move it away and join again as a new peer',
      cause,
    })
  }
}
