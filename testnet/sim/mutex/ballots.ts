import type { PeerId } from '../../../lib/protocols/core.ts'
import type { RequestId } from '../../../plugins/mutex/core/electorate/messages.ts'
import type {
  Answering,
  Asking,
  Frame,
  GrantNumber,
  Listed,
  SessionId,
  VoteName,
} from '../../../plugins/mutex/core/messages.ts'
import { isMajority, type Ledger, requestText } from './ledger.ts'
import { clockOf, type Life, type LockHost } from './lock-host.ts'

/** A vote of an arbiter, as the wire shows it. */
interface Vote {
  readonly arbiter: Life
  readonly request: string
  readonly owner: PeerId
  readonly grant: string
  readonly number: GrantNumber
  /** On the clock of the arbiter's machine. */
  readonly endsAt: number
  sent: boolean
  freed: boolean
}

/** What a requester has heard of one arbiter. */
interface Heard {
  version: number
  /** Tokens that it has proposed or confirmed. */
  readonly tokens: Set<number>
  /** On the clock of the requester's process. */
  at: number
}

/** What wraps rounding, ms. */
const toleranceMs = 0.001

/**
 * Votes as frames show them: what an arbiter has given and to whom, and what a
 * requester can have got. A peer's own vote crosses no wire, so it is taken for
 * granted wherever it would matter.
 */
export class Ballots {
  readonly #ledger: Ledger
  /** By requester, arbiter and session: the version that SYNC named. */
  readonly #sessions = new Map<string, number>()
  /** By requester and arbiter: the session that was opened last. */
  readonly #latest = new Map<string, string>()
  readonly #requests = new Map<string, Listed>()
  readonly #heard = new Map<string, Map<PeerId, Heard>>()
  /** By arbiter, electorate, version and lock. */
  readonly #votes = new Map<string, Vote[]>()
  readonly #undelivered = new WeakMap<Frame, readonly { readonly key: string; readonly vote: Vote }[]>()
  /** By arbiter: requests that it was told are over, perhaps before its grant had left. */
  readonly #over = new Map<LockHost, Set<string>>()
  /** When frames reached an arbiter, on its machine's clock. */
  readonly #receipts = new WeakMap<Life, Map<string, number>>()

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  /** The version in which an arbiter answers in that session. */
  versionOf(requester: PeerId, arbiter: PeerId, session: SessionId): number | undefined {
    return this.#sessions.get(sessionKey(requester, arbiter, session))
  }

  /** The lock that a request is for, as its owner has said. */
  lockOf(request: string): string | undefined {
    return this.#requests.get(request)?.lock
  }

