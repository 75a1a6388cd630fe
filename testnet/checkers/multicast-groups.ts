/**
 * One group's part of a history, in the order in which it is judged: the lives
 * that were in it with what each of them did, and the messages by their dots.
 */
import type { DotName, GroupHistory, MulticastEvent } from './multicast-history.ts'

/** One sender's messages of one life: a column of every vector. */
export interface Entry {
  readonly index: number
  readonly sender: string
  readonly epoch: number
  readonly name: string
  readonly messages: Map<number, Message>
}

export interface Message {
  readonly id: number
  readonly entry: Entry
  readonly seq: number
  readonly name: string
  /** As its author said, else as it was first delivered. */
  readonly content: string
  readonly lamport: number
  readonly publication: Publication | undefined
}

export interface Publication {
  readonly at: number
  readonly event: MulticastEvent
  readonly life: Life
  /** False: the author ended before it said so. */
  readonly answered: boolean
  /** Its author delivered it to itself in that same life. */
  readonly delivered: boolean
}

/** What one life of a peer did in the group, in its program order. */
export interface Life {
  readonly peer: string
  readonly number: number
  readonly events: MulticastEvent[]
  /** At the place of each publication and delivery its message: looked up once, not by every checker. */
  readonly messages: (Message | undefined)[]
  readonly entered: Extract<MulticastEvent, { type: 'entered' }> | undefined
  /** The one before it in this group. */
  readonly previous: Life | undefined
  /** When and how it ended, if it did. */
  readonly end: { readonly at: number; readonly how: 'killed' | 'stopped' | 'left' } | undefined
  /** Started on a disk that was wiped or restored from a backup. */
  readonly forgetful: boolean
  /** Runs, not frozen, when the history ends. */
  readonly up: boolean
}

export interface GroupLog {
  readonly name: string
  readonly events: readonly MulticastEvent[]
  readonly lives: readonly Life[]
  readonly entries: readonly Entry[]
  readonly messages: readonly Message[]
  /** The column of `sender#epoch`, if any event but a vector names it. */
  entry(name: string): Entry | undefined
  /** What was published in vain, or perhaps not: by author and content. */
  attempts(sender: string, content: string): number
  /** When the last event of the whole history was. */
  readonly endedAt: number
}

type Mutable<Value> = { -readonly [Key in keyof Value]: Value[Key] }

/** Every group that the history names, in the order of their first event. Linear in the events. */
export function readGroups(history: GroupHistory): readonly GroupLog[] {
  const groups = new Map<string, Reader>()
  const fates = new Fates()
  for (const event of history) {
    if (!('group' in event)) {
      fates.apply(event)
      continue
    }
    const reader = groups.get(event.group) ?? new Reader(event.group, fates)
    groups.set(event.group, reader)
    reader.read(event)
  }
  const endedAt = history.at(-1)?.at ?? 0
  return [...groups.values()].map((reader) => reader.finish(endedAt))
}

type ClusterEvent = Exclude<GroupHistory[number], MulticastEvent>
type Fate = Mutable<Pick<Life, 'end' | 'forgetful'>>

/** What became of each peer's lives. */
class Fates {
  readonly #fates = new Map<string, Fate>()
  readonly #latest = new Map<string, number>()
  readonly #paused = new Set<string>()

  apply(event: ClusterEvent): void {
    switch (event.type) {
      case 'started':
        this.fate(event.peer, event.life).forgetful = event.forgetful === true
        this.#paused.delete(event.peer)
        break
      case 'killed':
      case 'stopped':
      case 'left': {
        const latest = this.#latest.get(event.peer)
        if (latest !== undefined) this.fate(event.peer, latest).end ??= { at: event.at, how: event.type }
        break
      }
      case 'paused':
        this.#paused.add(event.peer)
        break
      case 'resumed':
        this.#paused.delete(event.peer)
        break
      case 'ready':
      case 'cut':
      case 'degraded':
      case 'healed':
      case 'view':
      case 'formed':
      case 'dismissed':
      case 'end':
        break
      default:
        event satisfies never
    }
  }

  fate(peer: string, life: number): Fate {
    const key = `${peer}\n${life}`
    const fate = this.#fates.get(key) ?? { end: undefined, forgetful: false }
    this.#fates.set(key, fate)
    this.#latest.set(peer, Math.max(life, this.#latest.get(peer) ?? life))
    return fate
  }

  up(peer: string, life: number): boolean {
    const latest = this.#latest.get(peer) === life
    return latest && this.fate(peer, life).end === undefined && !this.#paused.has(peer)
  }
}

