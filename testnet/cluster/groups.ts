/** What is said in the groups of a cluster: who reads, who publishes, and who still lacks something. */
import type { ControlClient } from '../../daemon/client/client.ts'
import { type Delivery, type Gap, GroupReader } from './group-reader.ts'
import type { Recorder } from './recorder.ts'

/** A daemon that takes part, as the cluster knows it. */
export interface Participant {
  readonly name: string
  readonly lives: number
  readonly generation: number
  readonly client: ControlClient
}

/** Of each group how many messages of each `peerId#epoch`. */
export type Held = ReadonlyMap<string, ReadonlyMap<string, number>>

type Published = Awaited<ReturnType<ControlClient['publish']>>

export class Groups {
  readonly #recorder: Recorder
  /** Of each peer and group the reader of its latest life. */
  readonly #readers = new Map<string, GroupReader>()
  readonly #listeners = new Set<(delivery: Delivery) => void>()
  readonly #ended: GroupReader[] = []
  /** By daemon, group and life. */
  readonly #published = new Map<string, Map<string, number>>()

  constructor(recorder: Recorder) {
    this.#recorder = recorder
  }

  /** Begins to read a group at a daemon, unless it is read already; resolves when it is in it. */
  async enter({ name, lives, generation, client }: Participant, group: string): Promise<void> {
    const key = keyOf(name, group)
    const known = this.#readers.get(key)
    if (known?.life === lives) return known.enter()
    const reader = GroupReader.open({
      ...{ peer: name, life: lives, epoch: generation, group, client },
      recorder: this.#recorder,
      onDelivery: (delivery) => {
        for (const listener of this.#listeners) listener(delivery)
      },
    })
    if (known !== undefined) this.#ended.push(known)
    this.#readers.set(key, reader)
    await reader.enter()
  }

  /** The groups that it was in are read again: it has come back. */
  async return(participant: Participant): Promise<void> {
    const groups = [...this.#readers.values()].flatMap(({ peer, group }) =>
      peer === participant.name ? [group] : [],
    )
    await Promise.all(groups.map((group) => this.enter(participant, group)))
  }

  /** Its process ends. */
  end(peer: string): void {
    for (const reader of this.#readers.values()) if (reader.peer === peer) reader.close()
  }

  close(): void {
    for (const reader of this.#readers.values()) reader.close()
  }

  entered(peer: string, life: number, group: string): boolean {
    const reader = this.#readers.get(keyOf(peer, group))
    return reader?.life === life && reader.entered
  }

  /** Calls `listener` with every delivery from now on, until the function that it gives is called. */
  onDelivery(listener: (delivery: Delivery) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Publishes. The record of it stands where it was asked for, and says until the
   * answer is there that it was attempted: of a daemon that is killed meanwhile
   * nobody knows whether it did.
   */
  async publish(participant: Participant, group: string, content: string): Promise<void> {
    const { name: peer, lives: life, client } = participant
    const at = this.#recorder.now()
    const base = { at, peer, life, group, content }
    let answer: Published | undefined
    this.#recorder.recordLater(() => {
      if (answer === undefined) return { ...base, type: 'attempted' }
      const { epoch, seq, lamport } = answer
      const sender = this.#recorder.nameOf(answer.sender)
      return {
        ...base,
        type: 'published',
        sender,
        epoch,
        seq,
        lamport,
        vector: this.#recorder.nameVector(answer.vector),
      }
    })
    answer = await client.publish(group, { data: content })
    const { sender, epoch, seq } = answer
    const key = `${keyOf(peer, group)}\n${life}`
    const counts = this.#published.get(key) ?? new Map<string, number>()
    this.#published.set(key, counts)
    const entry = `${sender}#${epoch}`
    counts.set(entry, Math.max(seq, counts.get(entry) ?? 0))
  }

  /** The first thing that one of `peers` lacks of what any of them has delivered or published, in words. */
  missing(peers: readonly string[]): string | undefined {
    return this.lacks(peers, this.held(peers))
  }

  /** What `peers` have delivered, and published in their present lives, by now. */
  held(peers: readonly string[]): Held {
    const held = new Map<string, Map<string, number>>()
    for (const { peer, life, group, upTo } of this.#views(peers)) {
      const counts = held.get(group) ?? new Map<string, number>()
      held.set(group, counts)
      // What it published in an earlier life may have died with that.
      const published = this.#published.get(`${keyOf(peer, group)}\n${life}`) ?? []
      for (const [entry, count] of [...upTo, ...published]) {
        counts.set(entry, Math.max(count, counts.get(entry) ?? 0))
      }
    }
    return held
  }

  /** The first thing of `held` that one of `peers` lacks, in words. Throws what ended its stream, if that is so. */
  lacks(peers: readonly string[], held: Held): string | undefined {
    for (const { peer, group, upTo, entered, failure } of this.#views(peers)) {
      if (failure !== undefined) throw failure
      if (!entered) return `${peer} is not yet in ${group}`
      for (const [entry, count] of held.get(group) ?? []) {
        const found = upTo.get(entry) ?? 0
        if (found >= count) continue
        const hash = entry.lastIndexOf('#')
        const sender = this.#recorder.nameOf(entry.slice(0, hash))
        return `${peer} has ${found} of the ${count} messages of ${sender} in ${group}, epoch ${entry.slice(hash + 1)}`
      }
    }
    return undefined
  }

  /** What a peer's present life has delivered that others had before it entered, and when the last of it came, ms. */
  repair(peer: string): { readonly missed: number; readonly ms: number } {
    let missed = 0
    let ms = 0
    for (const reader of this.#readers.values()) {
      if (reader.peer !== peer) continue
      const earlier = new Set(
        this.deliveries(reader.group).flatMap((delivery) =>
          delivery.at < reader.openedAt ? [dotOf(delivery)] : [],
        ),
      )
      for (const delivery of reader.deliveries) {
        if (!earlier.has(dotOf(delivery))) continue
        missed++
        ms = Math.max(ms, delivery.at - reader.openedAt)
      }
    }
    return { missed, ms }
  }

  /** All deliveries in the group so far, by daemon. */
  deliveries(group: string): readonly Delivery[] {
    return this.#all().flatMap((reader) => (reader.group === group ? reader.deliveries : []))
  }

  /** All deliveries in the group that was entered first; empty where none was. */
  firstTalk(): readonly Delivery[] {
    const [first] = this.#readers.values()
    return first === undefined ? [] : this.deliveries(first.group)
  }

  gaps(): readonly Gap[] {
    return this.#all().flatMap(({ gaps }) => gaps)
  }

  /** Anybody was ever in any. */
  get any(): boolean {
    return this.#readers.size > 0
  }

  #all(): readonly GroupReader[] {
    return [...this.#ended, ...this.#readers.values()]
  }

  #views(peers: readonly string[]) {
    return [...this.#readers.values()].flatMap((reader) => {
      if (!peers.includes(reader.peer)) return []
      const { peer, life, group, entered, failure } = reader
      return [{ peer, life, group, entered, failure, upTo: reader.upTo() }]
    })
  }
}

function dotOf({ sender, epoch, seq }: Delivery): string {
  return `${sender}#${epoch}:${seq}`
}

function keyOf(peer: string, group: string): string {
  return `${peer}\n${group}`
}
