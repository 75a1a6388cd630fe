/** An arbiter by itself, and peers that ask it, frame by frame. */
import { Agenda } from '../../../../../lib/protocols/agenda.ts'
import type { PeerId } from '../../../../../lib/protocols/core.ts'
import { mutexDefaults } from '../../../../../plugins/mutex/core/config.ts'
import type {
  Electorate,
  ElectorateId,
  RequestId,
} from '../../../../../plugins/mutex/core/electorate/messages.ts'
import { Arbiter } from '../../../../../plugins/mutex/core/lock/arbiter.ts'
import type { LockContext } from '../../../../../plugins/mutex/core/lock/lock-context.ts'
import { standardLockUnits } from '../../../../../plugins/mutex/core/lock/units.ts'
import type {
  AnsweringItem,
  AskingItem,
  Listed,
  MutexEvent,
  VoteName,
} from '../../../../../plugins/mutex/core/messages.ts'
import {
  type ArbiterRecord,
  encodeArbiter,
  encodeStop,
  type StopRecord,
} from '../../../../../plugins/mutex/core/records.ts'

const self = 'v1' as PeerId
const acknowledged = { generation: 99, write: 99 }

export const electorate: Electorate = {
  id: 'e'.repeat(32) as ElectorateId,
  version: 1,
  voters: [self, 'v2' as PeerId, 'v3' as PeerId],
  charter: {
    cluster: '0'.repeat(32),
    founder: self,
    nonce: '0'.repeat(32),
    quorumSystem: 'majority',
    maxLeaseMs: 60_000,
    driftBound: 0.1,
    maxVoters: 7,
  },
}

/** What a voter that served `electorate` had on its disk. */
export function servedDisk(changes: Partial<ArbiterRecord> = {}, stop?: StopRecord): Map<string, Uint8Array> {
  const state: ArbiterRecord = {
    installed: 1,
    sealed: 0,
    granted: true,
    ceiling: mutexDefaults.counterBlock,
    longestLeaseMs: 10_000,
    void: undefined,
    ...changes,
  }
  const disk = new Map([['arbiter', encodeArbiter(state)]])
  if (stop !== undefined) disk.set('stop', encodeStop(stop))
  return disk
}

/** One life of a voter. */
export class OneArbiter {
  readonly arbiter: Arbiter
  readonly disk: Map<string, Uint8Array>
  readonly events: MutexEvent[] = []
  readonly #agenda = new Agenda<() => void>()
  #now = 0
  #clock = 0

  constructor(disk = new Map<string, Uint8Array>(), generation = 1) {
    this.disk = disk
    const granted = (): void => {}
    this.arbiter = new Arbiter(this.#context(new Map(disk), generation), {
      electorate: () => electorate,
      granted,
      evidence: granted,
    })
    this.arbiter.start()
  }

  /** A new voter of version 1, which serves. */
  static serving(): OneArbiter {
    const one = new OneArbiter()
    one.arbiter.install(electorate, [])
    one.serve()
    return one
  }

  serve(): void {
    this.arbiter.serve()
    this.acknowledge()
  }

  /** Others know all that it has written. */
  acknowledge(): void {
    this.arbiter.stamped({ generation: 1, write: 1 })
    this.arbiter.acknowledged(acknowledged)
  }

  wait(ms: number): void {
    this.#now += ms
    for (let act = this.#agenda.takeDue(this.#now); act !== undefined; act = this.#agenda.takeDue(this.#now))
      act()
  }

  /** A frame of somebody bore a clock. */
  tick(): number {
    this.#clock += 1
    return this.#clock
  }

  /** Who has its vote for that lock. */
  voteOf(lock: string): RequestId | undefined {
    return this.arbiter.inspect(lock)[0]?.request
  }

  #context(durable: ReadonlyMap<string, Uint8Array>, generation: number): LockContext {
    const agenda = this.#agenda
    const one = this
    const write = (key: string, value: Uint8Array | undefined): void => {
      if (value === undefined) this.disk.delete(key)
      else this.disk.set(key, value)
    }
    return {
      self,
      config: mutexDefaults,
      crypto: {
        sha256: () => new Uint8Array(32),
        sign: () => new Uint8Array(64),
        verify: () => true,
      },
      units: standardLockUnits,
      durable,
      generation,
      get now() {
        return one.#now
      },
      get clock() {
        return one.#clock
      },
      tick: () => this.tick(),
      schedule: (key, at, act) => agenda.schedule(key, at, act),
      scheduleAtLatest: (key, at, act) => agenda.scheduleAtLatest(key, at, act),
      cancel: (key) => agenda.cancel(key),
      isConnected: () => true,
      dial: () => {},
      write,
      remember: write,
      emit: (event) => void this.events.push(event),
      misbehaved: (peer, reason) => void this.events.push({ type: 'misbehaved', peer, reason }),
      pending: () => {},
      urgent: () => {},
    }
  }
}

/** A peer that asks it; each call is a frame, and gives what is answered. */
export class Asker {
  readonly peer: PeerId
  readonly #one: OneArbiter
  readonly #generation: number
  #session = 0
  #seq = 0

  constructor(one: OneArbiter, peer: string, generation = 1) {
    this.#one = one
    this.peer = peer as PeerId
    this.#generation = generation
  }

  sync(requests: readonly Listed[] = [], version = 1): readonly AnsweringItem[] {
    this.#session += 1
    this.#seq = 0
    return this.say({ type: 'sync', version, requests })
  }

  /** Its request of that number, of lock `a` unless `changes` says otherwise. */
  listed(counter: number, changes: Partial<Listed> = {}): Listed {
    return {
      request: { peer: this.peer, generation: this.#generation, counter },
      lock: 'a',
      timestamp: counter,
      leaseMs: 10_000,
      hint: 0,
      grant: undefined,
      token: 0,
      ...changes,
    }
  }

  ask(counter: number, changes: Partial<Listed> = {}): readonly AnsweringItem[] {
    return this.say({ type: 'request', request: this.listed(counter, changes) })
  }

  /** The request is over, entered with that token. */
  release(counter: number, token: number, lock = 'a'): readonly AnsweringItem[] {
    return this.say({ type: 'release', request: this.listed(counter).request, lock, token, grants: [] })
  }

  say(...items: readonly AskingItem[]): readonly AnsweringItem[] {
    this.#seq += 1
    const session = { generation: this.#generation, counter: this.#session }
    this.#one.arbiter.receive(this.peer, { session, seq: this.#seq, ack: 0, items })
    return this.hear()
  }

  /** What waits for it. */
  hear(): readonly AnsweringItem[] {
    const heard: AnsweringItem[] = []
    const { arbiter } = this.#one
    for (let told = arbiter.take(this.peer); told !== undefined; told = arbiter.take(this.peer))
      heard.push(...told.items)
    return heard
  }
}

export function grantIn(items: readonly AnsweringItem[]): VoteName {
  const grant = items.find((item) => item.type === 'grant')
  if (grant === undefined) throw new Error(`no grant among ${items.map(({ type }) => type).join(', ')}`)
  return grant.vote
}

export function has(items: readonly AnsweringItem[], type: AnsweringItem['type']): boolean {
  return items.some((item) => item.type === type)
}
