/**
 * A crowd: hundreds or thousands of members for minutes, with loss and churn.
 *
 * What the small stories do is done there; here is shown that it scales, and what
 * it costs. To be done within a minute, most packets pass by reference: every
 * n-th goes through the codec, is decoded from its bytes and counted. What that
 * cannot show is a member that changes what it was handed, and a mistake in the
 * bytes that only a rare packet has; the small stories encode all.
 */
import { type Profile, profiles } from '../../../lib/protocols/membership/config.ts'
import type { MembershipBounds, Violation } from '../../checkers/history.ts'
import { checkMembership } from '../../checkers/membership.ts'
import { Random } from '../random.ts'
import { World } from '../world.ts'
import { Cluster, type MembershipMutant } from './cluster.ts'
import { takesPart } from './member-host.ts'
import { drawOptions } from './options.ts'

export interface CrowdOptions {
  readonly seed: number
  readonly members: number
  readonly minutes: number
  readonly profile: Profile
  /** Members that are killed, leave, start again or join, a minute, as a share of all. */
  readonly churn: number
  /** Chance that one transmission is lost. */
  readonly loss: number
  /** Every so many packets of a member one goes through the codec. */
  readonly codecEvery: number
}

export const crowdDefaults = {
  seed: 1,
  members: 1000,
  minutes: 10,
  profile: 'lan',
  churn: 0.01,
  loss: 0.05,
  codecEvery: 64,
} as const satisfies CrowdOptions

export interface CrowdFigures {
  readonly packets: number
  /** Sent by a member, on average, framing and encryption included. */
  readonly bytesPerMemberPerSecond: number
}

export interface CrowdRun {
  readonly options: CrowdOptions
  readonly violations: readonly Violation[]
  readonly traceHash: string
  readonly steps: number
}

const churnKinds = { kill: 2, leave: 1, restart: 2, join: 1 } as const

export function runCrowd(
  options: CrowdOptions,
  init: {
    readonly mutant?: MembershipMutant | undefined
    readonly log?: (atMs: number, line: string) => void
  } = {},
): CrowdRun {
  const random = new Random(options.seed, 'crowd')
  const world = new World(random, init.log)
  const cluster = new Cluster(
    world,
    {
      ...drawOptions(options.seed, random),
      peers: options.members,
      profile: options.profile,
      config: profiles[options.profile],
      network: {
        transport: 'stream',
        latencyMinMs: 0.1,
        latencyMaxMs: 0.5,
        jitterMs: 0.2,
        loss: options.loss,
        duplication: 0,
        reordering: 0,
        corruption: 0,
      },
      disk: { writeMinMs: 0.1, writeMaxMs: 5 },
      lies: [],
      codecEvery: options.codecEvery,
    },
    init.mutant,
  )
  new Crowd(cluster, options).tell()
  const violations = [
    ...checkMembership(cluster.history, boundsOf(options)).violations,
    ...cluster.violations,
  ]
  return { options, violations, traceHash: world.trace.digest, steps: world.trace.steps }
}

class Crowd {
  readonly #cluster: Cluster
  readonly #world: World
  readonly #options: CrowdOptions
  readonly #random: Random

  constructor(cluster: Cluster, options: CrowdOptions) {
    this.#cluster = cluster
    this.#world = cluster.world
    this.#options = options
    this.#random = cluster.world.random.stream('story')
  }

  tell(): void {
    this.#form()
    const { members, minutes, churn } = this.#options
    const until = this.#world.now + minutes * 60_000
    const everyMs = 60_000 / (members * churn)
    while (this.#world.now < until) {
      this.#world.runUntil(Math.min(until, this.#world.now + this.#random.exponential(everyMs)))
      if (this.#world.now < until) this.#befall(this.#random.weighted(churnKinds))
    }
  }

  #form(): void {
    for (let i = 0; i < this.#options.members; i++) this.#cluster.addHost()
    for (const host of this.#cluster.hosts) {
      this.#world.after(this.#random.between(0, 3000), () => this.#cluster.start(host, this.#contacts()))
    }
    this.#world.runUntil(20_000)
  }

  #contacts(): string[] {
    return this.#cluster.hosts.slice(0, 3).flatMap((host) => host.machine.addresses)
  }

  #befall(kind: keyof typeof churnKinds): void {
    const running = this.#cluster.hosts.filter(takesPart)
    const gone = this.#cluster.hosts.filter((host) => host.state === 'gone')
    if (kind === 'kill') this.#cluster.end(this.#random.pick(running), 'kill')
    else if (kind === 'join') this.#cluster.start(this.#cluster.addHost(), this.#contacts())
    else if (kind === 'restart' && gone.length > 0)
      this.#cluster.start(this.#random.pick(gone), this.#contacts())
  }
}

function boundsOf(options: CrowdOptions): MembershipBounds {
  const { suspicionMinMs, suspicionMaxFactor, probePeriodMs, healIntervalMs } = profiles[options.profile]
  const suspicionMaxMs = suspicionMinMs * suspicionMaxFactor * Math.max(1, Math.log10(options.members))
  return {
    detectionMs: suspicionMaxMs + 15 * probePeriodMs,
    convergenceMs: suspicionMaxMs + 20 * probePeriodMs,
    graceMs: 2.5 * healIntervalMs + 3 * probePeriodMs,
  }
}
