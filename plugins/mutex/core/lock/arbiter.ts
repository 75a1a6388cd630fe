/**
 * The arbiter: what a voter does. One vote a lock, for the best request that it
 * knows of and that can be reached; a better one makes it ask the vote back once.
 *
 * Only RELEASE, RELINQUISH, SYNC and the end of the lease free a vote: never a
 * closed connection, a death verdict or a newer life of its owner, for whoever
 * entered on it may still be at work.
 *
 * - Maekawa 1985, A √N Algorithm for Mutual Exclusion; Sanders 1987 for its deadlocks
 * - Gray & Cheriton 1989, Leases
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import type { Electorate, Grant, Report, RequestId, Stamp } from '../electorate/messages.ts'
import { isHonest, mutexLimits, recoveryLead } from '../limits.ts'
import type {
  Answering,
  ArbiterLock,
  Asking,
  AskingItem,
  GrantNumber,
  Listed,
  Refusal,
  Unavailability,
  VoteName,
  VoteStatement,
} from '../messages.ts'
import type { ArbiterPort, ArbiterState } from '../ports.ts'
import { ArbiterDisk } from './arbiter-disk.ts'
import { Client } from './clients.ts'
import { Counters } from './counters.ts'
import { digestOf } from './digest.ts'
import { Docket, type Petition, type Vote } from './docket.ts'
import type { LockContext } from './lock-context.ts'
import { compareNumbers, compareRequests, keyOf } from './order.ts'

export interface ArbiterEvents {
  /** The electorate that is proven here. */
  electorate(): Electorate | undefined
  /** A vote was given: it is signed later. */
  granted(to: PeerId, statement: VoteStatement): void
  /** A holder has shown on which votes it had entered. */
  evidence(from: PeerId, grants: Extract<AskingItem, { type: 'release' }>['grants']): void
}

/** A waiter unheard for this share of its lease is passed over, and keeps its place. */
const silentShare = 1 / 3

export class Arbiter implements ArbiterPort {
  readonly #context: LockContext
  readonly #events: ArbiterEvents
  readonly #disk: ArbiterDisk
  readonly #dockets = new Map<string, Docket>()
  readonly #clients = new Map<PeerId, Client>()
  readonly #counters: Counters
  /** Ceilings that wait for others to know their stamp; undefined: of this step, which has none yet. */
  #ceilings: { readonly ceiling: number; stamp: Stamp | undefined }[] = []
  /** What waits for a higher ceiling. */
  readonly #starved = new Set<Docket>()
  /** Looked at in this step: those that are idle are forgotten at its end. */
  readonly #touched = new Set<Docket>()
  readonly #confirms: { readonly peer: PeerId; readonly item: Extract<AskingItem, { type: 'confirm' }> }[] =
    []
  #serving = false
  #abstainsUntil = Number.NEGATIVE_INFINITY
  #grants = 0
  #petitions = 0

  constructor(context: LockContext, events: ArbiterEvents) {
    this.#context = context
    this.#events = events
    this.#disk = new ArbiterDisk(context)
    this.#counters = new Counters(this.#disk.state.ceiling, context.config.counterBlock)
  }

  get state(): ArbiterState {
    const { installed, sealed, granted, void: isVoid } = this.#disk.state
    return {
      installed,
      sealed,
      serving: this.#serving,
      granted,
      void: isVoid,
      abstainsForMs: this.#abstainsForMs,
    }
  }

