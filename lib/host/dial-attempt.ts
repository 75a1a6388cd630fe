/** One connect to one address: how far it gets, and what its failure says of who is there. */
import type { Connection } from '@libp2p/interface'
import type { PeerId } from '../protocols/core.ts'
import type { DialFailure } from '../protocols/membership/messages.ts'
import type { DialStage, DialWatch } from './dial-watch.ts'
import { hasCode } from './key-file.ts'

export type Attempt =
  | { readonly type: 'connected'; readonly connection: Connection; readonly address: string }
  | { readonly type: 'failed'; readonly reason: DialFailure }

type Failed = Extract<Attempt, { readonly type: 'failed' }>

export const untried: Failed = { type: 'failed', reason: 'untried' }

/** A connect under way: whom we expect, whether to stop when that shows itself, and how far it got. */
export class Handshake implements DialWatch {
  readonly peer: PeerId | undefined
  readonly probe: boolean
  stage: DialStage | undefined
  met: PeerId | undefined

  constructor(peer: PeerId | undefined, probe: boolean) {
    this.peer = peer
    this.probe = probe
  }

  reached(stage: DialStage): void {
    this.stage = stage
  }

  ends(peer: PeerId): boolean {
    this.met = peer
    return this.probe || (this.peer !== undefined && this.peer !== peer)
  }
}

/** Something accepts there and says at once that it will not talk. */
export function isReset(attempt: Attempt): boolean {
  return attempt.type === 'failed' && attempt.reason === 'unreachable'
}

export function reasonOf(
  error: unknown,
  { met, peer, probe, stage }: Handshake,
  signal: AbortSignal,
): DialFailure {
  if (met !== undefined && peer !== undefined && met !== peer) return 'other-identity'
  if (met !== undefined && probe) return 'denied'
  if (signal.aborted) return lateness(stage)
  // It proved who it is and went no further: one of the two keeps the other out.
  if (met !== undefined) return 'denied'
  if (hasCode(error, 'ECONNREFUSED')) return 'refused'
  return error instanceof Error && error.name === 'InvalidPeerIdError' ? 'self' : 'unreachable'
}

/** What it means that the time was over when a dial had got so far. */
function lateness(stage: DialStage | undefined): DialFailure {
  switch (stage) {
    case undefined:
      return 'timeout'
    case 'connected':
    // Ours, and too slow: no less alive than one that says nothing.
    case 'answered':
      return 'unanswered'
    // Whatever it is that talks there, it is not p2pd.
    case 'heard':
      return 'unreachable'
  }
}

/** The failure that says most: a refusal counts only when every address refused. */
const telling: readonly DialFailure[] = [
  'self',
  'denied',
  'other-identity',
  'unanswered',
  'untried',
  'timeout',
  'unreachable',
  'refused',
]

/** What the failures at all of a peer's addresses say together. */
export function worst(results: readonly Attempt[]): DialFailure {
  const reasons = new Set(results.map((result) => (result.type === 'failed' ? result.reason : 'unreachable')))
  return telling.find((reason) => reasons.has(reason)) ?? 'unreachable'
}
