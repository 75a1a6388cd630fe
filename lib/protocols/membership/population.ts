/**
 * How many are alive, and who is not: kept as it changes, because many inputs ask
 * and none of them may cost a walk over ten thousand members.
 */
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

  added(member: Member): void {
    this.#enter(member)
    if (member.present) this.#port.appeared(member)
  }

  /** Its status is another one than `before`. */
  moved(member: Member, before: Member['status']): void {
    const wasPresent = before !== 'dead' && before !== 'left'
    if (before === 'alive') this.alive--
    this.suspects.delete(member)
    this.gone.delete(member)
    this.#gone.delete(member)
    this.#enter(member)
    if (member.present && !wasPresent) this.#port.appeared(member)
    if (!member.present && wasPresent) this.#port.vanished(member)
  }

  /** Its row is no longer there. */
  removed(member: Member): void {
    if (member.status === 'alive') this.alive--
    this.suspects.delete(member)
    this.gone.delete(member)
    this.#gone.delete(member)
    if (member.present) this.#port.vanished(member)
  }

  #enter(member: Member): void {
    if (member.status === 'alive') this.alive++
    else if (member.present) this.suspects.add(member)
    else {
      this.gone.add(member)
      this.#gone.add(member)
    }
  }
}