  /** What a former life left: its votes after a clean stop; without one, nobody knows what it granted. */
  start(): void {
    const { state } = this.#disk
    if (state.installed === 0) return
    const snapshot = this.#disk.snapshot()
    if (snapshot === undefined) {
      this.#abstain(this.#context.units.abstentionMs(state.longestLeaseMs))
    } else {
      this.#abstain(snapshot.abstainsForMs)
      for (const grant of snapshot.inherited) this.#inherit(grant)
      for (const { lock, request, grant, level, remainingMs, leaseMs } of snapshot.votes) {
        const key = keyOf(request)
        const petition = { request, key, lock, timestamp: 0, leaseMs, entered: false }
        const deadline = this.#context.now + remainingMs
        this.#give(this.#docket(lock), {
          petition,
          grant,
          level,
          deadline,
          clock: this.#context.clock,
          inquired: false,
        })
      }
    }
  }

  // What the electorate asks of it.

  report(): Report {
    const grants: Grant[] = []
    for (const docket of this.#dockets.values()) {
      docket.expire(this.#context.now)
      const { lock, vote, inherited } = docket
      if (vote !== undefined) grants.push(this.#grantOf(lock, vote.petition.request, vote.deadline))
      for (const { request, deadline } of inherited.values())
        grants.push(this.#grantOf(lock, request, deadline))
    }
    return {
      floor: this.#counters.highest,
      grants,
      unknownForMs: this.#context.units.reportedUnknownMs(this.#abstainsForMs),
      longestLeaseMs: this.#disk.state.longestLeaseMs,
    }
  }

  seal(): void {
    this.#serving = false
    this.#disk.seal()
    for (const client of this.#clients.values()) {
      for (const petition of [...client.petitions.values()]) this.#drop(petition)
    }
  }

  install(electorate: Electorate, reports: readonly Report[]): void {
    const { units } = this.#context
    const own = this.report()
    this.#serving = false
    this.#forget()
    this.#counters.raise(Math.max(0, ...reports.map(({ floor }) => floor)))
    for (const report of [...reports, own]) for (const grant of units.blocking(report)) this.#inherit(grant)
    const unknownMs = Math.max(0, ...reports.map(({ unknownForMs }) => unknownForMs))
    this.#abstain(Math.max(this.#abstainsForMs, unknownMs))
    const inheritedMs = Math.max(
      0,
      ...reports.flatMap(({ grants }) => grants.map((grant) => grant.remainingMs)),
    )
    const longestLeaseMs = Math.max(
      this.#disk.state.longestLeaseMs,
      inheritedMs,
      unknownMs,
      ...reports.map((report) => report.longestLeaseMs),
    )
    // Nobody who comes from an earlier version can still dissolve it.
    const granted = this.#disk.state.granted || electorate.version > 1
    this.#disk.change({ installed: electorate.version, sealed: 0, granted, longestLeaseMs, void: undefined })
    this.#extend(this.#counters.highest)
  }

  serve(): void {
    if (this.#serving || this.#disk.state.void !== undefined) return
    this.#serving = true
    // Not before: a write raises the stamp, by which others tell whether this disk was put back.
    this.#disk.dropSnapshot()
    this.#extend(this.#counters.highest)
    for (const docket of [...this.#dockets.values()]) this.#attend(docket)
  }

  acknowledged(stamp: Stamp): void {
    const known = ({ stamp: of }: { stamp: Stamp | undefined }): boolean =>
      of !== undefined && (of.generation - stamp.generation || of.write - stamp.write) <= 0
    const ready = this.#ceilings.filter(known)
    if (ready.length === 0) return
    this.#ceilings = this.#ceilings.filter((ceiling) => !known(ceiling))
    for (const { ceiling } of ready) this.#counters.release(ceiling)
    const starved = [...this.#starved]
    this.#starved.clear()
    for (const docket of starved) if (this.#dockets.get(docket.lock) === docket) this.#attend(docket)
    for (const { peer, item } of this.#confirms.splice(0)) this.#confirm(this.#client(peer), item)
  }

  void(reason: 'lost' | 'rolled-back'): void {
    this.#serving = false
    this.#forget()
    if (this.#disk.state.void !== reason) this.#disk.change({ void: reason })
  }

  recover(): void {
    this.#counters.raise(this.#counters.highest + recoveryLead)
    // Of leases that this disk no longer knows it knows the longest possible.
    const longestMs = this.#events.electorate()?.charter.maxLeaseMs ?? this.#context.config.maxLeaseMs
    this.#disk.change({ void: undefined, granted: true, longestLeaseMs: longestMs })
    this.#abstain(this.#context.units.abstentionMs(longestMs))
    this.#extend(this.#counters.highest)
  }

  /** The stamp of what this step wrote. */
  stamped(stamp: Stamp): void {
    for (const ceiling of this.#ceilings) ceiling.stamp ??= stamp
  }

  /** Ends all granting, renewing and confirming, then writes what is outstanding. */
  stop(): void {
    const { units } = this.#context
    if (this.#disk.state.installed === 0 || this.#disk.state.void !== undefined) return
    if (units.stopsBeforeSnapshot) this.#serving = false
    const inherited: Grant[] = []
    const votes: Parameters<ArbiterDisk['leaveSnapshot']>[0]['votes'][number][] = []
    for (const docket of this.#dockets.values()) {
      docket.expire(this.#context.now)
      const { lock, vote } = docket
      for (const { request, deadline } of docket.inherited.values()) {
        inherited.push(this.#grantOf(lock, request, deadline))
      }
      if (vote === undefined) continue
      const { petition, grant, level, deadline } = vote
      const { request, leaseMs } = petition
      votes.push({ lock, request, grant, level, leaseMs, remainingMs: deadline - this.#context.now })
    }
    this.#disk.leaveSnapshot({
      abstainsForMs: this.#abstainsForMs,
      inherited: units.keepsInherited ? inherited : [],
      votes,
    })
  }

  // What requesters ask of it.

  receive(from: PeerId, asking: Asking): void {
    const client = this.#client(from)
    const { now } = this.#context
    switch (client.place(asking)) {
      case 'old':
      case 'doubled':
        return
      case 'gap':
        client.close()
        client.refuse(asking.session, { type: 'reset' })
        this.#context.pending(from)
        return
      case 'opens':
        if (!this.#opens(client, asking)) return
        break
      case 'next':
        break
    }
    client.advance(asking.seq, now)
    for (const item of asking.items) if (this.#takes(item)) this.#handle(client, item)
    if (client.isPassedOver) this.#attendAll(client)
    if (!this.#serving && asking.items.some((item) => !this.#takes(item))) this.#turnAway(client, asking)
    if (asking.items.some(wantsAnswer)) {
      client.owesAnswer = true
      this.#context.pending(from)
    }
    this.#tidy()
  }

  /** A voter that does not serve takes back votes, and gives or confirms none. */
  #takes(item: AskingItem): boolean {
    if (this.#serving || item.type === 'release' || item.type === 'cancel' || item.type === 'relinquish')
      return true
    return item.type === 'confirm' && this.#context.units.sealedConfirms
  }

  #turnAway(client: Client, { session }: Asking): void {
    const reason = this.#unavailable(this.#disk.state.installed) ?? 'starting'
    client.refuse(session, { type: 'unavailable', reason })
    this.#context.pending(client.peer)
  }

  disconnected(peer: PeerId): void {
    this.#clients.get(peer)?.close()
  }

  /** What the peer has here; undefined for nobody known. */
  client(peer: PeerId): Client | undefined {
    return this.#clients.get(peer)
  }

  /** What waits for the peer. */
  take(peer: PeerId): Answering | undefined {
    const remainingMs = this.#abstainsForMs
    return this.#clients
      .get(peer)
      ?.take(remainingMs > 0 ? { type: 'abstaining', remainingMs } : { type: 'queued' })
  }

  /** Of the lock of that name, or of all that are in use, as many as are shown at once. */
  inspect(name: string | undefined): ArbiterLock[] {
    const dockets = name === undefined ? [...this.#dockets.values()] : [this.#dockets.get(name)]
    let shown = 0
    return dockets.slice(0, mutexLimits.locksShown).flatMap((docket) => {
      if (docket === undefined) return []
      docket.expire(this.#context.now)
      if (docket.isIdle) return []
      const { lock, vote, queue } = docket
      const ends = docket.nextEnd ?? this.#context.now
      const most = Math.min(mutexLimits.waitersShown, mutexLimits.waitersShownAtAll - shown)
      const waiters = queue.slice(0, most).map(({ request }) => request.peer)
      shown += waiters.length
      return [
        {
          lock,
          request: vote?.petition.request,
          token: vote?.level ?? 0,
          expiresInMs: Math.max(0, Math.ceil((vote?.deadline ?? ends) - this.#context.now)),
          waiters,
        },
      ]
    })
  }

  #opens(client: Client, { session, items }: Asking): boolean {
    const [first] = items
    const refuse = (item: { type: 'reset' } | { type: 'unavailable'; reason: Unavailability }): false => {
      client.refuse(session, item)
      this.#context.pending(client.peer)
      return false
    }
    if (first?.type !== 'sync') return refuse({ type: 'reset' })
    const reason = this.#unavailable(first.version)
    if (reason !== undefined) {
      // Neither can be answered any more in a session of before.
      if (first.version > this.#disk.state.installed) client.close()
      return refuse({ type: 'unavailable', reason })
    }
    client.open(session)
    return true
  }

  #unavailable(version: number): Unavailability | undefined {
    const { installed, sealed, void: isVoid } = this.#disk.state
    if (isVoid !== undefined) return 'void'
    if (installed === 0) return 'not-a-voter'
    if (version !== installed) return version > installed ? 'installing' : 'other-version'
    if (sealed === installed) return 'sealed'
    return this.#serving ? undefined : 'starting'
  }

  #handle(client: Client, item: AskingItem): void {
    switch (item.type) {
      case 'sync':
        this.#sync(client, item.requests)
        return
      case 'request':
        this.#request(client, item.request)
        return
      case 'ping':
        for (const petition of client.petitions.values()) client.owe(petition)
        return
      case 'renew':
        this.#renew(client, item.digest)
        return
      case 'renew-each':
        this.#renewEach(client, item.votes)
        return
      case 'confirm':
        this.#confirm(client, item)
        return
      case 'relinquish':
        this.#relinquish(client, item.vote)
        return
      case 'release':
        this.#release(client, item)
        return
      case 'cancel':
        this.#end(client, item.lock, item.request)
        return
    }
  }

  /**
   * Books are made equal: what the peer does not list is over, what it lists otherwise is granted anew.
   * Only then is anything given: a vote that was given in between would look like one that was lost.
   */
  #sync(client: Client, listed: readonly Listed[]): void {
    const session = client.latest
    if (session === undefined) return
    const keys = new Set(listed.map(({ request }) => keyOf(request)))
    const changed = new Set<Docket>()
    for (const petition of [...client.petitions.values()]) {
      if (petition.request.generation < session.generation || !keys.has(petition.key)) this.#drop(petition)
    }
    for (const docket of [...client.votes]) {
      const { petition } = docket.vote ?? {}
      if (petition?.request.generation !== session.generation || keys.has(petition.key)) continue
      this.#takeBack(docket)
      changed.add(docket)
    }
    for (const docket of this.#dockets.values()) {
      for (const [key, { request }] of docket.inherited) {
        const isOfThisLife = request.peer === client.peer && request.generation === session.generation
        if (isOfThisLife && !keys.has(key) && docket.inherited.delete(key)) changed.add(docket)
      }
    }
    for (const request of listed) {
      const docket = this.#isAgreed(client, request) ? undefined : this.#enlist(client, request, true)
      if (docket !== undefined) changed.add(docket)
    }
    for (const docket of changed) this.#attend(docket)
  }

  /** Both sides name the same vote; one that is named otherwise was lost, and nothing may be said of it any more. */
  #isAgreed(client: Client, { lock, request, grant }: Listed): boolean {
    const docket = this.#dockets.get(lock)
    const vote = docket?.vote
    if (docket === undefined || vote?.petition.key !== keyOf(request)) return false
    if (grant === undefined || compareNumbers(grant, vote.grant) !== 0) {
      this.#unvote(docket)
      return false
    }
    if (vote.inquired && this.#context.units.repeatsInquire) this.#sayInquire(client, vote)
    client.push({ type: 'answer', request, answer: { type: 'granted' } })
    return true
  }

  #request(client: Client, listed: Listed): void {
    const docket = this.#enlist(client, listed, false)
    if (docket !== undefined) this.#attend(docket)
  }

  /** Puts a request into the queue, and gives nothing yet; undefined when it is none, or has the vote. */
  #enlist(client: Client, listed: Listed, isSync: boolean): Docket | undefined {
    const { request, lock, timestamp, leaseMs } = listed
    const key = keyOf(request)
    if (request.peer !== client.peer || request.generation !== client.latest?.generation) return undefined
    const docket = this.#docket(lock)
    this.#touched.add(docket)
    const known = client.petitions.get(key)
    if (known !== undefined) {
      known.entered ||= listed.token > 0
      client.owe(known)
      return docket
    }
    if (docket.vote?.petition.key === key) return undefined
    const refusal = this.#refusalOf(client, docket, listed)
    if (refusal !== undefined) {
      // Whoever lists what it asked long ago may have been overtaken by its own later request.
      if (!isSync) this.#context.misbehaved(client.peer, refusal)
      client.push({ type: 'refused', request, reason: refusal })
      return docket
    }
    const entered = listed.token > 0
    if (!entered) docket.inherited.delete(key)
    const petition: Petition = { request, key, lock, timestamp, leaseMs, entered }
    this.#enqueue(docket, petition)
    if (listed.hint > this.#counters.of(lock)) this.#burn(lock, listed.hint)
    client.owe(petition)
    return docket
  }

  #refusalOf(client: Client, docket: Docket, listed: Listed): Refusal | undefined {
    const { timestamp, leaseMs, hint, token } = listed
    const { clock } = this.#context
    const electorate = this.#events.electorate()
    if (electorate === undefined || leaseMs > electorate.charter.maxLeaseMs) return 'lease-too-long'
    if (!isHonest(timestamp, clock)) return 'timestamp-too-far'
    if (!isHonest(Math.max(hint, token), this.#counters.highest)) return 'token-too-far'
    const isNew = token === 0 && listed.grant === undefined
    if (isNew && timestamp <= (docket.floors.get(client.peer) ?? -1)) return 'timestamp-too-low'
    const full =
      client.petitions.size + client.votes.size >= mutexLimits.requestsPerPeer ||
      this.#petitions >= mutexLimits.requests ||
      this.#dockets.size > mutexLimits.locks
    return full ? 'too-many' : undefined
  }

  /** What the peer holds, it holds for another lease, if it has not run out. */
  #renew(client: Client, digest: string): void {
    this.#expireVotes(client)
    const votes = [...client.votes].flatMap(({ vote }) => (vote === undefined ? [] : [vote]))
    if (digestOf(votes.map(nameOf)) !== digest) {
      client.push({ type: 'renew-mismatch' })
      return
    }
    for (const vote of votes) vote.deadline = client.heardAt + vote.petition.leaseMs
    client.push({ type: 'renewed', base: client.received, refused: [] })
  }

  #renewEach(client: Client, names: readonly VoteName[]): void {
    this.#expireVotes(client)
    const refused: VoteName[] = []
    const votes = new Map([...client.votes].map((docket) => [docket.vote?.petition.key, docket.vote]))
    for (const name of names) {
      const vote = votes.get(keyOf(name.request))
      if (this.#serving && vote !== undefined && compareNumbers(vote.grant, name.grant) === 0) {
        vote.deadline = client.heardAt + vote.petition.leaseMs
      } else {
        refused.push(name)
      }
    }
    client.push({ type: 'renewed', base: client.received, refused })
  }

  #expireVotes(client: Client): void {
    for (const docket of [...client.votes]) this.#expire(docket)
  }

  #confirm(client: Client, item: Extract<AskingItem, { type: 'confirm' }>): void {
    const { vote: name, token } = item
    const docket = this.#docketOf(client, name)
    const vote = docket?.vote
    if (docket === undefined || vote === undefined) return
    if (!isHonest(token, this.#counters.highest)) {
      this.#context.misbehaved(client.peer, 'token-too-far')
      return
    }
    this.#extend(token)
    if (!this.#counters.mayUse(token)) {
      if (this.#confirms.length < mutexLimits.requests) this.#confirms.push({ peer: client.peer, item })
      return
    }
    this.#counters.burn(docket.lock, token)
    vote.level = Math.max(vote.level, token)
    client.push({ type: 'confirmed', vote: name, token })
    this.#context.pending(client.peer)
  }

  #relinquish(client: Client, name: VoteName): void {
    const docket = this.#docketOf(client, name)
    const vote = docket?.vote
    if (docket === undefined || vote === undefined) return
    this.#unvote(docket)
    if (this.#disk.state.sealed === 0) this.#enqueue(docket, vote.petition)
    this.#attend(docket)
  }

  #release(client: Client, item: Extract<AskingItem, { type: 'release' }>): void {
    const { request, lock, token, grants } = item
    const own = grants.find(({ arbiter }) => arbiter === this.#context.self)
    if (
      own !== undefined &&
      own.grant.generation === this.#context.generation &&
      own.grant.counter > this.#grants
    ) {
      this.#context.misbehaved(client.peer, 'not-held')
    }
    if (!isHonest(token, this.#counters.highest)) this.#context.misbehaved(client.peer, 'token-too-far')
    else if (token > 0) this.#burn(lock, token)
    this.#events.evidence(client.peer, grants)
    this.#end(client, lock, request)
  }

  /** Burns what may be used; the rest is above the ceiling, and confirmed by whoever has it. */
  #burn(lock: string, token: number): void {
    this.#extend(token)
    if (this.#counters.mayUse(token)) this.#counters.burn(lock, token)
  }

  #end(client: Client, lock: string, request: RequestId): void {
    if (request.peer !== client.peer) return
    const docket = this.#dockets.get(lock)
    if (docket === undefined) return
    const key = keyOf(request)
    const petition = client.petitions.get(key)
    if (petition !== undefined) this.#drop(petition)
    docket.inherited.delete(key)
    if (docket.vote?.petition.key === key) this.#takeBack(docket)
    this.#attend(docket)
  }

  // Votes.

  #attendAll(client: Client): void {
    client.isPassedOver = false
    const dockets = new Set([...client.petitions.values()].map(({ lock }) => this.#dockets.get(lock)))
    for (const docket of dockets) if (docket !== undefined) this.#attend(docket)
  }

  /** Gives the vote if it is free, or asks it back for a better request. */
  #attend(docket: Docket): void {
    this.#expire(docket)
    const best = this.#mayGrant ? this.#best(docket) : undefined
    if (docket.vote === undefined) {
      if (best !== undefined) this.#grant(docket, best)
    } else if (best !== undefined && compareRequests(best, docket.vote.petition) < 0) {
      this.#inquire(docket.vote)
    }
    this.#touched.add(docket)
  }

  get #mayGrant(): boolean {
    return this.#serving && this.#abstainsUntil <= this.#context.now
  }

  #best(docket: Docket): Petition | undefined {
    const { queue, inherited } = docket
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
    const client = this.#clients.get(request.peer)
    if (client === undefined) return false
    const isHeard =
      this.#context.units.maySend(client.hasSession) &&
      this.#context.now - client.heardAt <= leaseMs * silentShare
    if (!isHeard) client.isPassedOver = true
    return isHeard
  }

  #grant(docket: Docket, petition: Petition): void {
    const { clock, generation, units } = this.#context
    const { lock, leaseMs, request } = petition
    const level = this.#counters.of(lock) + 1
    this.#extend(level)
    if (!this.#counters.mayUse(level)) {
      this.#starved.add(docket)
      return
    }
    this.#recordLease(leaseMs)
    this.#counters.burn(lock, level)
    this.#grants += 1
    const grant: GrantNumber = { generation: units.grantGeneration(generation), counter: this.#grants }
    const client = this.#client(request.peer)
    this.#drop(petition)
    docket.inherited.delete(petition.key)
    const deadline = client.heardAt + leaseMs
    this.#give(docket, { petition, grant, level, deadline, clock, inquired: false })
    const vote = { request, grant }
    client.push({ type: 'grant', vote, proposal: level, clock, leaseMs, base: client.received })
    this.#context.pending(client.peer)
    const electorate = this.#events.electorate()
    if (electorate === undefined) return
    const { id } = electorate
    const version = this.#disk.state.installed
    this.#events.granted(client.peer, { electorate: id, version, lock, vote, proposal: level })
  }

  /** Before the first grant, and before one of a longer lease than ever: an abstention has to cover it. */
  #recordLease(leaseMs: number): void {
    const { granted, longestLeaseMs } = this.#disk.state
    const { grantedIsDurable } = this.#context.units
    if (leaseMs > longestLeaseMs || (!granted && grantedIsDurable)) {
      this.#disk.change({
        granted: granted || grantedIsDurable,
        longestLeaseMs: Math.max(leaseMs, longestLeaseMs),
      })
    }
  }

  #inquire(vote: Vote): void {
    if (vote.inquired) return
    vote.inquired = true
    const client = this.#client(vote.petition.request.peer)
    if (this.#context.units.maySend(client.hasSession)) this.#sayInquire(client, vote)
  }

  #sayInquire(client: Client, vote: Vote): void {
    client.push({ type: 'inquire', vote: nameOf(vote) })
    this.#context.pending(client.peer)
  }

  #give(docket: Docket, vote: Vote): void {
    docket.vote = vote
    this.#client(vote.petition.request.peer).votes.add(docket)
    this.#watch(docket)
  }

  /**
   * Its owner is done with it, or says so: its next request is a later one, whatever it claims. Whoever
   * asks again with a timestamp from before the grant would be first for ever.
   */
  #takeBack(docket: Docket): void {
    const { vote } = docket
    if (vote !== undefined) docket.floors.set(vote.petition.request.peer, vote.clock)
    this.#unvote(docket)
  }

  #unvote(docket: Docket): void {
    const { vote } = docket
    if (vote === undefined) return
    this.#clients.get(vote.petition.request.peer)?.votes.delete(docket)
    docket.vote = undefined
  }

  #expire(docket: Docket): void {
    const { vote } = docket
    if (!docket.expire(this.#context.now)) return
    if (vote !== undefined && docket.vote === undefined) {
      this.#clients.get(vote.petition.request.peer)?.votes.delete(docket)
    }
  }

  /** One timer a lock, which looks again when it was too early, at whatever docket it has by then. */
  #watch({ lock, nextEnd }: Docket): void {
    if (nextEnd === undefined) return
    this.#context.scheduleAtLatest(`lease:${lock}`, nextEnd, () => {
      const docket = this.#dockets.get(lock)
      if (docket === undefined) return
      docket.floors.clear()
      this.#attend(docket)
      this.#watch(docket)
      this.#tidy()
    })
  }

  #inherit({ lock, request, remainingMs }: Grant): void {
    if (remainingMs <= 0) return
    const docket = this.#docket(lock)
    const key = keyOf(request)
    const before = docket.inherited.get(key)?.deadline ?? 0
    docket.inherited.set(key, { request, deadline: Math.max(before, this.#context.now + remainingMs) })
    this.#watch(docket)
  }

  // Books.

  #abstain(forMs: number): void {
    this.#abstainsUntil = Math.max(this.#abstainsUntil, this.#context.now + forMs)
    this.#context.schedule('abstention', this.#abstainsUntil, () => {
      for (const docket of [...this.#dockets.values()]) this.#attend(docket)
    })
  }

  get #abstainsForMs(): number {
    return Math.max(0, this.#abstainsUntil - this.#context.now)
  }

  /** So that tokens up to `token` may be used, and some more, once others know of it. */
  #extend(token: number): void {
    const ceiling = this.#counters.wanted(token)
    if (ceiling === undefined) return
    this.#counters.extended(ceiling)
    this.#disk.change({ ceiling })
    this.#ceilings.push({ ceiling, stamp: undefined })
  }

  #grantOf(lock: string, request: RequestId, deadline: number): Grant {
    return { lock, request, remainingMs: deadline - this.#context.now }
  }

  #docket(lock: string): Docket {
    const known = this.#dockets.get(lock)
    if (known !== undefined) return known
    const docket = new Docket(lock)
    this.#dockets.set(lock, docket)
    return docket
  }

  #docketOf(client: Client, { request, grant }: VoteName): Docket | undefined {
    const key = keyOf(request)
    for (const docket of client.votes) {
      const { vote } = docket
      if (vote?.petition.key !== key || compareNumbers(vote.grant, grant) !== 0) continue
      this.#expire(docket)
      return docket.vote === vote ? docket : undefined
    }
    return undefined
  }

  #client(peer: PeerId): Client {
    const known = this.#clients.get(peer)
    if (known !== undefined) return known
    const client = new Client(peer)
    this.#clients.set(peer, client)
    this.#lookAfter(client)
    return client
  }

  /** Whoever is silent for the longest lease has no place in a queue any more. */
  #lookAfter(client: Client): void {
    const patienceMs = this.#events.electorate()?.charter.maxLeaseMs ?? this.#context.config.maxLeaseMs
    this.#context.schedule(`client:${client.peer}`, this.#context.now + patienceMs, () => {
      if (this.#clients.get(client.peer) !== client) return
      if (this.#context.now - client.heardAt >= patienceMs) {
        // Should it be there all the same, it opens a new session and says again what it wants.
        client.close()
        for (const petition of [...client.petitions.values()]) this.#drop(petition)
        this.#tidy()
      }
      if (client.petitions.size + client.votes.size === 0 && !client.hasSession) {
        this.#clients.delete(client.peer)
      } else {
        this.#lookAfter(client)
      }
    })
  }

  #enqueue(docket: Docket, petition: Petition): void {
    docket.enqueue(petition)
    this.#client(petition.request.peer).petitions.set(petition.key, petition)
    this.#petitions += 1
  }

  #drop(petition: Petition): void {
    const docket = this.#dockets.get(petition.lock)
    if (docket?.dequeue(petition.key) === true) this.#petitions -= 1
    this.#clients.get(petition.request.peer)?.petitions.delete(petition.key)
    if (docket !== undefined) this.#touched.add(docket)
  }

  /** Floors are kept for a lease: so long somebody may come back with an old timestamp. */
  #tidy(): void {
    for (const docket of this.#touched) {
      const isCurrent = this.#dockets.get(docket.lock) === docket
      if (isCurrent && docket.isIdle && docket.floors.size === 0) this.#dockets.delete(docket.lock)
    }
    this.#touched.clear()
  }

  #forget(): void {
    for (const client of this.#clients.values()) {
      client.close()
      client.petitions.clear()
      client.votes.clear()
    }
    this.#dockets.clear()
    this.#touched.clear()
    this.#starved.clear()
    this.#confirms.length = 0
    this.#petitions = 0
  }
}

function nameOf({ petition, grant }: Vote): VoteName {
  return { request: petition.request, grant }
}

/** What is not answered at once is acknowledged with whatever goes there next. */
function wantsAnswer({ type }: AskingItem): boolean {
  return type !== 'release' && type !== 'cancel' && type !== 'relinquish'
}
