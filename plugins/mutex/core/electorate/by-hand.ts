/**
 * Wishes of people: a voter is asked, works on it as long as it is asked, and says when it is so.
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import type { Changes } from './changes.ts'
import type { Installing } from './installing.ts'
import type { ElectorateItem, Wish } from './messages.ts'
import type { People } from './people.ts'
import type { Standing } from './standing.ts'
import type { Wishes } from './wishes.ts'

const pollMs = 300
/** People wait no longer. */
const patienceMs = 4500
/** Wishes of this peer's people that are under way. */
const mostAsked = 16

export interface ByHandParts {
  readonly standing: Standing
  readonly installing: Installing
  readonly changes: Changes
  readonly people: People
  readonly wishes: Wishes
}

interface Judgement {
  readonly outcome: 'taken' | 'done' | 'refused'
  readonly reason: string
}

interface Asked {
  readonly wish: Wish
  readonly until: number
  readonly ended: (outcome: 'done' | 'refused', reason: string) => void
  /** Why it is not so yet. */
  reason: string
  /** The version that it was asked at, and the first since that fulfils it; what happens after that is not its affair. */
  readonly since: number
  fulfilledAt: number | undefined
  turns: number
}

export class ByHand {
  readonly #parts: ByHandParts
  readonly #asked = new Map<number, Asked>()
  #tokens = 0

  constructor(parts: ByHandParts) {
    this.#parts = parts
  }

