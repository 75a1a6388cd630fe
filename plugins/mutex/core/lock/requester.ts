/**
 * The requester: what a peer does for its callers. It asks all voters at once,
 * enters when a quorum has voted for it and agrees on a token, gives back at once
 * what it is asked for while it has not entered, and keeps its votes alive.
 *
 * It believes nothing about the lock but what its own clock says of votes that it
 * holds: every lease counts from when the question left, and the check is made when
 * a lock is entered and when it is used, never by a timer alone.
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { minLeaseMs } from '../config.ts'
import type { Electorate, RequestId } from '../electorate/messages.ts'
import { isHonest, mutexLimits } from '../limits.ts'
import type { Answering, AnsweringItem, Asking, MutexFailure, VoteName } from '../messages.ts'
import { digestOf } from './digest.ts'
import type { LockContext } from './lock-context.ts'
import { compareNumbers, keyOf, type RequestKey } from './order.ts'
import { type Asked, LockRequest } from './request.ts'
import { VoterLink } from './voter-link.ts'

export interface RequesterEvents {
  electorate(): Electorate | undefined
  /** Whether membership holds that peer dead. */
  isDead(peer: PeerId): boolean
  /** Signed statements of an arbiter have come. */
  signed(from: PeerId, votes: Extract<AnsweringItem, { type: 'signed' }>['votes']): readonly VoteName[]
}

/** How often it is looked at whether a quorum answers, while somebody waits. */
const watchMs = 250
/** Between two attempts to be connected. */
const redialMs = 1000
/** Of one caller's request whose timestamp is refused. */
const maxRenewals = 8
/** A waiter is heard so many times in a lease, and a holder renews so many times. */
const pingsPerLease = 10
const renewalsPerLease = 4
/** A link that was used is looked at so much later: as often as a waiter with the shortest lease has to be heard. */
const soonMs = minLeaseMs / pingsPerLease

export class Requester {
  readonly #context: LockContext
  readonly #events: RequesterEvents
  readonly #requests = new Map<RequestKey, LockRequest>()
  readonly #byToken = new Map<number, LockRequest>()
  readonly #links = new Map<PeerId, VoterLink>()
  /** Voters whose clock is merged since this life began. */
  readonly #heard = new Set<PeerId>()
  /** The highest token known of a lock. */
  readonly #hints = new Map<string, number>()
  #counter = 0
  #sessions = 0
  #noQuorumSince: number | undefined
  #stopped = false

  constructor(context: LockContext, events: RequesterEvents) {
    this.#context = context
    this.#events = events
  }

  // Callers.

  acquire(asked: Asked): void {
    if (this.#stopped) {
      this.#context.emit({ type: 'failed', token: asked.token, failure: { type: 'stopped' } })
      return
    }
    if (this.#requests.size >= mutexLimits.requestsPerPeer) {
      this.#refuse(asked, 'too-many')
      return
    }
    const electorate = this.#events.electorate()
    if (electorate !== undefined && asked.leaseMs > electorate.charter.maxLeaseMs) {
      this.#refuse(asked, 'lease-too-long')
      return
    }
    const request = new LockRequest(asked, this.#nextId())
    this.#requests.set(request.key, request)
    this.#byToken.set(asked.token, request)
    if (electorate !== undefined) {
      request.turnTo(electorate, this.#context)
      this.#ask(request)
    }
    this.#watchQuorum()
    if (asked.waitMs !== undefined && asked.waitMs > 0) {
      this.#context.schedule(`wait:${asked.token}`, this.#context.now + asked.waitMs, () =>
        this.#waited(asked),
      )
    }
  }

  #refuse({ token }: Asked, reason: 'too-many' | 'lease-too-long'): void {
    this.#context.emit({ type: 'failed', token, failure: { type: 'refused', reason } })
  }

  release(token: number): void {
    const request = this.#byToken.get(token)
    if (request === undefined) return
    this.#end(request)
    this.#context.emit({ type: 'released', token })
  }

