import { checkMutex, type MutexFigures } from '../../../plugins/mutex/checker/fenced-mutex.ts'
import type { Violation } from '../../checkers/history.ts'
import { Random } from '../random.ts'
import { World } from '../world.ts'
import { LockCluster, type MutexMutant } from './lock-cluster.ts'
import type { LockSubject } from './lock-host.ts'
import { drawOptions, type MutexSimOptions } from './options.ts'
import { Story } from './story.ts'
import { realLocks } from './subject.ts'

export interface MutexRun {
  readonly options: MutexSimOptions
  readonly violations: readonly Violation[]
  /** Equal for equal seeds, and only for those. */
  readonly traceHash: string
  readonly steps: number
  /** That the run was about something. */
  readonly figures: { readonly entries: number; readonly versions: number; readonly hopeless: number }
  readonly checked: MutexFigures | undefined
}

export interface MutexRunInit {
  readonly mutant?: MutexMutant | undefined
  /** What p2pd runs where none is given. */
  readonly subject?: LockSubject
  /** Told the story in words, for a person who looks for a bug. */
  readonly log?: ((atMs: number, line: string) => void) | undefined
}

/** One seed: the whole story of some locks and who votes on them, on virtual time, judged. */
export function runMutex(seed: number, init: MutexRunInit = {}): MutexRun {
  const random = new Random(seed, 'mutex')
  const options = drawOptions(seed, random)
  const world = new World(random, init.log)
  const { subject = realLocks, mutant } = init
  const cluster = new LockCluster({ world, options, subject, units: mutant?.units })
  const story = new Story(cluster)
  const violations: Violation[] = []
  let checked: MutexFigures | undefined
  try {
    story.tell()
    const verdict = checkMutex(cluster.history, {
      timely: !options.wild,
      overtaking: 1,
      // Judged as it happens: a history does not tell when votes of before could still count.
      noQuorumMs: Number.POSITIVE_INFINITY,
      calmMs: options.livenessMs,
      quietAtEnd: cluster.violations.length === 0 && story.hopeless === 0,
    })
    violations.push(...verdict.violations)
    checked = verdict.figures
  } catch (error) {
    // A throw is a broken assertion: of a core, or of the simulator.
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
    violations.push({ property: 'assertion', at: world.now, message })
  }
  violations.push(...cluster.violations)
  const newest = cluster.elections.ids.map(({ id }) => cluster.elections.newest(id))
  return {
    options,
    violations: violations
      .sort((a, b) => a.at - b.at)
      .map((violation) => ({ ...violation, message: cluster.withNames(violation.message) })),
    traceHash: world.trace.digest,
    steps: world.trace.steps,
    figures: {
      entries: cluster.holders.entries,
      versions: Math.max(0, ...newest),
      hopeless: story.hopeless,
    },
    checked,
  }
}
