/**
 * What a member keeps on disk: its own counters, which must never fall, and the
 * peers to dial after a restart, which are hints and nothing more.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { WireError } from '../../wire/errors.ts'
import { KnownPeersSchema, SelfStateSchema } from '../../wire/gen/membership_pb.ts'
import type { PeerId } from '../core.ts'
import { counter, peerId } from './statements.ts'

export const durableKeys = { self: 'self', peers: 'peers' } as const

export interface SelfState {
  readonly generation: number
  readonly incarnation: number
  readonly rolledBack: boolean
}

export interface KnownPeer {
  readonly peer: PeerId
  readonly generation: number
  readonly addresses: readonly string[]
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
    })),
  )
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
