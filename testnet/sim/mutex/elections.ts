import type { PeerId } from '../../../lib/protocols/core.ts'
import type {
  Decision,
  ElectorateItem,
  ElectorateView,
  Link,
} from '../../../plugins/mutex/core/electorate/messages.ts'
import type { Answering, Frame } from '../../../plugins/mutex/core/messages.ts'
import type { Ballots } from './ballots.ts'
import { isMajority, type Ledger } from './ledger.ts'
import type { Life } from './lock-host.ts'

/** One electorate, as everybody together knows it. */
interface Electorate {
  readonly id: string
  /** By version: who votes there. */
  readonly voters: Map<number, readonly PeerId[]>
  /** By version: what was decided after it. */
  readonly decisions: Map<number, string>
  /** By version: who says that it has installed it. */
  readonly installed: Map<number, Set<PeerId>>
  granted: boolean
  dissolved: boolean
}

/**
 * Who votes, as frames and events show it: one decision a version, only those vote
 * whom it names, and not where they have sealed; an electorate that has granted
 * never dissolves.
 */
export class Elections {
  readonly #ledger: Ledger
  readonly #ballots: Ballots
  readonly #electorates = new Map<string, Electorate>()
  /** By voter, electorate and version: when it has sealed it. */
  readonly #sealed = new Map<string, number>()

  constructor(ledger: Ledger, ballots: Ballots) {
    this.#ledger = ledger
    this.#ballots = ballots
  }

  /** Undefined where nobody has heard of it. */
  votersOf(id: string | undefined, version: number): readonly PeerId[] | undefined {
    return id === undefined ? undefined : this.#electorates.get(id)?.voters.get(version)
  }

  /** The newest version that anybody knows of; 0: none. */
  newest(id: string): number {
    return Math.max(0, ...(this.#electorates.get(id)?.voters.keys() ?? []))
  }

  /** The newest version that a quorum of its voters has installed; 0: none. */
  settled(id: string): number {
    const electorate = this.#electorates.get(id)
    const versions = [...(electorate?.installed ?? [])].filter(([version, peers]) =>
      isMajority(electorate?.voters.get(version) ?? [], peers),
    )
    return Math.max(0, ...versions.map(([version]) => version))
  }

  /** The voters of every version that counts, or is to: from the last that a quorum has installed. */
  open(id: string): (readonly PeerId[])[] {
    const electorate = this.#electorates.get(id)
    if (electorate === undefined || electorate.dissolved) return []
    const from = this.settled(id)
    return [...electorate.voters].filter(([version]) => version >= from).map(([, voters]) => voters)
  }

  get ids(): readonly { readonly id: string; readonly granted: boolean; readonly dissolved: boolean }[] {
    return [...this.#electorates.values()]
  }

  /** A peer says where it stands. */
  viewed(life: Life, view: ElectorateView): void {
    if (view.id === undefined) return
    const voters = view.voters.map(({ peer }) => peer)
    this.#declare(view.id, view.version, voters, life.host.name)
  }

  /** Somebody has entered in that electorate. */
  entered(id: string): void {
    this.#grants(id)
  }

  /** It leaves. */
  sent(life: Life, to: PeerId, frame: Frame): void {
    const { id, version, answering, items } = frame
    if (id === undefined) return
    if (answering !== undefined && givesVotes(answering)) {
      const session = this.#ballots.versionOf(to, life.host.peer, answering.session)
      if (session !== undefined) this.#judgeVoter(life, id, session)
      this.#grants(id)
    }
    for (const item of items) this.#note(life, id, version, item)
  }

  #note(life: Life, id: string, version: number, item: ElectorateItem | { readonly type: string }): void {
    if (!isElectorateItem(item)) return
    if (item.type === 'head') {
      if (item.granted) this.#grants(id)
      if (item.serving > 0) this.#install(life, id, item.serving)
    } else if (item.type === 'chain') {
      for (const link of item.links) this.#link(item.id, link)
    } else if (item.type === 'report') {
      const name = `${life.host.peer} ${id} ${item.version}`
      if (!this.#sealed.has(name)) this.#sealed.set(name, this.#ledger.now())
    } else if (item.type === 'installed' || item.type === 'copy') this.#install(life, id, item.version)
    if (version > 1) this.#grants(id)
  }

  #link(id: string, { version, decision }: Link): void {
    const electorate = this.#of(id)
    const text = decisionText(decision)
    const known = electorate.decisions.get(version)
    electorate.decisions.set(version, text)
    if (known !== undefined && known !== text) {
      this.#ledger.breach('one-decision', `after version ${version}: ${known} and ${text}`)
    }
    if (decision.type === 'voters') this.#declare(id, version + 1, decision.voters, 'a link')
    else this.#dissolve(electorate)
  }

  #dissolve(electorate: Electorate): void {
    electorate.dissolved = true
    if (electorate.granted) {
      this.#ledger.breach('only-fresh-dissolve', `electorate ${electorate.id} dissolves and has granted`)
    }
  }

  #grants(id: string): void {
    const electorate = this.#of(id)
    if (electorate.granted) return
    electorate.granted = true
    if (electorate.dissolved) {
      this.#ledger.breach('only-fresh-dissolve', `electorate ${id} has dissolved and grants`)
    }
  }

  #declare(id: string, version: number, voters: readonly PeerId[], by: string): void {
    const electorate = this.#of(id)
    const known = electorate.voters.get(version)
    electorate.voters.set(version, voters)
    if (known === undefined) {
      const at = this.#ledger.now()
      this.#ledger.record({ at, type: 'voters', version, voters })
      return
    }
    if (known.toSorted().join() === voters.toSorted().join()) return
    this.#ledger.breach('one-decision', `version ${version} is of ${known}, and for ${by} of ${voters}`)
  }

  /** It says, or shows, that it serves that version. */
  #install(life: Life, id: string, version: number): void {
    const { host } = life
    const electorate = this.#of(id)
    const peers = electorate.installed.get(version) ?? new Set()
    electorate.installed.set(version, peers)
    if (peers.has(host.peer)) return
    peers.add(host.peer)
  }

  /** It gives, confirms or extends a vote. */
  #judgeVoter(life: Life, id: string, version: number): void {
    const { host } = life
    const voters = this.votersOf(id, version) ?? []
    if (!voters.includes(host.peer)) {
      this.#ledger.breach('voters-vote', `${host.name} votes in version ${version}, and is no voter there`)
    }
    // Frames of one instant leave peer by peer, in no order.
    const sealedAt = this.#sealed.get(`${host.peer} ${id} ${version}`)
    if (sealedAt !== undefined && sealedAt < this.#ledger.now()) {
      this.#ledger.breach('sealed-is-silent', `${host.name} votes in version ${version}, which it has sealed`)
    }
    this.#install(life, id, version)
  }

  #of(id: string): Electorate {
    const known = this.#electorates.get(id)
    if (known !== undefined) return known
    const electorate: Electorate = {
      id,
      voters: new Map(),
      decisions: new Map(),
      installed: new Map(),
      granted: false,
      dissolved: false,
    }
    this.#electorates.set(id, electorate)
    return electorate
  }
}

function givesVotes({ items }: Answering): boolean {
  return items.some(({ type }) => type === 'grant' || type === 'confirmed' || type === 'renewed')
}

function isElectorateItem(item: { readonly type: string }): item is ElectorateItem {
  return item.type !== 'inspect' && item.type !== 'inspected'
}

function decisionText(decision: Decision): string {
  if (decision.type === 'dissolved') return `dissolved into ${decision.into}`
  return `voters ${decision.voters.toSorted().join()}`
}
