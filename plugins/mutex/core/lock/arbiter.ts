/**
 * The arbiter: what a voter does. It keeps a session with each requester, votes for
 * the best request of each lock that it knows of, and takes part in handing votes
 * from one version of the electorate to the next.
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import type { Electorate, Report, RequestId, Stamp } from '../electorate/messages.ts'
import { maxToken, mutexLimits, reachOf, recoveryLead } from '../limits.ts'
import type {
  Answering,
  AnsweringItem,
  ArbiterLock,
  Asking,
  AskingItem,
  Unavailability,
  VoteName,
  VoteStatement,
} from '../messages.ts'
import type { ArbiterPort, ArbiterState } from '../ports.ts'
import { ArbiterDisk } from './arbiter-disk.ts'
import { type Client, Clients } from './clients.ts'
import { digestOf } from './digest.ts'
import type { LockContext } from './lock-context.ts'
import { keyOf } from './order.ts'
import { Petitions } from './petitions.ts'
import { TokenLedger } from './token-ledger.ts'
import { nameOf, Votes } from './votes.ts'

type Of<Type extends AskingItem['type']> = Extract<AskingItem, { type: Type }>

export interface ArbiterEvents {
  /** The electorate that is proven here. */
  electorate(): Electorate | undefined
  /** A vote was given: it is signed later. */
  granted(to: PeerId, statement: VoteStatement): void
  /** A holder has shown on which votes it had entered. */
  evidence(from: PeerId, grants: Of<'release'>['grants']): void
}

export class Arbiter implements ArbiterPort {
  readonly #context: LockContext
  readonly #events: ArbiterEvents
  readonly #disk: ArbiterDisk
  readonly #ledger: TokenLedger
  readonly #clients: Clients
  readonly #votes: Votes
  readonly #petitions: Petitions
  /** Tokens to confirm that are above the ceiling that may be used. */
  #confirms: { readonly peer: PeerId; readonly item: Of<'confirm'> }[] = []

