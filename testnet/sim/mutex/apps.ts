import type { MutexEvent as HistoryEntry } from '../../../plugins/mutex/checker/history.ts'
import type { MutexEvent, MutexFailure } from '../../../plugins/mutex/core/messages.ts'
import type { Random } from '../random.ts'
import type { World } from '../world.ts'
import type { Holders } from './holders.ts'
import { isValid, type Life, type LockHost } from './lock-host.ts'
import type { LockWorkload, MutexSimOptions } from './options.ts'
import type { Ask } from './petitions.ts'

/** A write takes this long to reach the resource, ms; now and then much longer. */
const writeMs = 3
const lateWriteMs = 400
/** An app that gives up does so within this, ms. */
const patienceMs = 400

/** The peers that the apps run on, and what is told of them. */
export interface AppsPort {
  readonly world: World
  readonly options: MutexSimOptions
  readonly holders: Holders
  end(host: LockHost, how: 'kill'): void
  record(event: HistoryEntry): void
  breach(property: string, message: string): void
  asked(ask: Ask): void
  /** @returns the lock's name where there may be several electorates */
  entered(ask: Ask, fencingToken: number, version: number): string
  failed(ask: Ask, failure: MutexFailure): void
  /** Nothing more comes of it. */
  over(ask: Ask): void
  /** Its app is gone. */
  abandoned(ask: Ask): void
}

interface Open {
  readonly ask: Ask
  state: 'waiting' | 'given-up' | 'holding' | 'leaving'
  /** Called once, when all is over. */
  readonly over: () => void
}

/**
 * The apps: they ask, hold, write to what the lock protects, release, give up, and
 * die. Each has one request at a time, so several of a peer contend with each other.
 */
export class Apps {
  readonly #cluster: AppsPort
  readonly #options: LockWorkload
  readonly #random: Random
  readonly #open = new Map<number, Open>()
  /** What each lock protects takes no token below the highest that it saw. */
  readonly #resources = new Map<string, number>()
  /** Of probes: told of the entry, and says for how long to stay. */
  readonly #onEntry = new Map<number, () => number>()
  /** A release may be answered or not. */
  readonly #lost = new Set<number>()
  #token = 0
  #stopped = false
  #mortal = true

  constructor(cluster: AppsPort) {
    this.#cluster = cluster
    this.#options = cluster.options.workload
    this.#random = cluster.world.random.stream('apps')
  }

