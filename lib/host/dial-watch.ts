import type { PeerId } from '../protocols/core.ts'

export interface DialOptions {
  readonly signal: AbortSignal
  readonly watch: DialWatch
}

/** Follows a dial. */
export interface DialWatch {
  reached(stage: DialStage): void
  /** Noise has proved who answered, before the connection counts as open: true ends it there. */
  ends(peer: PeerId): boolean
}

/**
 * `connected`: a connect was accepted, by a process or, when that stands still, by
 * its machine alone. `heard`: bytes came. `answered`: they are of a peer of this cluster.
 */
export type DialStage = 'connected' | 'heard' | 'answered'
