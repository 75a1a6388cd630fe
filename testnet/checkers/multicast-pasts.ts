/**
 * Happened-before, as the history itself shows it: each message with all that its
 * author knew when it published, directly and through others. Nothing that a
 * daemon claims (vector, Lamport time) enters it, but for what it had delivered.
 *
 * Each life is walked in its program order. Where it delivers a message whose
 * past is not known yet, it waits for the life that published that. Who still
 * waits at the end knew of something before it existed. Time is O(deliveries ×
 * entries), memory O(messages × entries); an entry is a sender and epoch.
 */
import type { Entry, GroupLog, Life, Message } from './multicast-groups.ts'
import type { MulticastEvent } from './multicast-history.ts'

export interface Past {
  /** How many of each entry, the message itself included. */
  readonly counts: Int32Array
  /** The highest Lamport time before it. */
  readonly lamport: number
  /** False: more may have happened before it than the history shows. */
  readonly exact: boolean
  /** The same of its author's deliveries alone, which is all that Lamport time goes by. */
  readonly lamportExact: boolean
}

export interface Pasts {
  of(message: Message): Past
  /** What the life began with: its baseline, and what an epoch in it implies of older ones. */
  base(life: Life): Int32Array
  /** The same with all that happened before that, which a closed baseline holds. */
  closure(life: Life): Int32Array
  /** All that happened before anything that the life has delivered or published, that included. */
  known(life: Life): Int32Array
  /**
   * How many of `older` the other epochs of that sender imply that `counts` has
   * messages of: what their first messages had before them. A vector may leave
   * out as many.
   */
  implied(counts: Int32Array, older: Entry): number
  /** Messages that are in their own past. */
  readonly cycles: readonly { readonly at: number; readonly message: Message }[]
}

interface Walk {
  readonly life: Life
  position: number
  readonly knows: Int32Array
  base: Int32Array
  closure: Int32Array
  lamport: number
  exact: boolean
  lamportExact: boolean
  /** It has delivered what a proven liar wrote. */
  sawFork: boolean
}

export function readPasts(group: GroupLog, liars: ReadonlySet<string>): Pasts {
  const reader = new PastReader(group, liars)
  reader.run()
  return reader
}

class PastReader implements Pasts {
  readonly cycles: { at: number; message: Message }[] = []
  readonly #group: GroupLog
  readonly #width: number
  readonly #liars: ReadonlySet<string>
  /** Liars whom somebody has a proof against. */
  readonly #forked: ReadonlySet<string>
  readonly #pasts: (Past | undefined)[]
  readonly #walks = new Map<Life, Walk>()
  readonly #ready: Walk[] = []
  readonly #waiting = new Map<Message, Walk[]>()
  readonly #bySender = new Map<string, Entry[]>()
  /** What a life published without having been seen to deliver it, by where it did. */
  readonly #unseen = new Map<MulticastEvent, Message>()

