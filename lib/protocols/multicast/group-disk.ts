/** One group on the disk. What one step writes is there together or not at all. */
import type { CausalOrder } from './causal-order.ts'
import { durableKeys, encodeEntry, encodeGroupState, encodeProof } from './durable-state.ts'
import { toFrontierDots } from './frontier.ts'
import type { GroupContext } from './group-context.ts'
import type { EntryKey, Envelope, Proof, SignedHeader } from './messages.ts'

/** Of the frontier's vectors: some 25 at a hundred members; it is written with every delivery. */
const frontierEntries = 256

export class GroupDisk {
  readonly #group: GroupContext

  constructor(group: GroupContext) {
    this.#group = group
  }

  /** `based`: it stands on a baseline; before that it would have to begin anew. */
  writeState(order: CausalOrder, based: boolean): void {
    const { name, turn } = this.#group
    const frontier = toFrontierDots(order.frontier.values(), frontierEntries)
    turn.persist(durableKeys.group(name), encodeGroupState({ name, based, frontier }))
  }

  /** The last delivered header of its log. */
  writeEntry(header: SignedHeader): void {
    this.#group.turn.persist(durableKeys.entry(this.#group.id, header.entry), encodeEntry(header))
  }

  /** What counts as delivered from now on, without having been. */
  writeStanding(order: CausalOrder, entries: readonly SignedHeader[]): void {
    for (const header of entries) {
      this.#group.directory.author(header.header.author)
      if (header.last > order.delivered.seq(header.entry)) this.writeEntry(header)
    }
  }

  writeProof(proof: Proof): void {
    this.#group.turn.persist(durableKeys.proof(this.#group.id, proof.first.authorKey), encodeProof(proof))
  }

  /** `bytes`: the encoded envelope. */
  writeOwn(envelope: Envelope, bytes: Uint8Array): void {
    this.#group.turn.persist(this.#ownKey(envelope), bytes)
  }

  /** An envelope is no longer served: an own one need not be kept for it. */
  forgetOwn(envelope: Envelope): void {
    const { init, turn } = this.#group
    if (envelope.header.author === init.self) turn.persist(this.#ownKey(envelope), undefined)
  }

  forgetEntry(entry: EntryKey): void {
    this.#group.turn.persist(durableKeys.entry(this.#group.id, entry), undefined)
  }

  /** This peer leaves the group. */
  wipe(order: CausalOrder): void {
    const { id, name, turn } = this.#group
    turn.persist(durableKeys.group(name), undefined)
    for (const header of order.delivered.values()) this.forgetEntry(header.entry)
    for (const item of order.log.after(0)) this.forgetOwn(item.envelope)
    for (const envelope of order.log.dropKept()) this.forgetOwn(envelope)
    for (const author of order.forks.authors()) turn.persist(durableKeys.proof(id, author), undefined)
  }

  #ownKey({ header }: Envelope): string {
    return durableKeys.own(this.#group.id, header.epoch, header.seq)
  }
}
