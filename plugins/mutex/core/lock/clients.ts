/** The requesters of an arbiter: one session each, and when they were last heard. */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { mutexLimits } from '../limits.ts'
import type { Answer, Answering, AnsweringItem, Asking, SessionId } from '../messages.ts'
import { fitting } from '../wire/weight.ts'
import type { Docket, Petition } from './docket.ts'
import type { LockContext } from './lock-context.ts'
import { compareNumbers, type RequestKey } from './order.ts'

export class Client {
  readonly peer: PeerId
  /** Unfinished requests that have no vote here. */
  readonly petitions = new Map<RequestKey, Petition>()
  /** Dockets whose vote it has. */
  readonly votes = new Set<Docket>()
  /** When its last frame arrived: leases count from here. */
  heardAt = Number.NEGATIVE_INFINITY
  /** A vote went to somebody else, or to nobody, because it was not heard. */
  isPassedOver = false
  /** Its last frame has to be acknowledged at once. */
  owesAnswer = false
  #session: SessionId | undefined
  #latest: SessionId | undefined
  #received = 0
  #sent = 0
  #items: AnsweringItem[] = []
  /** Who is told how it stands, unless it has the vote by then. */
  readonly #owed = new Set<Petition>()
  #refusal: Answering | undefined

  constructor(peer: PeerId) {
    this.peer = peer
  }

  /** It has said what it has outstanding, and the link is open since. */
  get hasSession(): boolean {
    return this.#session !== undefined
  }

  /** The newest session that was opened, if only for a moment. */
  get latest(): SessionId | undefined {
    return this.#latest
  }

  /** The number of its newest frame. */
  get received(): number {
    return this.#received
  }

  get #hasAnswer(): boolean {
    return this.owesAnswer || this.#items.length > 0 || this.#owed.size > 0
  }

  /** How the session of this frame stands to the newest one. */
  place({ session, seq }: Asking): 'old' | 'opens' | 'next' | 'doubled' | 'gap' {
    const order = this.#latest === undefined ? 1 : compareNumbers(session, this.#latest)
    if (order < 0) return 'old'
    if (order > 0) return seq === 1 ? 'opens' : 'gap'
    if (this.#session === undefined) return seq <= this.#received ? 'doubled' : 'gap'
    if (seq <= this.#received) return 'doubled'
    return seq === this.#received + 1 ? 'next' : 'gap'
  }

  /** `keeps` what gathered while there was no session: that is what the rule `maySend` is about. */
  open(session: SessionId, keeps = false): void {
    this.#session = session
    this.#latest = session
    this.#received = 0
    this.#sent = 0
    if (!keeps) this.#items = []
    this.#owed.clear()
  }

  /** `seq` has arrived, in its place. */
  advance(seq: number, now: number): void {
    this.#received = seq
    this.heardAt = now
  }

  /** Nothing of it counts any more. */
  clear(): void {
    this.close()
    this.petitions.clear()
    this.votes.clear()
  }

  /** Nothing more is sent before it opens another. */
  close(): void {
    this.#session = undefined
    this.owesAnswer = false
    this.#items = []
    this.#owed.clear()
  }

  push(item: AnsweringItem): void {
    this.#items.push(item)
  }

  /** With the next frame it is told how this request stands then. */
  owe(petition: Petition): void {
    this.#owed.add(petition)
  }

  /** Says, outside of any session, why `session` is none; the last word counts. */
  refuse(session: SessionId, item: AnsweringItem): void {
    this.#refusal = { session, seq: 0, ack: 0, items: [item] }
  }

  /**
   * Why there is no session, or what waits in one, as much as fits into a frame; undefined when nothing
   * does. `answer` is how those stand that are queued.
   */
  take(answer: Answer): Answering | undefined {
    const refusal = this.#refusal
    this.#refusal = undefined
    if (refusal !== undefined) return refusal
    if (this.#session === undefined || !this.#hasAnswer) return undefined
    this.owesAnswer = false
    this.#sent += 1
    for (const { key, request } of this.#owed) {
      if (this.petitions.has(key)) this.#items.push({ type: 'answer', request, answer })
    }
    this.#owed.clear()
    const items = this.#items.splice(0, fitting(this.#items, mutexLimits.bytesAtOnce))
    return { session: this.#session, seq: this.#sent, ack: this.#received, items }
  }
}

export interface ClientsParts {
  readonly context: LockContext
  /** Whoever is silent for so long has no place in a queue any more, ms. */
  readonly patienceMs: () => number
  /** Its requests are to be dropped. */
  readonly silent: (client: Client) => void
}

/** All requesters of an arbiter. Whoever has nothing here, and says nothing, is forgotten. */
export class Clients {
  readonly #parts: ClientsParts
  readonly #clients = new Map<PeerId, Client>()

  constructor(parts: ClientsParts) {
    this.#parts = parts
  }

  find(peer: PeerId): Client | undefined {
    return this.#clients.get(peer)
  }

  get(peer: PeerId): Client {
    const known = this.#clients.get(peer)
    if (known !== undefined) return known
    const client = new Client(peer)
    this.#clients.set(peer, client)
    this.#lookAfter(client)
    return client
  }

  all(): Iterable<Client> {
    return this.#clients.values()
  }

  #lookAfter(client: Client): void {
    const { context, patienceMs, silent } = this.#parts
    context.schedule(`client:${client.peer}`, context.now + patienceMs(), () => {
      if (client.petitions.size > 0 && context.now - client.heardAt >= patienceMs()) {
        // Should it be there all the same, it opens a new session and says again what it wants.
        client.close()
        silent(client)
      }
      // Whoever is connected and wants nothing keeps its session: its next request is then one round trip.
      const isGone = client.petitions.size + client.votes.size === 0 && !client.hasSession
      if (isGone) this.#clients.delete(client.peer)
      else this.#lookAfter(client)
    })
  }
}
