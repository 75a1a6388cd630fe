/**
 * The requester: what a peer does for its callers. It asks all voters at once,
 * enters when a quorum has voted for it and agrees on a token, gives back at once
 * what it is asked for while it has not entered, and keeps its votes alive.
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import type { Electorate, RequestId } from '../electorate/messages.ts'
import { mutexLimits } from '../limits.ts'
import type { Answering, AnsweringItem, Asking, MutexFailure, Unavailability, VoteName } from '../messages.ts'
import { Entry } from './entry.ts'
import type { LockContext } from './lock-context.ts'
import { keyOf } from './order.ts'
import { QuorumWatch } from './quorum-watch.ts'
import { type Asked, LockRequest } from './request.ts'
import { Requests } from './requests.ts'
import type { VoterLink } from './voter-link.ts'
import { VoterLinks } from './voter-links.ts'

export interface RequesterEvents {
  electorate(): Electorate | undefined
  /** Whether membership holds that peer dead. */
  isDead(peer: PeerId): boolean
  /** Signed statements of an arbiter have come. */
  signed(from: PeerId, votes: Extract<AnsweringItem, { type: 'signed' }>['votes']): readonly VoteName[]
}

export class Requester {
  readonly #context: LockContext
  readonly #events: RequesterEvents
  readonly #requests = new Requests()
  readonly #links: VoterLinks
  readonly #entry: Entry
  readonly #quorum: QuorumWatch
  /** Voters whose clock is merged since this life began. */
  readonly #heard = new Set<PeerId>()
  #counter = 0
  #stopped = false

