import type { HistoryEvent, MembershipBounds, Violation } from '../../checkers/history.ts'
import { checkMembership } from '../../checkers/membership.ts'
import { Random } from '../random.ts'
import { World } from '../world.ts'
import { Cluster, type MembershipMutant } from './cluster.ts'
import { drawOptions, type MembershipSimOptions } from './options.ts'
import { Story } from './story.ts'

export interface MembershipRun {
  readonly options: MembershipSimOptions
  readonly violations: readonly Violation[]
  readonly history: readonly HistoryEvent[]
  /** Equal for equal seeds, and only for those. */
  readonly traceHash: string
  readonly steps: number
}

export interface MembershipRunInit {
  readonly mutant?: MembershipMutant | undefined
  /** Told the story in words, for a person who looks for a bug. */
  readonly log?: ((atMs: number, line: string) => void) | undefined
}

/** One seed: a cluster's whole story on virtual time, judged. */
export function runMembership(seed: number, init: MembershipRunInit = {}): MembershipRun {
  const random = new Random(seed, 'membership')
  const options = drawOptions(seed, random)
  const world = new World(random, init.log)
  const cluster = new Cluster(world, options, init.mutant)
  const violations: Violation[] = []
  try {
    new Story(cluster).tell()
    violations.push(...checkMembership(cluster.history, boundsOf(options)).violations)
  } catch (error) {
    // A throw is a broken assertion: of a core, or of the simulator.
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
    violations.push({ property: 'assertion', at: world.now, message })
  }
  violations.push(...cluster.violations)
  return {
    options,
    violations: violations
      .sort((a, b) => a.at - b.at)
      .map((violation) => ({ ...violation, message: cluster.withNames(violation.message) })),
    history: cluster.history,
    traceHash: world.trace.digest,
    steps: world.trace.steps,
  }
}

/** What is asked of a run: generous, for a bound that is sometimes broken teaches people to look away. */
function boundsOf(options: MembershipSimOptions): MembershipBounds {
  const { suspicionMinMs, suspicionMaxFactor, probePeriodMs, healIntervalMs, stalledMs, tombstoneMs } =
    options.config
  const suspicionMaxMs =
    suspicionMinMs * suspicionMaxFactor * Math.max(1, Math.log10(Math.max(1, options.peers)))
  return {
    detectionMs: suspicionMaxMs + 15 * probePeriodMs,
    convergenceMs: suspicionMaxMs + 20 * probePeriodMs,
    // A stream that was cut stays silent for about as long again (its backoff), unless a heal dial replaces it,
    // and a link takes to the new connection only when that has lasted.
    graceMs: 2.5 * healIntervalMs + 3 * probePeriodMs,
    tombstoneMs,
    anybodyDismisses: options.lies.includes('dismisses'),
    ...(options.network.loss <= 0.05
      ? { stalls: { shownMs: suspicionMinMs + 8 * probePeriodMs, memberMs: stalledMs } }
      : {}),
  }
}
