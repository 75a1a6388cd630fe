import type { Violation } from '../../checkers/history.ts'
import { checkMulticast } from '../../checkers/multicast.ts'
import { Random } from '../random.ts'
import { World } from '../world.ts'
import { GroupCluster, type MulticastMutant } from './group-cluster.ts'
import { isUp } from './group-host.ts'
import { drawOptions, type MulticastSimOptions } from './options.ts'
import { Story } from './story.ts'
import { Workload } from './workload.ts'

export interface MulticastRun {
  readonly options: MulticastSimOptions
  readonly violations: readonly Violation[]
  /** Equal for equal seeds, and only for those. */
  readonly traceHash: string
  readonly steps: number
  /** That the run was about something. */
  readonly figures: { readonly messages: number; readonly deliveries: number; readonly truncated: number }
}

export interface MulticastRunInit {
  readonly mutant?: MulticastMutant | undefined
  /** Told the story in words, for a person who looks for a bug. */
  readonly log?: ((atMs: number, line: string) => void) | undefined
}

/** One seed: the whole story of some groups on virtual time, judged. */
export function runMulticast(seed: number, init: MulticastRunInit = {}): MulticastRun {
  const random = new Random(seed, 'multicast')
  const options = drawOptions(seed, random)
  const world = new World(random, init.log)
  const cluster: GroupCluster = new GroupCluster(
    world,
    options,
    {
      overheard: (from, group, bytes) => story.overheard(from, group, bytes),
      delivered: (life, name, envelope) => workload.delivered(life, name, envelope),
      answered: (life, token, code) => workload.answered(life, token, code),
    },
    init.mutant,
  )
  const workload = new Workload(cluster)
  const story = new Story(cluster, workload)
  const violations: Violation[] = []
  const figures = { messages: 0, deliveries: 0, truncated: 0 }
  try {
    const agreed = story.tell()
    if (!agreed) judgeLiveness(cluster, workload)
    judgePromises(cluster)
    const liars = [...cluster.truth.liars]
    for (const history of cluster.histories.values()) {
      const verdict = checkMulticast(history, { liars, quietAtEnd: cluster.violations.length === 0 })
      violations.push(...verdict.violations)
      figures.messages += verdict.figures.messages
      figures.deliveries += verdict.figures.deliveries
      figures.truncated += verdict.figures.truncated
    }
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
    traceHash: world.trace.digest,
    steps: world.trace.steps,
    figures,
  }
}

/** What an author was told to be published outlives it, unless its disk does not. */
function judgePromises(cluster: GroupCluster): void {
  for (const name of cluster.options.groups) {
    for (const life of cluster.membersOf(name)) cluster.observer(life).witnesses.get(name)?.keepsPromises()
  }
}

/** What no history shows: who never got in, and whom nobody answered. */
function judgeLiveness(cluster: GroupCluster, workload: Workload): void {
  for (const { host, name } of workload.unanswered()) {
    cluster.breach('answers', `${host.name} never answered a publication in ${name}`)
  }
  for (const name of cluster.options.groups) {
    for (const life of cluster.membersOf(name)) {
      const entered = cluster.observer(life).witnesses.get(name)?.entered === true
      if (!entered) cluster.breach('enters', `${life.host.name} never got into ${name}`)
    }
  }
  if (cluster.truth.liars.size > 0) return
  for (const host of cluster.hosts.filter(isUp)) {
    for (const { name, heldBack } of host.present.core.groups()) {
      if (heldBack > 0) cluster.breach('nothing-held', `${host.name} holds ${heldBack} back in ${name}`)
    }
  }
}
