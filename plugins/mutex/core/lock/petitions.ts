/** How requests come to an arbiter: one by one, and at the beginning of a session all that are unfinished. */
import type { Electorate } from '../electorate/messages.ts'
import { maxTimestampLead, maxToken, reachOf } from '../limits.ts'
import type { Listed, Refusal } from '../messages.ts'
import type { Client } from './clients.ts'
import type { Docket } from './docket.ts'
import type { LockContext } from './lock-context.ts'
import { compareNumbers, keyOf } from './order.ts'
import type { TokenLedger } from './token-ledger.ts'
import type { Votes } from './votes.ts'

export interface PetitionsParts {
  readonly context: LockContext
  readonly votes: Votes
  readonly ledger: TokenLedger
  readonly electorate: () => Electorate | undefined
}

export class Petitions {
  readonly #parts: PetitionsParts

  constructor(parts: PetitionsParts) {
    this.#parts = parts
  }

  /**
   * Books are made equal: what the peer does not list is over, what it lists otherwise is granted anew.
   * Only then is anything given: a vote that was given in between would look like one that was lost.
   */
  sync(client: Client, listed: readonly Listed[]): void {
    const { votes, context } = this.#parts
    const { generation } = client.latest ?? { generation: 0 }
    // A list that names what is not the sender's, or of another life, is nobody's books.
    if (!listed.every(({ request }) => request.peer === client.peer && request.generation === generation)) {
      context.misbehaved(client.peer, 'not-held')
      return
    }
    const keys = new Set(listed.map(({ request }) => keyOf(request)))
    const changed = new Set<Docket>()
    for (const petition of [...client.petitions.values()]) {
      if (petition.request.generation < generation || !keys.has(petition.key)) votes.drop(petition)
    }
    for (const { petition } of votes.of(client)) {
      if (petition.request.generation !== generation || keys.has(petition.key)) continue
      const docket = votes.docket(petition.lock)
      votes.takeBack(docket)
      changed.add(docket)
    }
    for (const [docket, key] of [...votes.inheritedOf(client.peer, generation)]) {
      if (!keys.has(key) && docket.inherited.delete(key)) changed.add(docket)
    }
    for (const request of listed) {
      if (!this.#isAgreed(client, request)) this.#enlist(client, request, true)
      changed.add(votes.docket(request.lock))
    }
    for (const docket of changed) votes.attend(docket)
  }

  request(client: Client, listed: Listed): void {
    const { votes, context } = this.#parts
    const { request, token, grant, lock } = listed
    const isOwn = request.peer === client.peer && request.generation === client.latest?.generation
    // Whoever has entered asks nothing any more; it lists that when a session opens.
    if (!isOwn || token > 0 || grant !== undefined) {
      context.misbehaved(client.peer, 'not-held')
      return
    }
    this.#enlist(client, listed, false)
    votes.attend(votes.docket(lock))
  }

  /** Both sides name the same vote; one that is named otherwise was lost, and nothing may be said of it any more. */
  #isAgreed(client: Client, { lock, request, grant, timestamp }: Listed): boolean {
    const { votes, context } = this.#parts
    const docket = votes.find(lock)
    const vote = docket?.vote
    if (docket === undefined || vote?.petition.key !== keyOf(request)) return false
    if (grant === undefined || compareNumbers(grant, vote.grant) !== 0) {
      votes.unvote(docket)
      return false
    }
    // What a clean stop leaves says nothing of the order.
    if (vote.petition.timestamp === 0) vote.petition = { ...vote.petition, timestamp }
    if (vote.inquired && context.units.repeatsInquire) votes.sayInquire(client, vote)
    client.push({ type: 'answer', request, answer: { type: 'granted' } })
    return true
  }

  /** Puts a request into the queue, and gives nothing yet. */
  #enlist(client: Client, listed: Listed, isSync: boolean): void {
    const { votes, ledger, context } = this.#parts
    const { request, lock, timestamp, leaseMs, hint, token } = listed
    const key = keyOf(request)
    const docket = votes.docket(lock)
    const isInherited = docket.inherited.has(key)
    const known = client.petitions.get(key)
    if (known !== undefined) {
      client.owe(known)
      return
    }
    if (docket.vote?.petition.key === key) return
    const refusal = this.#refusalOf(client, listed, isInherited)
    if (refusal !== undefined) {
      // Whoever lists what it asked long ago may have been overtaken by its own later request.
      if (!isSync) context.misbehaved(client.peer, refusal)
      client.push({ type: 'refused', request, reason: refusal })
      return
    }
    // That it has entered counts where this arbiter cannot know better: else everybody would say so, to be first.
    const entered = token > 0 && (isInherited || votes.mayHaveForgotten)
    if (token === 0) docket.inherited.delete(key)
    const petition = { request, key, lock, timestamp, leaseMs, entered }
    votes.enqueue(docket, petition)
    // One that is out of reach spares nobody a round.
    if (hint <= reachOf(ledger.highest)) ledger.learn(lock, hint)
    client.owe(petition)
  }

  #refusalOf(client: Client, listed: Listed, isInherited: boolean): Refusal | undefined {
    const { votes, context, electorate } = this.#parts
    const { lock, timestamp, leaseMs, hint, token } = listed
    const { charter } = electorate() ?? {}
    if (charter === undefined || leaseMs > charter.maxLeaseMs) return 'lease-too-long'
    if (timestamp > context.clock + maxTimestampLead) return 'timestamp-too-far'
    if (Math.max(hint, token) > maxToken) return 'token-too-far'
    if (!isInherited && timestamp <= votes.floors.of(lock, client.peer)) return 'timestamp-too-low'
    return votes.isFullFor(client) ? 'too-many' : undefined
  }
}
