/**
 * The rules that decide over life and death, as replaceable pure functions. The
 * tests replace one at a time with a plausible mistake and expect the simulator
 * to notice.
 */
import type { Crypto } from '../core.ts'
import type { Accusation, Signed } from './messages.ts'
import { comparePrecedence, type Rank } from './precedence.ts'
import { accusationIsSigned } from './statements.ts'
import {
  accusersNeeded,
  refusalStands,
  refusersNeeded,
  type SuspicionInput,
  suspicionTimeoutMs,
} from './suspicion.ts'

export interface MembershipUnits {
  comparePrecedence(a: Rank, b: Rank): number
  suspicionTimeoutMs(input: SuspicionInput): number
  accusersNeeded(n: number): number
  refusersNeeded(n: number): number
  refusalStands(own: { connected: boolean; silentForMs: number }): boolean
  accusationIsSigned(signed: Signed<Accusation>, crypto: Crypto): boolean
  /** The incarnation that answers an accusation of `accused`. */
  refutation(own: number, accused: number): number
  /** The generation of a new life. */
  nextGeneration(persisted: number, wall: number): number
}

export const standardUnits: MembershipUnits = {
  comparePrecedence,
  suspicionTimeoutMs,
  accusersNeeded,
  refusersNeeded,
  refusalStands,
  accusationIsSigned,
  refutation: (own, accused) => Math.max(own, accused) + 1,
  // The wall clock only seeds it: two lives differ although a disk was lost in between.
  nextGeneration: (persisted, wall) => Math.max(persisted + 1, Math.floor(wall)),
}
