/**
 * How votes become a lock: what an arbiter says of a request, and when this peer enters.
 *
 * It believes nothing about the lock but what its own clock says of votes that it
 * holds: every lease counts from when the question left, and the check is made when
 * a lock is entered and when it is used, never by a timer alone.
 */
import { maxToken } from '../limits.ts'
import type { AnsweringItem, MutexFailure, VoteName } from '../messages.ts'
import type { LockContext } from './lock-context.ts'
import { compareNumbers, keyOf } from './order.ts'
import type { LockRequest } from './request.ts'
import type { Requests } from './requests.ts'
import type { VoterLink } from './voter-link.ts'
import type { VoterLinks } from './voter-links.ts'

type Of<Type extends AnsweringItem['type']> = Extract<AnsweringItem, { type: Type }>

/** Of one caller's request whose timestamp is refused. */
const maxRenewals = 8

export interface EntryParts {
  readonly context: LockContext
  readonly requests: Requests
  readonly links: VoterLinks
  /** Ends the request and tells its caller. */
  readonly fail: (request: LockRequest, failure: MutexFailure) => void
  /** Tells all voters that it is over. */
  readonly end: (request: LockRequest) => void
  /** Gives the request up everywhere, and asks again as another. */
  readonly askAnew: (request: LockRequest) => void
}

export class Entry {
  readonly #parts: EntryParts
  readonly #context: LockContext

  constructor(parts: EntryParts) {
    this.#parts = parts
    this.#context = parts.context
  }

  granted(link: VoterLink, { vote, proposal, leaseMs, base }: Of<'grant'>): void {
    const { peer, version } = link
    const { now, self } = this.#context
    const request = this.#current(vote)
    const sentAt = link.sentAt(base)
    if (vote.request.peer !== self || base > link.sent || proposal <= 0) {
      this.#context.misbehaved(peer, 'forged-grant')
      return
    }
    if (request === undefined) return
    if (sentAt === undefined) {
      // So far behind that nobody knows what it counts from.
      this.#parts.links.reopen(link)
      return
    }
    const known = request.vote(peer, version)
    const isRepeated = known !== undefined && compareNumbers(known.grant, vote.grant) === 0
    if (isRepeated || leaseMs !== request.asked.leaseMs) {
      this.#context.misbehaved(peer, 'forged-grant')
      return
    }
    if (proposal > maxToken) {
      this.#context.misbehaved(peer, 'token-too-far')
      return
    }
    const times = { sentAt, receivedAt: now, grantedAt: now, lastSentAt: link.lastSentAt }
    const { grant } = vote
    request.take({ arbiter: peer, grant, proposal, level: proposal, asked: 0, leaseMs, ...times }, version)
    if (request.hasEntered) this.watch(request)
    else this.#tryEnter(request)
  }

  inquired(link: VoterLink, { vote: name }: Of<'inquire'>): void {
    const request = this.#parts.requests.find(keyOf(name.request))
    const vote = request?.vote(link.peer, link.version)
    if (request === undefined || vote === undefined || request.hasEntered) return
    if (compareNumbers(vote.grant, name.grant) !== 0) return
    // With it goes what was confirmed, which was bound to it.
    request.drop(link.peer, link.version)
    request.answers.set(link.peer, 'queued')
    this.#parts.links.push(link, { type: 'relinquish', vote: name }, false)
    this.#context.urgent(link.peer)
    this.#giveUpTrying(request)
  }

  confirmed(link: VoterLink, { vote: name, token }: Of<'confirmed'>): void {
    const request = this.#current(name)
    const vote = request?.vote(link.peer, link.version)
    if (request === undefined || vote === undefined || compareNumbers(vote.grant, name.grant) !== 0) return
    request.take({ ...vote, level: Math.max(vote.level, token) }, link.version)
    this.#tryEnter(request)
  }

  answered(link: VoterLink, { request: id, answer }: Of<'answer'>): void {
    const request = this.#current({ request: id })
    if (request === undefined) return
    if (answer.type === 'granted') {
      // A new session, and the vote stands: what was to be confirmed in the one before may be lost.
      const vote = request.vote(link.peer, link.version)
      if (vote !== undefined) request.take({ ...vote, asked: 0 }, link.version)
      this.#tryEnter(request)
      return
    }
    request.answers.set(link.peer, answer.type)
    // An arbiter of a newer life knows nothing of the vote; whoever has entered counts it to its end.
    if (request.hasEntered) return
    request.drop(link.peer, link.version)
    this.#giveUpTrying(request)
  }

  refused(link: VoterLink, { request: id, reason }: Of<'refused'>): void {
    const { requests, links, askAnew, fail } = this.#parts
    const request = requests.find(keyOf(id))
    const { electorate } = request ?? {}
    if (request === undefined || request.hasEntered || electorate === undefined) return
    if (reason === 'timestamp-too-low' && request.renewals < maxRenewals) {
      askAnew(request)
      return
    }
    request.answers.set(link.peer, reason)
    const willing = electorate.voters.filter((voter) => !isRefusal(request.answers.get(voter)))
    if (links.isQuorum(electorate, willing)) this.#giveUpTrying(request)
    else fail(request, { type: 'refused', reason })
  }