  constructor(group: GroupLog, liars: ReadonlySet<string>) {
    this.#group = group
    this.#width = group.entries.length
    this.#liars = liars
    const proven = group.events.flatMap((event) => (event.type === 'equivocation' ? [event.sender] : []))
    this.#forked = new Set(proven.filter((sender) => liars.has(sender)))
    this.#pasts = new Array(group.messages.length)
    for (const entry of group.entries) {
      this.#bySender.set(entry.sender, [...(this.#bySender.get(entry.sender) ?? []), entry])
    }
    for (const message of group.messages) {
      const { publication } = message
      // Nobody can say what a liar knew.
      if (publication === undefined || liars.has(message.entry.sender)) this.#settle(message, unknownPast)
      else if (!publication.delivered) this.#unseen.set(publication.event, message)
    }
    for (const life of group.lives) {
      const zero = (): Int32Array => new Int32Array(this.#width)
      const walk: Walk = {
        life,
        position: 0,
        knows: zero(),
        base: zero(),
        closure: zero(),
        lamport: 0,
        exact: true,
        lamportExact: true,
        sawFork: false,
      }
      this.#walks.set(life, walk)
      if (!liars.has(life.peer)) this.#ready.push(walk)
    }
  }

  of(message: Message): Past {
    return this.#pasts[message.id] ?? this.#settle(message, unknownPast)
  }

  base(life: Life): Int32Array {
    return this.#walkOf(life).base
  }

  closure(life: Life): Int32Array {
    return this.#walkOf(life).closure
  }

  known(life: Life): Int32Array {
    return this.#walkOf(life).knows
  }

  run(): void {
    for (;;) {
      for (let walk = this.#ready.pop(); walk !== undefined; walk = this.#ready.pop()) this.#advance(walk)
      if (this.#waiting.size === 0) return
      this.#breakCycle()
    }
  }

  #walkOf(life: Life): Walk {
    const walk = this.#walks.get(life)
    if (walk === undefined) throw new Error(`${life.peer} has no life ${life.number} in ${this.#group.name}`)
    return walk
  }

  #advance(walk: Walk): void {
    const { events } = walk.life
    for (let event = events[walk.position]; event !== undefined; event = events[walk.position]) {
      const missing = this.#step(walk, event)
      if (missing !== undefined) {
        this.#waiting.set(missing, [...(this.#waiting.get(missing) ?? []), walk])
        return
      }
      walk.position++
    }
  }

  /** Gives the message whose past must be known first, if one must. */
  #step(walk: Walk, event: MulticastEvent): Message | undefined {
    switch (event.type) {
      case 'entered':
        return this.#enter(walk, event.baseline)
      case 'delivered': {
        const message = walk.life.messages[walk.position]
        if (message === undefined) return undefined
        const own = message.publication?.life === walk.life
        if (own && this.#pasts[message.id] === undefined) return this.#publish(walk, message, true)
        const past = this.#pasts[message.id]
        if (past === undefined) return message
        this.#learn(walk, message, past, this.#told(walk, message, event.lamport))
        return undefined
      }
      case 'published':
      case 'attempted': {
        const message = this.#unseen.get(event)
        return message && this.#pasts[message.id] === undefined
          ? this.#publish(walk, message, false)
          : undefined
      }
      case 'truncated':
        return this.#skip(walk, event.ranges)
      case 'equivocation':
        return undefined
      default:
        return event satisfies never
    }
  }

  /**
   * Of a dot with two contents each member has one, and who names it may mean the
   * other. So it and all that it names may be superseded by messages whose authors
   * never saw any of them, and their times bound nobody's.
   */
  #told(walk: Walk, { entry }: Message, lamport: number): number {
    if (!this.#forked.has(entry.sender)) return lamport
    walk.sawFork = true
    walk.lamportExact = false
    return 0
  }

  #enter(walk: Walk, baseline: Readonly<Record<string, number>>): Message | undefined {
    const last: Message[] = []
    for (const [name, count] of Object.entries(baseline)) {
      const message = this.#group.entry(name)?.messages.get(count)
      if (message === undefined) {
        if (count > 0) {
          walk.exact = false
          walk.lamportExact = false
        }
        continue
      }
      if (this.#pasts[message.id] === undefined) return message
      last.push(message)
    }
    for (const [name, count] of Object.entries(baseline)) {
      const entry = this.#group.entry(name)
      if (entry !== undefined) walk.base[entry.index] = count
    }
    this.#addImplied(walk.base)
    raise(walk.knows, walk.base)
    for (const message of last) {
      this.#learn(walk, message, this.of(message), this.#told(walk, message, message.lamport))
      // Which of two contents it took over is not known.
      if (this.#liars.has(message.entry.sender)) walk.lamportExact = false
    }
    walk.closure = walk.knows.slice()
    return undefined
  }

  /** What it was told to be lost it stands on from now on, as on a baseline: what it publishes comes after that. */
  #skip(walk: Walk, ranges: Extract<MulticastEvent, { type: 'truncated' }>['ranges']): Message | undefined {
    const last: Message[] = []
    for (const { sender, epoch, to } of ranges) {
      const message = this.#group.entry(`${sender}#${epoch}`)?.messages.get(to)
      if (message === undefined) {
        walk.exact = false
        walk.lamportExact = false
        continue
      }
      if (this.#pasts[message.id] === undefined) return message
      last.push(message)
    }
    for (const message of last) {
      this.#learn(walk, message, this.of(message), this.#told(walk, message, message.lamport))
      if (this.#liars.has(message.entry.sender)) walk.lamportExact = false
    }
    return undefined
  }

  implied(counts: Int32Array, older: Entry): number {
    let most = 0
    for (const entry of this.#bySender.get(older.sender) ?? []) {
      if (entry === older || (counts[entry.index] ?? 0) === 0) continue
      const first = entry.messages.get(1)
      const past = first && this.#pasts[first.id]
      most = Math.max(most, past?.counts[older.index] ?? 0)
    }
    return most
  }

  #addImplied(base: Int32Array): void {
    for (const entry of this.#group.entries) {
      const count = this.implied(base, entry)
      if (count > (base[entry.index] ?? 0)) base[entry.index] = count
    }
  }

  /**
   * A message that its author was not seen to deliver stands where it was asked
   * for. Of two that were asked for at once the later may have become the earlier,
   * so that it adds nothing to what its author knew.
   */
  #publish(walk: Walk, message: Message, seenToDeliver: boolean): undefined {
    const { knows } = walk
    const lamport = walk.sawFork ? 0 : walk.lamport
    const exact = walk.exact && seenToDeliver
    const lamportExact = walk.lamportExact && seenToDeliver
    this.#settle(message, { counts: knows.slice(), lamport, exact, lamportExact })
    if (seenToDeliver) this.#note(walk, message, message.lamport)
  }

  /** `lamport`: as it was delivered there; of a liar's message another one may be known elsewhere. */
  #learn(walk: Walk, message: Message, past: Past, lamport: number): void {
    raise(walk.knows, past.counts)
    this.#note(walk, message, lamport)
    walk.exact &&= past.exact
  }

  #note(walk: Walk, { entry, seq }: Message, lamport: number): void {
    if (seq > (walk.knows[entry.index] ?? 0)) walk.knows[entry.index] = seq
    if (lamport > walk.lamport) walk.lamport = lamport
  }

  #settle(message: Message, past: Past): Past {
    const { entry, seq } = message
    const counts = past.counts.length === 0 ? new Int32Array(this.#width) : past.counts
    counts[entry.index] = Math.max(seq, counts[entry.index] ?? 0)
    const settled = { ...past, counts }
    this.#pasts[message.id] = settled
    this.#ready.push(...(this.#waiting.get(message) ?? []))
    this.#waiting.delete(message)
    return settled
  }

  /** Lets the one who waits for the longest go on. */
  #breakCycle(): void {
    let earliest: { at: number; message: Message } | undefined
    for (const [message, walks] of this.#waiting) {
      for (const { life, position } of walks) {
        const at = life.events[position]?.at ?? 0
        if (earliest === undefined || at < earliest.at) earliest = { at, message }
      }
    }
    if (earliest === undefined) return
    this.cycles.push(earliest)
    this.#settle(earliest.message, unknownPast)
  }
}

const unknownPast: Past = { counts: new Int32Array(0), lamport: 0, exact: false, lamportExact: false }

function raise(counts: Int32Array, by: Int32Array): void {
  for (let index = 0; index < counts.length; index++) {
    const count = by[index] ?? 0
    if (count > (counts[index] ?? 0)) counts[index] = count
  }
}
