/**
 * Two electorates that meet never mix. One that never granted, by its sole voter, is
 * given up for one that has granted or grown, or else the higher id for the lower; its
 * members follow, link by link, and for no other reason. Where neither can be given up, that is shown.
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { isQuorum } from '../../../../lib/protocols/quorum/quorum.ts'
import { ProvenChain } from './chain.ts'
import type { Decision, ElectorateId, ElectorateItem } from './messages.ts'
import type { Standing } from './standing.ts'

const pollMs = 500
/** What could not be settled for long is asked about less and less. */
const longestPollMs = 8000
/** Who answered within this answers now. */
const freshMs = 1500

type Head = Extract<ElectorateItem, { type: 'head' }>
type ChainItem = Extract<ElectorateItem, { type: 'chain' }>

interface Other {
  readonly id: ElectorateId
  readonly since: number
  head: Head | undefined
  headAt: number
}

export interface MeetingEvents {
  want(peer: PeerId, id: ElectorateId, after: number): void
  /** The chain of the electorate that this one was given up for is known. */
  follow(chain: ProvenChain): void
  /** Something may have become possible. */
  progressed(): void
}

export class Meeting {
  readonly #standing: Standing
  readonly #events: MeetingEvents
  /** Connected peers that belong to another electorate. */
  readonly #others = new Map<PeerId, Other>()
  #candidate: { readonly id: ElectorateId; chain: ProvenChain | undefined } | undefined
  #shown: ElectorateId | undefined
  #pauseMs = pollMs

  constructor(standing: Standing, events: MeetingEvents) {
    this.#standing = standing
    this.#events = events
  }

  /** What cannot be settled here: locks can be held once in each. */
  get conflict(): { readonly id: ElectorateId; readonly peer: PeerId } | undefined {
    const { host, chain } = this.#standing
    if (chain === undefined) return undefined
    for (const [peer, { id, since }] of this.#others) {
      if (host.now - since >= 2 * host.config.headMs) return { id, peer }
    }
    return undefined
  }

  /** A peer belongs to another electorate, or to this one, or to none. */
  hear(peer: PeerId, id: ElectorateId | undefined): void {
    const { host, chain } = this.#standing
    if (chain === undefined || id === undefined || id === chain.id) {
      this.forget(peer)
      return
    }
    // What comes late of a peer that is gone says nothing of now.
    if (this.#others.get(peer)?.id === id || !host.isConnected(peer)) return
    this.#pauseMs = pollMs
    this.#others.set(peer, { id, since: host.now, head: undefined, headAt: Number.NEGATIVE_INFINITY })
    this.drive()
  }

  hearHead(peer: PeerId, head: Head): void {
    const other = this.#others.get(peer)
    if (other === undefined || other.id !== head.id) return
    other.head = head
    other.headAt = this.#standing.host.now
    this.#events.progressed()
  }

  forget(peer: PeerId): void {
    if (this.#others.delete(peer)) this.#show()
  }

  /** This peer belongs to another electorate now. */
  changed(): void {
    this.#candidate = undefined
    const { chain } = this.#standing
    for (const [peer, { id }] of this.#others) if (id === chain?.id) this.#others.delete(peer)
    this.#show()
  }

  /** Asks what is missing to settle it, as long as there is somebody of another electorate. */
  drive(): void {
    const { host, chain } = this.#standing
    host.cancel('meeting')
    if (this.#others.size === 0 || chain === undefined) return
    if (chain.dissolvedInto !== undefined) this.#follow(chain.dissolvedInto)
    else if (this.#isFresh) this.#court()
    else if (chain.version === 1 && !this.#standing.votesIn(1)) this.#askForNews(chain)
    this.#show()
    host.schedule('meeting', host.now + this.#pauseMs, () => this.drive())
    this.#pauseMs = Math.min(longestPollMs, this.#pauseMs * 1.2)
  }

  /** The sole voter of version 1, which has granted nothing. */
  get #isFresh(): boolean {
    const { host, version, isVoid } = this.#standing
    return version === 1 && this.#standing.votesIn(1) && !isVoid && !host.arbiter.state.granted
  }

  /** Only its sole voter can have given it up: others may have heard of that. */
  #askForNews({ id, version }: ProvenChain): void {
    for (const peer of this.#others.keys()) this.#events.want(peer, id, version)
  }

  /** Any of the others knows it, or knows what became of it. */
  #follow(id: ElectorateId): void {
    const candidate = this.#candidateOf(id)
    if (candidate.chain !== undefined) {
      this.#events.follow(candidate.chain)
      return
    }
    for (const peer of this.#others.keys()) this.#events.want(peer, id, 0)
  }

  #court(): void {
    const [first] = this.#others.values()
    const ids = new Set([...this.#others.values()].map(({ id }) => id))
    const id = this.#candidate !== undefined && ids.has(this.#candidate.id) ? this.#candidate.id : first?.id
    if (id === undefined) return
    const { chain } = this.#candidateOf(id)
    const { host } = this.#standing
    for (const [peer, other] of this.#others) {
      if (other.id === id && (chain === undefined || chain.voters.includes(peer))) {
        this.#events.want(peer, id, chain?.version ?? 0)
      }
    }
    for (const voter of chain?.voters ?? []) if (!host.isConnected(voter)) host.dial(voter)
  }

  #candidateOf(id: ElectorateId) {
    if (this.#candidate?.id !== id) this.#candidate = { id, chain: undefined }
    return this.#candidate
  }

  /** A page of another electorate's chain. */
  receive(from: PeerId, item: ChainItem): 'bad-proof' | undefined {
    const candidate = this.#candidate
    if (candidate === undefined || item.id !== candidate.id) return undefined
    const { host } = this.#standing
    candidate.chain ??= ProvenChain.open(item.id, item.charter, item.signature, host.cluster, host.crypto)
    const { chain } = candidate
    if (chain === undefined) return 'bad-proof'
    for (const link of item.links) {
      const outcome = chain.extend(link, host.crypto)
      if (outcome === 'bad') return 'bad-proof'
      if (outcome === 'gap') break
    }
    const other = this.#others.get(from)
    if (other?.id === item.id) other.headAt = other.head === undefined ? other.headAt : host.now
    this.drive()
    this.#events.progressed()
    return undefined
  }

  /** What this electorate is to be given up for, if it may be. */
  dissolution(): Decision | undefined {
    const candidate = this.#candidate?.chain
    const own = this.#standing.chain
    if (candidate === undefined || own === undefined || !this.#isFresh) return undefined
    if (candidate.dissolvedInto !== undefined) return undefined
    const { now } = this.#standing.host
    const answering = new Set<PeerId>()
    for (const [peer, { id, headAt }] of this.#others) {
      if (id === candidate.id && now - headAt <= freshMs) answering.add(peer)
    }
    if (!isQuorum(candidate.voters, answering)) return undefined
    const hasGranted = this.#others.get(candidate.charter.founder)?.head?.granted === true
    const isOlder = candidate.version > 1 || hasGranted
    if (!isOlder && !this.#standing.units.mayDissolve(own.id, candidate.id)) return undefined
    return { type: 'dissolved', into: candidate.id }
  }

  #show(): void {
    const id = this.conflict?.id
    if (id === this.#shown) return
    this.#shown = id
    this.#standing.host.viewChanged()
  }
}
