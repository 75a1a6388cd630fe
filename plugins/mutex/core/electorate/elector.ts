/**
 * The electorate's half of the core: it wires the parts, and says which of them a
 * message is for. What each rule is, stands in the part that has it.
 *
 * - Lamport, Malkhi & Zhou 2010, Reconfiguring a State Machine
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import type { MemberNews, MutexMisbehaviour } from '../messages.ts'
import type { ElectorateHalf, ElectorateHost } from '../ports.ts'
import { Acceptor } from './acceptor.ts'
import { ByHand } from './by-hand.ts'
import { ProvenChain } from './chain.ts'
import { ChainStore } from './chain-store.ts'
import { Changes } from './changes.ts'
import { Expecting, foundation } from './founding.ts'
import { Franchise } from './franchise.ts'
import { Gossip, isFull } from './gossip.ts'
import { Installing } from './installing.ts'
import { electorateKeys } from './keeping.ts'
import { Leaving } from './leaving.ts'
import { Meeting } from './meeting.ts'
import type {
  Electorate,
  ElectorateId,
  ElectorateItem,
  ElectorateView,
  Link,
  Stamp,
  Wish,
} from './messages.ts'
import { People } from './people.ts'
import { Promising } from './readiness.ts'
import { Retirement } from './retirement.ts'
import { Stamps } from './stamps.ts'
import { Standing } from './standing.ts'
import type { ElectorateUnits } from './units.ts'
import { viewOf } from './view.ts'
import { Wishes } from './wishes.ts'

type Of<Type extends ElectorateItem['type']> = Extract<ElectorateItem, { type: Type }>

/** Of all parts. */
const timers = [
  'tick',
  'head',
  'settled',
  'consider',
  'ready',
  'proposal',
  'fetch',
  'installed',
  'start',
  'grace',
  'leave',
  'by-hand',
  'meeting',
]

export class Elector implements ElectorateHalf {
  readonly #host: ElectorateHost
  readonly #standing: Standing
  readonly #store: ChainStore
  readonly #stamps: Stamps
  readonly #acceptor: Acceptor
  readonly #installing: Installing
  readonly #people: People
  readonly #retirement = new Retirement()
  readonly #wishes: Wishes
  readonly #changes: Changes
  readonly #promising: Promising
  readonly #franchise: Franchise
  readonly #leaving: Leaving
  readonly #byHand: ByHand
  readonly #gossip: Gossip
  readonly #meeting: Meeting
  readonly #expecting: Expecting
  /** What the last frame of each connected peer said it belongs to, and stands at. */
  readonly #heard = new Map<PeerId, { readonly id: string | undefined; readonly version: number }>()
  #isRunning = false
  #isDriving = false
  #isDue = false

