/**
 * What waits too long gives up its payload and is reported; never is it delivered
 * anyway. When what it waited for comes after all, it is fetched again.
 */
import { type CausalOrder, predecessorOf } from './causal-order.ts'
import { dotOf, dotText, entryKey } from './dots.ts'
import type { GroupContext } from './group-context.ts'
import type { DotKey, EntryKey, SignedHeader } from './messages.ts'
import type { Repair } from './repair.ts'

/** Messages that were given up, each counted for everything that it waits for. */
const maxGivenUp = 4096
/** Looks within the time that a message may be held. */
const looks = 4

export class Undeliverable {
  readonly #group: GroupContext
  readonly #order: CausalOrder
  readonly #repair: Repair
  /** By the log that they wait for. */
  readonly #givenUp = new Map<EntryKey, Map<string, DotKey>>()
  #count = 0

  constructor(group: GroupContext, order: CausalOrder, repair: Repair) {
    this.#group = group
    this.#order = order
    this.#repair = repair
  }

  /** Something is held back. */
  held(): void {
    this.#group.schedule('hold-back', this.#group.now + this.#group.init.config.holdBackMs)
  }

  run(): void {
    const { heldBack, forks, isOpen } = this.#order
    const { holdBackMs } = this.#group.init.config
    const before = this.#group.now - holdBackMs
    for (const held of isOpen ? [...heldBack.values()] : []) {
      if (held.at > before) continue
      heldBack.remove(held)
      // What an outcast wrote waits for others to name it; that is no loss to report.
      if (!forks.isOutcast(held.envelope.authorKey)) this.#giveUp(held.envelope)
    }
    if (heldBack.size > 0) this.#group.schedule('hold-back', this.#group.now + holdBackMs / looks)
  }

  /** Something of this log was delivered: what was given up for want of it is wanted again. */
  delivered(entry: EntryKey): void {
    const waiting = this.#givenUp.get(entry)
    if (waiting === undefined) return
    this.#givenUp.delete(entry)
    this.#count -= waiting.size
    for (const dot of waiting.values()) this.#repair.want(dot, undefined)
  }

  #giveUp(envelope: SignedHeader): void {
    const { author, epoch } = envelope.header
    const { name, turn } = this.#group
    turn.emit({ type: 'undeliverable', name, author, epoch, seq: envelope.last })
    for (const dot of [...envelope.header.dependencies, predecessorOf(envelope)]) {
      if (dot !== undefined && !this.#order.delivered.includes(dot)) this.#remember(dot, dotOf(envelope))
    }
  }

  #remember(lacking: DotKey, dot: DotKey): void {
    if (this.#count >= maxGivenUp) {
      // What nobody brought in all this time is not what anybody waits for.
      this.#givenUp.clear()
      this.#count = 0
    }
    const entry = entryKey(lacking.author, lacking.epoch)
    const waiting = this.#givenUp.get(entry) ?? new Map<string, DotKey>()
    const before = waiting.size
    waiting.set(dotText(dot), dot)
    this.#count += waiting.size - before
    this.#givenUp.set(entry, waiting)
  }
}
