/**
 * The sessions of a requester with all arbiters: when each is opened, asked, renewed
 * and asked again, and who of them answers.
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { minLeaseMs } from '../config.ts'
import type { Electorate } from '../electorate/messages.ts'
import type { Asking, AskingItem } from '../messages.ts'
import { digestOf } from './digest.ts'
import type { LockContext } from './lock-context.ts'
import type { Requests } from './requests.ts'
import { VoterLink } from './voter-link.ts'

/** Between two attempts to be connected. */
const redialMs = 1000
/** A waiter is heard so many times in a lease, and a holder renews so many times. */
const pingsPerLease = 10
const renewalsPerLease = 4
/** A link that was used is looked at so much later: as often as a waiter with the shortest lease has to be heard. */
const soonMs = minLeaseMs / pingsPerLease

export interface VoterLinksParts {
  readonly context: LockContext
  readonly requests: Requests
  readonly electorate: () => Electorate | undefined
  /** Whether membership holds that peer dead. */
  readonly isDead: (peer: PeerId) => boolean
}

export class VoterLinks {
  readonly #parts: VoterLinksParts
  readonly #context: LockContext
  readonly #links = new Map<PeerId, VoterLink>()
  #sessions = 0

  constructor(parts: VoterLinksParts) {
    this.#parts = parts
    this.#context = parts.context
  }

  find(peer: PeerId): VoterLink | undefined {
    return this.#links.get(peer)
  }

  get(peer: PeerId): VoterLink {
    const link = this.#links.get(peer) ?? new VoterLink(peer)
    this.#links.set(peer, link)
    return link
  }

  all(): Iterable<VoterLink> {
    return this.#links.values()
  }

  /** `demands`: an answer is due at once. Nothing is said where no session is: what counts is listed when one opens. */
  push(link: VoterLink, item: AskingItem, demands: boolean): void {
    if (!link.isOpen) return
    link.push(item, demands)
    this.#context.pending(link.peer)
    this.soon(link)
  }

  take(peer: PeerId): Asking | undefined {
    return this.#links.get(peer)?.take(this.#context.now, this.#keepMs)
  }

  /** Twice the longest lease: nothing older counts for anybody. */
  get #keepMs(): number {
    return 2 * (this.#parts.electorate()?.charter.maxLeaseMs ?? this.#context.config.maxLeaseMs)
  }

  // Who answers.

