/**
 * How many are alive, and who is not: kept as it changes, because many inputs ask
 * and none of them may cost a walk over ten thousand members.
 */
import type { PeerId } from '../core.ts'
import { bucketOf } from './digest.ts'
import { IndexedSet } from './indexed-set.ts'
import type { Member } from './member.ts'

export interface PopulationPort {
  /** It counts towards n from now on, or no longer. */
  appeared(member: Member): void
  vanished(member: Member): void
}

export class Population {
  /** Others whose status is alive. */
  alive: number
  /** Present, and not alive. */
  readonly suspects = new Set<Member>()
  /** Dead, or left for whatever reason; who went first comes first. */
  readonly gone = new Set<Member>()
  /** The same, to draw from. */
  readonly #gone = new IndexedSet<Member>()
  /** And by the part of the digest that they would be in: a page of rows asks for many parts. */
  readonly #goneIn = new Map<number, Set<PeerId>>()
  readonly #port: PopulationPort

  /** `alive`: how many are there from the beginning. */
  constructor(port: PopulationPort, alive = 0) {
    this.#port = port
    this.alive = alive
  }

  /** Others that count towards n. */
  get present(): number {
    return this.alive + this.suspects.size
  }

  /** Of the gone each with that chance. */
  drawnGone(chance: number, random: () => number): readonly Member[] {
    return this.#gone.drawn(chance, random)
  }

  /** Of the gone those in that part of the digest. */
  goneIn(bucket: number): Iterable<PeerId> {
    return this.#goneIn.get(bucket) ?? []
  }

  added(member: Member): void {
    this.#enter(member)
    if (member.present) this.#port.appeared(member)
  }

  /** Its status is another one than `before`. */
  moved(member: Member, before: Member['status']): void {
    const wasPresent = before !== 'dead' && before !== 'left'
    if (before === 'alive') this.alive--
    this.suspects.delete(member)
    this.#leaveGone(member)
    this.#enter(member)
    if (member.present && !wasPresent) this.#port.appeared(member)
    if (!member.present && wasPresent) this.#port.vanished(member)
  }

  /** Its row is no longer there. */
  removed(member: Member): void {
    if (member.status === 'alive') this.alive--
    this.suspects.delete(member)
    this.#leaveGone(member)
    if (member.present) this.#port.vanished(member)
  }

  #enter(member: Member): void {
    if (member.status === 'alive') this.alive++
    else if (member.present) this.suspects.add(member)
    else this.#enterGone(member)
  }

  #enterGone(member: Member): void {
    this.gone.add(member)
    this.#gone.add(member)
    const bucket = bucketOf(member.peer)
    const others = this.#goneIn.get(bucket)
    if (others === undefined) this.#goneIn.set(bucket, new Set([member.peer]))
    else others.add(member.peer)
  }

  #leaveGone(member: Member): void {
    if (!this.gone.delete(member)) return
    this.#gone.delete(member)
    const bucket = bucketOf(member.peer)
    const others = this.#goneIn.get(bucket)
    others?.delete(member.peer)
    if (others?.size === 0) this.#goneIn.delete(bucket)
  }
}