  /** Votes of that voter in that version that are surely not over. */
  outstanding(
    host: LockHost,
    id: string,
    version: number,
  ): readonly { readonly request: string; readonly remainingMs: number }[] {
    const prefix = `${host.peer} ${id} ${version} `
    return [...this.#votes].flatMap(([key, votes]) => {
      if (!key.startsWith(prefix)) return []
      return votes.flatMap(({ request, endsAt, sent, freed }) =>
        sent && !freed && endsAt > host.clock.now ? [{ request, remainingMs: endsAt - host.clock.now }] : [],
      )
    })
  }

  /** A core wants to send it. */
  decided(life: Life, to: PeerId, frame: Frame): void {
    const { asking, answering } = frame
    if (asking !== undefined) this.#learn(life, to, asking)
    if (answering !== undefined) this.#prepare(life, to, frame, answering)
  }

  /** It leaves. */
  sent(frame: Frame): void {
    for (const { key, vote } of this.#undelivered.get(frame) ?? []) {
      vote.sent = true
      this.#judgeOneVote(key, vote)
    }
  }

  /** A core is about to be stepped with it. */
  received(life: Life, from: PeerId, frame: Frame): void {
    const { asking, answering } = frame
    if (asking !== undefined) this.#freeing(life, from, asking)
    if (answering !== undefined) this.#collect(life, from, answering)
  }

  /** What it had decided and not sent was never said. */
  ended(life: Life): void {
    for (const [key, votes] of this.#votes) {
      this.#votes.set(
        key,
        votes.filter((vote) => vote.arbiter !== life || vote.sent),
      )
    }
  }

  /** Whether a request of `life` can have a quorum of votes, all of that version, that agree on the token. */
  judgeEntry(life: Life, lock: string, version: number, token: number, voters: readonly PeerId[]): void {
    const { peer, name } = life.host
    let best = 0
    for (const [text, heard] of this.#heard) {
      const request = this.#requests.get(text)
      if (request?.lock !== lock || request.request.peer !== peer) continue
      if (request.request.generation !== life.generation) continue
      const recent = [...heard].filter(([, vote]) => this.#isRecent(life, vote, request.leaseMs, version))
      const granted = new Set<string>([peer, ...recent.map(([arbiter]) => arbiter)])
      const agreeing = recent.filter(([, { tokens }]) => tokens.has(token))
      const backed = new Set<string>([peer, ...agreeing.map(([arbiter]) => arbiter)])
      if (isMajority(voters, backed)) return
      best = Math.max(best, isMajority(voters, granted) ? 2 : 1)
    }
    if (isMajority(voters, new Set([peer]))) return
    const how = best === 2 ? 'votes that do not agree on its token' : 'no quorum of votes'
    this.#ledger.breach('quorum-of-one-version', `${name} enters ${lock} with ${how} (version ${version})`)
  }

  #isRecent(life: Life, vote: Heard, leaseMs: number, version: number): boolean {
    return vote.version === version && clockOf(life) - vote.at <= leaseMs
  }

  #learn(life: Life, to: PeerId, asking: Asking): void {
    for (const item of asking.items) {
      if (item.type === 'sync') {
        const session = sessionKey(life.host.peer, to, asking.session)
        this.#sessions.set(session, item.version)
        this.#latest.set(`${life.host.peer} ${to}`, session)
        for (const request of item.requests) this.#requests.set(requestText(request.request), request)
      } else if (item.type === 'request') {
        this.#requests.set(requestText(item.request.request), item.request)
      }
    }
  }

  #prepare(life: Life, to: PeerId, frame: Frame, answering: Answering): void {
    const prepared: { key: string; vote: Vote }[] = []
    for (const item of answering.items) {
      if (item.type !== 'grant') continue
      const request = requestText(item.vote.request)
      const lock = this.#requests.get(request)?.lock
      const version = this.versionOf(to, life.host.peer, answering.session)
      const heardAt = this.#receipts.get(life)?.get(`${sessionText(to, answering.session)}:${item.base}`)
      if (lock === undefined || version === undefined || heardAt === undefined) {
        this.#ledger.breach(
          'known-request',
          `${life.host.name} grants ${request}, which nobody has asked for`,
        )
        continue
      }
      const vote: Vote = {
        arbiter: life,
        request,
        owner: to,
        grant: grantText(item.vote),
        number: item.vote.grant,
        endsAt: heardAt + item.leaseMs,
        sent: false,
        freed: this.#over.get(life.host)?.has(request) === true,
      }
      const key = `${life.host.peer} ${frame.id} ${version} ${lock}`
      this.#votes.set(key, [...(this.#votes.get(key) ?? []), vote])
      prepared.push({ key, vote })
    }
    if (prepared.length > 0) this.#undelivered.set(frame, prepared)
  }

  /** Frames of one turn leave peer by peer: the numbers say which vote was given before. */
  #judgeOneVote(key: string, vote: Vote): void {
    const { clock, name } = vote.arbiter.host
    const votes = this.#votes.get(key) ?? []
    const earlier = votes.filter((other) => isEarlier(other.number, vote.number))
    for (const other of earlier) {
      if (!other.sent || other.freed || other.request === vote.request) continue
      if (clock.now + toleranceMs >= other.endsAt) continue
      const message = `${name} votes for ${vote.request} while ${other.request} has its vote`
      this.#ledger.breach('one-vote', message)
    }
    const rest = votes.filter((other) => !earlier.includes(other) || !other.sent)
    this.#votes.set(key, rest)
  }

  #freeing(life: Life, from: PeerId, asking: Asking): void {
    const receipts = this.#receipts.get(life) ?? new Map<string, number>()
    this.#receipts.set(life, receipts)
    const receipt = `${sessionText(from, asking.session)}:${asking.seq}`
    if (!receipts.has(receipt)) receipts.set(receipt, life.host.clock.now)
    for (const item of asking.items) {
      if (item.type === 'release' || item.type === 'cancel') this.#end(life, item.request)
      else if (item.type === 'relinquish') {
        const grant = grantText(item.vote)
        this.#free(life, (vote) => vote.grant === grant)
      } else if (item.type === 'sync') this.#free(life, unlisted(from, item.requests))
    }
  }

  #end(life: Life, id: RequestId): void {
    const request = requestText(id)
    const over = this.#over.get(life.host) ?? new Set()
    this.#over.set(life.host, over.add(request))
    this.#free(life, (vote) => vote.request === request)
  }

  #free(life: Life, concerns: (vote: Vote) => boolean): void {
    for (const votes of this.#votes.values()) {
      for (const vote of votes) {
        if (vote.arbiter.host === life.host && concerns(vote)) vote.freed = true
      }
    }
  }

  #collect(life: Life, from: PeerId, answering: Answering): void {
    const session = sessionKey(life.host.peer, from, answering.session)
    const version = this.#sessions.get(session)
    // What comes late out of an older session counts no more.
    if (version === undefined || this.#latest.get(`${life.host.peer} ${from}`) !== session) return
    for (const item of answering.items) {
      if (item.type === 'grant') {
        const heard = this.#of(requestText(item.vote.request))
        const known = heard.get(from)
        // Several grants of one request may follow each other: the last number counts, and any token will do.
        const tokens = known?.version === version ? known.tokens : new Set<number>()
        heard.set(from, { version, tokens: tokens.add(item.proposal), at: clockOf(life) })
      } else if (item.type === 'confirmed') {
        this.#of(requestText(item.vote.request)).get(from)?.tokens.add(item.token)
      } else if (item.type === 'renewed') {
        this.#renew(life, from)
      }
    }
  }

  /** Any of them may be meant. */
  #renew(life: Life, from: PeerId): void {
    for (const [request, heard] of this.#heard) {
      const vote = heard.get(from)
      if (vote !== undefined && request.startsWith(life.host.peer)) vote.at = clockOf(life)
    }
  }

  #of(request: string): Map<PeerId, Heard> {
    const heard = this.#heard.get(request) ?? new Map<PeerId, Heard>()
    this.#heard.set(request, heard)
    return heard
  }
}

/** A SYNC takes back whatever vote it does not name. */
function unlisted(owner: PeerId, listed: readonly Listed[]): (vote: Vote) => boolean {
  const named = new Set(
    listed.map(({ request, grant }) => (grant === undefined ? '' : grantText({ request, grant }))),
  )
  return (vote) => vote.owner === owner && !named.has(vote.grant)
}

function grantText({ request, grant }: VoteName): string {
  return `${requestText(request)}@${grant.generation}.${grant.counter}`
}

function sessionText(requester: PeerId, { generation, counter }: SessionId): string {
  return `${requester}/${generation}.${counter}`
}

function sessionKey(requester: PeerId, arbiter: PeerId, session: SessionId): string {
  return `${arbiter} ${sessionText(requester, session)}`
}

function isEarlier(a: GrantNumber, b: GrantNumber): boolean {
  return a.generation === b.generation ? a.counter < b.counter : a.generation < b.generation
}