  renewed(link: VoterLink, { base, refused }: Of<'renewed'>): void {
    const sentAt = link.sentAt(base)
    const keys = link.takeRenewing(base)
    const isRefused = new Set(refused.map(({ request }) => keyOf(request)))
    for (const key of keys) {
      const known = this.#parts.requests.find(key)
      const request = known === undefined ? undefined : this.#current({ request: known.id })
      const vote = request?.vote(link.peer, link.version)
      if (request === undefined || vote === undefined || sentAt === undefined) continue
      if (!isRefused.has(key)) {
        const moved = { ...vote, sentAt: Math.max(vote.sentAt, sentAt), receivedAt: this.#context.now }
        request.take(moved, link.version)
        // It may have come too late to count for anything by itself.
        this.#tryEnter(request)
      } else if (!request.hasEntered) {
        this.#askAgain(link, request)
      }
    }
  }

  /** Its vote ran out there while it waited for others: it is in no queue any more. */
  #askAgain(link: VoterLink, request: LockRequest): void {
    const { requests, links } = this.#parts
    request.drop(link.peer, link.version)
    const listed = request.list(link.peer, link.version, requests.hint(request.asked.lock))
    links.push(link, { type: 'request', request: listed }, true)
  }

  /** Votes give nothing to somebody who was away while the lease ended: that is looked at before anything is added. */
  #current({ request: id }: Pick<VoteName, 'request'>): LockRequest | undefined {
    const request = this.#parts.requests.find(keyOf(id))
    if (request?.hasEntered !== true) return request
    return request.isLost || this.#hasRunOut(request) ? undefined : request
  }

  #tryEnter(request: LockRequest): void {
    const { electorate } = request
    if (electorate === undefined || request.hasEntered) return
    const { units } = this.#context
    const votes = request.valid(this.#context)
    const present = new Set(this.#parts.links.serving(electorate))
    const isQuorum: Parameters<typeof units.agreedToken>[1] = (members) =>
      units.isQuorum(electorate.voters, members, present)
    if (!isQuorum(new Set(votes.map(({ arbiter }) => arbiter)))) return
    const token = units.agreedToken(votes, isQuorum)
    if (token === undefined) this.#confirm(request, electorate.version)
    else this.#enter(request, token, electorate.version)
  }

  /** The highest proposal, at every vote that is below, bound to it. */
  #confirm(request: LockRequest, version: number): void {
    const { links } = this.#parts
    const votes = request.valid(this.#context)
    const token = Math.max(...votes.map(({ level }) => level))
    for (const vote of votes) {
      if (vote.level >= token || vote.asked >= token) continue
      request.take({ ...vote, asked: token }, version)
      const name = { request: request.id, grant: vote.grant }
      links.push(links.get(vote.arbiter), { type: 'confirm', vote: name, token }, true)
      this.#context.urgent(vote.arbiter)
    }
  }

  #enter(request: LockRequest, fencingToken: number, version: number): void {
    const { token, lock } = request.asked
    request.enter(fencingToken)
    this.#parts.requests.learn(lock, fencingToken)
    const validUntil = request.validUntil(this.#context) ?? this.#context.now
    this.#context.emit({ type: 'acquired', token, fencingToken, validUntil, version })
    this.watch(request)
  }

  /** Whoever does not wait fails as soon as those that may still vote for it are no quorum. */
  #giveUpTrying(request: LockRequest): void {
    const { electorate, asked } = request
    if (asked.waitMs !== 0 || request.hasEntered || electorate === undefined) return
    const open = electorate.voters.filter((voter) => !request.answers.has(voter))
    if (!this.#parts.links.isQuorum(electorate, open)) this.#parts.fail(request, { type: 'held' })
  }

  // What is held.

  /** One timer a lock that is held; it looks again when renewals have moved the end. */
  watch(request: LockRequest): void {
    const until = request.validUntil(this.#context) ?? this.#context.now
    this.#context.scheduleAtLatest(`hold:${request.asked.token}`, until, () => {
      if (this.#parts.requests.of(request.asked.token) !== request) return
      if (!this.#hasRunOut(request)) this.watch(request)
    })
  }

  #hasRunOut(request: LockRequest): boolean {
    const until = request.validUntil(this.#context)
    if (until !== undefined && until > this.#context.now) return false
    this.lose(request, 'expired')
    return true
  }

  /**
   * Its caller may need a moment to notice, and the votes are not over yet: that moment is what
   * the holder's shorter count is for. So nothing is given back before the caller does, or the votes are over.
   */
  lose(request: LockRequest, reason: 'expired' | 'slept'): void {
    const { token, leaseMs } = request.asked
    request.lose()
    this.#context.schedule(`hold:${token}`, this.#context.now + leaseMs, () => this.#parts.end(request))
    this.#context.emit({ type: 'lost', token, reason })
  }
}

function isRefusal(answer: string | undefined): boolean {
  return answer !== undefined && answer !== 'queued' && answer !== 'abstaining'
}
