/** What the membership table has gone through since the start; counted always, read by metrics. */
import type { MemberChange, MemberView, Misbehaviour } from '../lib/index.ts'

export class MembershipTally {
  /** Changes of others' rows, by kind. */
  readonly changes: Partial<Record<MemberChange, number>> = {}
  readonly misbehaviours: Partial<Record<Misbehaviour, number>> = {}
  /** Suspects that turned out to be alive. */
  falseSuspicions = 0
  /** Times that this peer had to say that it is alive. */
  refutations = 0
  readonly #suspects = new Map<string, number>()

  changed(change: MemberChange, member: MemberView): void {
    if (member.self) return
    count(this.changes, change)
    const suspected = this.#suspects.get(member.peer)
    if (member.status === 'suspect') this.#suspects.set(member.peer, member.generation)
    else if (this.#suspects.delete(member.peer) && member.status === 'alive') {
      // A newer life does not prove that the suspected one was alive.
      if (suspected === member.generation) this.falseSuspicions += 1
    }
  }

  misbehaved(reason: Misbehaviour): void {
    count(this.misbehaviours, reason)
  }
}

function count<Key extends string>(counts: Partial<Record<Key, number>>, key: Key): void {
  counts[key] = (counts[key] ?? 0) + 1
}
