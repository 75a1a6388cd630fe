/**
 * The rules that decide over life and death, as replaceable pure functions. The
 * tests replace one at a time with a plausible mistake and expect the simulator
 * to notice.
 */
import type { Crypto } from '../core.ts'
import { type IsolationInput, isIsolated, type Lag, lagOf } from './awareness.ts'
import type { Accusation, DialMode, DialOutcome, Signed } from './messages.ts'
import { comparePrecedence, dismissalBuries, dismissalCounts, outlives, type Rank } from './precedence.ts'
import { type Finding, findingOf, type Silence, silenceIsDeath } from './silence.ts'
import { accusationIsSigned } from './statements.ts'
import {
  accusersNeeded,
  refusalStands,
  refusersAmongStrangers,
  refusersNeeded,
  type SuspicionInput,
  suspicionTimeoutMs,
  type Witnesses,
  witnessesCounted,
  witnessesOpen,
} from './suspicion.ts'

export interface MembershipUnits {
  comparePrecedence(a: Rank, b: Rank): number
  /** Whether hearsay may bring a buried life back. */
  outlives: typeof outlives
  /** Whether the dismissal of a member in that state is kept. */
  dismissalCounts: typeof dismissalCounts
  /** Whether a dismissed member in that state counts as left. */
  dismissalBuries(status: Rank['status']): boolean
  suspicionTimeoutMs(input: SuspicionInput): number
  accusersNeeded(n: number): number
  refusersNeeded(n: number): number
  /** Where the own connection tells nothing of the subject. */
  refusersAmongStrangers(meshed: boolean): number
  refusalStands(own: { connected: boolean; silentForMs: number }): boolean
  /** Whether those who accuse it make an alive member a suspect. */
  witnessesOpen(witnesses: Witnesses): boolean
  /** How many accusers a suspicion has. */
  witnessesCounted(witnesses: Witnesses): number
  /** What an own dial of a suspect shows. */
  findingOf(outcome: DialOutcome): Finding
  silenceIsDeath(silence: Silence): boolean
  isIsolated(input: IsolationInput): boolean
  /** What a timer that fired `lagMs` late says of the own event loop. */
  lagOf(lagMs: number, config: { readonly timeoutMaxMs: number; readonly suspicionMinMs: number }): Lag
  /** How who may be behind a cut connection is dialled. */
  healMode(): DialMode
  accusationIsSigned(signed: Signed<Accusation>, crypto: Crypto): boolean
  /** The incarnation that answers an accusation of `accused`. */
  refutation(own: number, accused: number): number
  /** The generation of a new life. */
  nextGeneration(persisted: number, wall: number): number
}

export const standardUnits: MembershipUnits = {
  comparePrecedence,
  outlives,
  dismissalCounts,
  dismissalBuries,
  suspicionTimeoutMs,
  accusersNeeded,
  refusersAmongStrangers,
  refusersNeeded,
  refusalStands,
  witnessesOpen,
  witnessesCounted,
  findingOf,
  silenceIsDeath,
  isIsolated,
  lagOf,
  healMode: () => 'replace',
  accusationIsSigned,
  refutation: (own, accused) => Math.max(own, accused) + 1,
  // The wall clock only seeds it: two lives differ although a disk was lost in between.
  nextGeneration: (persisted, wall) => Math.max(persisted + 1, Math.floor(wall)),
}