  /** Its link is open, nobody holds it dead, and it owes no answer for too long. */
  answers(peer: PeerId, silenceMs = this.#context.config.silenceMs): boolean {
    const { now, self } = this.#context
    if (peer === self) return true
    if (!this.#context.isConnected(peer) || this.#parts.isDead(peer)) return false
    const since = this.#links.get(peer)?.owesSince
    return since === undefined || now - since < silenceMs
  }

  /** It answers, and not for too long only that no session is to be had. */
  serves(peer: PeerId, silenceMs = this.#context.config.silenceMs): boolean {
    const since = this.#links.get(peer)?.unavailableSince
    const isAway = since !== undefined && this.#context.now - since >= this.#context.config.silenceMs
    return this.answers(peer, silenceMs) && !isAway
  }

  /** Answers; and it is asked from now on, for some seconds. */
  watches(peer: PeerId): boolean {
    const { now, self, config } = this.#context
    if (peer !== self) {
      const link = this.get(peer)
      const isNew = link.watchedUntil <= now
      link.watchedUntil = now + 2 * config.silenceMs
      if (isNew) this.tick(link)
    }
    return this.answers(peer)
  }

  serving({ voters }: Electorate): readonly PeerId[] {
    return voters.filter((voter) => this.serves(voter))
  }

  isQuorum(electorate: Electorate, members: readonly PeerId[]): boolean {
    const present = new Set(this.serving(electorate))
    return this.#context.units.isQuorum(electorate.voters, new Set(members), present)
  }

  /** The own event loop was late: what waited in the sockets meanwhile is nobody's silence. */
  lagged(ms: number): void {
    for (const link of this.#links.values()) link.lagged(ms, this.#context.now)
  }

  // Sessions.

  reopen(link: VoterLink): void {
    link.close()
    if (this.#isWanted(link)) this.open(link)
  }

  open(link: VoterLink): void {
    const { electorate, requests } = this.#parts
    const { generation, now } = this.#context
    const version = electorate()?.version
    if (version !== undefined && generation > 0 && this.#reaches(link.peer)) {
      this.#sessions += 1
      link.open({ generation, counter: this.#sessions }, version, now)
      this.push(link, { type: 'sync', version, requests: requests.list(link.peer, version) }, true)
    }
    this.tick(link)
  }

  /** It was just opened, and turned away: to ask again at once would only be turned away again. */
  isFresh(link: VoterLink): boolean {
    return this.#context.now - link.lastOpenedAt < this.#context.config.pingMs
  }

  /** A voter says something new of where it stands: one that was not serving may serve now. */
  retry(peer: PeerId): void {
    const link = this.#links.get(peer)
    if (link !== undefined && !link.isOpen && this.#isWanted(link)) this.open(link)
  }

  connected(peer: PeerId): void {
    const link = this.#links.get(peer)
    if (link !== undefined) this.tick(link)
  }

  disconnected(peer: PeerId): void {
    const link = this.#links.get(peer)
    if (link === undefined) return
    link.close()
    this.tick(link)
  }

  #reaches(peer: PeerId): boolean {
    return peer === this.#context.self || this.#context.isConnected(peer)
  }

  #isWanted({ peer, ending, watchedUntil }: VoterLink): boolean {
    return ending.size > 0 || watchedUntil > this.#context.now || this.#parts.requests.concern(peer)
  }

  // What is due.

  /** Looks at the link before anything can be due. */
  soon(link: VoterLink): void {
    this.#again(link, this.#context.now + soonMs)
  }

  /** Whatever is due on that link, and when it is looked at next. */
  tick(link: VoterLink): void {
    const { now, config } = this.#context
    if (link.endedAt + this.#keepMs < now) link.ending.clear()
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
    this.#ask(link)
    this.#again(link, now + Math.min(config.pingMs, this.#rhythmMs(link)))
  }

  /** Keeps the votes, if there are any; says at least that this peer is there. */
  #ask(link: VoterLink): void {
    const { requests } = this.#parts
    const votes = requests.votesOf(link.peer, link.version)
    if (votes.size === 0) {
      this.push(link, { type: 'ping' }, true)
      return
    }
    this.push(link, { type: 'renew', digest: digestOf(votes.values()) }, true)
    link.renews(new Set(votes.keys()))
    for (const request of requests.all()) request.asks(link.peer, link.version, this.#context.now)
  }

  /** The two sides' books differ: one by one. */
  renewEach(link: VoterLink): void {
    const votes = this.#parts.requests.votesOf(link.peer, link.version)
    if (votes.size === 0) return
    this.push(link, { type: 'renew-each', votes: [...votes.values()] }, true)
    link.renews(new Set(votes.keys()))
  }

  #again(link: VoterLink, at: number): void {
    this.#context.scheduleAtLatest(`voter:${link.peer}`, Math.max(at, this.#context.now + 1), () => {
      this.tick(link)
    })
  }

  #knock(link: VoterLink): void {
    const { now, config } = this.#context
    if (this.#reaches(link.peer)) {
      if (this.isFresh(link)) this.#again(link, link.lastOpenedAt + config.pingMs)
      else this.open(link)
      return
    }
    if (now - link.lastDialledAt >= redialMs) {
      link.lastDialledAt = now
      this.#context.dial(link.peer)
    }
    this.#again(link, link.lastDialledAt + redialMs)
  }

  /** An answer that is missing is asked for again; waiters say that they are there, holders renew. */
  #dueAt(link: VoterLink): number {
    const isOwed = link.owesSince !== undefined || !link.isAcknowledged
    return link.lastSentAt + (isOwed ? this.#context.config.pingMs : this.#rhythmMs(link))
  }

  #rhythmMs({ peer, watchedUntil }: VoterLink): number {
    const { now, config } = this.#context
    const most = watchedUntil > now ? config.pingMs : this.#keepMs
    return this.#parts.requests.rhythmMs(peer, most, ({ asked, holds }) => {
      return asked.leaseMs / (holds ? renewalsPerLease : pingsPerLease)
    })
  }
}