  /** `expect`: founds together with others when so many wait, this one included. */
  constructor(host: ElectorateHost, units: ElectorateUnits, expect: number | undefined) {
    this.#host = host
    const standing = new Standing(host, units)
    this.#standing = standing
    this.#store = new ChainStore(standing)
    this.#stamps = new Stamps(standing, {
      progressed: () => this.#progressed(),
      rolledBack: (version) => this.#franchise.void('rolled-back', version),
    })
    const stamps = this.#stamps
    this.#acceptor = new Acceptor(standing)
    this.#installing = new Installing(standing, stamps, {
      began: () => this.#gossip.tellAll(),
      installed: () => this.#progressed(),
    })
    this.#people = new People(standing, this.#retirement)
    this.#wishes = new Wishes(standing)
    this.#promising = new Promising(standing)
    const parts = {
      standing,
      stamps,
      acceptor: this.#acceptor,
      installing: this.#installing,
      people: this.#people,
      retirement: this.#retirement,
      wishes: this.#wishes,
      promising: this.#promising,
    }
    this.#changes = new Changes(parts, {
      decided: (link) => this.#decided(link),
      dissolution: () => this.#meeting.dissolution(),
    })
    this.#franchise = new Franchise(parts, () => this.#changes.stop())
    this.#leaving = new Leaving({ ...parts, changes: this.#changes })
    this.#byHand = new ByHand({ ...parts, changes: this.#changes })
    this.#gossip = new Gossip(standing, this.#store, {
      head: () => this.#head(),
      isSettled: () => this.#isSettled,
    })
    this.#meeting = new Meeting(standing, {
      want: (peer, id, after) => this.#gossip.ask(peer, id, after),
      follow: (chain) => this.#follow(chain),
      progressed: () => this.#changes.consider(),
    })
    this.#expecting = new Expecting(standing, expect)
  }

  get current(): Electorate | undefined {
    return this.#standing.electorate
  }

  view(): ElectorateView {
    return viewOf({
      standing: this.#standing,
      installing: this.#installing,
      changes: this.#changes,
      meeting: this.#meeting,
      isExpecting: this.#expecting.count > 0,
    })
  }

  start(): void {
    const host = this.#host
    const standing = this.#standing
    this.#isRunning = true
    const chain = this.#store.start()
    standing.chain = chain
    standing.live = chain === undefined ? 0 : Math.max(1, standing.number(electorateKeys.live))
    for (const { decision } of chain?.links ?? []) this.#retirement.restore(decision, host.now)
    this.#acceptor.start()
    this.#promising.start()
    this.#people.start()
    this.#stamps.start()
    this.#franchise.start()
    const { current } = this
    if (current !== undefined) host.changed(current)
    this.#gossip.start()
    this.#stamps.ask()
    this.#tick()
  }

  /** What only time brings about. */
  #tick(): void {
    const host = this.#host
    this.#progressed()
    const { concerned } = this.#standing
    if (concerned.has(host.self) && !this.#installing.isDone) this.#changes.ask(this.#installing.installers)
    host.schedule('tick', host.now + host.config.headMs, () => this.#tick())
  }

  stop(): void {
    this.#isRunning = false
    this.#changes.stop()
    for (const key of timers) this.#host.cancel(key)
  }

  /** Something has changed that any part may have waited for: what one of them does, others may wait for. */
  #progressed(): void {
    this.#isDue = true
    if (this.#isDriving) return
    this.#isDriving = true
    while (this.#isRunning && this.#isDue) {
      this.#isDue = false
      this.#installing.drive()
      this.#changes.consider()
      this.#leaving.check()
    }
    this.#isDriving = false
  }

  // What comes from outside.

  connected(peer: PeerId): void {
    const host = this.#host
    if (!this.#isRunning) return
    this.#people.connected(peer)
    if (this.#standing.concerned.has(peer)) host.viewChanged()
    this.#gossip.tell(peer)
    this.#gossip.stirred()
    this.#stamps.connected(peer)
    this.#installing.connected(peer)
    // From then on it can be taken as a voter.
    host.schedule('settled', host.now + host.config.readyForMs, () => this.#changes.retry())
  }

  disconnected(peer: PeerId): void {
    if (!this.#isRunning) return
    this.#heard.delete(peer)
    this.#people.disconnected(peer)
    this.#gossip.disconnected(peer)
    this.#stamps.disconnected(peer)
    this.#installing.disconnected(peer)
    this.#meeting.forget(peer)
    if (this.#standing.concerned.has(peer)) this.#host.viewChanged()
    if (this.#expecting.disconnected(peer)) this.#expect()
  }

  member(news: MemberNews): void {
    if (!this.#isRunning || !this.#standing.concerned.has(news.peer)) return
    this.#host.viewChanged()
    this.#changes.consider()
  }

  stamped(): void {
    if (this.#isRunning) this.#stamps.stamped()
  }

  heard(from: PeerId, id: string | undefined, version: number, stamp: Stamp | undefined): void {
    // What has stopped is on disk as it is: it seals, installs and promises nothing more.
    if (!this.#isRunning) return
    const standing = this.#standing
    const { chain } = standing
    const last = this.#heard.get(from)
    if (last === undefined || last.id !== id || last.version !== version)
      this.#heard.set(from, { id, version })
    this.#meeting.hear(from, id as ElectorateId | undefined)
    if (id === undefined) return
    if (chain === undefined) {
      this.#gossip.want(from, id as ElectorateId, 0)
      return
    }
    if (id !== chain.id) return
    if (version > standing.version) {
      this.#gossip.want(from, chain.id, standing.version)
      return
    }
    if (standing.begin(version)) this.#begun()
    if (version < standing.live) this.#gossip.push(from, version)
    if (stamp !== undefined) this.#stamps.hear(from, stamp)
  }

  #begun(): void {
    if (this.#standing.concerned.has(this.#host.self)) this.#gossip.tellAll()
    this.#progressed()
  }

  receive(from: PeerId, item: ElectorateItem): void {
    if (!this.#isRunning) return
    if (item.type === 'head') return this.#receiveHead(from, item)
    if (item.type === 'want') return this.#gossip.receiveWant(from, item)
    if (item.type === 'chain') return this.#receiveChain(from, item)
    const heard = this.#heard.get(from)
    const { chain } = this.#standing
    // Nothing of another electorate is listened to, nor of a version that is not known here yet.
    if (chain === undefined || heard?.id !== chain.id) return
    const version = electionOf(item)
    if (version !== undefined && !this.#isEntitled(from, version)) return
    // It acts on a version that something follows already.
    if (version !== undefined && version < this.#standing.version) this.#gossip.push(from, heard.version)
    this.#receiveOwn(from, item, heard.version)
  }

  /** Only voters of that version may say it. */
  #isEntitled(peer: PeerId, version: number): boolean {
    const standing = this.#standing
    if (version > standing.version) return false
    if (!standing.votersOf(version).includes(peer)) {
      this.#blame(peer, 'not-a-voter')
      return false
    }
    return true
  }

  #receiveOwn(
    from: PeerId,
    item: Exclude<ElectorateItem, Of<'head' | 'want' | 'chain'>>,
    version: number,
  ): void {
    switch (item.type) {
      case 'wish':
        return this.#byHand.receiveWish(from, item, version)
      case 'wish-answer':
        return this.#byHand.receiveAnswer(from, item)
      case 'ready?':
        return this.#franchise.receiveQuestion(from, item)
      case 'ready':
        return this.#changes.receiveReady(from, item)
      case 'prepare':
        return this.#blame(from, this.#changes.receivePrepare(from, item))
      case 'promise':
        return this.#changes.receivePromise(from, item)
      case 'objection':
        return this.#changes.receiveObjection(from, item)
      case 'preempted':
        return this.#changes.receivePreempted(from, item)
      case 'accept':
        return this.#blame(from, this.#changes.receiveAccept(from, item))
      case 'accepted':
        return this.#blame(from, this.#changes.receiveAccepted(from, item))
      case 'fetch':
        return this.#installing.receiveFetch(from, item)
      case 'report':
        return this.#installing.receiveReport(from, item)
      case 'copy':
        return this.#installing.receiveCopy(from, item)
      case 'installed':
        return this.#installing.receiveInstalled(from, item)
      case 'start':
        if (version <= this.#standing.version) this.#stamps.receiveStart(from, item)
        return
      case 'start-answer':
        return this.#stamps.receiveAnswer(from, item, version)
    }
  }

  #blame(peer: PeerId, problem: MutexMisbehaviour | undefined): void {
    if (problem !== undefined) this.#host.misbehaved(peer, problem)
  }

  // Where everybody stands.

  /** Everybody who is connected has said that it stands here, and every voter that it serves. */
  get #isSettled(): boolean {
    const { chain, version, live, voters } = this.#standing
    if (chain === undefined || live !== version || this.#changes.isOpen) return false
    const { installers } = this.#installing
    return this.#host.connected().every((peer) => {
      const heard = this.#heard.get(peer)
      const stands = heard?.id === chain.id && heard.version === version
      return stands && (installers.has(peer) || !voters.includes(peer))
    })
  }

  #head(): Of<'head'> {
    const { chain, version } = this.#standing
    const { arbiter } = this.#host
    return {
      type: 'head',
      id: chain?.id,
      version,
      serving: this.#installing.ownVersion,
      granted: version === 1 && this.#standing.votesIn(1) && arbiter.state.granted,
      expecting: this.#expecting.count,
      founder: chain?.charter.founder,
    }
  }

  #receiveHead(from: PeerId, head: Of<'head'>): void {
    const { chain, version, host } = this.#standing
    // What comes late of a peer that is gone is not counted.
    if (!host.isConnected(from)) return
    if (this.#expecting.hear(from, head.id === undefined ? head.expecting : 0)) this.#expect()
    else if (this.#expecting.mayFound) this.#expect()
    if (head.id === undefined) return this.#gossip.push(from, 0)
    if (chain === undefined) return this.#gossip.want(from, head.id, 0)
    if (head.id !== chain.id) return this.#meeting.hearHead(from, head)
    if (head.version > version) return this.#gossip.want(from, chain.id, version)
    this.#installing.hearServing(from, head.serving)
    this.#gossip.push(from, head.version)
  }

  #receiveChain(from: PeerId, item: Of<'chain'>): void {
    const standing = this.#standing
    const { host, chain } = standing
    if (chain !== undefined && chain.id !== item.id) {
      return this.#blame(from, this.#meeting.receive(from, item))
    }
    if (chain === undefined) {
      const opened = ProvenChain.open(item.id, item.charter, item.signature, host.cluster, host.crypto)
      if (opened === undefined) return host.misbehaved(from, 'bad-proof')
      this.#adopt(opened)
    }
    const before = standing.version
    for (const link of item.links) {
      const outcome = this.#extend(link)
      if (outcome === 'bad') host.misbehaved(from, 'bad-proof')
      if (outcome === 'bad' || outcome === 'gap') break
    }
    if (standing.version > before || standing.chain?.dissolvedInto !== undefined) this.#changed()
    if (isFull(item.links) && standing.chain !== undefined && standing.version > before) {
      this.#gossip.more(from)
      this.#gossip.want(from, standing.chain.id, standing.version)
    }
  }

  /** Takes the link over, if its proof is good. */
  #extend(link: Link): 'taken' | 'known' | 'gap' | 'bad' {
    const { host, chain } = this.#standing
    const outcome = chain?.extend(link, host.crypto) ?? 'gap'
    if (outcome !== 'taken') return outcome
    this.#store.append(link)
    this.#retirement.learn(link.decision, host.now)
    // A version is decided when a quorum has installed the one before it.
    this.#standing.begin(this.#standing.version - 1)
    this.#franchise.checkLink(link)
    return outcome
  }

  #decided(link: Link): void {
    if (this.#extend(link) === 'taken') this.#changed()
  }

  /** There is a new last version, or none will follow. */
  #changed(): void {
    const standing = this.#standing
    const { host, chain, version } = standing
    this.#franchise.check()
    if (standing.concerned.has(host.self)) {
      for (const peer of standing.concerned) if (host.isConnected(peer)) this.#gossip.push(peer, version - 1)
      this.#gossip.tellAll()
    }
    this.#wishes.settle(standing.voters)
    host.viewChanged()
    this.#stamps.changed()
    this.#installing.changed()
    this.#changes.changed()
    this.#leaving.check()
    if (chain?.dissolvedInto !== undefined) this.#meeting.drive()
  }

  /** The first electorate of this peer, or the one that its former one was given up for. */
  #adopt(chain: ProvenChain): void {
    const standing = this.#standing
    const former = standing.chain
    this.#store.replace(former, chain)
    standing.chain = chain
    standing.live = 0
    standing.begin(Math.max(1, chain.version - 1))
    if (former === undefined) return
    this.#acceptor.forget()
    this.#promising.forget()
    this.#installing.forget()
    this.#wishes.clear()
    this.#retirement.clear()
    for (const { decision } of chain.links) this.#retirement.learn(decision, this.#host.now)
  }

  #follow(chain: ProvenChain): void {
    this.#adopt(chain)
    this.#meeting.changed()
    this.#gossip.tellAll()
    this.#changed()
  }

  #expect(): void {
    const host = this.#host
    if (!this.#isRunning || this.#expecting.count === 0) return
    if (!this.#expecting.mayFound) return this.#gossip.tellAll()
    const { self, cluster, crypto, config } = host
    const { charter, signature } = foundation({
      self,
      cluster,
      crypto,
      config,
      nonce: this.#expecting.nonce(),
    })
    this.#adopt(ProvenChain.restore(charter, signature, [], crypto))
    this.#gossip.tellAll()
    this.#changed()
  }

  // What people want.

  wish(token: number, wish: Wish): void {
    const ended = (outcome: 'done' | 'refused', reason: string): void =>
      this.#host.wished(token, outcome, reason)
    if (!this.#isRunning) return ended('refused', 'this peer has stopped')
    if (wish.type === 'leave' && wish.peer === this.#host.self) this.#leaving.begin(ended)
    else if (wish.type === 'leave') ended('refused', 'a peer leaves by itself')
    else this.#byHand.ask(wish, ended)
  }

  recover(token: number): void {
    const problem = this.#isRunning ? this.#franchise.recover() : 'this peer has stopped'
    this.#host.wished(token, problem === undefined ? 'done' : 'refused', problem ?? '')
    this.#progressed()
  }
}

/** The version whose voters alone say such a thing; undefined where anybody does. */
function electionOf(item: ElectorateItem): number | undefined {
  switch (item.type) {
    case 'prepare':
    case 'promise':
    case 'objection':
    case 'preempted':
    case 'accept':
    case 'accepted':
    case 'ready?':
    case 'report':
    case 'copy':
    case 'installed':
      return item.version
    case 'fetch':
      return item.version + 1
    default:
      return undefined
  }
}