  ask(wish: Wish, ended: (outcome: 'done' | 'refused', reason: string) => void): void {
    const { host, version } = this.#parts.standing
    if (this.#asked.size >= mostAsked) {
      ended('refused', 'too many wishes are under way')
      return
    }
    this.#tokens += 1
    this.#asked.set(this.#tokens, {
      wish,
      until: host.now + patienceMs,
      ended,
      reason: '',
      since: version,
      fulfilledAt: undefined,
      turns: 0,
    })
    this.drive()
  }

  drive(): void {
    const { host } = this.#parts.standing
    for (const [token, asked] of this.#asked) this.#push(token, asked)
    if (this.#asked.size > 0) host.schedule('by-hand', host.now + pollMs, () => this.drive())
  }

  #push(token: number, asked: Asked): void {
    const { standing } = this.#parts
    const { host, version, chain } = standing
    if (chain === undefined) return this.#end(token, 'refused', 'this peer belongs to no electorate yet')
    if (host.now >= asked.until) return this.#end(token, 'refused', this.#tooLate(asked))
    asked.fulfilledAt ??= this.#fulfilledSince(asked.since, asked.wish)
    if (asked.fulfilledAt !== undefined) return this.#await(token, asked.fulfilledAt)
    if (standing.votesIn(version) && !standing.isVoid) return this.#answered(token, this.#judge(asked.wish))
    const voters = standing.voters.filter((peer) => host.isConnected(peer))
    const voter = voters[asked.turns % Math.max(1, voters.length)]
    asked.turns += 1
    if (voter !== undefined) host.send(voter, { type: 'wish', token, wish: asked.wish })
  }

  /** The first version from `since` on that is as the wish has it. */
  #fulfilledSince(since: number, { type, peer }: Wish): number | undefined {
    const { standing } = this.#parts
    for (let version = Math.max(1, since); version <= standing.version; version++) {
      if (standing.votersOf(version).includes(peer) === (type === 'add')) return version
    }
    return undefined
  }

  /** It is so; it is done when a quorum has installed it. */
  #await(token: number, version: number): void {
    const { standing, installing, changes } = this.#parts
    if (standing.version > version || installing.isDone) return this.#end(token, 'done', '')
    changes.ask(installing.installers)
  }

  #tooLate({ reason }: Asked): string {
    const { standing } = this.#parts
    const isReachable = standing.isQuorumOf(standing.version, standing.answering(standing.voters))
    if (!isReachable) return 'no-quorum'
    return reason === '' ? 'it takes too long' : reason
  }

  #answered(token: number, { outcome, reason }: Judgement): void {
    const asked = this.#asked.get(token)
    if (asked === undefined) return
    if (outcome === 'taken') asked.reason = reason
    else this.#end(token, outcome, reason)
  }

  #end(token: number, outcome: 'done' | 'refused', reason: string): void {
    const asked = this.#asked.get(token)
    this.#asked.delete(token)
    asked?.ended(outcome, reason)
  }

  receiveAnswer(
    from: PeerId,
    { token, outcome, reason }: Extract<ElectorateItem, { type: 'wish-answer' }>,
  ): void {
    if (this.#parts.standing.voters.includes(from)) this.#answered(token, { outcome, reason })
  }

  /** `at`: the version that the asker knew; one that comes late is not meant for what has changed since. */
  receiveWish(from: PeerId, { token, wish }: Extract<ElectorateItem, { type: 'wish' }>, at: number): void {
    const { standing, wishes, changes } = this.#parts
    const { host, version } = standing
    if (at < standing.live) return
    if (wish.type === 'leave') {
      // Only about oneself; noted by everybody that hears it, and answered by nobody.
      if (wish.peer !== from) return
      wishes.note(wish, false)
      changes.consider()
      return
    }
    if (!standing.votesIn(version) || standing.isVoid) return
    if (token === 0) {
      // Another voter works on it: it is not to be objected to.
      if (wish.type === 'remove' && standing.voters.includes(from)) wishes.note(wish, false)
      return
    }
    host.send(from, { type: 'wish-answer', token, ...this.#judge(wish) })
  }

  /** Works on a wish, unless it is so, or cannot be. */
  #judge(wish: Wish): Judgement {
    const { standing, installing, wishes, changes } = this.#parts
    const isVoter = standing.voters.includes(wish.peer)
    if (isVoter === (wish.type === 'add')) {
      if (installing.isDone) return { outcome: 'done', reason: '' }
      changes.ask(installing.installers)
      return { outcome: 'taken', reason: 'the voters are still taking over' }
    }
    const reason = wish.type === 'add' ? this.#whyNotAdd(wish.peer) : this.#whyNotRemove(wish.peer)
    if (reason !== undefined) return { outcome: 'refused', reason }
    wishes.note(wish, true)
    this.#share(wish)
    changes.consider()
    return { outcome: 'taken', reason: this.#whyNotYet(wish) }
  }

  /** Other voters would object to a change that nobody told them of. */
  #share(wish: Wish): void {
    const { host, voters } = this.#parts.standing
    for (const peer of voters) {
      if (wish.type === 'remove' && peer !== host.self && host.isConnected(peer)) {
        host.send(peer, { type: 'wish', token: 0, wish })
      }
    }
  }

  /** What is in the way, as far as this voter sees. */
  #whyNotYet(wish: Wish): string {
    const { standing, people } = this.#parts
    const { host, voters } = standing
    const { readyForMs } = host.config
    if (wish.type !== 'add') return 'the voters have not agreed yet'
    if (!voters.every((peer) => people.isLive(peer))) return 'a voter is missing: remove it, or wait for it'
    if (people.connectedMs(wish.peer) < readyForMs) {
      return `it has to be connected for ${readyForMs} ms before: ask again then`
    }
    const others = this.#waiting(wish.peer)
    if (!others.some((peer) => people.connectedMs(peer) >= readyForMs)) {
      return `the other that waits has to be connected for ${readyForMs} ms before: ask again then`
    }
    return 'the voters have not agreed yet'
  }

  #waiting(but: PeerId): readonly PeerId[] {
    const { standing, people } = this.#parts
    const { host, voters } = standing
    return host.connected().filter((peer) => peer !== but && !voters.includes(peer) && people.isLive(peer))
  }

  #whyNotAdd(peer: PeerId): string | undefined {
    const { standing, people } = this.#parts
    const { voters, chain } = standing
    if (voters.length + 2 > (chain?.charter.maxVoters ?? 1)) return 'there are as many voters as may be'
    if (!people.isLive(peer)) return 'that peer is not connected to the voters'
    if (this.#waiting(peer).length > 0) return undefined
    return 'voters are added two at a time, and no other peer waits'
  }

  #whyNotRemove(peer: PeerId): string | undefined {
    const { voters } = this.#parts.standing
    if (voters.length > 1 || this.#waiting(peer).length > 0) return undefined
    return 'it is the only voter, and nobody is there to take over'
  }
}
