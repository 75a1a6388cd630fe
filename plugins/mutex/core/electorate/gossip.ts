/**
 * How everybody comes to know the chain: heads say where one stands, whoever is
 * behind wants what follows, and gets it in pages.
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { mutexLimits } from '../limits.ts'
import type { ChainStore } from './chain-store.ts'
import type { ElectorateId, ElectorateItem } from './messages.ts'
import type { Standing } from './standing.ts'

/** Between two answers, or two questions, to one peer that nothing new gave rise to. */
const pauseMs = 300
/** While all stand where they should somebody is told twice as rarely each time, down to every so many `headMs`. */
const rarest = 8
/** A newcomer is told by all at once where they stand: it asks one, and another one after this. */
const crowdMs = 100

type Head = Extract<ElectorateItem, { type: 'head' }>

export interface GossipPorts {
  readonly head: () => Head
  /** As far as this peer knows all that are connected stand where it does. */
  readonly isSettled: () => boolean
}

export class Gossip {
  readonly #standing: Standing
  readonly #store: ChainStore
  readonly #head: () => Head
  readonly #isSettled: () => boolean
  /** When each connected peer was last asked or told. */
  readonly #asked = new Map<PeerId, number>()
  readonly #told = new Map<PeerId, number>()
  #pauses = 0.5
  /** What was last asked for, of anybody. */
  #wanted: { readonly id: ElectorateId | undefined; readonly after: number; readonly at: number } = {
    id: undefined,
    after: 0,
    at: Number.NEGATIVE_INFINITY,
  }

  constructor(standing: Standing, store: ChainStore, ports: GossipPorts) {
    this.#standing = standing
    this.#store = store
    this.#head = ports.head
    this.#isSettled = ports.isSettled
  }

  start(): void {
    this.tellAll()
    this.#round()
  }

  /**
   * To somebody at random: what got lost is made up for. Where nobody is known to lack anything
   * that is rare: it was a seventh of what an idle member sends.
   */
  #round(): void {
    const { host } = this.#standing
    const peers = host.connected()
    const peer = peers[Math.floor(host.random() * peers.length)]
    if (peer !== undefined) this.tell(peer)
    this.#plan(this.#isSettled() ? Math.min(rarest, 2 * this.#pauses) : 1)
  }

  /** The next round, after so many `headMs`. */
  #plan(pauses: number): void {
    const { host } = this.#standing
    this.#pauses = pauses
    host.schedule('head', host.now + pauses * host.config.headMs, () => this.#round())
  }

  /** Something happens: rounds are frequent again. */
  stirred(): void {
    if (this.#pauses > 1) this.#plan(1)
  }

  tell(peer: PeerId): void {
    this.#standing.host.send(peer, this.#head())
  }

  tellAll(): void {
    for (const peer of this.#standing.host.connected()) this.tell(peer)
    this.stirred()
  }

  disconnected(peer: PeerId): void {
    this.#asked.delete(peer)
    this.#told.delete(peer)
  }

  /** Asks for what follows, at most once in a while, and one peer of many that could tell. */
  want(peer: PeerId, id: ElectorateId, after: number): void {
    const { now } = this.#standing.host
    const wanted = this.#wanted
    const isAsked = wanted.id === id && wanted.after === after && now - wanted.at < crowdMs
    if (isAsked || !this.#isDue(this.#asked, peer)) return
    this.#wanted = { id, after, at: now }
    this.#standing.host.send(peer, { type: 'want', id, after })
  }

  /** Asks that very peer, at most once in a while. */
  ask(peer: PeerId, id: ElectorateId, after: number): void {
    if (this.#isDue(this.#asked, peer)) this.#standing.host.send(peer, { type: 'want', id, after })
  }

  /** The last page came: the next may be asked for at once. */
  more(peer: PeerId): void {
    this.#asked.delete(peer)
  }

  /** Sends what follows version `after`, unasked, at most once in a while. */
  push(peer: PeerId, after: number): void {
    const { chain } = this.#standing
    if (chain === undefined || after >= chain.version) return
    if (this.#isDue(this.#told, peer)) this.#page(peer, chain.id, after)
  }

  receiveWant(from: PeerId, { id, after }: Extract<ElectorateItem, { type: 'want' }>): void {
    if (!this.#page(from, id, after)) this.tell(from)
  }

  /** True when something follows. */
  #page(peer: PeerId, id: ElectorateId, after: number): boolean {
    const { host, chain: own } = this.#standing
    const chain = own?.id === id ? own : this.#store.gone(id)
    if (chain === undefined) return false
    const links = chain.page(after)
    if (links.length === 0 && after > 0) return false
    const { charter, signature } = chain
    host.send(peer, { type: 'chain', id, charter, signature, links })
    return true
  }

  #isDue(last: Map<PeerId, number>, peer: PeerId): boolean {
    const { now } = this.#standing.host
    if (now - (last.get(peer) ?? Number.NEGATIVE_INFINITY) < pauseMs) return false
    last.set(peer, now)
    return true
  }
}

/** Whether more links may follow those of this page. */
export function isFull(links: readonly unknown[]): boolean {
  return links.length >= mutexLimits.links
}
