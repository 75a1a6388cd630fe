import type { Effect } from '../../../lib/protocols/core.ts'
import { dotText } from '../../../lib/protocols/multicast/dots.ts'
import { multicastLimits } from '../../../lib/protocols/multicast/limits.ts'
import type {
  AuthorKey,
  Envelope,
  MulticastEvent,
  MulticastPacket,
} from '../../../lib/protocols/multicast/messages.ts'
import type { MulticastEvent as HistoryEntry } from '../../checkers/multicast-history.ts'
import { hash32 } from '../hash.ts'
import type { GroupHost, Life, SimRequest } from './group-host.ts'

type SimEffect = Effect<MulticastPacket, MulticastEvent, SimRequest>
type Delivered = Extract<MulticastEvent, { type: 'delivered' }>

/** What happened before a message: `peer#epoch` to seq, itself included. Of what honest authors published. */
export type Past = ReadonlyMap<string, number>

/** What all watches share: the whole truth. */
export interface Truth {
  readonly hosts: readonly GroupHost[]
  readonly liars: ReadonlySet<string>
  /** By group and dot. */
  readonly pasts: Map<string, { readonly past: Past; readonly hash: string }>
  /** By peer and group: its last message of each epoch that it was told is published. Who lost its disk owes nothing. */
  readonly promised: Map<string, Map<string, number>>
  /** Hashes of headers that no honest member may ever deliver, and why. */
  readonly forbidden: Map<string, string>
  readonly now: () => number
  /** Into the history of that group. */
  record(group: string, event: HistoryEntry): void
  breach(property: string, message: string): void
}

/** How often a delivered vector is asked for: one of so many deliveries. */
const vectorEvery = 3
const framesPerMember = 150
const windowMs = 1000

/**
 * One stay of a life in a group, seen from outside: what it says that it delivered
 * and published, in its program order, and what must then be true of its core.
 */
export class Witness {
  readonly #truth: Truth
  readonly #life: Life
  readonly #group: string
  /** The number of this stay in the group's history. */
  readonly #stay: number
  readonly #pending: HistoryEntry[][] = []
  /** `peer#epoch` to seq: baseline and what was decided to be delivered. */
  readonly #decided = new Map<string, number>()
  #entered = false
  #left = false
  #next = 0
  /** What is missing in between was reported as lost: maxima are no longer to be told from outside. */
  #truncated = false

  constructor(truth: Truth, life: Life, group: string, stay: number) {
    this.#truth = truth
    this.#life = life
    this.#group = group
    this.#stay = stay
  }

  get entered(): boolean {
    return this.#entered
  }

  get decided(): ReadonlyMap<string, number> {
    return this.#decided
  }

