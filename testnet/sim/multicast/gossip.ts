import type { PeerId } from '../../../lib/protocols/core.ts'
import { hash32 } from '../hash.ts'
import type { Links } from '../links.ts'
import type { Random } from '../random.ts'
import type { World } from '../world.ts'
import type { GroupHost, Life } from './group-host.ts'
import type { GossipOptions } from './options.ts'

export interface GossipInit {
  readonly world: World
  readonly links: Links
  readonly options: GossipOptions
  readonly hosts: readonly GroupHost[]
  /** What a message id over the header alone would cover. */
  readonly headerOf: (bytes: Uint8Array) => Uint8Array
  /** An honest publication is about to leave: who lies in wait may be faster. */
  readonly overheard: (from: Life, group: string, bytes: Uint8Array) => void
  /** A copy was dropped as seen although the same bytes were never examined. */
  readonly hidden: (at: Life, group: string) => void
}

/** Published bytes that a replay may bring back. */
const memory = 64
const retryMs = 300
const detourMs = 150

/**
 * A publish-subscribe medium as gossipsub is one: best effort, by several routes,
 * late, doubled, out of order; nothing is passed on that its validator did not
 * accept; what was seen is dropped for as long as it is remembered.
 */
export class Gossip {
  readonly #init: GossipInit
  readonly #random: Random
  readonly #history: { readonly group: string; readonly bytes: Uint8Array }[] = []

  constructor(init: GossipInit) {
    this.#init = init
    this.#random = init.world.random.stream('gossip')
  }

  subscribe(life: Life, group: string): void {
    life.station.topics.add(group)
    for (const other of this.#others(life)) this.#notice(other, life, group)
  }

  unsubscribe(life: Life, group: string): void {
    life.station.topics.delete(group)
    for (const other of this.#others(life)) this.#notice(other, life, group)
  }

  /** A process begins: it learns what the others subscribe to. */
  arrived(life: Life): void {
    for (const other of this.#others(life)) {
      for (const group of other.station.topics) this.#notice(life, other, group)
    }
  }

  /** It ended: its subscriptions disappear. */
  gone(life: Life): void {
    for (const other of this.#others(life)) {
      for (const group of life.station.topics) this.#notice(other, life, group)
    }
  }

  publish(life: Life, group: string, bytes: Uint8Array): void {
    this.#remember(life, group, bytes)
    if (life.host.lie === undefined) {
      if (this.#history.length < memory) this.#history.push({ group, bytes })
      else this.#history[this.#random.whole(0, memory - 1)] = { group, bytes }
      this.#init.overheard(life, group, bytes)
    }
    const targets = this.#random.shuffled(this.#subscribers(life, group)).slice(0, this.#init.options.mesh)
    for (const to of targets) this.#hop(life, to, group, bytes)
  }

  /** Straight to one, by whatever way. */
  inject(from: Life, to: Life, group: string, bytes: Uint8Array, delayMs: number): void {
    this.#arriveAfter(from, to, group, bytes, delayMs)
  }

  /** Something old turns up again at somebody. */
  replay(from: Life): void {
    if (this.#history.length === 0) return
    const { group, bytes } = this.#random.pick(this.#history)
    for (const to of this.#random.shuffled(this.#others(from)).slice(0, 2)) {
      this.#arriveAfter(from, to, group, bytes, 1)
    }
  }

  /** Whom a peer takes for subscribed, and is. */
  #subscribers(life: Life, group: string): Life[] {
    return this.#others(life).filter((other) => life.station.sees.has(subscription(other.host.peer, group)))
  }

  #others(life: Life): Life[] {
    return this.#init.hosts.flatMap(({ present }) =>
      present !== undefined && present !== life && present.process.alive ? [present] : [],
    )
  }

  #notice(observer: Life, subject: Life, group: string): void {
    const { world, links, options } = this.#init
    world.after(this.#random.between(0, options.noticeMs), () => {
      if (!observer.process.alive) return
      if (subject.process.alive && links.isCut(subject.index, observer.index)) {
        world.after(retryMs, () => this.#notice(observer, subject, group))
        return
      }
      // Another life of the peer speaks for itself.
      const { present } = subject.host
      const subscribed = present?.process.alive === true && present.station.topics.has(group)
      const key = subscription(subject.host.peer, group)
      if (subscribed === observer.station.sees.has(key)) return
      if (subscribed) observer.station.sees.add(key)
      else observer.station.sees.delete(key)
      observer.process.command({ type: 'subscription', peer: subject.host.peer, group, subscribed })
    })
  }

  #hop(from: Life, to: Life, group: string, bytes: Uint8Array): void {
    const { options } = this.#init
    const copies = this.#random.chance(options.duplication) ? 2 : 1
    for (let i = 0; i < copies; i++) {
      if (this.#random.chance(options.loss)) continue
      const detour = this.#random.chance(options.reordering) ? this.#random.between(0, detourMs) : 0
      const delayMs = this.#random.between(options.delayMinMs, options.delayMaxMs) + detour
      this.#arriveAfter(from, to, group, bytes, delayMs)
    }
  }

  #arriveAfter(from: Life, to: Life, group: string, bytes: Uint8Array, delayMs: number): void {
    this.#init.world.after(delayMs, () => {
      if (this.#init.links.isCut(from.index, to.index)) return
      to.process.schedule(() => this.#arrive(from, to, group, bytes))
    })
  }

  #arrive(from: Life, to: Life, group: string, bytes: Uint8Array): void {
    const { station } = to
    if (!station.topics.has(group)) return
    if (!this.#remember(to, group, bytes)) return
    const verdict = to.core.examine(group, bytes)
    this.#init.world.trace.step(this.#init.world.now, to.index, hash32(bytes), verdict.type.length)
    if (verdict.type !== 'accept') {
      if (verdict.type === 'ignore' && verdict.author !== undefined) to.unknownAuthor(verdict.author)
      return
    }
    to.process.command({ type: 'gossiped', from: from.host.peer, envelope: verdict.envelope })
    const others = this.#subscribers(to, group).filter((other) => other !== from)
    const chosen = this.#random.shuffled(others).slice(0, this.#init.options.forwards)
    for (const next of chosen) this.#hop(to, next, group, bytes)
  }

  /** False when it was seen: dropped unread. */
  #remember(life: Life, group: string, bytes: Uint8Array): boolean {
    const { world, options, headerOf, hidden } = this.#init
    const { station } = life
    const whole = fingerprint(group, bytes)
    const id = options.messageId === 'data' ? whole : fingerprint(group, headerOf(bytes))
    if ((station.seen.get(id) ?? 0) > world.now) {
      if (!station.examined.has(whole)) hidden(life, group)
      return false
    }
    station.seen.set(id, world.now + options.seenMs)
    station.examined.add(whole)
    return true
  }
}

function subscription(peer: PeerId, group: string): string {
  return `${peer} ${group}`
}

function fingerprint(group: string, bytes: Uint8Array): string {
  return `${group} ${hash32(bytes)} ${hash32(bytes, 0x9e3779b9)}`
}

/** The bytes of an encoded message's first field: an envelope's header. */
export function firstField(bytes: Uint8Array): Uint8Array {
  let length = 0
  let at = 1
  for (let shift = 0; at < bytes.length; shift += 7) {
    const byte = bytes[at++] as number
    length |= (byte & 0x7f) << shift
    if (byte < 0x80) break
  }
  return bytes.subarray(at, at + length)
}