  /** Monotonic ms until which nobody else can hold the lock; undefined when it is not held. */
  validUntil(token: number): number | undefined {
    const request = this.#byToken.get(token)
    return request?.holds === true ? request.validUntil(this.#context) : undefined
  }

  /** No time that was measured across the sleep is true: not of what is held, nor of votes and questions under way. */
  slept(): void {
    for (const request of [...this.#requests.values()]) {
      if (request.holds) this.#lose(request, 'slept')
      else if (!request.hasEntered) request.dropAll()
    }
    for (const link of this.#links.values()) if (link.isOpen) this.#reopen(link)
  }

  /** Waiters are told; what is held is left to run out, for whoever works under it may go on a little. */
  stop(): void {
    this.#stopped = true
    for (const request of [...this.#requests.values()]) {
      const { token } = request.asked
      if (request.hasEntered) {
        this.#forget(request)
        if (!request.isLost) this.#context.emit({ type: 'lost', token, reason: 'stopped' })
      } else {
        this.#fail(request, { type: 'stopped' })
      }
    }
  }

  // The electorate and the links.

  /** Votes of different versions are never added: what has not entered asks anew. */
  turnTo(electorate: Electorate): void {
    const voters = new Set(electorate.voters)
    for (const link of this.#links.values()) {
      if (voters.has(link.peer) || !link.isOpen) continue
      for (const request of this.#requests.values()) {
        if (request.hasEntered || !request.voters.includes(link.peer)) continue
        link.push({ type: 'cancel', request: request.id, lock: request.asked.lock }, false)
        link.ends(request.key)
        this.#context.pending(link.peer)
      }
    }
    for (const request of [...this.#requests.values()]) {
      request.turnTo(electorate, this.#context)
      if (request.holds) this.#watchHold(request)
    }
    for (const voter of voters) this.#reopen(this.#link(voter))
    for (const request of [...this.#requests.values()]) if (request.timestamp === 0) this.#ask(request)
    this.#noQuorumSince = undefined
  }

  connected(peer: PeerId): void {
    const link = this.#links.get(peer)
    if (link !== undefined) this.#tick(link)
  }

  disconnected(peer: PeerId): void {
    const link = this.#links.get(peer)
    if (link === undefined) return
    link.close()
    this.#tick(link)
  }

  /** A voter says something new of where it stands: one that was not serving may serve now. */
  retry(peer: PeerId): void {
    const link = this.#links.get(peer)
    if (link !== undefined && !link.isOpen && this.#isWanted(link)) this.#open(link)
  }

  /** The own event loop was late: what waited in the sockets meanwhile is nobody's silence. */
  lagged(ms: number): void {
    for (const link of this.#links.values()) if (link.owesSince !== undefined) link.owesSince += ms
    if (this.#noQuorumSince !== undefined) this.#noQuorumSince += ms
  }

  /** Its link is open, nobody holds it dead, and it owes no answer for too long. */
  answers(peer: PeerId, silenceMs = this.#context.config.silenceMs): boolean {
    const { now, self } = this.#context
    if (peer === self) return true
    if (!this.#context.isConnected(peer) || this.#events.isDead(peer)) return false
    const since = this.#links.get(peer)?.owesSince
    return since === undefined || now - since < silenceMs
  }

  /** Likewise; it is asked from now on, for some seconds. */
  watches(peer: PeerId): boolean {
    const { now, self, config } = this.#context
    if (peer !== self) {
      const link = this.#link(peer)
      const isNew = link.watchedUntil <= now
      link.watchedUntil = now + 2 * config.silenceMs
      if (isNew) this.#tick(link)
    }
    return this.answers(peer)
  }

  /** What waits for `peer`. */
  take(peer: PeerId): Asking | undefined {
    return this.#links.get(peer)?.take(this.#context.now, this.#keepMs)
  }

  get #keepMs(): number {
    return 2 * (this.#events.electorate()?.charter.maxLeaseMs ?? this.#context.config.maxLeaseMs)
  }

  // What arbiters say.

  /** A frame of a voter bore its clock, which is merged by now. */
  heard(from: PeerId): void {
    if (this.#heard.has(from)) return
    const electorate = this.#events.electorate()
    if (electorate?.voters.includes(from) !== true) return
    this.#heard.add(from)
    for (const request of [...this.#requests.values()]) if (request.timestamp === 0) this.#ask(request)
  }

  receive(from: PeerId, answering: Answering): void {
    const link = this.#links.get(from)
    if (link === undefined) {
      const isVoter = this.#events.electorate()?.voters.includes(from) === true
      if (!isVoter && answering.items.some(({ type }) => type === 'grant')) {
        this.#context.misbehaved(from, 'not-a-voter')
      }
      return
    }
    switch (link.receive(answering)) {
      case 'old':
        return
      case 'gap':
        this.#reopen(link)
        return
      case 'apart':
        this.#turnedAway(link, answering.items)
        return
      case 'next':
        for (const item of answering.items) this.#handle(link, item)
        this.#again(link, this.#context.now + soonMs)
        return
    }
  }

  #turnedAway(link: VoterLink, items: readonly AnsweringItem[]): void {
    const isReset = items.some(({ type }) => type === 'reset')
    const wasOpenedNow = this.#context.now - link.lastOpenedAt < this.#context.config.pingMs
    link.close()
    for (const request of this.#requests.values()) {
      if (!request.hasEntered) request.drop(link.peer, link.version)
    }
    if (isReset && !wasOpenedNow) this.#open(link)
    else this.#tick(link)
  }

  #handle(link: VoterLink, item: AnsweringItem): void {
    switch (item.type) {
      case 'grant':
        this.#granted(link, item)
        return
      case 'inquire':
        this.#inquired(link, item.vote)
        return
      case 'confirmed':
        this.#confirmed(link, item.vote, item.token)
        return
      case 'answer':
        this.#answered(link, item.request, item.answer.type)
        return
      case 'renewed':
        this.#renewed(link, item.base, item.refused)
        return
      case 'renew-mismatch':
        this.#renewEach(link)
        return
      case 'refused':
        this.#refused(link, item)
        return
      case 'signed':
        for (const { request } of this.#events.signed(link.peer, item.votes)) {
          this.#requests.get(keyOf(request))?.sign(link.peer, item.votes)
        }
        return
      case 'reset':
      case 'unavailable':
        this.#turnedAway(link, [item])
        return
    }
  }

  #granted(link: VoterLink, item: Extract<AnsweringItem, { type: 'grant' }>): void {
    const { vote, proposal, leaseMs, base } = item
    const { now, self } = this.#context
    const request = this.#current(vote.request)
    if (vote.request.peer !== self) {
      this.#context.misbehaved(link.peer, 'forged-grant')
      return
    }
    if (request === undefined) return
    const known = request.vote(link.peer, link.version)
    const hint = this.#hints.get(request.asked.lock) ?? 0
    const sentAt = link.sentAt(base)
    const isRepeated = known !== undefined && compareNumbers(known.grant, vote.grant) === 0
    if (isRepeated || leaseMs !== request.asked.leaseMs || sentAt === undefined || proposal <= 0) {
      this.#context.misbehaved(link.peer, 'forged-grant')
      return
    }
    if (!isHonest(proposal, hint)) {
      this.#context.misbehaved(link.peer, 'token-too-far')
      return
    }
    request.take(
      {
        arbiter: link.peer,
        grant: vote.grant,
        proposal,
        level: proposal,
        asked: 0,
        leaseMs,
        sentAt,
        receivedAt: now,
        grantedAt: now,
        lastSentAt: link.lastSentAt,
      },
      link.version,
    )
    if (request.hasEntered) this.#watchHold(request)
    else this.#tryEnter(request)
  }

  /** Votes give nothing to somebody who was away while his lease ended: that is looked at before anything is added. */
  #current(id: RequestId): LockRequest | undefined {
    const request = this.#requests.get(keyOf(id))
    if (request?.hasEntered !== true) return request
    return request.isLost || this.#hasRunOut(request) ? undefined : request
  }

  #hasRunOut(request: LockRequest): boolean {
    const until = request.validUntil(this.#context)
    if (until !== undefined && until > this.#context.now) return false
    this.#lose(request, 'expired')
    return true
  }

  #tryEnter(request: LockRequest): void {
    const { electorate } = request
    if (electorate === undefined || request.hasEntered) return
    const { units } = this.#context
    const votes = request.valid(this.#context)
    const present = this.#present(electorate)
    const isQuorum = (members: ReadonlySet<PeerId>): boolean =>
      units.isQuorum(electorate.voters, members, present)
    if (!isQuorum(new Set(votes.map(({ arbiter }) => arbiter)))) return
    const token = units.agreedToken(votes, isQuorum)
    if (token !== undefined) {
      this.#enter(request, token, electorate.version)
      return
    }
    const highest = Math.max(...votes.map(({ level }) => level))
    for (const vote of votes) {
      if (vote.level >= highest || vote.asked >= highest) continue
      request.take({ ...vote, asked: highest }, electorate.version)
      const name = { request: request.id, grant: vote.grant }
      this.#push(this.#link(vote.arbiter), { type: 'confirm', vote: name, token: highest }, true)
    }
  }

  #present(electorate: Electorate): ReadonlySet<PeerId> {
    return new Set(electorate.voters.filter((voter) => this.answers(voter)))
  }

  #enter(request: LockRequest, token: number, version: number): void {
    request.enter(token)
    this.#know(request.asked.lock, token)
    const validUntil = request.validUntil(this.#context) ?? this.#context.now
    this.#context.emit({
      type: 'acquired',
      token: request.asked.token,
      fencingToken: token,
      validUntil,
      version,
    })
    this.#watchHold(request)
  }

  #inquired(link: VoterLink, name: VoteName): void {
    const request = this.#requests.get(keyOf(name.request))
    const vote = request?.vote(link.peer, link.version)
    if (request === undefined || vote === undefined || request.hasEntered) return
    if (compareNumbers(vote.grant, name.grant) !== 0) return
    // With it goes what was confirmed, which was bound to it.
    request.drop(link.peer, link.version)
    request.answers.set(link.peer, 'queued')
    this.#push(link, { type: 'relinquish', vote: name }, false)
    this.#giveUpTrying(request)
  }

  #confirmed(link: VoterLink, name: VoteName, token: number): void {
    const request = this.#current(name.request)
    const vote = request?.vote(link.peer, link.version)
    if (request === undefined || vote === undefined || compareNumbers(vote.grant, name.grant) !== 0) return
    request.take({ ...vote, level: Math.max(vote.level, token) }, link.version)
    this.#tryEnter(request)
  }

  #answered(link: VoterLink, id: RequestId, answer: 'granted' | 'queued' | 'abstaining'): void {
    const request = this.#current(id)
    if (request === undefined) return
    if (answer === 'granted') {
      // A new session, and the vote stands: what was to be confirmed in the one before may be lost.
      const vote = request.vote(link.peer, link.version)
      if (vote !== undefined) request.take({ ...vote, asked: 0 }, link.version)
      this.#tryEnter(request)
      return
    }
    request.answers.set(link.peer, answer)
    // An arbiter of a newer life knows nothing of the vote; whoever has entered counts it to its end.
    if (!request.hasEntered) {
      request.drop(link.peer, link.version)
      this.#giveUpTrying(request)
    }
  }

  #refused(link: VoterLink, item: Extract<AnsweringItem, { type: 'refused' }>): void {
    const request = this.#requests.get(keyOf(item.request))
    if (request === undefined || request.hasEntered) return
    if (item.reason === 'timestamp-too-low' && request.renewals < maxRenewals) {
      this.#askAnew(request)
      return
    }
    request.answers.set(link.peer, item.reason)
    const { electorate } = request
    if (electorate === undefined) return
    const willing = electorate.voters.filter((voter) => !isRefusal(request.answers.get(voter)))
    if (!this.#isQuorum(electorate, willing)) {
      this.#fail(request, { type: 'refused', reason: item.reason })
      return
    }
    this.#giveUpTrying(request)
  }

  /** Cancelled everywhere, and asked again with a timestamp of now. */
  #askAnew(request: LockRequest): void {
    this.#tellEnd(request)
    this.#requests.delete(request.key)
    request.renumber(this.#nextId())
    this.#requests.set(request.key, request)
    this.#ask(request)
  }

  /** Whoever does not wait fails as soon as those that may still vote for it are no quorum. */
  #giveUpTrying(request: LockRequest): void {
    const { electorate, asked } = request
    if (asked.waitMs !== 0 || request.hasEntered || electorate === undefined) return
    const open = electorate.voters.filter((voter) => !request.answers.has(voter))
    if (!this.#isQuorum(electorate, open)) this.#fail(request, { type: 'held' })
  }

  // Renewal.

  #renewed(link: VoterLink, base: number, refused: readonly VoteName[]): void {
    const sentAt = link.sentAt(base)
    const keys = link.takeRenewing(base)
    if (sentAt === undefined) return
    const isRefused = new Set(refused.map(({ request }) => keyOf(request)))
    for (const key of keys) {
      const known = this.#requests.get(key)
      const request = known === undefined ? undefined : this.#current(known.id)
      const vote = request?.vote(link.peer, link.version)
      if (request === undefined || vote === undefined) continue
      if (isRefused.has(key)) {
        if (!request.hasEntered) this.#askAgain(link, request)
        continue
      }
      const moved = { ...vote, sentAt: Math.max(vote.sentAt, sentAt), receivedAt: this.#context.now }
      request.take(moved, link.version)
    }
  }

  /** Its vote ran out there while it waited for others: it is in no queue any more. */
  #askAgain(link: VoterLink, request: LockRequest): void {
    request.drop(link.peer, link.version)
    const hint = this.#hints.get(request.asked.lock) ?? 0
    this.#push(link, { type: 'request', request: request.list(link.peer, link.version, hint) }, true)
  }

  #votesAt(link: VoterLink): Map<RequestKey, VoteName> {
    const votes = new Map<RequestKey, VoteName>()
    for (const request of this.#requests.values()) {
      const name = request.isLost ? undefined : request.nameAt(link.peer, link.version)
      if (name !== undefined) votes.set(request.key, name)
    }
    return votes
  }

  #renew(link: VoterLink, votes: ReadonlyMap<RequestKey, VoteName>): void {
    link.lastRenewedAt = this.#context.now
    this.#push(link, { type: 'renew', digest: digestOf(votes.values()) }, true)
    link.renews(new Set(votes.keys()))
  }

  #renewEach(link: VoterLink): void {
    const votes = this.#votesAt(link)
    if (votes.size === 0) return
    this.#push(link, { type: 'renew-each', votes: [...votes.values()] }, true)
    link.renews(new Set(votes.keys()))
  }

  // Sessions.

  #link(peer: PeerId): VoterLink {
    const known = this.#links.get(peer)
    if (known !== undefined) return known
    const link = new VoterLink(peer)
    this.#links.set(peer, link)
    return link
  }