class Reader {
  readonly #name: string
  readonly #fates: Fates
  readonly #events: MulticastEvent[] = []
  readonly #lives = new Map<string, Map<number, Mutable<Life>>>()
  readonly #entries: Entry[] = []
  readonly #columns = new Map<string, Map<number, Entry>>()
  readonly #names = new Map<string, Entry>()
  readonly #messages: Mutable<Message>[] = []
  readonly #attempts = new Map<string, { at: number; event: MulticastEvent; life: Life }[]>()

  constructor(name: string, fates: Fates) {
    this.#name = name
    this.#fates = fates
  }

  read(event: MulticastEvent): void {
    this.#events.push(event)
    const life = this.#life(event.peer, event.life)
    life.messages[life.events.length] =
      event.type === 'published' || event.type === 'delivered' ? this.#message(event, event) : undefined
    life.events.push(event)
    switch (event.type) {
      case 'entered':
        life.entered ??= event
        for (const name of Object.keys(event.baseline)) this.#named(name)
        break
      case 'published':
        this.#publish(event, life)
        break
      case 'attempted': {
        const key = attemptKey(event.peer, event.content)
        this.#attempts.set(key, [...(this.#attempts.get(key) ?? []), { at: event.at, event, life }])
        break
      }
      case 'delivered':
        break
      case 'truncated':
        for (const { sender, epoch } of event.ranges) this.#entry(sender, epoch)
        break
      case 'equivocation':
        this.#entry(event.sender, event.epoch)
        break
      default:
        event satisfies never
    }
  }

  finish(endedAt: number): GroupLog {
    for (const message of this.#messages) {
      const [attempt] = this.#attempts.get(attemptKey(message.entry.sender, message.content)) ?? []
      if (attempt !== undefined) {
        message.publication ??= { ...attempt, answered: false, delivered: false }
      }
    }
    const lives = [...this.#lives.values()].flatMap((ofPeer) => [...ofPeer.values()])
    for (const life of lives) {
      this.#markOwn(life)
      const { end, forgetful } = this.#fates.fate(life.peer, life.number)
      Object.assign(life, { end, forgetful, up: this.#fates.up(life.peer, life.number) })
    }
    return {
      name: this.#name,
      events: this.#events,
      lives,
      entries: this.#entries,
      messages: this.#messages,
      entry: (name) => this.#names.get(name),
      attempts: (sender, content) => this.#attempts.get(attemptKey(sender, content))?.length ?? 0,
      endedAt,
    }
  }

  #publish(event: Extract<MulticastEvent, { type: 'published' }>, life: Life): void {
    const message = this.#message(event, event)
    if (message.publication === undefined) {
      const { at, content, lamport } = event
      Object.assign(message, { content, lamport })
      message.publication = { at, event, life, answered: true, delivered: false }
    }
  }

  #markOwn(life: Life): void {
    for (const event of life.events) {
      if (event.type !== 'delivered' || event.sender !== life.peer) continue
      const message = this.#message(event, event)
      if (message.publication?.life === life)
        message.publication = { ...message.publication, delivered: true }
    }
  }

  #life(peer: string, number: number): Mutable<Life> {
    const ofPeer = this.#lives.get(peer) ?? new Map<number, Mutable<Life>>()
    this.#lives.set(peer, ofPeer)
    const known = ofPeer.get(number)
    if (known !== undefined) return known
    this.#fates.fate(peer, number)
    const life: Mutable<Life> = {
      peer,
      number,
      events: [],
      messages: [],
      entered: undefined,
      previous: [...ofPeer.values()].at(-1),
      end: undefined,
      forgetful: false,
      up: false,
    }
    ofPeer.set(number, life)
    return life
  }

  #entry(sender: string, epoch: number): Entry {
    const columns = this.#columns.get(sender) ?? new Map<number, Entry>()
    this.#columns.set(sender, columns)
    const known = columns.get(epoch)
    if (known !== undefined) return known
    const name = `${sender}#${epoch}`
    const entry: Entry = { index: this.#entries.length, sender, epoch, name, messages: new Map() }
    columns.set(epoch, entry)
    this.#names.set(name, entry)
    this.#entries.push(entry)
    return entry
  }

  #named(name: string): void {
    if (this.#names.has(name)) return
    const hash = name.lastIndexOf('#')
    this.#entry(name.slice(0, hash), Number(name.slice(hash + 1)))
  }

  #message(dot: DotName, said: { readonly content: string; readonly lamport: number }): Mutable<Message> {
    const entry = this.#entry(dot.sender, dot.epoch)
    const known = entry.messages.get(dot.seq)
    if (known !== undefined) return known
    const message: Mutable<Message> = {
      id: this.#messages.length,
      entry,
      seq: dot.seq,
      name: `${entry.name}:${dot.seq}`,
      content: said.content,
      lamport: said.lamport,
      publication: undefined,
    }
    entry.messages.set(dot.seq, message)
    this.#messages.push(message)
    return message
  }
}

function attemptKey(sender: string, content: string): string {
  return `${sender}\n${content}`
}
