import type { PeerId } from '../../../lib/protocols/core.ts'
import type { Frame } from '../../../plugins/mutex/core/messages.ts'
import type { Ballots } from './ballots.ts'
import type { Elections } from './elections.ts'
import { isMajority, requestText } from './ledger.ts'
import type { Life } from './lock-host.ts'

/** What an app asked for, and what became of it. */
export interface Ask {
  readonly life: Life
  /** Its number, over all peers. */
  readonly token: number
  readonly lock: string
  readonly waitMs: number | undefined
  readonly caller: string
  readonly at: number
  /** From when on it is at a quorum for sure. */
  queuedAt: number | undefined
  /** Nobody else at its peer asks for that lock meanwhile: of several one may have to ask anew, and lose its place. */
  alone: boolean
}

/**
 * Which request on the wire is which app's, and who has it. The core chooses its
 * requests' numbers, so what cannot be told for sure is left out.
 */
export class Petitions {
  readonly #ballots: Ballots
  readonly #elections: Elections
  readonly #now: () => number
  readonly #open = new Map<number, Ask>()
  readonly #asks = new Map<string, Ask | undefined>()
  readonly #holders = new Map<string, Set<string>>()
  readonly #named = new Set<number>()

  constructor(ballots: Ballots, elections: Elections, now: () => number) {
    this.#ballots = ballots
    this.#elections = elections
    this.#now = now
  }

  asked(ask: Ask): void {
    for (const other of this.#open.values()) {
      if (other.life === ask.life && other.lock === ask.lock) other.alone = ask.alone = false
    }
    this.#open.set(ask.token, ask)
  }

  closed(ask: Ask): void {
    this.#open.delete(ask.token)
  }

  /** A core wants to send it: requests in it are named, and answers in it say who has them. */
  decided(life: Life, to: PeerId, { id, asking, answering }: Frame): void {
    for (const item of asking?.items ?? []) {
      if (item.type === 'request') this.#name(life, requestText(item.request.request), item.request.lock)
      else if (item.type === 'sync') {
        for (const { request, lock } of item.requests) this.#name(life, requestText(request), lock)
      }
    }
    if (answering === undefined || id === undefined) return
    const version = this.#ballots.versionOf(to, life.host.peer, answering.session)
    if (version === undefined) return
    for (const item of answering.items) {
      if (item.type === 'grant') this.#has(life, id, version, requestText(item.vote.request))
      else if (item.type === 'answer' && item.answer.type !== 'abstaining') {
        this.#has(life, id, version, requestText(item.request))
      }
    }
  }

  #name(life: Life, request: string, lock: string): void {
    if (this.#asks.has(request)) return
    const candidates = [...this.#open.values()].filter(
      (ask) => ask.life === life && ask.lock === lock && !this.#named.has(ask.token),
    )
    const [ask] = candidates
    const sure = candidates.length === 1 ? ask : undefined
    this.#asks.set(request, sure)
    for (const { token } of candidates) this.#named.add(token)
  }

  /** That arbiter has it in its queue, or votes for it. */
  #has(arbiter: Life, id: string, version: number, request: string): void {
    const ask = this.#asks.get(request)
    if (ask === undefined || ask.queuedAt !== undefined) return
    const key = `${id} ${version} ${request}`
    const arbiters = this.#holders.get(key) ?? new Set()
    this.#holders.set(key, arbiters.add(arbiter.host.peer))
    const voters = this.#elections.votersOf(id, version)
    if (voters !== undefined && isMajority(voters, arbiters)) ask.queuedAt = this.#now()
  }
}
