import type { ArbiterLock } from '../../../plugins/mutex/core/messages.ts'
import type { Random } from '../random.ts'
import type { World } from '../world.ts'
import { Deeds } from './deeds.ts'
import { isMajority } from './ledger.ts'
import type { LockCluster } from './lock-cluster.ts'
import { isAwake, isUp, type LockHost, type RunningHost } from './lock-host.ts'
import type { MutexSimOptions } from './options.ts'
import { Schemes } from './schemes.ts'

const lookEveryMs = 50
/** From when on nothing changes any more, before it counts as calm, ms. */
const settlingMs = 300
const calmMs = 1500
/** Wishes are answered within this, ms. */
const wishMs = 6000

/**
 * What befalls the peers: they form and contend, faults come (safety), all of them
 * end, and whoever runs must be served (liveness); then nobody asks any more, and
 * nothing may be left.
 */
export class Story {
  /** Who could not be expected to be served: too many voters are gone for good. */
  hopeless = 0
  readonly #cluster: LockCluster
  readonly #world: World
  readonly #options: MutexSimOptions
  readonly #random: Random
  readonly #deeds: Deeds
  readonly #schemes: Schemes
  #deedAt = 0

  constructor(cluster: LockCluster) {
    this.#cluster = cluster
    this.#world = cluster.world
    this.#options = cluster.options
    this.#random = cluster.world.random.stream('story')
    this.#deeds = new Deeds(cluster)
    this.#schemes = new Schemes(cluster, this.#deeds)
    cluster.onSaid = (life, to, cues) => this.#deeds.said(life, to, cues)
  }

