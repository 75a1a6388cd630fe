/**
 * Multicast and broadcast in causal order: what a member of a group publishes
 * reaches every other member once, after everything that happened before it.
 *
 * - Lamport 1978; Birman, Schiper & Stephenson 1991 (CBCAST)
 * - Prakash, Raynal & Singhal 1997 (direct dependencies)
 * - Kleppmann & Howard 2020 (hash graphs)
 *
 * This file wires the groups; each part of one is one idea in its own file:
 *
 *   group           one group at one member
 *   publisher       own messages: what each depends on
 *   causal-order    hold back, check, deliver
 *   hold-back       what waits, within limits
 *   log             what was delivered, and what lies below it
 *   frontier        what the next own message depends on
 *   vectors         exact vector clocks, rebuilt
 *   forks           equivocators, and whose word still counts
 *   repair          pulling what is missing, serving what others miss
 *   inquiries       asking for single headers
 *   anti-entropy    finding out what nobody knows to be missing, and comparison when
 *   tail-news       what heartbeats tell, so that it shows
 *   joining         standing on what was delivered before
 *   catching-up     going on where nobody can serve what comes next
 *   undeliverable   giving up what waits for what does not come
 *   retention       how long the log keeps what was delivered
 *   examiner        the topic validator
 */
import { Agenda } from '../agenda.ts'
import type { Core, Effect, Input, Instant, PeerId } from '../core.ts'
import { Turn } from '../turn.ts'
import { Directory } from './directory.ts'
import { dotOf, groupIdOf, parseEntryKey } from './dots.ts'
import { type DurableGroup, loadGroups } from './durable-state.ts'
import { Examiner } from './examiner.ts'
import { Group } from './group.ts'
import { GroupContext, type MulticastTurn } from './group-context.ts'
import { HeldBudget } from './hold-back.ts'
import type { MulticastInit } from './init.ts'
import { multicastLimits } from './limits.ts'
import type { LogItem } from './log.ts'
import type {
  DotKey,
  EntryKey,
  GroupFigures,
  GroupTail,
  LogMessage,
  MulticastCommand,
  MulticastEvent,
  MulticastPacket,
  MulticastRequest,
  Refusal,
  SignedHeader,
  Verdict,
} from './messages.ts'
import { TailNews } from './tail-news.ts'
import type { Timer } from './timers.ts'
import { type MulticastUnits, standardUnits } from './units.ts'

export type { MulticastInit } from './init.ts'

/** What was counted over all groups since the start. */
export interface MulticastCounts {
  readonly delivered: number
  readonly published: number
  /** Pulls sent, and envelopes served to others. */
  readonly pulled: number
  readonly served: number
  readonly refused: Readonly<Record<Refusal, number>>
}

/** A proof of equivocation, as people want to see it. */
export interface ForkView {
  readonly name: string
  readonly author: PeerId
  readonly epoch: number
  readonly seq: number
  readonly hashes: readonly [string, string]
}

export class Multicast implements Core<MulticastPacket, MulticastCommand, MulticastEvent, MulticastRequest> {
  readonly #init: MulticastInit
  readonly #units: MulticastUnits
  readonly #turn: MulticastTurn = new Turn()
  readonly #agenda = new Agenda<Timer>()
  readonly #directory: Directory
  readonly #examiner: Examiner
  readonly #budget = new HeldBudget()
  readonly #byName = new Map<string, Group>()
  readonly #byId = new Map<string, Group>()
  readonly #denied = new Set<PeerId>()
  readonly #tailNews = new TailNews()
  #epoch = 0
  #settled = false
  /** What the disk held, until the first step: only then it is known what time it is. */
  #stored: readonly DurableGroup[] | undefined
  #published = 0
  /** Of groups that were left, so that what was counted never falls. */
  readonly #former = { delivered: 0, pulled: 0, served: 0 }
  /** Groups left in this epoch after publishing there: its dots are used up. */
  readonly #used = new Set<string>()

