import type {
  GroupHistory,
  MulticastBounds,
  MulticastEvent,
} from '../../../testnet/checkers/multicast-history.ts'

export const bounds: MulticastBounds = { liars: [], quietAtEnd: true }

export type Published = Extract<MulticastEvent, { type: 'published' }>
export type Delivered = Extract<MulticastEvent, { type: 'delivered' }>
type Vector = Readonly<Record<string, number>>

interface Peer {
  readonly name: string
  readonly life: number
  readonly epoch: number
  readonly had: Map<string, number>
  known: Vector
  lamport: number
  seq: number
  index: number
}

/** A group whose members keep every promise, as far as the test lets them: it writes their history. */
export class Talk {
  readonly events: GroupHistory[number][] = []
  readonly #peers = new Map<string, Peer>()
  readonly #pasts = new Map<string, Vector>()
  #at = 0

  constructor(...peers: readonly string[]) {
    for (const peer of peers) this.enter(peer)
  }

  add(event: GroupHistory[number]): this {
    this.#at = Math.max(this.#at, event.at)
    this.events.push(event)
    return this
  }

  now(): number {
    return ++this.#at
  }

  enter(name: string, baseline: Vector = {}, lamport = 0): this {
    const life = (this.#peers.get(name)?.life ?? 0) + 1
    this.add({ at: this.now(), type: 'started', peer: name, life })
    const had = new Map(Object.entries(baseline))
    this.#peers.set(name, { name, life, epoch: life, had, known: baseline, lamport, seq: 0, index: 0 })
    return this.add({ at: this.now(), type: 'entered', peer: name, life, group: 'all', baseline })
  }

  /** SIGKILL, and a return on the disk. */
  kill(name: string): this {
    return this.add({ at: this.now(), type: 'killed', peer: name })
  }

  return(name: string): this {
    const { known, lamport } = this.#peer(name)
    return this.enter(name, known, lamport)
  }

  /** Publishes, and delivers to itself. */
  publish(name: string, content = `${name} ${this.#at}`): Published {
    const peer = this.#peer(name)
    const dot = { sender: name, epoch: peer.epoch, seq: peer.seq + 1 }
    const vector = { ...peer.known, [`${name}#${peer.epoch}`]: dot.seq }
    const base = { peer: name, life: peer.life, group: 'all', content, lamport: peer.lamport + 1, vector }
    const published: Published = { at: this.now(), type: 'published', ...base, ...dot }
    peer.seq++
    this.#pasts.set(nameOf(published), vector)
    this.add(published)
    this.deliver(name, published)
    return published
  }

  /** With `change` the history says something else than what happened. */
  deliver(name: string, message: Published, change: Partial<Delivered> = {}): Delivered {
    const peer = this.#peer(name)
    const { sender, epoch, seq, content, lamport, vector } = message
    const delivered: Delivered = {
      at: this.now(),
      type: 'delivered',
      peer: name,
      life: peer.life,
      group: 'all',
      ...{ sender, epoch, seq, content, lamport, ...(vector === undefined ? {} : { vector }) },
      index: ++peer.index,
      ...change,
    }
    peer.had.set(`${sender}#${epoch}`, seq)
    peer.known = merge(peer.known, this.#pasts.get(nameOf(message)) ?? {})
    peer.lamport = Math.max(peer.lamport, lamport)
    this.add(delivered)
    return delivered
  }

  deliverAt(names: readonly string[], message: Published): void {
    for (const name of names) this.deliver(name, message)
  }

  tell(name: string, sender: string, epoch: number, from: number, to: number): this {
    const { life } = this.#peer(name)
    const ranges = [{ sender, epoch, from, to }]
    return this.add({ at: this.now(), type: 'truncated', peer: name, life, group: 'all', ranges })
  }

  /** All that happened before it that the peer does not have yet, and whether it has the message itself. */
  deliverable(name: string, message: Published): boolean {
    const { had } = this.#peer(name)
    const own = `${message.sender}#${message.epoch}`
    return Object.entries(message.vector ?? {}).every(([entry, count]) => {
      const has = had.get(entry) ?? 0
      return entry === own ? has === message.seq - 1 : has >= count
    })
  }

  #peer(name: string): Peer {
    const peer = this.#peers.get(name)
    if (peer === undefined) throw new Error(`${name} did not enter`)
    return peer
  }
}

export function nameOf({ sender, epoch, seq }: Published): string {
  return `${sender}#${epoch}:${seq}`
}

function merge(a: Vector, b: Vector): Vector {
  const entries = new Map(Object.entries(a))
  for (const [name, count] of Object.entries(b)) entries.set(name, Math.max(count, entries.get(name) ?? 0))
  return Object.fromEntries(entries)
}

/** All but the last one publish, all deliver, in an order that `draw` (0 ≤ x < 1) chooses; nothing is left over. */
export function randomTalk(peers: number, messages: number, draw: () => number): Talk {
  const names = Array.from({ length: peers }, (_, index) => `p${index}`)
  const talk = new Talk(...names)
  const missing = new Map<string, Published[]>(names.map((name) => [name, []]))
  const one = <Item>(items: readonly Item[]): Item | undefined => items[Math.floor(draw() * items.length)]
  const deliverOne = (name: string): void => {
    const waiting = missing.get(name) ?? []
    const next = one(waiting.filter((message) => talk.deliverable(name, message)))
    if (next === undefined) return
    waiting.splice(waiting.indexOf(next), 1)
    talk.deliver(name, next)
  }
  for (let left = messages; left > 0; ) {
    const name = one(names) ?? 'p0'
    if (draw() < 0.6 || name === names.at(-1)) deliverOne(name)
    else {
      const published = talk.publish(name)
      for (const other of names) if (other !== name) missing.get(other)?.push(published)
      left--
    }
  }
  for (const name of names) while ((missing.get(name)?.length ?? 0) > 0) deliverOne(name)
  return talk
}
