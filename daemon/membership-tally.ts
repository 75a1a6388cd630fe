/** What the membership table has gone through since the start; counted always, read by metrics. */
import type { MemberChange, MemberView, Misbehaviour } from '../lib/index.ts'

type Charge = 'suspect' | 'stalled' | 'dead'

interface Charged {
  readonly worst: Charge
  readonly generation: number
}

export class MembershipTally {
  /** Changes of others' rows, by kind. */
  readonly changes: Partial<Record<MemberChange, number>> = {}
  readonly misbehaviours: Partial<Record<Misbehaviour, number>> = {}
  /** Suspects that turned out to be alive, and did not stall. */
  falseSuspicions = 0
  /** Members that were called dead, and turned out to be alive in the same life. */
  falseDeaths = 0
  /** Dead members that somebody forced to leave. */
  dismissed = 0
  /** Times that this peer had to say that it is alive. */
  refutations = 0
  readonly #charged = new Map<string, Charged>()

  changed(change: MemberChange, member: MemberView): void {
    if (member.self) return
    count(this.changes, change)
    const { peer, status, generation, reason } = member
    if (change === 'left' && reason === 'dismissed') this.dismissed += 1
    const known = this.#charged.get(peer)
    // A newer life does not prove that the one before was alive.
    const charged = known?.generation === generation ? known : undefined
    const isCharged = status === 'suspect' || status === 'stalled' || status === 'dead'
    if (isCharged && change !== 'reaped')
      this.#charged.set(peer, { worst: worse(charged, status), generation })
    else if (this.#charged.delete(peer) && status === 'alive') {
      if (charged?.worst === 'suspect') this.falseSuspicions += 1
      if (charged?.worst === 'dead') this.falseDeaths += 1
    }
  }

  misbehaved(reason: Misbehaviour): void {
    count(this.misbehaviours, reason)
  }
}

const severity: readonly Charge[] = ['suspect', 'stalled', 'dead']

function worse(before: Charged | undefined, now: Charge): Charge {
  return before !== undefined && severity.indexOf(before.worst) > severity.indexOf(now) ? before.worst : now
}

function count<Key extends string>(counts: Partial<Record<Key, number>>, key: Key): void {
  counts[key] = (counts[key] ?? 0) + 1
}
