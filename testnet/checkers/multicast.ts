/** Everything that multicast promises, judged over one recorded history in one go. */
import type { Verdict, Violation } from './history.ts'
import { checkAgreement } from './multicast-agreement.ts'
import { checkBaselines } from './multicast-baseline.ts'
import { type CausalityFigures, checkCausality } from './multicast-causality.ts'
import { checkFifo } from './multicast-fifo.ts'
import { type CatchUp, groupFigures } from './multicast-figures.ts'
import { type GroupLog, readGroups } from './multicast-groups.ts'
import type { GroupHistory, MulticastBounds } from './multicast-history.ts'
import { checkIntegrity } from './multicast-integrity.ts'
import { checkLamport } from './multicast-lamport.ts'
import { readPasts } from './multicast-pasts.ts'
import { checkTruncation, type TruncationFigures } from './multicast-truncation.ts'
import { checkVectors, type VectorFigures } from './multicast-vectors.ts'

/** As they stand in `Violation.property`. */
export const multicastProperties = [
  'integrity',
  'fifo',
  'causal-order',
  'lamport',
  'vectors',
  'agreement',
  'truncation',
  'baseline',
] as const

type MulticastProperty = (typeof multicastProperties)[number]

export interface MulticastFigures extends CausalityFigures, TruncationFigures, VectorFigures {
  readonly groups: number
  /** Published, by whom is no matter. */
  readonly messages: number
  readonly deliveries: number
  /** From a publication to each delivery by a life that was in the group by then, ms; null when there was none. */
  readonly medianWaitMs: number | null
  readonly longestWaitMs: number | null
  readonly catchUps: readonly CatchUp[]
}

/**
 * Judges a history in the order of `at`, one group after the other. Time is
 * O(deliveries × entries), an entry being a sender and epoch: 64 peers and
 * 2000 messages, with their vectors, take some tenths of a second.
 */
export function checkMulticast(history: GroupHistory, bounds: MulticastBounds): Verdict<MulticastFigures> {
  const verdicts = readGroups(history).map((group) => checkGroup(group, bounds))
  const waitsMs = verdicts.flatMap(({ figures }) => figures.waitsMs).sort((a, b) => a - b)
  const sum = (of: (figures: Figures) => number): number =>
    verdicts.reduce((total, { figures }) => total + of(figures), 0)
  return {
    violations: verdicts.flatMap(({ violations }) => violations).sort((a, b) => a.at - b.at),
    figures: {
      groups: verdicts.length,
      messages: sum(({ messages }) => messages),
      deliveries: sum(({ deliveries }) => deliveries),
      inversions: sum(({ inversions }) => inversions),
      truncated: sum(({ truncated }) => truncated),
      vectors: sum(({ vectors }) => vectors),
      medianWaitMs: waitsMs[Math.floor((waitsMs.length - 1) / 2)] ?? null,
      longestWaitMs: waitsMs.at(-1) ?? null,
      catchUps: verdicts.flatMap(({ figures }) => figures.catchUps),
    },
  }
}

type Figures = ReturnType<typeof groupFigures> & CausalityFigures & TruncationFigures & VectorFigures

function checkGroup(group: GroupLog, bounds: MulticastBounds): Verdict<Figures> {
  const liars = new Set(bounds.liars)
  const pasts = readPasts(group, liars)
  const causality = checkCausality(group, pasts, liars)
  const vectors = checkVectors(group, pasts, liars)
  const truncation = checkTruncation(group, pasts, liars)
  const found: Readonly<Record<MulticastProperty, readonly Violation[]>> = {
    integrity: checkIntegrity(group, pasts, liars),
    fifo: checkFifo(group, pasts, liars),
    'causal-order': causality.violations,
    lamport: checkLamport(group, pasts, liars),
    vectors: vectors.violations,
    agreement: checkAgreement(group, pasts, liars, bounds),
    truncation: truncation.violations,
    baseline: checkBaselines(group, pasts, liars),
  }
  return {
    violations: Object.values(found).flat(),
    figures: {
      ...groupFigures(group, pasts, liars),
      ...causality.figures,
      ...vectors.figures,
      ...truncation.figures,
    },
  }
}