  constructor(context: LockContext, events: ArbiterEvents) {
    this.#context = context
    this.#events = events
    this.#disk = new ArbiterDisk(context)
    this.#ledger = new TokenLedger(this.#disk, context.config.counterBlock)
    this.#clients = new Clients({
      context,
      patienceMs: () => this.#maxLeaseMs,
      silent: (client) => {
        this.#votes.dropAllOf(client)
        this.#votes.tidy()
      },
    })
    const parts = { context, disk: this.#disk, ledger: this.#ledger, clients: this.#clients }
    this.#votes = new Votes({
      ...parts,
      granted: (to, lock, vote, proposal) => this.#granted(to, lock, vote, proposal),
    })
    this.#petitions = new Petitions({ ...parts, votes: this.#votes, electorate: events.electorate })
  }

  get #maxLeaseMs(): number {
    return this.#events.electorate()?.charter.maxLeaseMs ?? this.#context.config.maxLeaseMs
  }

  #granted(to: PeerId, lock: string, vote: VoteName, proposal: number): void {
    const { id } = this.#events.electorate() ?? {}
    if (id === undefined) return
    this.#events.granted(to, { electorate: id, version: this.#disk.state.installed, lock, vote, proposal })
  }

  get state(): ArbiterState {
    const { installed, sealed, granted, void: isVoid } = this.#disk.state
    const { isServing, abstainsForMs } = this.#votes
    return { installed, sealed, serving: isServing, granted, void: isVoid, abstainsForMs }
  }

  /** What a former life left: its votes after a clean stop; without one, nobody knows what it granted. */
  start(): void {
    const { state } = this.#disk
    if (state.installed === 0) return
    const stopped = this.#disk.snapshot()
    if (stopped === undefined) {
      this.#votes.abstain(this.#context.units.abstentionMs(state.longestLeaseMs))
      return
    }
    this.#votes.abstain(stopped.abstainsForMs)
    for (const grant of stopped.inherited) this.#votes.inherit(grant)
    const { now, clock } = this.#context
    for (const { lock, request, grant, level, remainingMs, leaseMs } of stopped.votes) {
      const petition = { request, key: keyOf(request), lock, timestamp: 0, leaseMs, entered: false }
      const deadline = now + remainingMs
      this.#votes.give(this.#votes.docket(lock), { petition, grant, level, deadline, clock, inquired: false })
    }
  }

  /** Ends all granting, renewing and confirming, then writes what is outstanding. */
  stop(): void {
    const { units } = this.#context
    const { installed, void: isVoid } = this.#disk.state
    if (installed === 0 || isVoid !== undefined) return
    if (units.stopsBeforeSnapshot) this.#rest()
    const { votes, inherited } = this.#votes.outstanding()
    const { abstainsForMs } = this.#votes
    this.#disk.leaveSnapshot({ abstainsForMs, inherited: units.keepsInherited ? inherited : [], votes })
  }

  // What the electorate asks of it.

  report(): Report {
    const { votes, inherited } = this.#votes.outstanding()
    const given = votes.map(({ lock, request, remainingMs }) => ({ lock, request, remainingMs }))
    return {
      floor: this.#ledger.highest,
      grants: [...given, ...inherited],
      unknownForMs: this.#context.units.reportedUnknownMs(this.#votes.abstainsForMs),
      longestLeaseMs: this.#disk.state.longestLeaseMs,
    }
  }

  seal(): void {
    this.#rest()
    this.#disk.seal()
    for (const client of this.#clients.all()) this.#votes.dropAllOf(client)
  }

  install(electorate: Electorate, reports: readonly Report[]): void {
    const all = [...reports, this.report()]
    const most = (of: (report: Report) => number): number => Math.max(0, ...all.map(of))
    this.#rest()
    this.#votes.forget()
    this.#ledger.raise(most(({ floor }) => floor))
    for (const report of all)
      for (const grant of this.#context.units.blocking(report)) this.#votes.inherit(grant)
    this.#votes.abstain(most(({ unknownForMs }) => unknownForMs))
    const longestLeaseMs = most((report) =>
      Math.max(
        report.longestLeaseMs,
        report.unknownForMs,
        ...report.grants.map((grant) => grant.remainingMs),
      ),
    )
    // It tells of a version that is over.
    this.#disk.dropSnapshot()
    // Nobody who comes from an earlier version can still dissolve it.
    const granted = this.#disk.state.granted || electorate.version > 1
    this.#disk.change({ installed: electorate.version, sealed: 0, granted, longestLeaseMs, void: undefined })
    this.#ledger.extend(this.#ledger.highest)
  }

  /** Gives and confirms nothing more. */
  #rest(): void {
    this.#votes.isServing = false
    if (!this.#context.units.sealedConfirms) this.#confirms = []
  }

  serve(): void {
    if (this.#votes.isServing || this.#disk.state.void !== undefined) return
    this.#votes.isServing = true
    // Not before: a write raises the stamp, by which others tell whether this disk was put back.
    this.#disk.dropSnapshot()
    this.#ledger.extend(this.#ledger.highest)
    this.#votes.attendAll()
  }

  /** What this step wrote bears that stamp. */
  stamped(stamp: Stamp): void {
    this.#ledger.stamped(stamp)
  }

  acknowledged(stamp: Stamp): void {
    if (!this.#ledger.acknowledged(stamp)) return
    this.#votes.attendStarved()
    const confirms = this.#confirms
    this.#confirms = []
    for (const { peer, item } of confirms) this.#confirm(this.#clients.get(peer), item)
  }

  void(reason: 'lost' | 'rolled-back'): void {
    this.#rest()
    this.#votes.forget()
    if (this.#disk.state.void !== reason) this.#disk.change({ void: reason })
  }

  recover(): void {
    this.#ledger.raise(this.#ledger.highest + recoveryLead)
    // Of leases that this disk no longer knows it knows the longest possible.
    const longestLeaseMs = this.#maxLeaseMs
    this.#disk.dropSnapshot()
    this.#disk.change({ void: undefined, granted: true, longestLeaseMs })
    this.#votes.abstain(this.#context.units.abstentionMs(longestLeaseMs))
    this.#ledger.extend(this.#ledger.highest)
  }

  // Sessions.

  receive(from: PeerId, asking: Asking): void {
    const client = this.#clients.get(from)
    const place = client.place(asking)
    if (place === 'old' || place === 'doubled') return
    if (place === 'gap') {
      client.close()
      this.#refuse(client, asking, { type: 'reset' })
      return
    }
    if (place === 'opens' && !this.#opens(client, asking)) return
    client.advance(asking.seq, this.#context.now)
    for (const item of asking.items) if (this.#takes(item)) this.#handle(client, item)
    if (client.isPassedOver) this.#votes.attendAllOf(client)
    if (!asking.items.every((item) => this.#takes(item))) {
      const reason = this.#unavailable(this.#disk.state.installed) ?? 'starting'
      this.#refuse(client, asking, { type: 'unavailable', reason })
    }
    if (asking.items.some(wantsAnswer)) {
      client.owesAnswer = true
      this.#context.pending(from)
    }
    this.#votes.tidy()
  }

  /** A voter that does not serve takes back votes, and gives or confirms none. */
  #takes(item: AskingItem): boolean {
    if (this.#votes.isServing || !wantsAnswer(item)) return true
    return item.type === 'confirm' && this.#context.units.sealedConfirms
  }

  #opens(client: Client, asking: Asking): boolean {
    const [first] = asking.items
    const reason = first?.type === 'sync' ? this.#unavailable(first.version) : undefined
    if (first?.type === 'sync' && reason === undefined) {
      client.open(asking.session, this.#context.units.maySend(false))
      return true
    }
    // A requester that has gone on to a later version has nothing to say in this one.
    if (first?.type === 'sync' && first.version > this.#disk.state.installed) client.close()
    this.#refuse(client, asking, reason === undefined ? { type: 'reset' } : { type: 'unavailable', reason })
    return false
  }

  #refuse(client: Client, { session }: Asking, item: AnsweringItem): void {
    client.refuse(session, item)
    this.#context.pending(client.peer)
  }

  #unavailable(version: number): Unavailability | undefined {
    const { installed, sealed, void: isVoid } = this.#disk.state
    if (isVoid !== undefined) return 'void'
    if (installed === 0) return 'not-a-voter'
    if (version !== installed) return version > installed ? 'installing' : 'other-version'
    if (sealed === installed) return 'sealed'
    return this.#votes.isServing ? undefined : 'starting'
  }

  disconnected(peer: PeerId): void {
    this.#clients.find(peer)?.close()
  }

  /** What waits for the peer: why there is no session, or what there is in one. */
  take(peer: PeerId): Answering | undefined {
    const client = this.#clients.find(peer)
    if (client === undefined) return undefined
    const remainingMs = this.#votes.abstainsForMs
    return client.take(remainingMs > 0 ? { type: 'abstaining', remainingMs } : { type: 'queued' })
  }

  /** Adds to what waits for the peer, if it has a session. */
  push(peer: PeerId, item: AnsweringItem): void {
    const client = this.#clients.find(peer)
    if (client?.hasSession !== true) return
    client.push(item)
    this.#context.pending(peer)
  }

  inspect(lock: string | undefined): ArbiterLock[] {
    return this.#votes.inspect(lock)
  }

  // What requesters ask of it.

  #handle(client: Client, item: AskingItem): void {
    switch (item.type) {
      case 'sync':
        this.#petitions.sync(client, item.requests)
        return
      case 'request':
        this.#petitions.request(client, item.request)
        return
      case 'ping':
        for (const petition of client.petitions.values()) client.owe(petition)
        return
      case 'renew':
        this.#renew(client, item)
        return
      case 'renew-each':
        this.#renewEach(client, item)
        return
      case 'confirm':
        this.#confirm(client, item)
        return
      case 'relinquish':
        this.#relinquish(client, item)
        return
      case 'release':
        this.#release(client, item)
        return
      case 'cancel':
        this.#end(client, item.lock, item.request)
        return
    }
  }

  /** What the peer holds, it holds for another lease, if it has not run out. */
  #renew(client: Client, { digest }: Of<'renew'>): void {
    const votes = this.#votes.of(client)
    if (digestOf(votes.map(nameOf)) !== digest) {
      client.push({ type: 'renew-mismatch' })
      return
    }
    for (const vote of votes) vote.deadline = client.heardAt + vote.petition.leaseMs
    client.push({ type: 'renewed', base: client.received, refused: [] })
  }

  #renewEach(client: Client, { votes: names }: Of<'renew-each'>): void {
    const refused = names.filter((name) => {
      const named = this.#votes.named(client, name)
      if (named !== undefined) named.vote.deadline = client.heardAt + named.vote.petition.leaseMs
      return named === undefined
    })
    client.push({ type: 'renewed', base: client.received, refused })
  }

  #confirm(client: Client, item: Of<'confirm'>): void {
    const { vote: name, token } = item
    const named = this.#votes.named(client, name)
    if (named === undefined || !this.#takes(item)) return
    if (token > Math.min(maxToken, reachOf(this.#ledger.highest))) {
      this.#context.misbehaved(client.peer, 'token-too-far')
      return
    }
    if (!this.#ledger.mayUse(token)) {
      if (this.#confirms.length < mutexLimits.requests) this.#confirms.push({ peer: client.peer, item })
      return
    }
    const { docket, vote } = named
    this.#ledger.burn(docket.lock, token)
    vote.level = Math.max(vote.level, token)
    client.push({ type: 'confirmed', vote: name, token })
    this.#context.urgent(client.peer)
  }

  #relinquish(client: Client, { vote: name }: Of<'relinquish'>): void {
    const named = this.#votes.named(client, name)
    if (named === undefined) return
    const { docket, vote } = named
    this.#votes.unvote(docket)
    if (this.#disk.state.sealed === 0) this.#votes.enqueue(docket, vote.petition)
    this.#votes.attend(docket)
  }

  #release(client: Client, { request, lock, token, grants }: Of<'release'>): void {
    const own = grants.find(({ arbiter }) => arbiter === this.#context.self)
    if (own !== undefined && !this.#votes.hasGiven(own.grant))
      this.#context.misbehaved(client.peer, 'not-held')
    if (token <= Math.min(maxToken, reachOf(this.#ledger.highest))) this.#ledger.learn(lock, token)
    else this.#context.misbehaved(client.peer, 'token-too-far')
    const isShort = ({ signed }: (typeof grants)[number]): boolean =>
      signed !== undefined && signed.bytes.length <= mutexLimits.evidenceBytes
    this.#events.evidence(client.peer, grants.filter(isShort))
    this.#end(client, lock, request)
  }

  #end(client: Client, lock: string, request: RequestId): void {
    const docket = this.#votes.find(lock)
    if (docket === undefined || request.peer !== client.peer) return
    const key = keyOf(request)
    const petition = client.petitions.get(key)
    if (petition !== undefined) this.#votes.drop(petition)
    docket.inherited.delete(key)
    if (docket.vote?.petition.key === key) this.#votes.takeBack(docket)
    this.#votes.attend(docket)
  }
}

/** What is not answered at once is acknowledged with whatever goes there next. */
function wantsAnswer({ type }: AskingItem): boolean {
  return type !== 'release' && type !== 'cancel' && type !== 'relinquish'
}