  /** It stands on what it took over; `later`: what it delivered in the same step, after that. */
  ready(index: number, later: readonly Delivered[]): HistoryEntry {
    this.#entered = true
    this.#next = index + 1
    for (const [name, seq] of this.#life.core.vector(this.#group)) this.#decided.set(name, seq)
    for (const { envelope, first } of [...later].reverse()) {
      const name = entryOf(envelope)
      if (first > 1) this.#decided.set(name, first - 1)
      else this.#decided.delete(name)
    }
    return {
      at: this.#truth.now(),
      type: 'entered',
      peer: this.#life.host.peer,
      life: this.#stay,
      group: this.#group,
      baseline: Object.fromEntries(this.#decided),
    }
  }

  /** Decided, not yet told: what to record when it is. */
  delivered(event: Delivered): HistoryEntry[] {
    const { envelope, first, index } = event
    const name = entryOf(envelope)
    const own = envelope.header.author === this.#life.host.peer
    if (!this.#entered) this.#breach('ready-first', `delivers ${name}:${first} before it is ready`)
    if (index !== this.#next)
      this.#breach('contiguous', `${name}:${first} has index ${index}, not ${this.#next}`)
    this.#next = index + envelope.last - first + 1
    const forbidden = this.#truth.forbidden.get(envelope.hash)
    if (forbidden !== undefined)
      this.#breach('never-delivered', `${name}:${first} is delivered: ${forbidden}`)
    const before = this.#decided.get(name) ?? 0
    if (first !== before + 1) this.#breach('next-in-line', `${name}:${first} is delivered after :${before}`)
    this.#decided.set(name, envelope.last)
    const events: HistoryEntry[] = []
    for (let seq = first; seq <= envelope.last; seq++) {
      events.push({ ...this.#message(envelope, seq), type: 'delivered', index: index + seq - first })
    }
    if (own && index % vectorEvery !== 0) return events
    return this.#withVectors(events)
  }

  /** An own message of the present epoch that nobody has seen before. */
  isNews(envelope: Envelope): boolean {
    const { author, epoch } = envelope.header
    if (author !== this.#life.host.peer || epoch !== this.#life.epoch) return false
    const known = this.#truth.pasts.get(this.#dot(envelope, envelope.last))
    if (known === undefined) return true
    if (known.hash !== envelope.hash) {
      this.#breach('one-content', `${entryOf(envelope)}:${envelope.last} has two contents`)
    }
    return false
  }

  /** The moment of decision: from here on it may exist. Called before its own delivery. */
  publishes(envelope: Envelope): HistoryEntry[] {
    const past = new Map(this.#decided)
    past.set(entryOf(envelope), envelope.last)
    const events: HistoryEntry[] = []
    for (let seq = envelope.header.seq; seq <= envelope.last; seq++) {
      this.#truth.pasts.set(this.#dot(envelope, seq), { past, hash: envelope.hash })
      events.push({ ...this.#message(envelope, seq), type: 'published' })
    }
    this.#pending.push(events)
    return events
  }

  /** Its app was told so. */
  promised(envelope: Envelope): void {
    if (this.#left) return
    const key = promiseKey(this.#life.host, this.#group)
    const promises = this.#truth.promised.get(key) ?? new Map<string, number>()
    this.#truth.promised.set(key, promises.set(entryOf(envelope), envelope.last))
  }

  /** In the end: has it kept what it promised in all its lives? */
  keepsPromises(): void {
    for (const [name, seq] of this.#truth.promised.get(promiseKey(this.#life.host, this.#group)) ?? []) {
      if ((this.#decided.get(name) ?? 0) < seq) this.#breach('durable', `own ${name}:${seq} is gone`)
    }
  }

  /** It was let out: others may have it. */
  exposed(events: HistoryEntry[]): void {
    const at = this.#pending.indexOf(events)
    if (at < 0) return
    this.#pending.splice(at, 1)
    this.#record(events)
  }

  truncated(event: Extract<MulticastEvent, { type: 'history-truncated' }>): HistoryEntry {
    this.#truncated = true
    for (const { author, epoch, to } of event.ranges) {
      const name = `${author}#${epoch}`
      this.#decided.set(name, Math.max(to, this.#decided.get(name) ?? 0))
    }
    const ranges = event.ranges.map(({ author, ...range }) => ({ sender: author, ...range }))
    return { ...this.#stamp(), type: 'truncated', ranges }
  }

  equivocation(event: Extract<MulticastEvent, { type: 'equivocation' }>): HistoryEntry {
    const { author, epoch, seq, hashes } = event
    if (!this.#truth.liars.has(author)) {
      this.#breach('honest-author', `${author}#${epoch}:${seq} is called an equivocation`)
    }
    return { ...this.#stamp(), type: 'equivocation', sender: author, epoch, seq, hashes }
  }

  /** Its app left the group: what it published there is the others' now. */
  left(): void {
    this.#left = true
    this.#truth.promised.delete(promiseKey(this.#life.host, this.#group))
    this.ended()
  }

  /** Told to whoever listens, now. */
  record(event: HistoryEntry): void {
    this.#record([event])
  }

  /** The process ended: what it had decided to publish may be on its disk, and may turn up. */
  ended(): void {
    for (const events of this.#pending) this.#record(events)
    this.#pending.length = 0
  }

  /** Between steps: is the frontier what is maximal, and are the limits kept? */
  compare(): void {
    if (!this.#entered || !this.#life.process.alive) return
    const figures = this.#life.core.groups().find(({ name }) => name === this.#group)
    if (figures !== undefined && figures.heldBytes > multicastLimits.heldBytes) {
      this.#breach('bounded-memory', `${figures.heldBytes} bytes are held back`)
    }
    const expected = this.#maxima()
    if (expected === undefined) return
    const actual = this.#life.core.frontier(this.#group).map(dotText).sort()
    if (actual.join() === expected.join()) return
    const text = `the frontier is ${actual.join(' ')}, maximal are ${expected.join(' ')}`
    this.#breach('frontier', this.#readable(text))
  }

  /** The last of each entry that happened before none other's last; undefined where that cannot be told. */
  #maxima(): string[] | undefined {
    if (this.#truncated) return undefined
    const lasts: { name: string; seq: number; past: Past }[] = []
    for (const [name, seq] of this.#decided) {
      const known = this.#truth.pasts.get(`${this.#group} ${name}:${seq}`)
      if (known === undefined) return undefined
      lasts.push({ name, seq, past: known.past })
    }
    const maximal = lasts.filter(({ name, seq }) =>
      lasts.every((other) => other.name === name || (other.past.get(name) ?? 0) < seq),
    )
    return maximal.map(({ name, seq }) => this.#keyed(name, seq)).sort()
  }

  #withVectors(events: HistoryEntry[]): HistoryEntry[] {
    return events.map((event) => {
      if (event.type !== 'delivered' || event.index % vectorEvery !== 0) return event
      const told = this.#life.core.vectorOf(this.#group, event.index)
      if (told === undefined) return event
      return { ...event, vector: Object.fromEntries(told.vector), vectorExact: told.exact }
    })
  }

  #message(envelope: Envelope, seq: number) {
    const { author, epoch, lamport, seq: first } = envelope.header
    const payload = envelope.payloads[seq - first] ?? new Uint8Array(0)
    return {
      ...this.#stamp(),
      sender: author,
      epoch,
      seq,
      lamport: lamport + seq - first,
      content: `${hash32(payload)}.${payload.length}`,
    }
  }

  #stamp() {
    return {
      at: this.#truth.now(),
      peer: this.#life.host.peer,
      life: this.#stay,
      group: this.#group,
    }
  }

  #record(events: readonly HistoryEntry[]): void {
    const at = this.#truth.now()
    for (const event of events) this.#truth.record(this.#group, { ...event, at })
  }

  #dot(envelope: Envelope, seq: number): string {
    return `${this.#group} ${entryOf(envelope)}:${seq}`
  }

  #keyed(name: string, seq: number): string {
    const [peer, epoch] = name.split('#')
    const author = this.#truth.hosts.find((host) => host.peer === peer)?.key ?? ('' as AuthorKey)
    return dotText({ author, epoch: Number(epoch), seq })
  }

  #readable(text: string): string {
    return this.#truth.hosts.reduce((named, host) => named.replaceAll(host.key, host.name), text)
  }

  #breach(property: string, message: string): void {
    this.#truth.breach(property, `${this.#life.host.name} in ${this.#group}: ${message}`)
  }
}

/** Counts what a process sends: neither lies nor faults may make that boundless. */
export class TrafficWatch {
  #from = 0
  #frames = 0
  #wasBusy = false

  /** True when it has sent too much for two seconds. */
  counts(now: number, members: number): boolean {
    const limit = framesPerMember * members
    const sinceMs = now - this.#from
    if (sinceMs >= windowMs) {
      this.#wasBusy = sinceMs < 2 * windowMs && this.#frames >= limit
      this.#from = now
      this.#frames = 0
    }
    this.#frames++
    return this.#frames === limit && this.#wasBusy
  }
}

/** Puts marks where publications become visible; see `Witness`. */
export function withMarks(
  effects: readonly SimEffect[],
  publications: readonly { readonly before: number; readonly passed: () => void }[],
): SimEffect[] {
  const marked: SimEffect[] = []
  for (const [i, effect] of effects.entries()) {
    for (const { before, passed } of publications) if (before === i) marked.push({ type: 'mark', passed })
    marked.push(effect)
  }
  return marked
}

export function promiseKey({ peer }: GroupHost, group: string): string {
  return `${peer} ${group}`
}

export function entryOf({ header }: Pick<Envelope, 'header'>): string {
  return `${header.author}#${header.epoch}`
}
