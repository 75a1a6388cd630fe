/**
 * The votes of an arbiter: who has the one of each lock, who is next, and what blocks it.
 *
 * Only RELEASE, RELINQUISH, SYNC and the end of the lease free a vote: never a
 * closed connection, a death verdict or a newer life of its owner, for whoever
 * entered on it may still be at work.
 *
 * - Maekawa 1985, A √N Algorithm for Mutual Exclusion; Sanders 1987 for its deadlocks
 * - Gray & Cheriton 1989, Leases
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import type { Grant } from '../electorate/messages.ts'
import { mutexLimits } from '../limits.ts'
import type { ArbiterLock, GrantNumber, VoteName } from '../messages.ts'
import type { StoppedVote } from '../records.ts'
import type { ArbiterDisk } from './arbiter-disk.ts'
import type { Client, Clients } from './clients.ts'
import { Docket, type Petition, type Vote } from './docket.ts'
import { Floors } from './floors.ts'
import type { LockContext } from './lock-context.ts'
import { compareNumbers, compareRequests, keyOf, type RequestKey } from './order.ts'
import type { TokenLedger } from './token-ledger.ts'

/** A waiter unheard for this share of its lease is passed over, and keeps its place. */
const silentShare = 1 / 3

export interface VotesParts {
  readonly context: LockContext
  readonly disk: ArbiterDisk
  readonly ledger: TokenLedger
  readonly clients: Clients
  /** A vote was given: it is signed later. */
  readonly granted: (to: PeerId, lock: string, vote: VoteName, proposal: number) => void
}

export class Votes {
  readonly #parts: VotesParts
  readonly #context: LockContext
  readonly #dockets = new Map<string, Docket>()
  /** Locks whose next token is above the ceiling that may be used. */
  readonly #starved = new Set<string>()
  /** Looked at in this step: those that are idle are forgotten at its end. */
  readonly #touched = new Set<Docket>()
  readonly floors: Floors
  /** None is given otherwise. */
  isServing = false
  #abstainsUntil = Number.NEGATIVE_INFINITY
  #grants = 0
  #petitions = 0

  constructor(parts: VotesParts) {
    this.#parts = parts
    this.#context = parts.context
    this.floors = new Floors(() => parts.context.now)
  }

  // Dockets.

  find(lock: string): Docket | undefined {
    return this.#dockets.get(lock)
  }

  docket(lock: string): Docket {
    const docket = this.#dockets.get(lock) ?? new Docket(lock)
    this.#dockets.set(lock, docket)
    this.#touched.add(docket)
    return docket
  }

  /** The docket whose vote is of that name; undefined when that vote is over. */
  named(
    client: Client,
    { request, grant }: VoteName,
  ): { readonly docket: Docket; readonly vote: Vote } | undefined {
    const key = keyOf(request)
    for (const docket of [...client.votes]) {
      this.#expire(docket)
      const { vote } = docket
      if (vote?.petition.key === key && compareNumbers(vote.grant, grant) === 0) return { docket, vote }
    }
    return undefined
  }

  /** Every vote that a requester has. */
  of(client: Client): readonly Vote[] {
    for (const docket of [...client.votes]) this.#expire(docket)
    return [...client.votes].flatMap(({ vote }) => (vote === undefined ? [] : [vote]))
  }

  /** No room for another request of that requester. */
  isFullFor({ petitions, votes }: Client): boolean {
    return (
      petitions.size + votes.size >= mutexLimits.requestsPerPeer ||
      this.#petitions >= mutexLimits.requests ||
      this.#dockets.size > mutexLimits.locks
    )
  }

  enqueue(docket: Docket, petition: Petition): void {
    docket.enqueue(petition)
    this.#parts.clients.get(petition.request.peer).petitions.set(petition.key, petition)
    this.#petitions += 1
  }

  drop(petition: Petition): void {
    const docket = this.#dockets.get(petition.lock)
    if (docket?.dequeue(petition.key) === true) this.#petitions -= 1
    this.#parts.clients.find(petition.request.peer)?.petitions.delete(petition.key)
    if (docket !== undefined) this.#touched.add(docket)
  }

  dropAllOf(client: Client): void {
    for (const petition of [...client.petitions.values()]) this.drop(petition)
  }

  /** Forgets what is idle after this step. */
  tidy(): void {
    for (const docket of this.#touched) {
      const isCurrent = this.#dockets.get(docket.lock) === docket
      if (isCurrent && docket.isIdle) this.#dockets.delete(docket.lock)
    }
    this.#touched.clear()
  }