  constructor(context: LockContext, events: RequesterEvents) {
    this.#context = context
    this.#events = events
    const { electorate, isDead } = events
    const requests = this.#requests
    const links = new VoterLinks({ context, requests, electorate, isDead })
    const fail = (request: LockRequest, failure: MutexFailure): void => this.#fail(request, failure)
    this.#links = links
    this.#quorum = new QuorumWatch({ context, requests, links, electorate, fail })
    this.#entry = new Entry({
      context,
      requests,
      links,
      fail,
      end: (request) => this.#end(request),
      askAnew: (request) => this.#askAnew(request),
    })
  }

  // Callers.

  acquire(asked: Asked): void {
    const context = this.#context
    const electorate = this.#events.electorate()
    const refusal = this.#refusalOf(asked, electorate)
    if (refusal !== undefined) {
      context.emit({ type: 'failed', token: asked.token, failure: refusal })
      return
    }
    const request = new LockRequest(asked, this.#nextId())
    this.#requests.add(request)
    if (electorate !== undefined) {
      request.turnTo(electorate, context)
      this.#ask(request)
    }
    this.#quorum.begin()
    const { token, waitMs = 0 } = asked
    if (waitMs > 0) context.schedule(`wait:${token}`, context.now + waitMs, () => this.#waited(request))
  }

  #refusalOf({ leaseMs }: Asked, electorate: Electorate | undefined): MutexFailure | undefined {
    if (this.#stopped) return { type: 'stopped' }
    if (this.#requests.size >= mutexLimits.requestsPerPeer) return { type: 'refused', reason: 'too-many' }
    const mostMs = electorate?.charter.maxLeaseMs ?? leaseMs
    return leaseMs > mostMs ? { type: 'refused', reason: 'lease-too-long' } : undefined
  }

  #waited(request: LockRequest): void {
    if (this.#requests.of(request.asked.token) !== request || request.hasEntered) return
    this.#fail(request, this.#quorum.failure(request))
  }

  release(token: number): void {
    const request = this.#requests.of(token)
    if (request === undefined) return
    this.#end(request)
    this.#context.emit({ type: 'released', token })
  }

  /** Monotonic ms until which nobody else can hold the lock; undefined when it is not held. */
  validUntil(token: number): number | undefined {
    const request = this.#requests.of(token)
    return request?.holds === true ? request.validUntil(this.#context) : undefined
  }

  /** No time that was measured across the sleep is true: not of what is held, nor of votes and questions under way. */
  slept(): void {
    for (const request of this.#requests.all()) {
      if (request.holds) this.#entry.lose(request, 'slept')
      else if (!request.hasEntered) request.dropAll()
    }
    for (const link of this.#links.all()) if (link.isOpen) this.#links.reopen(link)
  }

  /** Waiters are told; what is held is left to run out, for whoever works under it may go on a little. */
  stop(): void {
    this.#stopped = true
    for (const request of this.#requests.all()) {
      const { token } = request.asked
      if (!request.hasEntered) {
        this.#fail(request, { type: 'stopped' })
        continue
      }
      this.#forget(request)
      if (!request.isLost) this.#context.emit({ type: 'lost', token, reason: 'stopped' })
    }
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
    if (electorate.voters.includes(this.#context.self)) this.#heard.add(this.#context.self)
    const isHeard = this.#links.isQuorum(electorate, [...this.#heard])
    if (isHeard) request.timestamp = this.#context.tick()
    for (const voter of electorate.voters) {
      const link = this.#links.get(voter)
      if (!link.isOpen || link.version !== electorate.version) {
        if (link.isOpen || !this.#links.isFresh(link)) this.#links.reopen(link)
        else this.#links.tick(link)
      } else if (isHeard) {
        const hint = this.#requests.hint(request.asked.lock)
        const listed = request.list(voter, electorate.version, hint)
        this.#links.push(link, { type: 'request', request: listed }, true)
      } else {
        this.#links.tick(link)
      }
    }
  }

  #askUnasked(): void {
    for (const request of this.#requests.all()) if (request.timestamp === 0) this.#ask(request)
  }

  /** Cancelled everywhere, and asked again with a timestamp of now. */
  #askAnew(request: LockRequest): void {
    this.#tellEnd(request)
    this.#requests.delete(request)
    request.renumber(this.#nextId())
    this.#requests.add(request)
    this.#ask(request)
  }

  #fail(request: LockRequest, failure: MutexFailure): void {
    this.#end(request)
    this.#context.emit({ type: 'failed', token: request.asked.token, failure })
  }

  #end(request: LockRequest): void {
    this.#tellEnd(request)
    this.#forget(request)
  }

  #forget(request: LockRequest): void {
    this.#requests.delete(request)
    this.#context.cancel(`wait:${request.asked.token}`)
    this.#context.cancel(`hold:${request.asked.token}`)
  }

  /** Every voter that may know of it, of every version that was asked. */
  #tellEnd(request: LockRequest): void {
    if (request.timestamp > 0)
      for (const voter of request.voters) this.#tellEndTo(this.#links.get(voter), request)
  }

  #tellEndTo(link: VoterLink, request: LockRequest): void {
    const { id, key, fencingToken, evidence, hasEntered } = request
    const { lock } = request.asked
    const release = { type: 'release', request: id, lock, token: fencingToken, grants: evidence } as const
    this.#links.push(link, hasEntered ? release : { type: 'cancel', request: id, lock }, false)
    link.ends(key, this.#context.now)
    this.#links.soon(link)
  }

  // The electorate and the links.

  /** Votes of different versions are never added: what has not entered asks anew. */
  turnTo(electorate: Electorate): void {
    for (const link of this.#links.all()) {
      if (electorate.voters.includes(link.peer) || !link.isOpen) continue
      for (const request of this.#requests.waiting()) {
        if (request.voters.includes(link.peer)) this.#tellEndTo(link, request)
      }
    }
    for (const request of this.#requests.all()) {
      request.turnTo(electorate, this.#context)
      if (request.holds) this.#entry.watch(request)
    }
    for (const voter of electorate.voters) this.#links.reopen(this.#links.get(voter))
    this.#askUnasked()
    this.#quorum.reset()
  }

  connected(peer: PeerId): void {
    this.#links.connected(peer)
  }

  disconnected(peer: PeerId): void {
    this.#links.disconnected(peer)
  }

  /** A voter says something new of where it stands. */
  retry(peer: PeerId): void {
    this.#links.retry(peer)
  }

  /** The own event loop was late: what waited in the sockets meanwhile is nobody's silence. */
  lagged(ms: number): void {
    this.#links.lagged(ms)
    this.#quorum.lagged(ms)
  }

  /** A voter answers: connected, not held dead, and owing nothing for too long. */
  answers(peer: PeerId): boolean {
    return this.#links.answers(peer)
  }

  /** Likewise; it is asked from now on, for some seconds. */
  watches(peer: PeerId): boolean {
    return this.#links.watches(peer)
  }

  /** What waits for `peer`. */
  take(peer: PeerId): Asking | undefined {
    return this.#links.take(peer)
  }

  // What arbiters say.

  /** A frame of a voter bore its clock, which is merged by now. */
  heard(from: PeerId): void {
    if (this.#heard.has(from) || this.#events.electorate()?.voters.includes(from) !== true) return
    this.#heard.add(from)
    this.#askUnasked()
  }

  receive(from: PeerId, answering: Answering): void {
    const link = this.#links.find(from)
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
        this.#links.reopen(link)
        return
      case 'apart':
        this.#turnedAway(link, answering.items)
        return
      case 'next':
        for (const item of answering.items) this.#handle(link, item)
        this.#links.soon(link)
        return
    }
  }

  #turnedAway(link: VoterLink, items: readonly AnsweringItem[]): void {
    const isReset = items.some(({ type }) => type === 'reset')
    const wasFresh = this.#links.isFresh(link)
    link.close()
    for (const item of items) if (item.type === 'unavailable') this.#unavailable(link, item.reason)
    for (const request of this.#requests.waiting()) request.drop(link.peer, link.version)
    if (isReset && !wasFresh) this.#links.open(link)
    else this.#links.tick(link)
  }

  #unavailable(link: VoterLink, reason: Unavailability): void {
    link.unavailableSince ??= this.#context.now
    // Where no session will be had, nothing can be taken back: it runs out.
    const isForGood = reason === 'not-a-voter' || reason === 'void' || reason === 'sealed'
    if (isForGood) link.ending.clear()
  }

  #handle(link: VoterLink, item: AnsweringItem): void {
    switch (item.type) {
      case 'grant':
        this.#entry.granted(link, item)
        return
      case 'inquire':
        this.#entry.inquired(link, item)
        return
      case 'confirmed':
        this.#entry.confirmed(link, item)
        return
      case 'answer':
        this.#entry.answered(link, item)
        return
      case 'renewed':
        this.#entry.renewed(link, item)
        return
      case 'renew-mismatch':
        this.#links.renewEach(link)
        return
      case 'refused':
        this.#entry.refused(link, item)
        return
      case 'signed':
        for (const { request } of this.#events.signed(link.peer, item.votes)) {
          this.#requests.find(keyOf(request))?.sign(link.peer, item.votes)
        }
        return
      case 'reset':
      case 'unavailable':
        this.#turnedAway(link, [item])
        return
    }
  }
}
