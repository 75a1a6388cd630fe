import type { MutexCounters } from './api.ts'
import type { MutexMisbehaviour } from './core/messages.ts'

/** Why requests fail. */
const noFailures = {
  ERR_LOCK_HELD: 0,
  ERR_LOCK_NAME: 0,
  ERR_LOCK_REFUSED: 0,
  ERR_LEASE: 0,
  ERR_NO_ELECTORATE: 0,
  ERR_NO_QUORUM: 0,
  ERR_STOPPED: 0,
  ERR_TOO_MANY: 0,
}

const noMisbehaviour: Readonly<Record<MutexMisbehaviour, number>> = {
  'forged-grant': 0,
  'not-a-voter': 0,
  'other-electorate': 0,
  'bad-proof': 0,
  'conflicting-votes': 0,
  'timestamp-too-far': 0,
  'timestamp-too-low': 0,
  'token-too-far': 0,
  'lease-too-long': 0,
  'too-many': 0,
  'not-held': 0,
}

/** What is counted from the start on; every reason is there, also while nothing has happened. */
export class MutexTally {
  acquired = 0
  released = 0
  lost = 0
  readonly failed: Record<string, number> = { ...noFailures }
  readonly misbehaved: Record<MutexMisbehaviour, number> = { ...noMisbehaviour }

  /** Whatever else a caller did wrong, such as to pass a strange option, is not counted. */
  countFailure(code: string): void {
    const count = this.failed[code]
    if (count !== undefined) this.failed[code] = count + 1
  }

  counters(held: number, waiting: number): MutexCounters {
    const { acquired, released, lost, failed, misbehaved } = this
    return { acquired, released, lost, failed: { ...failed }, misbehaved: { ...misbehaved }, held, waiting }
  }
}

/** Whoever asks for too much, or has believed a liar's clock or token, may be honest: that is refused, and no more. */
export function isLie(reason: MutexMisbehaviour): boolean {
  switch (reason) {
    case 'timestamp-too-low':
    case 'lease-too-long':
    case 'too-many':
    case 'not-a-voter':
    case 'other-electorate':
    case 'timestamp-too-far':
    case 'token-too-far':
      return false
    case 'forged-grant':
    case 'bad-proof':
    case 'conflicting-votes':
    case 'not-held':
      return true
  }
}