  /** Throws `WireError` ERR_STORE_CORRUPT. */
  constructor(init: MulticastInit) {
    this.#init = init
    this.#stored = loadGroups(init.durable, init.crypto.sha256)
    this.#units = { ...standardUnits, ...init.units }
    this.#directory = new Directory(init.self, init.crypto)
    this.#examiner = new Examiner({
      cluster: init.cluster,
      crypto: init.crypto,
      isKnown: (author) => this.#directory.isKnown(author),
      seen: (header) => this.#byId.get(header.header.group)?.order.knows(header) === true,
    })
  }

  get deadline(): number | undefined {
    return this.#agenda.deadline
  }

  get counts(): MulticastCounts {
    const groups = [...this.#byName.values()]
    return {
      delivered: groups.reduce((sum, group) => sum + group.delivered, this.#former.delivered),
      published: this.#published,
      pulled: groups.reduce((sum, group) => sum + group.pulled, this.#former.pulled),
      served: groups.reduce((sum, group) => sum + group.served, this.#former.served),
      refused: this.#examiner.refused,
    }
  }

  /** The topic validator: what gossip is to do with these bytes that came in the group's topic. */
  examine(group: string, bytes: Uint8Array): Verdict {
    return this.#examiner.examine(group, bytes)
  }

  /** What rides on a heartbeat to `to` at that monotonic instant: nothing when it has been told. */
  tailNews(to: PeerId, now: number): readonly GroupTail[] {
    const tails = this.tails(to)
    // Whoever is not connected is told nothing.
    if (tails.length === 0 || !this.#directory.isConnected(to)) return tails
    return this.#tailNews.takes(to, tails, now) ? tails : []
  }

  /** A tail of each group that this member and `to` are both in. */
  tails(to: PeerId): readonly GroupTail[] {
    return this.#directory.groupsOf(to).flatMap((name) => {
      const group = this.#byName.get(name)
      return group?.ready === true ? [group.tail()] : []
    })
  }

  groups(): readonly GroupFigures[] {
    return [...this.#byName.values()].map((group) => group.figures())
  }

  /** Of all that is delivered in the group, by `peerId#epoch`. */
  vector(name: string): ReadonlyMap<string, number> {
    const vector = new Map<string, number>()
    for (const header of this.#byName.get(name)?.order.delivered.values() ?? []) {
      vector.set(`${header.header.author}#${header.header.epoch}`, header.last)
    }
    return vector
  }

  /** Of the delivered message at `index` of the log; undefined when it is no longer there. */
  vectorOf(
    name: string,
    index: number,
  ): { readonly vector: ReadonlyMap<string, number>; readonly exact: boolean } | undefined {
    const log = this.#byName.get(name)?.order.log
    const item = log?.at(index)
    if (log === undefined || item === undefined || index > log.lastIndex) return undefined
    const vector = new Map<string, number>()
    for (const entry of log.entries()) {
      const seq = item.below.get(entry) ?? log.valueAt(entry, item.index)
      if (seq > 0) vector.set(this.#label(entry), seq)
    }
    vector.set(this.#label(item.envelope.entry), item.first + (index - item.index))
    return { vector, exact: item.exact }
  }

  /** Messages of the log after `index`, oldest first, at most `max`. */
  read(name: string, index: number, max: number): readonly LogMessage[] {
    const messages: LogMessage[] = []
    for (const item of this.#byName.get(name)?.order.log.after(index) ?? []) {
      for (const message of messagesOf(item)) {
        if (message.index <= index) continue
        if (messages.length >= max) return messages
        messages.push(message)
      }
    }
    return messages
  }

  /** The oldest index that can still be read, and the newest; 1 and 0 for an empty log. */
  bounds(name: string): { readonly first: number; readonly last: number } {
    const log = this.#byName.get(name)?.order.log
    return { first: log?.firstIndex ?? 1, last: log?.lastIndex ?? 0 }
  }

  /** The maximal delivered dots: what the next own message depends on. */
  frontier(name: string): readonly DotKey[] {
    return this.#byName.get(name)?.order.frontier.dots() ?? []
  }

  /** Who is meant by twelve bytes. */
  peerOf(author: DotKey['author']): PeerId | undefined {
    return this.#directory.peerOf(author)
  }

  /** Others in the group, by their member records, that are neither dead nor departed. */
  membersOf(name: string): readonly PeerId[] {
    return this.#directory.membersOf(name)
  }

  forks(): readonly ForkView[] {
    return [...this.#byName.values()].flatMap((group) =>
      group.order.forks.proofs().map(({ first, second }) => ({
        name: group.name,
        author: first.header.author,
        epoch: first.header.epoch,
        seq: Math.max(first.header.seq, second.header.seq),
        hashes: [first.hash, second.hash] as const,
      })),
    )
  }

  step(
    input: Input<MulticastPacket, MulticastCommand>,
    now: Instant,
  ): readonly Effect<MulticastPacket, MulticastEvent, MulticastRequest>[] {
    this.#turn.begin(now)
    if (this.#stored !== undefined) this.#restore(this.#stored)
    if (input.type === 'wake') this.#wake()
    else if (input.type === 'receive') this.#receive(input.from, input.message)
    else this.#command(input)
    return this.#turn.end()
  }

  // Inputs

  #receive(from: PeerId, { group, body }: MulticastPacket): void {
    // Whoever is heard can be reached, in whatever order events of its connections came.
    if (!this.#directory.isConnected(from)) this.#connected(from)
    this.#byId.get(group)?.receive(from, body)
  }

  #connected(peer: PeerId): void {
    this.#directory.connected(peer)
    this.#tailNews.forget(peer)
    for (const group of this.#groupsWith(peer)) group.reached(peer)
  }

  #command(command: MulticastCommand): void {
    switch (command.type) {
      case 'epoch':
        this.#epoch = command.epoch
        this.#used.clear()
        for (const group of this.#byName.values()) group.epoch(command.epoch)
        break
      case 'settled':
        this.#settled = true
        for (const group of this.#byName.values()) group.settled()
        break
      case 'member':
        for (const name of this.#directory.member(command.peer, command.standing, command.groups)) {
          this.#byName.get(name)?.reached(command.peer)
        }
        break
      case 'connected':
        this.#connected(command.peer)
        break
      case 'disconnected':
        this.#directory.disconnected(command.peer)
        this.#tailNews.forget(command.peer)
        for (const group of this.#byName.values()) group.lost(command.peer)
        break
      case 'subscription':
        this.#byId.get(command.group)?.subscription(command.peer, command.subscribed)
        break
      case 'deny':
        if (command.denied) this.#denied.add(command.peer)
        else this.#denied.delete(command.peer)
        for (const group of this.#byName.values()) group.deny(command.peer, command.denied)
        break
      case 'join':
        this.#join(command.name)
        break
      case 'leave':
        this.#leave(command.name)
        break
      case 'publish':
        this.#publish(command.name, command.payload, command.token)
        break
      case 'gossiped':
        this.#byId.get(command.envelope.header.group)?.gossiped(command.envelope, command.from)
        break
      case 'tails':
        for (const tail of command.tails) this.#byId.get(tail.group)?.tailOf(command.from, tail)
        break
    }
  }

  #wake(): void {
    for (;;) {
      const timer = this.#agenda.takeDue(this.#turn.now)
      if (timer === undefined) return
      this.#byId.get(timer.group)?.fired(timer)
    }
  }

  #groupsWith(peer: PeerId): readonly Group[] {
    return this.#directory.groupsOf(peer).flatMap((name) => this.#byName.get(name) ?? [])
  }

  // Groups

  #restore(stored: readonly DurableGroup[]): void {
    this.#stored = undefined
    for (const durable of stored) this.#add(durable.name).restore(durable)
    if (stored.length > 0) this.#regroup()
  }

  #join(name: string): void {
    if (this.#byName.has(name)) return
    if (this.#byName.size >= multicastLimits.groups) throw new Error('more groups than a peer may be in')
    const group = this.#add(name)
    this.#regroup()
    if (this.#used.has(name)) {
      // What was published here in this epoch is forgotten: to go on in it would use a dot twice.
      group.epoch(0)
      this.#turn.request({ type: 'renew-epoch' })
    }
    group.enter()
    if (this.#settled) group.settled()
  }

  #add(name: string): Group {
    const id = groupIdOf(name, this.#init.crypto.sha256)
    const context = new GroupContext(name, id, this.#init, {
      turn: this.#turn,
      agenda: this.#agenda,
      directory: this.#directory,
      examiner: this.#examiner,
      budget: this.#budget,
    })
    const group = new Group(context, this.#units)
    this.#byName.set(name, group)
    this.#byId.set(id, group)
    for (const peer of this.#denied) group.deny(peer, true)
    group.epoch(this.#epoch)
    this.#turn.request({ type: 'subscribe', group: id })
    return group
  }

  #leave(name: string): void {
    const group = this.#byName.get(name)
    if (group === undefined) return
    if (group.hasPublished) this.#used.add(name)
    this.#former.delivered += group.delivered
    this.#former.pulled += group.pulled
    this.#former.served += group.served
    group.leave()
    this.#byName.delete(name)
    this.#byId.delete(group.id)
    this.#turn.request({ type: 'unsubscribe', group: group.id })
    this.#regroup()
  }

  #regroup(): void {
    this.#turn.request({ type: 'regroup', groups: [...this.#byName.keys()].sort() })
  }

  #publish(name: string, payload: Uint8Array, token: number): void {
    const group = this.#byName.get(name)
    if (group === undefined) {
      this.#turn.emit({ type: 'refused', token, code: 'ERR_GROUP_LEFT' })
      return
    }
    if (payload.length > multicastLimits.payloadBytes) throw new Error('a payload above the limit')
    this.#published += 1
    group.publish(payload, token)
  }

  #label(entry: EntryKey): string {
    const { author, epoch } = parseEntryKey(entry)
    return `${this.#directory.peerOf(author) ?? author}#${epoch}`
  }
}

function* messagesOf(item: LogItem): Iterable<LogMessage> {
  const { envelope, first, index } = item
  const { header } = envelope
  for (let seq = first; seq <= envelope.last; seq++) {
    const at = seq - header.seq
    yield {
      index: index + (seq - first),
      author: header.author,
      epoch: header.epoch,
      seq,
      lamport: header.lamport + at,
      hybrid: header.hybrid,
      payload: envelope.payloads[at] ?? new Uint8Array(),
      envelope,
    }
  }
}

/** The dots that a message follows directly, its predecessor included. */
export function parentsOf(header: SignedHeader): readonly DotKey[] {
  const { dependencies, old, seq } = header.header
  const before: DotKey[] = seq > 1 ? [{ ...dotOf(header), seq: seq - 1 }] : old === undefined ? [] : [old]
  return [...before, ...dependencies]
}