  #push(link: VoterLink, item: Parameters<VoterLink['push']>[0], demands: boolean): void {
    if (!link.isOpen) return
    link.push(item, demands)
    this.#context.pending(link.peer)
  }

  #reopen(link: VoterLink): void {
    link.close()
    if (this.#isWanted(link)) this.#open(link)
  }

  #open(link: VoterLink): void {
    const electorate = this.#events.electorate()
    const { generation, now } = this.#context
    if (electorate === undefined || generation === 0 || !this.#reaches(link.peer)) {
      this.#tick(link)
      return
    }
    const { version } = electorate
    this.#sessions += 1
    link.open({ generation, counter: this.#sessions }, version, now)
    const requests = [...this.#requests.values()]
      .filter((request) => request.timestamp > 0 && request.electorate?.version === version)
      .map((request) => request.list(link.peer, version, this.#hints.get(request.asked.lock) ?? 0))
    this.#push(link, { type: 'sync', version, requests }, true)
    this.#tick(link)
  }

  #reaches(peer: PeerId): boolean {
    return peer === this.#context.self || this.#context.isConnected(peer)
  }

  #isWanted(link: VoterLink): boolean {
    if (link.ending.size > 0 || link.watchedUntil > this.#context.now) return true
    for (const request of this.#requests.values()) if (request.voters.includes(link.peer)) return true
    return false
  }

  /** Whatever is due on that link, and when it is looked at next. */
  #tick(link: VoterLink): void {
    const { now, config } = this.#context
    if (!this.#isWanted(link)) return
    if (!link.isOpen) {
      this.#knock(link)
      return
    }
    const due = link.hasItems ? now + soonMs : this.#dueAt(link)
    if (due > now) {
      this.#again(link, due)
      return
    }
    const votes = this.#votesAt(link)
    if (votes.size > 0) this.#renew(link, votes)
    else this.#push(link, { type: 'ping' }, true)
    for (const request of this.#requests.values()) request.asks(link.peer, link.version, now)
    this.#again(link, now + Math.min(config.pingMs, this.#rhythmMs(link)))
  }

  #again(link: VoterLink, at: number): void {
    this.#context.scheduleAtLatest(`voter:${link.peer}`, Math.max(at, this.#context.now + 1), () => {
      this.#tick(link)
    })
  }

  #knock(link: VoterLink): void {
    const { now, config } = this.#context
    if (this.#reaches(link.peer)) {
      if (now - link.lastOpenedAt >= config.pingMs) this.#open(link)
      else this.#again(link, link.lastOpenedAt + config.pingMs)
      return
    }
    if (now - link.lastOpenedAt > this.#keepMs) link.ending.clear()
    if (now - link.lastDialledAt >= redialMs) {
      link.lastDialledAt = now
      this.#context.dial(link.peer)
    }
    this.#again(link, link.lastDialledAt + redialMs)
  }

  /** An answer that is missing is asked for again; waiters say that they are there, holders renew. */
  #dueAt(link: VoterLink): number {
    const { pingMs } = this.#context.config
    if (link.owesSince !== undefined || !link.isAcknowledged) return link.lastSentAt + pingMs
    return link.lastSentAt + this.#rhythmMs(link)
  }

  #rhythmMs(link: VoterLink): number {
    let rhythmMs = link.watchedUntil > this.#context.now ? this.#context.config.pingMs : this.#keepMs
    for (const request of this.#requests.values()) {
      if (request.isLost || !request.voters.includes(link.peer)) continue
      const { leaseMs } = request.asked
      rhythmMs = Math.min(rhythmMs, leaseMs / (request.holds ? renewalsPerLease : pingsPerLease))
    }
    return rhythmMs
  }

  // Requests.

  #nextId(): RequestId {
    this.#counter += 1
    return { peer: this.#context.self, generation: this.#context.generation, counter: this.#counter }
  }

  /** Not before a quorum of the voters was heard: a clock that begins at nothing would go before everybody. */
  #ask(request: LockRequest): void {
    const { electorate } = request
    if (electorate === undefined) return
    for (const voter of electorate.voters) if (voter === this.#context.self) this.#heard.add(voter)
    if (!this.#isQuorum(electorate, [...this.#heard])) {
      for (const voter of electorate.voters) {
        const link = this.#link(voter)
        if (link.isOpen) this.#tick(link)
        else this.#open(link)
      }
      return
    }
    request.timestamp = this.#context.tick()
    const hint = this.#hints.get(request.asked.lock) ?? 0
    for (const voter of electorate.voters) {
      const link = this.#link(voter)
      if (link.isOpen && link.version === electorate.version) {
        const listed = request.list(voter, electorate.version, hint)
        this.#push(link, { type: 'request', request: listed }, true)
        this.#again(link, this.#context.now + soonMs)
      } else if (!link.isOpen && this.#context.now - link.lastOpenedAt < this.#context.config.pingMs) {
        this.#tick(link)
      } else {
        this.#reopen(link)
      }
    }
  }

  #waited({ token }: Asked): void {
    const request = this.#byToken.get(token)
    if (request === undefined || request.hasEntered) return
    const { electorate } = request
    if (electorate === undefined) {
      this.#fail(request, { type: 'no-electorate' })
      return
    }
    const answering = electorate.voters.filter((voter) => this.answers(voter, this.#context.config.pingMs))
    if (this.#isQuorum(electorate, answering)) this.#fail(request, { type: 'held' })
    else this.#fail(request, { type: 'no-quorum', missing: this.#missing(electorate) })
  }

  /** While somebody waits: no quorum of voters that answer, for long enough without a break, ends all waiting. */
  #watchQuorum(): void {
    this.#context.scheduleAtLatest('quorum', this.#context.now + watchMs, () => {
      const waiting = [...this.#requests.values()].filter(({ hasEntered }) => !hasEntered)
      if (waiting.length === 0) {
        this.#noQuorumSince = undefined
        return
      }
      this.#judgeQuorum(waiting)
      this.#watchQuorum()
    })
    if (this.#noQuorumSince === undefined) this.#judgeQuorum([])
  }

  #judgeQuorum(waiting: readonly LockRequest[]): void {
    const { now, config } = this.#context
    const electorate = this.#events.electorate()
    if (electorate !== undefined && this.#isQuorum(electorate, [...this.#present(electorate)])) {
      this.#noQuorumSince = undefined
      return
    }
    this.#noQuorumSince ??= now
    if (now - this.#noQuorumSince < config.silenceMs) return
    for (const request of waiting) {
      if (electorate === undefined) this.#fail(request, { type: 'no-electorate' })
      else this.#fail(request, { type: 'no-quorum', missing: this.#missing(electorate) })
    }
  }

  #missing(electorate: Electorate): readonly PeerId[] {
    return electorate.voters.filter((voter) => !this.answers(voter))
  }

  #isQuorum(electorate: Electorate, members: readonly PeerId[]): boolean {
    const { units } = this.#context
    return units.isQuorum(electorate.voters, new Set(members), this.#present(electorate))
  }

  #fail(request: LockRequest, failure: MutexFailure): void {
    this.#end(request)
    this.#context.emit({ type: 'failed', token: request.asked.token, failure })
  }

  /** One timer a lock that is held; it looks again when renewals have moved the end. */
  #watchHold(request: LockRequest): void {
    const until = request.validUntil(this.#context) ?? this.#context.now
    this.#context.scheduleAtLatest(`hold:${request.asked.token}`, until, () => {
      if (this.#byToken.get(request.asked.token) !== request) return
      if (!this.#hasRunOut(request)) this.#watchHold(request)
    })
  }

  /**
   * Its caller may need a moment to notice, and the votes are not over yet: that moment is what
   * the holder's shorter count is for. So nothing is given back before the caller does, or the votes are over.
   */
  #lose(request: LockRequest, reason: 'expired' | 'slept'): void {
    const { token, leaseMs } = request.asked
    request.lose()
    this.#context.schedule(`hold:${token}`, this.#context.now + leaseMs, () => {
      if (this.#byToken.get(token) === request) this.#end(request)
    })
    this.#context.emit({ type: 'lost', token, reason })
  }

  #end(request: LockRequest): void {
    this.#tellEnd(request)
    this.#forget(request)
  }

  #forget(request: LockRequest): void {
    this.#requests.delete(request.key)
    this.#byToken.delete(request.asked.token)
    this.#context.cancel(`wait:${request.asked.token}`)
    this.#context.cancel(`hold:${request.asked.token}`)
  }

  /** Every voter that may know of it, of every version that was asked. */
  #tellEnd(request: LockRequest): void {
    if (request.timestamp === 0) return
    const { id, fencingToken, evidence } = request
    const { lock } = request.asked
    for (const voter of request.voters) {
      const link = this.#link(voter)
      this.#push(
        link,
        request.hasEntered
          ? { type: 'release', request: id, lock, token: fencingToken, grants: evidence }
          : { type: 'cancel', request: id, lock },
        false,
      )
      link.ends(request.key)
      this.#again(link, this.#context.now + soonMs)
    }
  }

  /** Tokens of so many locks are remembered; a hint only spares a round. */
  #know(lock: string, token: number): void {
    this.#hints.delete(lock)
    this.#hints.set(lock, token)
    if (this.#hints.size <= mutexLimits.counters) return
    const [oldest] = this.#hints.keys()
    if (oldest !== undefined) this.#hints.delete(oldest)
  }
}

function isRefusal(answer: 'queued' | 'abstaining' | string | undefined): boolean {
  return answer !== undefined && answer !== 'queued' && answer !== 'abstaining'
}