  tell(): void {
    this.#cluster.record({ at: this.#world.now, type: 'calm', calm: false })
    this.#form()
    const until = this.#world.now + this.#options.faultyMs
    while (this.#world.now < until && !this.#broken()) {
      const pauseMs = this.#random.exponential(this.#options.faultEveryMs)
      this.#world.runUntil(Math.min(until, this.#world.now + pauseMs))
      this.#lookForStandstill()
      if (this.#world.now >= until) break
      this.#deedAt = this.#world.now
      const { scheming, schemes, faults } = this.#options
      if (this.#random.chance(scheming)) this.#schemes.begin(this.#random.weighted(schemes))
      else this.#deeds.do(this.#random.weighted(faults))
    }
    this.#deeds.end()
    if (!this.#broken()) this.#serve()
    if (!this.#broken()) this.#calm()
    if (!this.#broken()) this.#quiet()
    if (!this.#broken()) this.#meet()
  }

  #broken(): boolean {
    return this.#cluster.violations.length > 0
  }

  #form(): void {
    const { peers, founding, formationMs } = this.#options
    const expect = founding === 'expect' ? this.#random.whole(2, peers) : undefined
    const founders = founding === 'bare' ? 1 : 2
    for (let i = 0; i < peers; i++) {
      const origin = expect !== undefined ? 'expecting' : i < founders ? 'founder' : 'joiner'
      const host = this.#cluster.addHost(origin, expect)
      this.#world.after(this.#random.between(0, formationMs), () => this.#cluster.start(host))
    }
    if (founding === 'two-founders' && this.#random.chance(0.5)) {
      const camps = this.#random.shuffled(this.#cluster.hosts.slice(2))
      const size = this.#random.whole(0, camps.length)
      const [one, other] = this.#cluster.hosts as [LockHost, LockHost]
      const rest = [other, ...camps.slice(size)]
      this.#deeds.cuts.cut('partition', [one, ...camps.slice(0, size)], rest, this.#random.between(500, 2500))
    }
    this.#world.runUntil(formationMs + this.#random.between(50, 1000))
  }

  /** Left alone, whoever waits gets on. Only where nothing was cut: a stream that was cut comes back late. */
  #lookForStandstill(): void {
    const { plot, config, drift } = this.#options
    const patienceMs = (2.5 * config.maxLeaseMs) / (1 - drift) + 600
    const since = this.#world.now - patienceMs
    if (plot !== 'crowd' || since < this.#deedAt) return
    for (const ask of this.#cluster.apps.waiting) {
      const { host } = ask.life
      if (ask.at > since || this.#cluster.holders.lastMoved(this.#cluster.lockName(ask)) > since) continue
      if (!isAwake(host) || host.present.stoppedAt > since || !this.#canExpect(host)) continue
      this.#cluster.breach('standstill', `${host.name} waits for ${ask.lock} and nobody gets it`)
    }
  }

  /** Everybody who can be expected to get a lock gets one. */
  #serve(): void {
    const { livenessMs } = this.#options
    const from = this.#world.now
    const waiting = new Map<RunningHost, string>()
    for (const host of this.#awake()) {
      const name = `probe-${host.name}`
      waiting.set(host, name)
      this.#probe(host, name, waiting)
    }
    const until = from + livenessMs
    const isServed = (): boolean => [...waiting.keys()].every((host) => !isUp(host) || host.present.stopping)
    while (this.#world.now < until && !isServed() && !this.#broken()) {
      this.#world.runUntil(this.#world.now + lookEveryMs)
    }
    for (const host of waiting.keys()) {
      // A wish to leave may have come true meanwhile.
      if (!isUp(host) || host.present.stopping) continue
      if (!this.#canExpect(host)) this.hopeless++
      else
        this.#cluster.breach('serves', `${host.name} gets no lock within ${livenessMs} ms: ${standing(host)}`)
    }
  }

  /** Asks again when it is told that there is no quorum yet. */
  #probe(host: RunningHost, lock: string, waiting: Map<RunningHost, string>): void {
    const { present } = host
    if (!waiting.has(host) || !present.process.alive || present.stopping) return
    this.#cluster.apps.probe(present, lock, 1, (entered) => {
      if (entered) waiting.delete(host)
      else this.#world.after(lookEveryMs, () => this.#probe(host, lock, waiting))
    })
  }

  /** Nothing is done to anybody, and everybody is served in turn. */
  #calm(): void {
    if (this.hopeless > 0) return
    const { network } = this.#cluster
    network.links.options = { ...network.links.options, loss: 0, duplication: 0, reordering: 0 }
    const until = this.#world.now + settlingMs + calmMs
    let changedAt = this.#world.now
    let calm = false
    let standing = this.#standing()
    while (this.#world.now < until && !this.#broken()) {
      this.#world.runUntil(this.#world.now + lookEveryMs)
      const now = this.#standing()
      if (now !== standing) changedAt = this.#world.now
      standing = now
      calm = this.#setCalm(calm, this.#world.now - changedAt >= settlingMs && this.#serves())
    }
    this.#setCalm(calm, false)
  }

  #setCalm(was: boolean, calm: boolean): boolean {
    if (was !== calm) this.#cluster.record({ at: this.#world.now, type: 'calm', calm })
    return calm
  }

  /** Nobody is on the way to something any more. */
  #serves(): boolean {
    const settled = new Set(['serving', 'member', 'void'])
    return this.#awake().every(({ present }) => {
      const { self, reachable } = present.core.view()
      return reachable && settled.has(self)
    })
  }

  /** Where all electorates stand, as everybody sees it. */
  #standing(): string {
    return this.#awake()
      .map(({ present }) => {
        const { id, version, change, self } = present.core.view()
        return `${id} ${version} ${change?.phase} ${self}`
      })
      .join()
  }

  /** Nobody asks any more: whoever waits is served, whoever is gone is forgotten. */
  #quiet(): void {
    if (this.hopeless > 0) return
    const { apps } = this.#cluster
    const { livenessMs, config, drift } = this.#options
    apps.stop()
    const until = this.#world.now + livenessMs
    while (this.#world.now < until && apps.open.length > 0 && !this.#broken()) {
      this.#world.runUntil(this.#world.now + lookEveryMs)
    }
    for (const { life, token, lock } of apps.open) {
      this.#cluster.breach(
        'serves',
        `${life.host.name} waits for ${lock} to the end (${token}): ${standing(life.host)}`,
      )
    }
    if (this.#broken()) return
    this.#world.runUntil(this.#world.now + (2 * config.maxLeaseMs) / (1 - drift) + lookEveryMs)
    this.#lookForLeftovers()
    if (this.#cluster.unanswered.length > 0) this.#world.runUntil(this.#world.now + wishMs)
    for (const { host, process } of this.#cluster.unanswered) {
      if (process.alive) this.#cluster.breach('answered-once', `${host.name} has no answer to a wish`)
    }
  }

  #lookForLeftovers(): void {
    const left: string[] = []
    const note = (host: LockHost, locks: readonly ArbiterLock[]): void => {
      for (const { lock, request, waiters } of locks) {
        left.push(`${host.name} has ${lock}: vote ${JSON.stringify(request)}, waiters ${waiters}`)
      }
    }
    this.#cluster.onInspected = note
    for (const { present } of this.#awake().slice(0, 2)) {
      present.process.command({ type: 'inspect', token: 0, lock: undefined })
    }
    this.#world.runUntil(this.#world.now + 500)
    for (const line of left) this.#cluster.breach('nothing-left', line)
  }

  /** Of electorates that never granted only one is left. */
  #meet(): void {
    if (this.hopeless > 0) return
    const { elections } = this.#cluster
    const ids = new Set(this.#awake().map(({ present }) => present.core.view().id))
    if (ids.has(undefined)) this.#cluster.breach('one-electorate', 'somebody belongs to none')
    if (ids.size < 2) return
    for (const { id, granted } of elections.ids) {
      if (ids.has(id as never) && !granted && elections.newest(id) === 1) {
        this.#cluster.breach('one-electorate', `electorate ${id} has never granted and is still there`)
      }
    }
    const told = this.#awake().some(({ present }) => present.core.view().conflict !== undefined)
    if (!told) this.#cluster.breach('one-electorate', 'nobody is told that there are two electorates')
  }

  /** With a quorum of every version that counts alive, honest disks and all cuts mended, locks work. */
  #canExpect(host: RunningHost): boolean {
    const { id } = host.present.core.view()
    if (id === undefined) return true
    const able = new Set(
      this.#awake()
        .filter(canVote)
        .map(({ peer }) => peer),
    )
    return this.#cluster.elections.open(id).every((voters) => isMajority(voters, able))
  }

  #awake(): RunningHost[] {
    return this.#cluster.hosts.filter(isAwake).filter((host) => !host.present.stopping)
  }
}

function canVote({ present }: RunningHost): boolean {
  return present.core.view().void === undefined
}

function standing(host: LockHost): string {
  return isUp(host) ? JSON.stringify(host.present.core.view()) : 'gone'
}
