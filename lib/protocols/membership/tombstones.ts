/**
 * What is remembered of who is gone.
 *
 * A table is pruned some day, and then a stale record of somebody who died long
 * ago looks like a newcomer: in other systems the dead come back that way, one
 * member after the other. Here each life that is gone leaves a tombstone from the
 * moment of its death on, on disk too. Hearsay of that life is refused; the owner
 * itself, in authenticated contact, is told what is believed of it and answers
 * with a higher incarnation, which is news.
 *
 * The dead go on being dialled, for a partition may outlast the table. Tombstones
 * and the addresses in them expire together.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import { decodeTombstones, durableKeys, encodeTombstones, type Tombstone } from './durable-state.ts'
import type { MembershipInit } from './init.ts'
import type { Member } from './member.ts'
import { RunningTime } from './running-time.ts'
import { shuffled } from './shuffled.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'

export class Tombstones {
  /** On disk each is a record of its own, so that one more death writes little. */
  static readonly parts = 256
  /** A life that ends seldom ends alone. */
  static readonly noteAfterMs = 1000
  /** Written at once; more is written a second later. */
  static readonly stonesPerNote = 256
  readonly running: RunningTime
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
  readonly #tombstoneMs: number
  readonly #most: number
  /** Oldest first. */
  readonly #stones = new Map<PeerId, Tombstone>()
  readonly #parts = new Map<number, Set<PeerId>>()
  readonly #changed = new Set<number>()
  /** Those with addresses; who was dialled goes to the end. */
  readonly #dialled: Set<PeerId>

  constructor(init: MembershipInit, turn: MembershipTurn, agenda: Agenda<Timer>) {
    this.#turn = turn
    this.#agenda = agenda
    this.running = new RunningTime(init, turn)
    this.#tombstoneMs = init.config.tombstoneMs
    this.#most = init.config.maxTombstones
    const stones: Tombstone[] = []
    for (let part = 0; part < Tombstones.parts; part++) {
      for (const stone of decodeTombstones(init.durable.get(durableKeys.tombstones(part)))) {
        if (stone.peer !== init.self) stones.push(stone)
      }
    }
    stones.sort((a, b) => a.goneAt - b.goneAt)
    for (const stone of stones.slice(-this.#most)) this.#put(stone)
    // Each life begins somewhere else, so that no dead is always the last.
    this.#dialled = new Set(
      shuffled(
        stones.filter(({ peer }) => this.mayAnswer(peer)),
        init.random,
      ).map(({ peer }) => peer),
    )
    this.#changed.clear()
  }

  get size(): number {
    return this.#stones.size
  }

  /** How many are to be dialled. */
  get dialled(): number {
    return this.#dialled.size
  }

  get(peer: PeerId): Tombstone | undefined {
    return this.#stones.get(peer)
  }

  /** `member` is dead or has left. */
  bury(member: Member): void {
    const { peer, generation, incarnation } = member
    const mayReturn = member.status === 'dead' || member.record.body.presence === 'stopping'
    const addresses = mayReturn ? member.record.body.addresses : []
    this.#bury({ peer, generation, incarnation, addresses, goneAt: this.running.now })
  }

  /** `member` is about to begin a later life: this one is over. */
  supersede({ peer, generation, incarnation }: Member): void {
    this.#bury({ peer, generation, incarnation, addresses: [], goneAt: this.running.now })
  }

  /** It is back. A former life is over all the same. */
  returned({ peer, generation }: Member): void {
    if ((this.#stones.get(peer)?.generation ?? generation) < generation) this.settle(peer)
    else this.#unearth(peer)
  }

  #bury(stone: Tombstone): void {
    this.#unearth(stone.peer)
    this.#put(stone)
    if (stone.addresses.length > 0) this.#dialled.add(stone.peer)
    this.#noteSoon()
    this.#dropOldest()
  }

  #unearth(peer: PeerId): void {
    if (!this.#stones.delete(peer)) return
    this.#dialled.delete(peer)
    const part = partOf(peer)
    const peers = this.#parts.get(part)
    peers?.delete(peer)
    if (peers?.size === 0) this.#parts.delete(part)
    this.#changed.add(part)
    this.#noteSoon()
  }

  /** It is not expected back: nobody dials it any more. */
  settle(peer: PeerId): void {
    const stone = this.#stones.get(peer)
    if (stone === undefined || stone.addresses.length === 0) return
    this.#stones.set(peer, { ...stone, addresses: [] })
    this.#dialled.delete(peer)
    this.#changed.add(partOf(peer))
    this.#noteSoon()
  }

  /** The next `count` to be dialled, in turn; without those that `isListed` still. */
  toDial(count: number, isListed: (peer: PeerId) => boolean): Tombstone[] {
    this.#dropOldest()
    const due: Tombstone[] = []
    let looked = 0
    for (const peer of this.#dialled) {
      if (due.length >= count || looked++ >= 4 * count) break
      const stone = this.#stones.get(peer)
      // At the end again: what is added to a set while it is walked is walked too, hence the bound.
      this.#dialled.delete(peer)
      if (stone === undefined) continue
      this.#dialled.add(peer)
      if (!isListed(peer)) due.push(stone)
    }
    return due
  }

  mayAnswer(peer: PeerId): boolean {
    return (this.#stones.get(peer)?.addresses.length ?? 0) > 0
  }

  /** What has changed, or as much of it as is written at once. */
  note(): void {
    let written = 0
    for (const part of this.#changed) {
      if (written >= Tombstones.stonesPerNote) break
      this.#changed.delete(part)
      const peers = this.#parts.get(part) ?? []
      const stones = [...peers].flatMap((peer) => this.#stones.get(peer) ?? [])
      this.#turn.note(durableKeys.tombstones(part), encodeTombstones(stones))
      written += stones.length + 1
    }
    if (written > 0) this.running.note()
    if (this.#changed.size > 0) this.#noteSoon()
  }

  #noteSoon(): void {
    if (this.#agenda.has('note-tombstones')) return
    const from = this.#turn.now + Tombstones.noteAfterMs / 2
    this.#agenda.scheduleLoosely('note-tombstones', from, from + Tombstones.noteAfterMs, {
      type: 'note-tombstones',
    })
  }

  #dropOldest(): void {
    for (const { peer, goneAt } of this.#stones.values()) {
      const expired = this.running.now - goneAt >= this.#tombstoneMs
      if (!expired && this.#stones.size <= this.#most) return
      this.#unearth(peer)
    }
  }

  #put(stone: Tombstone): void {
    const part = partOf(stone.peer)
    this.#stones.set(stone.peer, stone)
    const peers = this.#parts.get(part)
    if (peers === undefined) this.#parts.set(part, new Set([stone.peer]))
    else peers.add(stone.peer)
    this.#changed.add(part)
  }
}

/** FNV-1a; all that is asked of it is to spread. */
function partOf(peer: PeerId): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < peer.length; i++) hash = Math.imul(hash ^ peer.charCodeAt(i), 0x01000193)
  return (hash >>> 8) % Tombstones.parts
}