  /** Everything that belongs to the version before. */
  forget(): void {
    for (const client of this.#parts.clients.all()) client.clear()
    this.#dockets.clear()
    this.#touched.clear()
    this.#starved.clear()
    this.floors.clear()
    this.#petitions = 0
  }

  // Giving and taking back.

  /** Gives the vote if it is free, or asks it back for a better request. */
  attend(docket: Docket): void {
    this.#expire(docket)
    this.#touched.add(docket)
    const best = this.isServing && this.abstainsForMs === 0 ? this.#best(docket) : undefined
    if (best === undefined) return
    if (docket.vote === undefined) this.#grant(docket, best)
    else if (compareRequests(best, docket.vote.petition) < 0) this.#inquire(docket.vote)
  }

  attendAll(): void {
    for (const docket of [...this.#dockets.values()]) this.attend(docket)
  }

  /** Whoever was passed over is back in the queue. */
  attendAllOf(client: Client): void {
    client.isPassedOver = false
    const locks = new Set([...client.petitions.values()].map(({ lock }) => lock))
    for (const lock of locks) this.attend(this.docket(lock))
  }

  /** Higher tokens may be told. */
  attendStarved(): void {
    const locks = [...this.#starved]
    this.#starved.clear()
    for (const lock of locks) this.attend(this.docket(lock))
  }

  #best({ queue, inherited }: Docket): Petition | undefined {
    if (inherited.size > 0) {
      const heir = queue.find(({ key, entered }) => entered && inherited.has(key))
      const isAlone = inherited.size === 1 || this.#context.units.renewalOverrides
      return heir !== undefined && isAlone && this.#isHeard(heir) ? heir : undefined
    }
    const entered = queue.find((petition) => petition.entered && this.#isHeard(petition))
    return entered ?? queue.find((petition) => this.#isHeard(petition))
  }

  /** Whoever is not is passed over, keeps its place, and is looked at again when it is heard. */
  #isHeard({ request, leaseMs }: Petition): boolean {
    const client = this.#parts.clients.find(request.peer)
    if (client === undefined) return false
    const isHeard =
      this.#context.units.maySend(client.hasSession) &&
      this.#context.now - client.heardAt <= leaseMs * silentShare
    if (!isHeard) client.isPassedOver = true
    return isHeard
  }

  #grant(docket: Docket, petition: Petition): void {
    const { ledger, clients, granted } = this.#parts
    const { clock, generation, units } = this.#context
    const { lock, leaseMs, request } = petition
    const level = ledger.next(lock)
    if (!ledger.mayUse(level)) {
      this.#starved.add(lock)
      return
    }
    this.#recordLease(leaseMs)
    ledger.burn(lock, level)
    this.#grants += 1
    const grant: GrantNumber = { generation: units.grantGeneration(generation), counter: this.#grants }
    const client = clients.get(request.peer)
    this.drop(petition)
    // What its owner inherited goes on blocking: this vote may be lost on the way, and it holds all the same.
    const deadline = client.heardAt + leaseMs
    this.give(docket, { petition, grant, level, deadline, clock, inquired: false })
    const vote = { request, grant }
    client.push({ type: 'grant', vote, proposal: level, clock, leaseMs, base: client.received })
    this.#context.urgent(client.peer)
    granted(client.peer, lock, vote, level)
  }

  /** Before the first grant, and before one of a longer lease than ever: an abstention has to cover it. */
  #recordLease(leaseMs: number): void {
    const { disk } = this.#parts
    const { granted, longestLeaseMs } = disk.state
    const { grantedIsDurable } = this.#context.units
    if (leaseMs <= longestLeaseMs && (granted || !grantedIsDurable)) return
    disk.change({
      granted: granted || grantedIsDurable,
      longestLeaseMs: Math.max(leaseMs, longestLeaseMs),
    })
  }

  /** Whether this arbiter has ever given a vote under that number in this life. */
  hasGiven({ generation, counter }: GrantNumber): boolean {
    return generation !== this.#context.generation || counter <= this.#grants
  }

  #inquire(vote: Vote): void {
    if (vote.inquired) return
    vote.inquired = true
    const client = this.#parts.clients.get(vote.petition.request.peer)
    if (this.#context.units.maySend(client.hasSession)) this.sayInquire(client, vote)
  }

  sayInquire(client: Client, vote: Vote): void {
    client.push({ type: 'inquire', vote: nameOf(vote) })
    this.#context.urgent(client.peer)
  }

  give(docket: Docket, vote: Vote): void {
    docket.vote = vote
    this.#parts.clients.get(vote.petition.request.peer).votes.add(docket)
    this.#watch(docket)
  }

  /**
   * Its owner is done with it, or says so: its next request is a later one, whatever it claims. Whoever
   * asks again with a timestamp from before the grant would be first for ever.
   */
  takeBack(docket: Docket): void {
    const { vote } = docket
    if (vote !== undefined) {
      const { lock, request, leaseMs } = vote.petition
      this.floors.set(lock, request.peer, vote.clock, leaseMs)
    }
    this.unvote(docket)
  }

  unvote(docket: Docket): void {
    const { vote } = docket
    if (vote === undefined) return
    this.#parts.clients.find(vote.petition.request.peer)?.votes.delete(docket)
    docket.vote = undefined
  }

  /** A holder of the version before: its grant blocks until it is released, given up or run out. */
  inherit({ lock, request, remainingMs }: Grant): void {
    if (remainingMs <= 0) return
    const docket = this.docket(lock)
    const key = keyOf(request)
    const before = docket.inherited.get(key)?.deadline ?? 0
    docket.inherited.set(key, { request, deadline: Math.max(before, this.#context.now + remainingMs) })
    this.#watch(docket)
  }

  /** Dockets that block for a requester in a version that is over. */
  *inheritedOf(peer: PeerId, generation: number): Iterable<readonly [Docket, RequestKey]> {
    for (const docket of this.#dockets.values()) {
      for (const [key, { request }] of docket.inherited) {
        if (request.peer === peer && request.generation === generation) yield [docket, key]
      }
    }
  }

  #expire(docket: Docket): void {
    const { vote } = docket
    docket.expire(this.#context.now)
    if (vote === undefined || docket.vote !== undefined) return
    this.#parts.clients.find(vote.petition.request.peer)?.votes.delete(docket)
  }

  /** One timer a lock, which looks again when it was too early, at whatever docket it has by then. */
  #watch({ lock, nextEnd }: Docket): void {
    if (nextEnd === undefined) return
    this.#context.scheduleAtLatest(`lease:${lock}`, nextEnd, () => {
      const docket = this.#dockets.get(lock)
      if (docket === undefined) return
      this.attend(docket)
      this.#watch(docket)
      this.tidy()
    })
  }

  // Abstention.

  /** Votes for nobody for so long: there may be votes that it does not know of. */
  abstain(forMs: number): void {
    const until = this.#context.now + forMs
    if (forMs <= 0 || until <= this.#abstainsUntil) return
    this.#abstainsUntil = until
    this.#context.schedule('abstention', until, () => {
      this.attendAll()
      this.tidy()
    })
  }

  get abstainsForMs(): number {
    return Math.max(0, this.#abstainsUntil - this.#context.now)
  }

  /** It abstained in this life, so lately that somebody may hold what it has voted for in a former one. */
  get mayHaveForgotten(): boolean {
    return this.#context.now < this.#abstainsUntil + this.#parts.disk.state.longestLeaseMs
  }

  // What others are told.

  /** Every vote, and every grant inherited and not yet over, with the time that remains. */
  outstanding(): { readonly votes: readonly StoppedVote[]; readonly inherited: readonly Grant[] } {
    const votes: StoppedVote[] = []
    const inherited: Grant[] = []
    const remainingMs = (deadline: number): number => deadline - this.#context.now
    for (const docket of this.#dockets.values()) {
      this.#expire(docket)
      const { lock, vote } = docket
      for (const { request, deadline } of docket.inherited.values()) {
        inherited.push({ lock, request, remainingMs: remainingMs(deadline) })
      }
      if (vote === undefined) continue
      const { grant, level, deadline } = vote
      const { request, leaseMs } = vote.petition
      votes.push({ lock, request, grant, level, leaseMs, remainingMs: remainingMs(deadline) })
    }
    return { votes, inherited }
  }

  /** Of the lock of that name, or of all that are in use, as many as are shown at once. */
  inspect(name: string | undefined): ArbiterLock[] {
    const dockets = name === undefined ? [...this.#dockets.values()] : [this.#dockets.get(name)]
    let room = mutexLimits.waitersShownAtAll
    const locks: ArbiterLock[] = []
    for (const docket of dockets) {
      if (docket === undefined || locks.length >= mutexLimits.locksShown) continue
      this.#expire(docket)
      if (docket.isIdle) continue
      const waiters = docket.queue.slice(0, Math.min(mutexLimits.waitersShown, room))
      room -= waiters.length
      locks.push({
        lock: docket.lock,
        request: docket.vote?.petition.request,
        token: docket.vote?.level ?? 0,
        expiresInMs: Math.max(0, Math.ceil((docket.nextEnd ?? 0) - this.#context.now)),
        waiters: waiters.map(({ request }) => request.peer),
      })
    }
    return locks
  }
}

export function nameOf({ petition, grant }: Vote): VoteName {
  return { request: petition.request, grant }
}