  /** Asked for and neither answered nor over. */
  get open(): readonly Ask[] {
    return [...this.#open.values()].map(({ ask }) => ask)
  }

  get waiting(): readonly Ask[] {
    return [...this.#open.values()].filter(({ state }) => state === 'waiting').map(({ ask }) => ask)
  }

  isWaiting({ token }: Ask): boolean {
    return this.#open.get(token)?.state === 'waiting'
  }

  start(life: Life): void {
    if (life.host.silent) return
    for (let i = 0; i < this.#options.contenders; i++) this.#think(life, `${life.host.name}/${i}`)
  }

  /** Nobody dies any more while it holds. */
  spare(): void {
    this.#mortal = false
  }

  /** Nobody asks any more; whoever holds goes on until it is done. */
  stop(): void {
    this.#stopped = true
  }

  /** One request outside of the usual ones. @param over told when it is all over, and whether it had the lock */
  probe(life: Life, lock: string, holdMs: number, over: (entered: boolean) => void): void {
    let entered = false
    const token = this.#ask(life, lock, `${life.host.name}/probe`, undefined, () => over(entered))
    this.#onEntry.set(token, () => {
      entered = true
      return holdMs
    })
  }

  emitted(life: Life, event: MutexEvent): void {
    switch (event.type) {
      case 'acquired':
        return this.#acquired(life, event)
      case 'failed':
        return this.#failed(life, event.token, event.failure)
      case 'lost':
        return this.#ended(life, event.token, 'lost')
      case 'released':
        return this.#ended(life, event.token, 'released')
      case 'wished':
      case 'inspected':
      case 'electorate':
      case 'conflict':
      case 'misbehaved':
      case 'stopped':
        return
      default:
        event satisfies never
    }
  }

  /** The process is gone, and its apps with it. */
  died(life: Life): void {
    for (const [token, open] of this.#open) {
      if (open.ask.life !== life) continue
      this.#open.delete(token)
      this.#cluster.abandoned(open.ask)
    }
  }

  #think(life: Life, caller: string): void {
    const { fromMs, thinkMs } = this.#options
    const untilThenMs = this.#mortal ? Math.max(0, fromMs - this.#cluster.world.now) : 0
    this.#later(life, untilThenMs + this.#random.exponential(thinkMs), () => {
      if (this.#stopped || life.stopping) return
      const { locks, limit, tryOnly } = this.#options
      const lock = `lock-${this.#random.whole(1, locks)}`
      const waitMs = this.#random.chance(tryOnly)
        ? 0
        : this.#random.chance(limit)
          ? this.#random.between(10, 600)
          : undefined
      const token = this.#ask(life, lock, caller, waitMs, () => this.#think(life, caller))
      if (this.#random.chance(this.#options.cancel)) {
        this.#later(life, this.#random.between(0, patienceMs), () => this.#giveUp(life, token))
      }
    })
  }

  #ask(life: Life, lock: string, caller: string, waitMs: number | undefined, over: () => void): number {
    const token = ++this.#token
    const { leaseMs, maxLeaseMs } = this.#cluster.options.config
    const at = this.#cluster.world.now
    const ask: Ask = { life, token, lock, waitMs, caller, at, queuedAt: undefined, alone: true }
    this.#open.set(token, { ask, state: 'waiting', over })
    this.#cluster.asked(ask)
    const lease = this.#random.chance(0.2) ? maxLeaseMs : leaseMs
    life.process.command({ type: 'acquire', token, lock, leaseMs: lease, waitMs })
    return token
  }

  #giveUp(life: Life, token: number): void {
    const open = this.#open.get(token)
    if (open?.state !== 'waiting') return
    open.state = 'given-up'
    life.process.command({ type: 'release', token })
  }

  #acquired(life: Life, { token, fencingToken, version }: Extract<MutexEvent, { type: 'acquired' }>): void {
    const open = this.#open.get(token)
    if (
      open === undefined ||
      open.ask.life !== life ||
      open.state === 'holding' ||
      open.state === 'leaving'
    ) {
      return this.#cluster.breach('answered-once', `${life.host.name} acquires what nobody waits for`)
    }
    // Whoever is late looks at the clock before it begins, and is told soon that it has lost.
    if (!isValid(life, life.core.validUntil(token))) {
      if (open.state === 'waiting') open.state = 'leaving'
      return
    }
    const lock = this.#cluster.entered(open.ask, fencingToken, version)
    if (open.state === 'given-up') {
      open.state = 'leaving'
      return this.#cluster.holders.left(life, token, 'released')
    }
    open.state = 'holding'
    this.#write(life, token, lock, fencingToken)
    if (this.#mortal && this.#random.chance(this.#options.diesHolding)) {
      return this.#later(life, this.#random.between(0, 50), () => this.#cluster.end(life.host, 'kill'))
    }
    const holdMs = this.#onEntry.get(token)?.() ?? this.#holdMs()
    this.#later(life, holdMs, () => this.#release(life, token))
  }

  #holdMs(): number {
    const { holdMs, longHold } = this.#options
    if (this.#stopped || !this.#mortal || !this.#random.chance(longHold))
      return this.#random.exponential(holdMs)
    return this.#random.between(0.5, 3) * this.#cluster.options.config.leaseMs
  }

  #release(life: Life, token: number): void {
    const open = this.#open.get(token)
    if (open?.state !== 'holding') return
    open.state = 'leaving'
    this.#cluster.holders.left(life, token, 'released')
    life.process.command({ type: 'release', token })
  }

  #failed(life: Life, token: number, failure: MutexFailure): void {
    const open = this.#open.get(token)
    if (open === undefined || open.state === 'holding' || open.state === 'leaving') {
      return this.#cluster.breach('answered-once', `${life.host.name} fails what nobody waits for`)
    }
    this.#cluster.failed(open.ask, failure)
    this.#close(token, open)
  }

  #ended(life: Life, token: number, how: 'lost' | 'released'): void {
    const open = this.#open.get(token)
    if (how === 'released' && this.#lost.delete(token)) return
    if (open === undefined || open.state === 'waiting' || (how === 'released' && open.state === 'holding')) {
      return this.#cluster.breach(
        'answered-once',
        `${life.host.name} is told ${how} of what it does not hold`,
      )
    }
    if (open.state === 'holding') this.#cluster.holders.left(life, token, how)
    this.#cluster.over(open.ask)
    if (how === 'lost') this.#acknowledgeLoss(life, token)
    this.#close(token, open)
  }

  /** Most say when they have ended what they did under the lock, for the votes are kept until then. */
  #acknowledgeLoss(life: Life, token: number): void {
    this.#lost.add(token)
    if (this.#random.chance(0.3)) return
    this.#later(life, this.#random.between(0, 30), () => life.process.command({ type: 'release', token }))
  }

  #close(token: number, open: Open): void {
    this.#open.delete(token)
    open.over()
  }

  /** A write with the token reaches what the lock protects, sometimes long after it was sent. */
  #write(life: Life, token: number, lock: string, fencingToken: number): void {
    const { world, holders } = this.#cluster
    if (!holders.isHolding(life, token)) return
    if (isValid(life, life.core.validUntil(token))) {
      const delayMs = this.#random.chance(0.05) ? lateWriteMs : writeMs
      world.after(this.#random.between(0, delayMs), () => this.#show(lock, fencingToken))
    }
    this.#later(life, this.#random.between(10, 200), () => this.#write(life, token, lock, fencingToken))
  }

  #show(lock: string, token: number): void {
    const highest = this.#resources.get(lock) ?? 0
    const taken = token >= highest
    if (taken) this.#resources.set(lock, token)
    this.#cluster.record({ at: this.#cluster.world.now, type: 'shown', lock, token, taken })
  }

  /** Only while its process runs: an app stands still with it. */
  #later(life: Life, delayMs: number, act: () => void): void {
    this.#cluster.world.after(delayMs, () => life.process.schedule(act))
  }
}
