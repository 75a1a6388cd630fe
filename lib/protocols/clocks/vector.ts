/**
 * Vector clocks: one counter for each life of each peer. They tell exactly
 * whether one event happened before another, or neither did.
 *
 * - Fidge 1988, Timestamps in Message-Passing Systems That Preserve the Partial Ordering
 * - Mattern 1989, Virtual Time and Global States of Distributed Systems
 *
 * A restart begins a new entry (`peerId#epoch`), since a peer that lost its disk
 * cannot go on counting where it was.
 */
import { WireError } from '../../wire/errors.ts'
import { maxPeerIdLength } from '../../wire/limits.ts'
import type { PeerId } from '../core.ts'

/** Counters by `vectorKey`; an absent entry is 0. */
export type Vector = ReadonlyMap<string, number>

export type Causality = 'before' | 'after' | 'equal' | 'concurrent'

/** How what `a` stamps relates to what `b` stamps. */
export function compareVectors(a: Vector, b: Vector): Causality {
  const someLower = exceeds(b, a)
  const someHigher = exceeds(a, b)
  if (someLower && someHigher) return 'concurrent'
  if (someLower) return 'before'
  return someHigher ? 'after' : 'equal'
}

/** The least vector that is not before either: entry by entry the higher one. */
export function mergeVectors(a: Vector, b: Vector): Map<string, number> {
  const merged = new Map(a)
  for (const [key, count] of b) if (count > (merged.get(key) ?? 0)) merged.set(key, count)
  return merged
}

export function vectorKey(peer: PeerId, epoch: number): string {
  return `${peer}#${epoch}`
}

/** Throws `WireError` for what `vectorKey` does not make. */
export function parseVectorKey(key: string): { readonly peer: PeerId; readonly epoch: number } {
  const [, peer, digits] = /^([0-9A-Za-z]+)#(0|[1-9][0-9]{0,15})$/.exec(key) ?? []
  const epoch = Number(digits)
  if (peer === undefined || peer.length > maxPeerIdLength || !Number.isSafeInteger(epoch)) {
    throw new WireError('ERR_MALFORMED', 'clocks: a vector key is PEER_ID#EPOCH')
  }
  return { peer: peer as PeerId, epoch }
}

function exceeds(a: Vector, b: Vector): boolean {
  for (const [key, count] of a) if (count > (b.get(key) ?? 0)) return true
  return false
}
